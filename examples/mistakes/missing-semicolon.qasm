OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
h q[0]
cx q[0], q[1];

// ValidationError: the OpenQASM is not valid: line 4, column 7: a ; is missing here, before cx
//   4 | h q[0]
//     |       ^
