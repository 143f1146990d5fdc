OPENQASM 2.0;
include "qelib1.inc";
qubit[2] q;
h q[0];

// ValidationError: the OpenQASM is not valid: line 3, column 1: qubit belongs to OpenQASM 3, and the first line says 2: write OPENQASM 3.0; there
//   3 | qubit[2] q;
//     | ^^^^^
