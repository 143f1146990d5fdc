// A Bell pair: two qubits that always agree, and neither of which has decided before it is asked.
//
//   qrtx run examples/bell.qasm --shots 1000 --seed 7
//
// About half of the shots give 00, the others 11.
OPENQASM 3.0;
include "stdgates.inc";

qubit[2] q;
bit[2] c;

h q[0];
cx q[0], q[1];
c = measure q;
