// Teleportation: a qubit's state moves to another one, over a shared Bell pair and two classical
// bits that decide how the other end is turned. At last the preparation is undone there, so that
// the highest bit tells whether the state has arrived: it is 0 in every shot.
//
//   qrtx run examples/teleportation.qasm
OPENQASM 2.0;
include "qelib1.inc";

qreg sent[1];
qreg pair[2];
creg phase[1];
creg flip[1];
creg arrived[1];

// The state to send.
u3(0.3, 0.2, 0.1) sent[0];

// The Bell pair, one half at each end.
h pair[0];
cx pair[0], pair[1];

// What the sender does, and measures.
cx sent[0], pair[0];
h sent[0];
measure sent[0] -> phase[0];
measure pair[0] -> flip[0];

// What the receiver does with the two bits.
if (flip == 1) x pair[1];
if (phase == 1) z pair[1];

// Undone, the state is back at zero.
u3(-0.3, -0.1, -0.2) pair[1];
measure pair[1] -> arrived[0];
