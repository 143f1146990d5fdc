OPENQASM 3.0;
qubit[2] q;
h q[0];
cx q[0], q[1];

// ValidationError: the OpenQASM is not valid: line 3, column 1: the gate h is not known before it is included: write include "stdgates.inc"; above
//   3 | h q[0];
//     | ^
