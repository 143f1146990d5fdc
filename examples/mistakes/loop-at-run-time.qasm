OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c;
while (!c) {
    h q;
    c = measure q;
}

// ValidationError: the OpenQASM is not valid: line 5, column 1: control flow at run time is not supported, but for if on measured bits; loops with fixed bounds are: for int i in [0:3] { … }
//   5 | while (!c) {
//     | ^^^^^
