OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[2];
measure q -> c;

// ValidationError: the OpenQASM is not valid: line 5, column 5: there is no q[2]: q has 2 elements, q[0] to q[1]
//   5 | h q[2];
//     |     ^
