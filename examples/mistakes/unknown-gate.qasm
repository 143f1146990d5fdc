OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
h q[0];
cnot q[0], q[1];

// ValidationError: the OpenQASM is not valid: line 5, column 1: there is no gate cnot: did you mean cx?
//   5 | cnot q[0], q[1];
//     | ^^^^
