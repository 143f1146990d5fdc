use super::super::tests::{same, state};

#[test]
fn the_gates_that_readers_give_different_phases_have_a_real_first_entry() {
    for gate in ["U", "u", "u3"] {
        let angles = "(0.4, 0.5, 0.6) q[0], q[1];";
        same(
            2,
            &format!("ctrl @ {gate}{angles}"),
            "cu(0.4, 0.5, 0.6, 0) q[0], q[1];",
        );
        same(
            2,
            &format!("negctrl @ inv @ {gate}{angles}"),
            "x q[0]; cu3(-0.4, -0.6, -0.5) q[0], q[1]; x q[0];",
        );
        // diag(1, e^(i lambda)), and the two rotations that are u3 by their definition.
        same(
            2,
            &format!("ctrl @ {gate}(0, 0, 0.6) q[0], q[1];"),
            "cp(0.6) q[0], q[1];",
        );
        same(
            2,
            &format!("ctrl @ {gate}(0.6, -pi/2, pi/2) q[0], q[1];"),
            "crx(0.6) q[0], q[1];",
        );
        same(
            2,
            &format!("ctrl @ pow(3) @ {gate}(0.6, 0, 0) q[0], q[1];"),
            "cry(1.8) q[0], q[1];",
        );
    }
    same(2, "ctrl @ u2(0, pi) q[0], q[1];", "ch q[0], q[1];");
    same(2, "ctrl @ u1(0.6) q[0], q[1];", "cp(0.6) q[0], q[1];");
    same(
        2,
        "ctrl @ U(0.4, 0.5, 0.6) q[0], q[1]; p(0.7) q[0];",
        "cu(0.4, 0.5, 0.6, 0.7) q[0], q[1];",
    );
}

#[test]
fn what_qiskit_exports_for_a_controlled_not_is_one() {
    let exported = "OPENQASM 3.0;\ngate cx c, t {\n  ctrl @ U(pi, 0, pi) c, t;\n}\n\
                    gate h a {\n  U(pi/2, 0, pi) a;\n}\nqubit[2] q;\n\
                    h q[0];\ncx q[0], q[1];\ncx q[0], q[1];\nh q[0];\n";
    let amplitudes = state(exported);
    assert!(
        (amplitudes[0].norm() - 1.0).abs() < 1e-12,
        "it is 00, always: {amplitudes:?}"
    );
}
