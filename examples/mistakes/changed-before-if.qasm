OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit c;
h q[0];
c = measure q[0];
h q[0];
if (c) x q[1];

// ValidationError: the OpenQASM is not valid: line 8, column 5: the qubit that this was measured from has been changed since, so nothing can tell the result apart any more: measure into another qubit first, or move the if before the change
//   8 | if (c) x q[1];
//     |     ^
