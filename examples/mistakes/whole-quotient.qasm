OPENQASM 3.0;
include "stdgates.inc";
qubit q;
rx(1/2 * pi) q;

// ValidationError: the OpenQASM is not valid: line 4, column 4: in OpenQASM 3 the quotient of whole numbers is whole, so 1/2 is 0: for 0.5 make one of them a float, as in 1.0/2 or float(n)/2; for 0 put the quotient into a const int
//   4 | rx(1/2 * pi) q;
//     |    ^^^
