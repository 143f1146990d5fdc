OPENQASM 3.0;
include "stdgates.inc";
qubit q;
rx q;

// ValidationError: the OpenQASM is not valid: line 4, column 1: rx takes 1 angle and is given 0
//   4 | rx q;
//     | ^^
