#!/usr/bin/env python3
"""Asks Qiskit what generated circuits do, and stores the answers for the differential test.

    cargo run -p qrtx-testkit --bin qrtx-circuits -- --seed 1 > texts.jsonl
    python tests/reference/qiskit_amplitudes.py texts.jsonl tests/reference/qiskit

made the data beside this file. To try other circuits, choose another seed (and --set, --count),
write elsewhere, and let the test read that:

    cargo run -p qrtx-testkit --bin qrtx-circuits -- --seed 9 --count 500 > /tmp/texts.jsonl
    python tests/reference/qiskit_amplitudes.py /tmp/texts.jsonl /tmp/nine
    QRTX_REFERENCE=/tmp/nine cargo test --test circuits differential::

Needs `pip install qiskit qiskit-qasm3-import`. Of each line the text named by `read` is read, and
nothing else. OUT.f64 gets little-endian doubles, circuit after circuit: the real and imaginary
part of every amplitude, qubit 0 being the lowest bit of its index; for the set `dynamic` the
probability of every outcome, the classical bit that was declared first being the lowest. OUT.json
says which circuits these are, with a SHA-256 of what was read.
"""

import hashlib
import json
import sys

import numpy
import qiskit
import qiskit_qasm3_import
from qiskit import qasm2, qasm3
from qiskit.quantum_info import Statevector

# Below this a branch is rounding.
NEVER = 1e-15


def read(entry):
    text = entry[entry["read"]]
    if entry["read"] == "qasm3":
        return qasm3.loads(text)
    # With these, all of qelib1.inc as Qiskit ships it is known.
    return qasm2.loads(
        text,
        include_path=qasm2.LEGACY_INCLUDE_PATH,
        custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
        custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
    )


def part(state, qubit, value):
    """The part of a state where the qubit has this value, not normalised."""
    indices = numpy.arange(len(state.data)) >> qubit & 1
    return Statevector(numpy.where(indices == value, state.data, 0))


def holds(condition, bits, clbits):
    """Whether a condition of an if is met by these bits."""
    left, wanted = condition
    if isinstance(left, qiskit.circuit.Clbit):
        return (bits >> clbits[left] & 1) == int(wanted)
    number = sum((bits >> clbits[bit] & 1) << place for place, bit in enumerate(left))
    return number == int(wanted)


def follow(circuit, branches, qubits, clbits, unitary):
    """Every branch `(bits, state)` after the circuit; without its measurements if `unitary`."""
    for instruction in circuit.data:
        operation = instruction.operation
        on = [qubits[qubit] for qubit in instruction.qubits]
        if operation.name == "barrier" or (unitary and operation.name == "measure"):
            continue
        after = []
        for bits, state in branches:
            if operation.name in ("measure", "reset"):
                for value in (0, 1):
                    rest = part(state, on[0], value)
                    if numpy.vdot(rest.data, rest.data).real <= NEVER:
                        continue
                    if operation.name == "measure":
                        bit = clbits[instruction.clbits[0]]
                        after.append((bits & ~(1 << bit) | value << bit, rest))
                    else:
                        if value == 1:
                            rest = rest.evolve(qiskit.circuit.library.XGate(), [on[0]])
                        after.append((bits, rest))
            elif operation.name == "if_else":
                into = [clbits[bit] for bit in instruction.clbits]
                met = holds(operation.condition, bits, clbits)
                # Without an else there is no second block.
                chosen = operation.blocks[:1] if met else operation.blocks[1:]
                if chosen:
                    inner = chosen[0]
                    after += follow(
                        inner,
                        [(bits, state)],
                        dict(zip(inner.qubits, on)),
                        dict(zip(inner.clbits, into)),
                        unitary,
                    )
                else:
                    after.append((bits, state))
            else:
                after.append((bits, state.evolve(operation, on)))
        branches = after
    return branches


def answer(entry):
    circuit = read(entry)
    qubits = {qubit: place for place, qubit in enumerate(circuit.qubits)}
    clbits = {bit: place for place, bit in enumerate(circuit.clbits)}
    start = [(0, Statevector.from_int(0, 2**circuit.num_qubits))]
    dynamic = entry["set"] == "dynamic"
    branches = follow(circuit, start, qubits, clbits, not dynamic)
    if not dynamic:
        ((_, state),) = branches
        return state.data.view(numpy.float64)
    probabilities = numpy.zeros(2**circuit.num_clbits)
    for bits, state in branches:
        probabilities[bits] += numpy.vdot(state.data, state.data).real
    return probabilities


def main(texts, out):
    index = []
    with open(texts, encoding="utf-8") as lines, open(out + ".f64", "wb") as data:
        for line in lines:
            entry = json.loads(line)
            try:
                values = answer(entry)
            except Exception as why:
                text = entry[entry["read"]]
                raise SystemExit(f"{entry['set']} {entry['number']}: {why}\n\n{text}") from why
            values.astype("<f8").tofile(data)
            text = entry[entry["read"]].encode()
            kept = {key: entry[key] for key in ("set", "seed", "number", "read")}
            kept |= {"sha256": hashlib.sha256(text).hexdigest(), "values": len(values)}
            index.append(json.dumps(kept, separators=(",", ":")))
    versions = {
        "qiskit": qiskit.__version__,
        "qiskit_qasm3_import": qiskit_qasm3_import.__version__,
        "numpy": numpy.__version__,
    }
    with open(out + ".json", "w", encoding="utf-8") as file:
        head = ",\n".join(f"{json.dumps(key)}:{json.dumps(versions[key])}" for key in versions)
        file.write("{" + head + ',\n"circuits":[\n' + ",\n".join(index) + "\n]}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
