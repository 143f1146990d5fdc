OPENQASM 3.0;
include "my-gates.inc";
qubit[2] q;
my_gate q[0], q[1];

// ValidationError: the OpenQASM is not valid: line 2, column 1: "my-gates.inc" cannot be included: a program is one text, and "qelib1.inc" and "stdgates.inc" are all that is known here
//   2 | include "my-gates.inc";
//     | ^^^^^^^^^^^^^^^^^^^^^^^
