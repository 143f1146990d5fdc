OPENQASM 3.0;
include "stdgates.inc";
qubit q;
pow(0.5) @ x q;

// ValidationError: the OpenQASM is not valid: line 4, column 5: only whole powers of a gate are compiled: for a root write its own gate, as sx for pow(0.5) @ x, or a part of the angle, as rx(a/2) for pow(0.5) @ rx(a)
//   4 | pow(0.5) @ x q;
//     |     ^^^
