// Grover's search among eight entries for the one that an oracle knows: 101.
//
//   qrtx run examples/grover.qasm
//
// Two rounds find it in 94.5 % of the shots; guessing would in 12.5 %.
OPENQASM 3.0;
include "stdgates.inc";

qubit[3] q;
bit[3] c;

// Turns the sign of the entry that is looked for.
gate oracle a, b, d {
    ctrl @ negctrl @ z a, b, d;
}

// Mirrors all amplitudes at their mean.
gate diffusion a, b, d {
    h a; h b; h d;
    x d;
    negctrl(2) @ z a, b, d;
    x d;
    h a; h b; h d;
}

h q;
for int round in [1:2] {
    oracle q[0], q[1], q[2];
    diffusion q[0], q[1], q[2];
}
c = measure q;
