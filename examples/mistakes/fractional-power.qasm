OPENQASM 3.0;
include "stdgates.inc";
qubit q;
pow(0.5) @ x q;

// ValidationError: the OpenQASM is not valid: line 4, column 5: the exponent must be a whole number to be compiled
//   4 | pow(0.5) @ x q;
//     |     ^^^
