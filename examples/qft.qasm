// The quantum Fourier transform finds a frequency: five qubits are given the phases of a wave that
// turns 11 times over the register, and the inverse transform reads that number off.
//
//   qrtx run examples/qft.qasm
//
// Every shot gives 01011, which is 11.
OPENQASM 3.0;
include "stdgates.inc";

const int n = 5;
const int turns = 11;

qubit[n] q;
bit[n] c;

h q;
for int i in [0:n - 1] {
    p(tau * turns * 2 ** i / 2.0 ** n) q[i];
}

for int i in [0:floor(n / 2.0) - 1] {
    swap q[i], q[n - 1 - i];
}
for int i in [0:n - 1] {
    for int j in [0:i - 1] {
        cp(-pi / 2.0 ** (i - j)) q[j], q[i];
    }
    h q[i];
}

c = measure q;
