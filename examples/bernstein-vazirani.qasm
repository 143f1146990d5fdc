// Bernstein and Vazirani: a function knows a secret of five bits and answers with the parity of
// the bits that it shares with a question. One question to all of them at once is enough.
//
//   qrtx run examples/bernstein-vazirani.qasm
//
// Every shot gives the secret, 10110.
OPENQASM 3.0;
include "stdgates.inc";

qubit[5] question;
qubit answer;
bit[5] secret;

x answer;
h answer;
h question;

// The function: the answer is flipped for each bit of the secret that the question has too.
for int i in {1, 2, 4} {
    cx question[i], answer;
}

h question;
secret = measure question;
