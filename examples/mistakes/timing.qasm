OPENQASM 3.0;
include "stdgates.inc";
qubit q;
x q;
delay[100ns] q;
x q;

// ValidationError: the OpenQASM is not valid: line 5, column 1: timing is not supported: leave it out, or use a barrier where only the order matters
//   5 | delay[100ns] q;
//     | ^^^^^
