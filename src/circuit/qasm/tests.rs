use num_complex::Complex64;

use super::*;
use crate::circuit::{Operation, amplitudes, reference, run};

static NEVER: AtomicBool = AtomicBool::new(false);

pub(super) fn read(text: &str) -> Circuit {
    with(text, &[])
}

fn with(text: &str, parameters: &[(&str, &str)]) -> Circuit {
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    parse_qasm(text.as_bytes(), &parameters.collect(), &NEVER).unwrap_or_else(|why| panic!("{why}"))
}

pub(super) fn refused(text: &str) -> String {
    match parse_qasm(text.as_bytes(), &BTreeMap::new(), &NEVER) {
        Ok(circuit) => panic!("{text} was taken for {circuit:?}"),
        Err(why) => why.to_string(),
    }
}

/// A program on `qubits` qubits, with the gates of both libraries and every qubit in a state of
/// its own before the body.
fn program(qubits: usize, body: &str) -> String {
    let mut text = format!(
        "OPENQASM 3.0;\ninclude \"stdgates.inc\";\ninclude \"qelib1.inc\";\nqubit[{qubits}] q;\n"
    );
    for qubit in 0..qubits {
        let angle = 0.3 + 0.7 * qubit as f64;
        text += &format!("ry({angle}) q[{qubit}]; rz({}) q[{qubit}];\n", 1.9 * angle);
    }
    text + body
}

pub(super) fn state(text: &str) -> Vec<Complex64> {
    amplitudes(&read(text)).unwrap()
}

/// Whether two bodies do the same, up to a global phase.
pub(super) fn same(qubits: usize, one: &str, other: &str) {
    let states = [one, other].map(|body| state(&program(qubits, body)));
    let unlike = reference::unlikeness(&states[0], &states[1]);
    assert!(unlike < 1e-12, "{one} is not {other}: {unlike}");
}

/// Whether two bodies differ by more than a global phase.
fn differ(qubits: usize, one: &str, other: &str) {
    let states = [one, other].map(|body| state(&program(qubits, body)));
    assert!(reference::unlikeness(&states[0], &states[1]) > 1e-3);
}

#[test]
fn a_bell_pair_is_the_same_in_both_versions() {
    let two = "OPENQASM 2.0; include \"qelib1.inc\"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; \
               measure q -> c;";
    let three = "OPENQASM 3; include \"stdgates.inc\"; qubit[2] q; bit[2] c; h q[0]; \
                 cx q[0], q[1]; c = measure q;";
    let wanted = [
        Operation::unitary(crate::circuit::Gate::H, &[0]),
        Operation::unitary(crate::circuit::Gate::Cx, &[0, 1]),
        Operation::measure(&[(0, 0), (1, 1)]),
    ];
    assert_eq!(read(two).operations(), wanted);
    assert_eq!(
        read(&format!("\u{feff}{two}")).operations(),
        wanted,
        "marked as UTF-8"
    );
    assert_eq!(read(three).operations(), wanted);
}

#[test]
fn registers_are_numbered_in_the_order_of_their_declarations() {
    let circuit = read(
        "OPENQASM 2.0; include \"qelib1.inc\"; qreg a[2]; creg c[1]; qreg b[3]; creg d[2]; \
         x b[2]; measure a[1] -> c[0]; measure b[2] -> d[1]; measure b[0] -> d[0];",
    );
    assert_eq!(circuit.qubits(), 5);
    assert_eq!(circuit.bits(), 3);
    assert_eq!(
        circuit.operations()[1..],
        [
            Operation::measure(&[(1, 0)]),
            Operation::measure(&[(4, 2)]),
            Operation::measure(&[(2, 1)]),
        ]
    );
}

#[test]
fn a_program_that_measures_nothing_is_measured_as_a_whole() {
    let circuit = read("qubit[2] q; U(1, 2, 3) q[1];");
    let last = circuit.operations().last().unwrap();
    assert_eq!(*last, Operation::measure(&[(0, 0), (1, 1)]));
}

#[test]
fn bits_that_are_declared_are_in_the_key_whether_they_are_measured_or_not() {
    for (text, key) in [
        (
            "qubit[2] q; bit[3] c; U(pi, 0, 0) q[0]; c[1] = measure q[0];",
            "010",
        ),
        (
            "qubit q; bit[2] a; bit[2] b; U(pi, 0, 0) q; a[0] = measure q;",
            "0001",
        ),
        (
            "OPENQASM 2.0; qreg q[2]; creg c[3]; measure q[1] -> c[1];",
            "000",
        ),
        ("bit[3] c; qubit[2] q; U(pi, 0, 0) q[0];", "001"),
        ("bit c; qubit[3] q; U(pi, 0, 0) q[0];", "001"),
    ] {
        let circuit = read(text);
        let never = std::sync::atomic::AtomicBool::new(false);
        let wanted = [(key.to_owned(), 10)].into();
        assert_eq!(run(&circuit, 10, 1, &never).unwrap(), wanted, "{text}");
        let again = crate::circuit::parse(&crate::circuit::render(&circuit), &BTreeMap::new());
        assert_eq!(again.unwrap(), circuit, "{text}");
    }
}

#[test]
fn registers_are_taken_qubit_by_qubit() {
    same(4, "h q;", "h q[0]; h q[1]; h q[2]; h q[3];");
    same(4, "cx q[0:1], q[2:3];", "cx q[0], q[2]; cx q[1], q[3];");
    same(
        4,
        "cx q[3], q[0:2];",
        "cx q[3], q[0]; cx q[3], q[1]; cx q[3], q[2];",
    );
    same(4, "x q[{0, 2}];", "x q[0]; x q[2];");
    same(4, "x q[-1]; x q[0:2:-1];", "x q[3]; x q[0]; x q[2];");
    same(4, "x q[3:-2:0];", "x q[3]; x q[1];");
    same(
        4,
        "let ends = q[0:0] ++ q[3:3]; h ends; x ends[1];",
        "h q[0]; h q[3]; x q[3];",
    );
}

#[test]
fn modifiers_do_what_they_say() {
    same(2, "ctrl @ x q[0], q[1];", "cx q[0], q[1];");
    same(
        2,
        "negctrl @ x q[0], q[1];",
        "x q[0]; cx q[0], q[1]; x q[0];",
    );
    same(2, "ctrl @ rz(0.7) q[0], q[1];", "crz(0.7) q[0], q[1];");
    same(2, "ctrl @ gphase(0.7) q[0];", "p(0.7) q[0];");
    same(
        3,
        "ctrl @ ctrl @ gphase(0.7) q[0], q[1];",
        "cp(0.7) q[0], q[1];",
    );
    same(
        2,
        "inv @ u3(0.1, 0.2, 0.3) q[0];",
        "u3(-0.1, -0.3, -0.2) q[0];",
    );
    same(1, "pow(3) @ t q[0];", "t q[0]; t q[0]; t q[0];");
    same(1, "pow(-2) @ sx q[0];", "inv @ sx q[0]; inv @ sx q[0];");
    same(1, "pow(0) @ h q[0];", "");
    same(2, "ctrl @ pow(2) @ s q[0], q[1];", "cz q[0], q[1];");
    same(2, "inv @ ctrl @ sx q[0], q[1]; ctrl @ sx q[0], q[1];", "");
    same(
        3,
        "ctrl @ swap q[0], q[1], q[2];",
        "cswap q[0], q[1], q[2];",
    );
    same(
        3,
        "ctrl @ negctrl @ x q[0], q[1], q[2];",
        "x q[1]; ccx q[0], q[1], q[2]; x q[1];",
    );
    // A phase that means nothing alone does mean something under control.
    differ(2, "ctrl @ rz(1.1) q[0], q[1];", "ctrl @ p(1.1) q[0], q[1];");
}

#[test]
fn a_gate_under_several_controls_acts_only_where_all_are_one() {
    let gates = [
        "x",
        "y",
        "z",
        "h",
        "s",
        "sdg",
        "t",
        "tdg",
        "sx",
        "rx(0.4)",
        "ry(0.5)",
        "rz(0.6)",
        "p(0.7)",
        "U(0.3, 0.9, 1.7)",
        "u2(0.3, 0.9)",
    ];
    for gate in gates {
        for controls in 1..=4_usize {
            let free = state(&program(5, ""));
            let alone = state(&program(5, &format!("{gate} q[{controls}];")));
            let all: Vec<_> = (0..=controls).map(|qubit| format!("q[{qubit}]")).collect();
            let body = format!("ctrl({controls}) @ {gate} {};", all.join(", "));
            let given = state(&program(5, &body));
            let mask = (1 << controls) - 1;
            // Only up to one phase for the whole state, and `alone` may have lost its own.
            let picked: Vec<_> = (0..free.len())
                .map(|index| {
                    if index & mask == mask {
                        alone[index]
                    } else {
                        free[index]
                    }
                })
                .collect();
            let norm = |of: &dyn Fn(usize) -> bool| -> (f64, f64) {
                let part = |state: &[Complex64]| -> Vec<Complex64> {
                    let indices = (0..state.len()).filter(|index| of(*index));
                    indices.map(|index| state[index]).collect()
                };
                let (one, other) = (part(&picked), part(&given));
                let weight: f64 = one.iter().map(Complex64::norm_sqr).sum();
                let overlap: Complex64 = one.iter().zip(&other).map(|(a, b)| a.conj() * b).sum();
                (weight, overlap.norm())
            };
            for inside in [true, false] {
                let (weight, overlap) = norm(&|index| (index & mask == mask) == inside);
                assert!(
                    (weight - overlap).abs() < 1e-12,
                    "{body} {} the controls: {weight} {overlap}",
                    if inside { "within" } else { "outside" }
                );
            }
        }
    }
}

#[test]
fn gates_that_a_program_defines_are_spelled_out() {
    same(
        2,
        "gate turn(a, b) x, y { rx(a/2 + b) x; cx x, y; barrier x, y; rz(-a*b) y; } \
         turn(0.6, 0.1) q[1], q[0];",
        "rx(0.4) q[1]; cx q[1], q[0]; rz(-0.06) q[0];",
    );
    same(
        3,
        "gate majority a, b, c { cx c, b; cx c, a; ccx a, b, c; } inv @ majority q[0], q[1], q[2];",
        "ccx q[0], q[1], q[2]; cx q[2], q[0]; cx q[2], q[1];",
    );
    same(
        2,
        "gate layer(a) x, y { for int i in [1:3] { rx(a*i) x; ry(a/i) y; } } layer(0.3) q[0], q[1];",
        "rx(1.8) q[0]; ry(0.55) q[1];",
    );
    // A gate of a library may be brought along; what was built on the library's stays.
    same(
        2,
        "gate before a { sxdg a; } gate sxdg a { h a; } before q[0]; sxdg q[1];",
        "inv @ sx q[0]; h q[1];",
    );
}

#[test]
fn loops_and_constants_are_worked_out() {
    same(
        4,
        "const int n = 4; float step = pi/n; for uint[8] i in [0:n - 2] { cp(step*2**i) q[i], \
         q[i + 1]; }",
        "cp(pi/4) q[0], q[1]; cp(pi/2) q[1], q[2]; cp(pi) q[2], q[3];",
    );
    same(3, "for int i in {2, 0} x q[i];", "x q[2]; x q[0];");
    same(
        3,
        "for int i in [2:-1:0] { rx(i) q[i]; }",
        "rx(2) q[2]; rx(1) q[1]; rx(0) q[0];",
    );
    same(1, "for int i in [1:0] { x q[0]; }", "");
    // Where a whole number is wanted quotients lose their fraction, as the language has it.
    same(
        4,
        "const int half = 7/2; x q[half]; x q[sizeof(q)/3];",
        "x q[3]; x q[1];",
    );
    same(
        4,
        "for int i in [0:sizeof(q)/2] { rx(sizeof(q)) q[i]; }",
        "rx(4) q[0:2];",
    );
    same(
        2,
        "gate g a { for int i in [-7/2:-3] rx(0.1) a; } g q[1];",
        "rx(0.1) q[1];",
    );
    same(
        2,
        "const int w = 3; const uint[w] n = 7; for uint[w - 2] i in [0:1] rx(n) q[i];",
        "rx(7) q;",
    );
}

#[test]
fn expressions_mean_what_the_version_says() {
    let angle = |text: &str| read(text).operations()[0].clone();
    let rx = |angle| Operation::unitary(crate::circuit::Gate::Rx(angle), &[0]);
    let two = |value: &str| {
        angle(&format!(
            "OPENQASM 2.0; include \"qelib1.inc\"; qreg q[1]; rx({value}) q[0];"
        ))
    };
    let three = |value: &str| {
        angle(&format!(
            "include \"stdgates.inc\"; qubit[1] q; rx({value}) q[0];"
        ))
    };
    assert_eq!(two("1/2"), rx(0.5));
    assert_eq!(two("2^3^2"), rx(512.0));
    assert_eq!(two("-2^2"), rx(-4.0));
    assert_eq!(three("-2**2"), rx(-4.0));
    assert_eq!(three("2**-1"), rx(0.5));
    assert_eq!(three("1 - 2 - 3"), rx(-4.0));
    assert_eq!(three("7 % 4 + 6/3"), rx(5.0));
    assert_eq!(three("sin(π/2) + cos(0) + sqrt(4.0)"), rx(4.0));
    assert_eq!(
        three("arctan(tan(0.5)) + ln(exp(1)) + mod(7, 4) + pow(2, 3)"),
        rx(12.5)
    );
    assert_eq!(three("- - 1 + (2*(3 + 4))"), rx(15.0));
    assert_eq!(three("1 << 2 + 1"), rx(8.0));
    // What a refused 7/2 is told to write instead.
    assert_eq!(three("7.0/2"), rx(3.5));
    assert_eq!(three("float(7)/2"), rx(3.5));
    assert_eq!(three("-9 >> 1 << 1"), rx(-10.0));
}

#[test]
fn a_line_ends_as_any_editor_ends_it() {
    let text = "qubit q; // a note\rbit c;\r\n/* two\r\nlines */ c = measure q;\rU(0, 0, 0) r;";
    let why = refused(text);
    assert!(
        why.starts_with("line 5, column 12: there is no quantum register r"),
        "{why}"
    );
    assert!(why.contains("5 | U(0, 0, 0) r;\n"), "{why}");
    assert_eq!(read("OPENQASM 3; // note\rqubit[2] q;\r").qubits(), 2);
}

#[test]
fn inputs_come_with_the_job() {
    let text = "include \"stdgates.inc\"; input float[64] theta; input int n; qubit[3] q; \
                rx(theta) q[n];";
    let given = with(text, &[("param.theta", "pi/4"), ("parameters:n", "2")]);
    let rx = crate::circuit::Gate::Rx(std::f64::consts::FRAC_PI_4);
    assert_eq!(given.operations()[0], Operation::unitary(rx, &[2]));
}

#[test]
fn a_value_for_an_input_that_is_not_there_is_refused() {
    let refused = |text: &str, key: &str| {
        let given = [
            (key.to_owned(), "1".to_owned()),
            ("seed".to_owned(), "7".to_owned()),
        ];
        parse_qasm(text.as_bytes(), &given.into(), &NEVER).map_err(|why| why.to_string())
    };
    let why = refused("qubit q;", "param.x").unwrap_err();
    assert_eq!(
        why,
        "a value is given for x (--param x, metadata param.x on the wire), which is no input of \
         the program; it has none: look at the spelling, or declare input float x;",
        "it stands nowhere in the text, so no place is shown"
    );
    let text = "input float theta; qubit q;";
    assert!(refused(text, "param.theta").is_ok());
    // What is wrong in the text itself is told first.
    let why = refused(text, "param.thta").unwrap_err();
    assert!(why.contains("theta was given no value"), "{why}");
}

#[test]
fn a_reading_that_nobody_waits_for_ends_at_its_next_step() {
    let stop = AtomicBool::new(true);
    let told = parse_qasm(b"qubit q; U(0, 0, 0) q;", &BTreeMap::new(), &stop).unwrap_err();
    assert_eq!((told.line(), told.column()), (Some(1), Some(1)), "{told}");
}

#[test]
fn every_mistake_is_told_with_its_place_and_a_way_out() {
    let mut text = String::new();
    for mistake in include_str!("mistakes.txt").split("\n----\n") {
        let mistake = mistake.trim_end_matches('\n');
        text += &format!("{mistake}\n\n{}\n\n", refused(mistake));
    }
    insta::assert_snapshot!(text);
}
