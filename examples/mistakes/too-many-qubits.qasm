OPENQASM 3.0;
include "stdgates.inc";
qubit[25] q;
bit[25] c;
h q;
c = measure q;

// AllocationError: sim:local can not run it: the circuit has 25 qubits, and the device has 24: use fewer, or another device
