OPENQASM 3.0;
include "stdgates.inc";
qubit q;
rx(1/2 * pi) q;

// ValidationError: the OpenQASM is not valid: line 4, column 4: in OpenQASM 3 whole numbers have a whole quotient, so 1/2 would lose its fraction: write 1.0/2
//   4 | rx(1/2 * pi) q;
//     |    ^^^
