OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
creg c[2];
h q;
measure q -> c;

// ValidationError: the OpenQASM is not valid: line 6, column 1: 3 qubits cannot be measured into 2 bits: both must be of one length
//   6 | measure q -> c;
//     | ^^^^^^^^^^^^^^^
