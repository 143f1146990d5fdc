OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
cx q[0];

// ValidationError: the OpenQASM is not valid: line 4, column 1: cx takes 2 qubits and is given 1
//   4 | cx q[0];
//     | ^^
