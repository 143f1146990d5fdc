OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
h qubits[0];

// ValidationError: the OpenQASM is not valid: line 4, column 3: there is no quantum register qubits: declare it above
//   4 | h qubits[0];
//     |   ^^^^^^
