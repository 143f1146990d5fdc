OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
cx q[1], q[1];

// ValidationError: the OpenQASM is not valid: line 4, column 10: the same qubit is given twice: an operation acts on distinct qubits
//   4 | cx q[1], q[1];
//     |          ^^^^
