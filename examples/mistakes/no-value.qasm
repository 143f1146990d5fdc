OPENQASM 3.0;
include "stdgates.inc";
input float theta;
qubit q;
rx(theta) q;

// ValidationError: the OpenQASM is not valid: line 3, column 13: theta was given no value: run with --param theta=0.5 (metadata param.theta on the wire)
//   3 | input float theta;
//     |             ^^^^^
