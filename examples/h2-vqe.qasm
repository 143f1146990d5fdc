// The ansatz of a variational eigensolver for the hydrogen molecule on two qubits: from the state
// of Hartree and Fock, one electron pair is moved up by an angle that an optimiser is to find.
//
//   qrtx run examples/h2-vqe.qasm --param theta=0.2298 --param turn=0
//   qrtx run examples/h2-vqe.qasm --param theta=0.2298 --param turn=pi/2
//
// At 0.75 angstrom the energy in hartree is
//
//   0.2252 + 0.3435 <Z0> - 0.4347 <Z1> + 0.5716 <Z0 Z1> + 0.0910 <X0 X1> + 0.0910 <Y0 Y1>
//
// (O'Malley et al., Phys. Rev. X 6, 031007, table 1). A turn of 0 measures the Z terms, a turn of
// pi/2 the X term; the Y term is equal to the X term for every theta. The lowest energy, -1.1456,
// is at theta = 0.2298.
OPENQASM 3.0;
include "stdgates.inc";

input float theta;
input float turn;

qubit[2] q;
bit[2] c;

// exp(-i theta/2 Y X)
gate excitation(theta) a, b {
    rx(pi/2) a;
    h b;
    cx a, b;
    rz(theta) b;
    cx a, b;
    h b;
    rx(-pi/2) a;
}

x q[0];
excitation(theta) q[0], q[1];

ry(-turn) q;
c = measure q;
