OPENQASM 2.0;
include "qelib1.inc";
opaque magic(a) x;
qreg q[1];
magic(0.5) q[0];

// ValidationError: the OpenQASM is not valid: line 5, column 1: magic is opaque: nobody has said what it does, so it cannot be compiled
//   5 | magic(0.5) q[0];
//     | ^^^^^
