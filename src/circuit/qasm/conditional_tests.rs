//! What an `if` comes to, by the outcomes of whole programs.

use crate::circuit::qasm::tests::{read, refused};
use crate::circuit::{Operation, run};

#[test]
fn an_if_on_what_was_measured_is_done_by_the_measured_qubit() {
    let counts = |text: &str| {
        let circuit = read(text);
        run(&circuit, 200, 3, &std::sync::atomic::AtomicBool::new(false)).unwrap()
    };
    let teleported = counts(
        "OPENQASM 2.0; include \"qelib1.inc\"; qreg q[3]; creg a[1]; creg b[1]; creg out[1]; \
         u3(0.3, 0.2, 0.1) q[0]; h q[1]; cx q[1], q[2]; cx q[0], q[1]; h q[0]; \
         measure q[0] -> a[0]; measure q[1] -> b[0]; \
         if (a == 1) z q[2]; if (b == 1) x q[2]; \
         u3(-0.3, -0.1, -0.2) q[2]; measure q[2] -> out[0];",
    );
    // Z and X do not commute, but for a phase; so the state arrives, and is turned back to zero.
    assert!(
        teleported.keys().all(|key| key.starts_with('0')),
        "{teleported:?}"
    );
    assert_eq!(teleported.len(), 4);
    let both = counts(
        "include \"stdgates.inc\"; qubit[4] q; bit[2] c; bit out; bit other; h q[0:1]; \
         c = measure q[0:1]; if (c == 2) { x q[2]; } if (c[0]) x q[3]; else { h q[3]; h q[3]; } \
         out = measure q[2]; other = measure q[3];",
    );
    for key in both.keys() {
        let bit = |place: usize| key.as_bytes()[key.len() - 1 - place] == b'1';
        assert_eq!(bit(2), !bit(0) && bit(1), "{key}");
        assert_eq!(bit(3), bit(0), "{key}");
    }
    assert_eq!(both.len(), 4);
    // A bit that was never measured is zero, so one of the branches is all there is.
    let known = |text: &str| {
        read(&format!(
            "include \"stdgates.inc\"; qubit q; bit c; {text} c = measure q;"
        ))
    };
    let x = Operation::unitary(crate::circuit::Gate::X, &[0]);
    assert_eq!(known("if (!c) x q; else h q;").operations()[0], x);
    assert_eq!(known("if (c) h q; else x q;").operations()[0], x);
    // A condition that cannot hold costs nothing.
    let never =
        read("include \"stdgates.inc\"; qubit q; bit[2] c; if (c == 1) x q; c[0] = measure q;");
    assert_eq!(never.operations().len(), 1);
}

/// The outcomes of a program on three qubits, of which two are measured into `c` first and all
/// into `m` at last, against what a function makes of the two bits.
fn decides(body: &str, wanted: impl Fn(u8) -> u8) {
    let text = format!(
        "include \"stdgates.inc\"; qubit[3] q; bit[2] c; bit[3] m; bit never; h q[0:1]; \
         c = measure q[0:1]; {body} m = measure q;"
    );
    let never = std::sync::atomic::AtomicBool::new(false);
    let counts = run(&read(&text), 200, 5, &never).unwrap();
    assert_eq!(counts.len(), 4, "{body}: {counts:?}");
    for key in counts.keys() {
        let number = u8::from_str_radix(key, 2).unwrap();
        assert_eq!(number >> 2, wanted(number & 3), "{body}: {key}");
    }
}

#[test]
fn conditions_compare_deny_and_nest() {
    let flipped = |when: fn(u8) -> bool| move |c: u8| c | u8::from(when(c)) << 2;
    decides("if (c != 0) x q[2];", flipped(|c| c != 0));
    decides("if (c > 0) x q[2];", flipped(|c| c > 0));
    decides("if (c >= 3) x q[2];", flipped(|c| c == 3));
    decides("if (c < 3) x q[2];", flipped(|c| c < 3));
    decides("if (c <= 0) x q[2];", flipped(|c| c == 0));
    decides("if (c[1] != 1) x q[2];", flipped(|c| c & 2 == 0));
    decides("if (c[0] < 1 && c[1] > 0) x q[2];", flipped(|c| c == 2));
    decides("if (never != 1) x q[2];", flipped(|_| true));
    decides(
        "if (c == 2) { h q[2]; h q[2]; } else x q[2];",
        flipped(|c| c != 2),
    );
    decides(
        "if (c != 2) { h q[2]; h q[2]; } else x q[2];",
        flipped(|c| c == 2),
    );
    decides("if (c[0]) { if (c[1]) x q[2]; }", flipped(|c| c == 3));
    decides(
        "if (c[0]) { x q[2]; if (!c[1]) x q[2]; }",
        flipped(|c| c == 3),
    );
    decides(
        "if (c[0]) { if (c[1]) { } else x q[2]; } else if (c[1]) x q[2];",
        flipped(|c| c == 1 || c == 2),
    );
    decides(
        "if (c[0]) { if (c[0]) x q[2]; else { h q[2]; } }",
        flipped(|c| c & 1 == 1),
    );
}

#[test]
fn numbers_stand_on_either_side_and_what_is_known_is_decided_at_once() {
    let flipped = |when: fn(u8) -> bool| move |c: u8| c | u8::from(when(c)) << 2;
    decides("if (2 == c) x q[2];", flipped(|c| c == 2));
    decides("if (0 < c) x q[2];", flipped(|c| c > 0));
    decides("if (3 <= c) x q[2];", flipped(|c| c == 3));
    decides("if (1 != c[0]) x q[2];", flipped(|c| c & 1 == 0));
    decides(
        "const int n = 5; if (c == n/2) x q[2];",
        flipped(|c| c == 2),
    );
    decides(
        "const int n = 5; if (n - 4 == c) x q[2];",
        flipped(|c| c == 1),
    );
    decides("if (true) x q[2];", flipped(|_| true));
    decides("if (!true) x q[2]; else { }", flipped(|_| false));
    decides("const int n = 3; if (n > 2) { x q[2]; }", flipped(|_| true));
    decides(
        "const float a = 0.5; if (a >= 0.6) x q[2];",
        flipped(|_| false),
    );
    decides("if (pi > 3) x q[2];", flipped(|_| true));
    // What is not taken may name what is not there, as at the end of a chain.
    decides(
        "for int i in [0:2] { if (i < 2) cx q[i], q[i + 1]; } for int i in [0:2] { \
             if (i == 0) { cx q[1], q[2]; cx q[0], q[1]; } }",
        |c| c,
    );
    decides(
        "for int i in [0:3] { if (c == i && i != 1) x q[2]; }",
        flipped(|c| c != 1),
    );
    decides(
        "if (c[0]) { if (sizeof(c) == 2) x q[2]; else x q[7]; }",
        flipped(|c| c & 1 == 1),
    );
    // Nothing is left to decide, so more than gates may stand there.
    decides(
        "if (sizeof(q) == 3) { reset q[2]; x q[2]; }",
        flipped(|_| true),
    );
}

#[test]
fn flipping_the_qubit_that_was_one_is_a_reset() {
    decides("if (c[0]) x q[0];", |c| c & 2);
    decides("if (c[1] == 1) { x q[1]; }", |c| c & 1);
    decides("for int i in [0:1] { if (c[i]) x q[i]; }", |_| 0);
    decides("if (!c[0]) x q[0];", |c| c | 1);
    // What the bit said is what the key says, and the qubit tells it no more.
    let text = "include \"stdgates.inc\"; qubit[2] q; bit c; c = measure q[0]; if (c) x q[0]; ";
    assert!(refused(&format!("{text} if (c) x q[1];")).contains("has been changed since"));
    assert!(refused(&format!("{text} if (c) x q[0];")).contains("has been changed since"));
}

#[test]
fn a_bit_whose_qubit_was_changed_decides_nothing_any_more() {
    let begin = "include \"stdgates.inc\"; qubit[3] q; bit[2] c; c = measure q[0:1]; ";
    let fine = [
        "z q[0];",
        "cx q[0], q[1];",
        "rz(1) q; cz q[0], q[1];",
        "c[0] = measure q[0];",
    ];
    for between in fine {
        read(&format!("{begin}{between} if (c[0]) x q[2];"));
    }
    for between in [
        "h q[0];",
        "swap q[0], q[2];",
        "cx q[1], q[0];",
        "reset q[0];",
        "if (c[1]) x q[0];",
    ] {
        let why = refused(&format!("{begin}{between} if (c[0]) x q[2];"));
        assert!(why.contains("has been changed since"), "{between}: {why}");
    }
}

#[test]
fn what_is_denied_is_what_its_opposite_is() {
    let told = |condition: &str| {
        let text = format!(
            "include \"stdgates.inc\"; qubit[3] q; bit[2] c; c[0] = measure q[0]; \
             c[1] = measure q[1]; if ({condition}) {{ x q[2]; }}"
        );
        read(&text)
    };
    for (one, other) in [
        ("!(c[0])", "!c[0]"),
        ("!(!c[0])", "c[0]"),
        ("!(c == 1)", "c != 1"),
        ("!(c != 1)", "c == 1"),
        ("!(c < 1)", "c >= 1"),
        ("!(c >= 3)", "c < 3"),
        ("!(1 > c)", "c > 0"),
        ("!((c[0] == 1))", "c[0] == 0"),
        ("!(2 == 3)", "true"),
        ("!(2 != 3)", "false"),
        ("!(true)", "false"),
        ("c[1] && !(c[0])", "!c[0] && c[1]"),
    ] {
        assert_eq!(told(one), told(other), "{one} is {other}");
    }
}
