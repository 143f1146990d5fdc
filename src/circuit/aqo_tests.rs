//! Reading and printing AQO: what is accepted, what is refused and in which words.

use proptest::prelude::*;

use super::super::{Readout, reference, run};
use super::*;

pub(super) fn read(text: &str) -> Result<Circuit, AqoError> {
    parse(text.as_bytes(), &BTreeMap::new())
}

/// A document over two qubits with these operations.
pub(super) fn with(operations: &str) -> String {
    format!(r#"{{"version":"1.0.0","qubits":2,"operations":[{operations}]}}"#)
}

fn angle(document: &str, parameters: &[(&str, &str)]) -> Result<f64, String> {
    let pairs = parameters
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let circuit =
        parse(document.as_bytes(), &pairs.collect()).map_err(|error| error.to_string())?;
    match circuit.operations()[0] {
        Operation::Unitary { gate, .. } => Ok(gate.theta().unwrap()),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_document_of_the_compiler_is_read_in_full() {
    let circuit = read(
        r#"{"metadata":{"source_sha256":"ab"},"operations":[
            {"op":"rx","params":{"theta":0.5},"q":[1]},
            {"op":"CNOT","q":[1,0]},
            {"op":"RESET","q":[0]},
            {"basis":"Z","c":[3,0],"op":"MEASURE","q":[0,1]}
        ],"qubits":2,"version":"0.1"}"#,
    )
    .unwrap();
    let operations = [
        Operation::unitary(Gate::Rx(0.5), &[1]),
        Operation::unitary(Gate::Cx, &[1, 0]),
        Operation::Reset(vec![0]),
        Operation::measure(&[(0, 3), (1, 0)]),
    ];
    assert_eq!(circuit.operations(), operations);
    assert_eq!(
        (circuit.version(), circuit.qubits(), circuit.bits()),
        ("0.1", 2, 4)
    );
    assert_eq!(circuit.extra().keys().collect::<Vec<_>>(), ["metadata"]);
}

#[test]
fn a_circuit_that_measures_nothing_measures_everything_at_the_end() {
    let circuit = read(&with(r#"{"op":"H","q":[0]}"#)).unwrap();
    assert_eq!(
        circuit.operations()[1],
        Operation::measure(&[(0, 0), (1, 1)])
    );
    assert_eq!(circuit.bits(), 2);
}

#[test]
fn a_measurement_without_c_writes_qubit_i_to_bit_i() {
    for c in ["", r#","c":null"#] {
        let circuit = read(&with(&format!(r#"{{"op":"measure","q":[1]{c}}}"#))).unwrap();
        assert_eq!(
            circuit.operations(),
            [Operation::Measure(vec![Readout { qubit: 1, bit: 1 }])]
        );
    }
}

#[test]
fn measuring_in_x_or_y_is_a_turn_to_z_first() {
    let stop = std::sync::atomic::AtomicBool::new(false);
    // H makes |+>, and S after it |+i>: each is certain in its own basis.
    let cases = [
        ("", r#""X""#, "[0]"),
        ("", r#"["x","Z"]"#, "[0,1]"),
        (r#"{"op":"S","q":[0]},"#, r#"["Y","Z"]"#, "[0,1]"),
    ];
    for (prepare, basis, qubits) in cases {
        let measure = format!(r#"{{"op":"MEASURE","q":{qubits},"basis":{basis}}}"#);
        let operations = format!(r#"{{"op":"H","q":[0]}},{prepare}{measure}"#);
        let counts = run(&read(&with(&operations)).unwrap(), 100, 3, &stop).unwrap();
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [100], "{basis}");
    }
}

#[test]
fn an_angle_may_come_from_the_document_or_from_the_job() {
    let document = r#"{"version":"1","qubits":1,"parameters":{"a":0.25,"b":"a","t":" 1.5 "},
        "operations":[{"op":"RX","q":[0],"params":{"theta":"NAME"}}]}"#;
    let named = |name: &str| document.replace("NAME", name);
    assert_eq!(angle(&named("a"), &[]), Ok(0.25));
    assert_eq!(angle(&named("b"), &[]), Ok(0.25));
    assert_eq!(angle(&named("t"), &[]), Ok(1.5));
    assert_eq!(angle(&named("0.75"), &[]), Ok(0.75));
    for key in ["c", "param.c", "param:c", "parameters.c", "parameters:c"] {
        assert_eq!(angle(&named("c"), &[(key, "2")]), Ok(2.0), "{key}");
    }
    assert_eq!(angle(&named("a"), &[("param.a", "9")]), Ok(9.0));
    assert_eq!(angle(&named("b"), &[("param.a", "9")]), Ok(9.0));
    let place = "operations[0].params.theta is";
    assert_eq!(
        angle(&named("c"), &[("args.c", "2")]),
        Err(format!(
            "{place} \"c\", but no parameter has that name: run with --param c=0.5 (metadata \
             param.c on the wire)"
        ))
    );
    assert_eq!(
        angle(&named("c"), &[("c", "d"), ("param.d", "c")]),
        Err(format!("{place} \"c\", which is defined by itself"))
    );
    for value in ["pi/2", "", " ", "1,5"] {
        assert_eq!(
            angle(&named("c"), &[("param.c", value)]),
            Err(format!(
                "c was given the value {:?} (--param c, metadata param.c on the wire): give a \
                 number, as in 1.5708",
                value.trim()
            ))
        );
    }
    assert_eq!(
        angle(&named("c"), &[("c", "inf")]),
        Err(format!("{place} inf, but must be finite"))
    );
}

pub(super) fn assert_refused(bad: &[(&str, &str)]) {
    for (operations, message) in bad {
        assert_eq!(read(&with(operations)).unwrap_err().to_string(), *message);
    }
}

#[test]
fn every_bad_gate_is_refused_by_its_place() {
    let bad = [
        ("5", "operations[0] is 5, but must be an object"),
        (
            r#"{"q":[0]}"#,
            "operations[0].op is missing, but must be the name of an operation",
        ),
        (
            r#"{"op":"U3","q":[0]}"#,
            r#"operations[0].op is "U3", which is not known"#,
        ),
        (
            r#"{"op":"H"}"#,
            "operations[0].q is missing, but must be a list of indices",
        ),
        (
            r#"{"op":"H","q":[-1]}"#,
            "operations[0].q[0] is -1, but must be an index from 0",
        ),
        (
            r#"{"op":"H","q":[1.0]}"#,
            "operations[0].q[0] is 1.0, but must be an index from 0",
        ),
        (
            r#"{"op":"H","q":[true]}"#,
            "operations[0].q[0] is true, but must be an index from 0",
        ),
        (
            r#"{"op":"X","q":[0]},{"op":"CX","q":[0,7]}"#,
            "operations[1].q[1] is 7, but the circuit has 2 qubits (0..=1)",
        ),
        (
            r#"{"op":"CX","q":[0]}"#,
            "operations[0].q has 1 entries, but CX takes 2",
        ),
        (
            r#"{"op":"CX","q":[1,1]}"#,
            "operations[0].q[1] is 1 again: each may occur only once",
        ),
        (
            r#"{"op":"RX","q":[0]}"#,
            "operations[0].params.theta is missing, but must be an angle in radians or the name \
             of a parameter",
        ),
        (
            r#"{"op":"H","q":[0],"params":{"theta":1}}"#,
            "operations[0].params.theta is 1, but must be left out: the gate has no angle",
        ),
        (
            r#"{"op":"RX","q":[0],"params":[1]}"#,
            "operations[0].params is a list of 1, but must be an object",
        ),
        (
            r#"{"op":"RX","q":[0],"params":{"theta":"NaN"}}"#,
            "operations[0].params.theta is NaN, but must be finite",
        ),
    ];
    assert_refused(&bad);
}

#[test]
fn every_bad_measurement_is_refused_by_its_place() {
    let bad = [
        (
            r#"{"op":"MEASURE","q":[0,1],"c":[0]}"#,
            "operations[0].c is a list of 1, but must be as long as q",
        ),
        (
            r#"{"op":"MEASURE","q":[0,1],"c":[4,4]}"#,
            "operations[0].c[1] is 4 again: each may occur only once",
        ),
        (
            r#"{"op":"MEASURE","q":[0],"c":[4096]}"#,
            "operations[0].c[0] is 4096, but must be from 0 to 4095",
        ),
        (
            r#"{"op":"MEASURE","q":[]}"#,
            "operations[0].q has 0 entries, but MEASURE takes at least 1",
        ),
        (
            r#"{"op":"MEASURE","q":[0],"basis":"bell"}"#,
            r#"operations[0].basis is "bell", but must be X, Y or Z, or a list with one of these per qubit"#,
        ),
        // The turn that the first measurement needs must not shift the place of the second.
        (
            r#"{"op":"MEASURE","q":[0],"basis":"Y"},{"op":"X","q":[2]}"#,
            "operations[1].q[0] is 2, but the circuit has 2 qubits (0..=1)",
        ),
    ];
    assert_refused(&bad);
}

#[test]
fn every_bad_document_is_refused_in_words() {
    let bad = [
        (
            "",
            "the document is not JSON at line 1, column 0: the document is empty",
        ),
        (
            "OPENQASM 3.0; qubit q;",
            "the document is not JSON at line 1, column 1: it looks like OpenQASM; give its \
             format as qasm3 or qasm_text",
        ),
        (
            r#"{"qubits":1e999}"#,
            "the document is not JSON at line 1, column 15: the number is too large; the largest \
             is about 1.8e308",
        ),
        (
            "[1]",
            "the document is another JSON value, but must be an object",
        ),
        ("{}", "operations is missing, but must be a list"),
        (
            r#"{"operations":7}"#,
            "operations is another JSON value, but must be a list",
        ),
        (
            r#"{"operations":[]}"#,
            "version is missing, but must be a non-empty string",
        ),
        (
            r#"{"operations":[],"version":" "}"#,
            r#"version is " ", but must be a non-empty string"#,
        ),
        (
            r#"{"operations":[],"version":"1"}"#,
            "qubits is missing, but must be an integer from 1 to 1024",
        ),
        (
            r#"{"operations":[],"version":"1","qubits":"2"}"#,
            r#"qubits is "2", but must be an integer from 1 to 1024"#,
        ),
        (
            r#"{"operations":[],"version":"1","qubits":0}"#,
            "qubits is 0, but must be from 1 to 1024",
        ),
        (
            r#"{"operations":[],"version":"1","qubits":1025}"#,
            "qubits is 1025, but must be from 1 to 1024",
        ),
        (
            r#"{"operations":[],"operations":[]}"#,
            r#""operations" is given twice"#,
        ),
        (r#"{"qubits":1,"qubits":2}"#, r#""qubits" is given twice"#),
        (
            r#"{"operations":[{"op":"X","q":[0]},{"op":"X","op":"H","q":[0]}]}"#,
            r#""op" is given twice in operations[1]"#,
        ),
        (
            r#"{"operations":[{"op":"RX","q":[0],"params":{"theta":0,"theta":3}}]}"#,
            r#""theta" is given twice in operations[0]"#,
        ),
        (
            r#"{"parameters":{"a":1,"a":2},"operations":[]}"#,
            r#""a" is given twice in parameters"#,
        ),
        (
            r#"{"operations":[]} x"#,
            "the document is not JSON at line 1, column 19: trailing characters",
        ),
    ];
    for (document, message) in bad {
        assert_eq!(
            read(document).unwrap_err().to_string(),
            message,
            "{document}"
        );
    }
    let not_text = parse(b"{\"a\":\"\xff\"}", &BTreeMap::new()).unwrap_err();
    assert_eq!(not_text.to_string(), "the document is not UTF-8 at byte 6");
}

#[test]
fn size_length_and_depth_are_bounded() {
    let huge = vec![b' '; AQO_BYTES_MAX + 1];
    let error = parse(&huge, &BTreeMap::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the document has 16777217 bytes, but at most 16777216 are read"
    );
    let deep = format!(r#"{{"metadata":{}"#, "[".repeat(100_000));
    let why = read(&deep).unwrap_err();
    assert!(matches!(why, AqoError::NotJson { .. }));
    assert!(
        why.to_string()
            .ends_with(": it is nested too deep; 127 levels are read"),
        "{why}"
    );
    // The shortest operations there are: no more of them fit the bytes that are read.
    let long = vec![r#"{"op":"X","q":[]}"#; 900_000].join(",");
    assert!(matches!(
        read(&with(&long)),
        Err(AqoError::Circuit(CircuitError::Arity { .. }))
    ));
}

#[test]
fn printing_is_canonical() {
    let document = with(
        r#"{"op":"RX","q":[0],"params":{"theta":0.5}},{"op":"CX","q":[0,1]},{"op":"RESET","q":[0]},{"op":"MEASURE","q":[1],"c":[3]}"#,
    );
    assert_eq!(
        String::from_utf8(render(&read(&document).unwrap())).unwrap(),
        document
    );
    let extra = document.replacen('{', r#"{"metadata":[1],"annotations":{"k":null},"#, 1);
    let printed = String::from_utf8(render(&read(&extra).unwrap())).unwrap();
    let tail = r#"],"annotations":{"k":null},"metadata":[1]}"#;
    assert_eq!(
        printed,
        document.strip_suffix("]}").unwrap().to_owned() + tail
    );
}

#[test]
fn angles_survive_printing_bit_for_bit() {
    // This needs the feature float_roundtrip of serde_json, without which the last bit may change.
    let mut bits = 0x3ff0_0000_0000_0001_u64;
    for _ in 0..2_000 {
        bits = bits
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let theta = f64::from_bits(bits >> 2 | 0x3000_0000_0000_0000);
        let operations = vec![
            Operation::unitary(Gate::Rz(theta), &[0]),
            Operation::measure(&[(0, 0)]),
        ];
        let circuit = Circuit::new(1, operations).unwrap();
        assert_eq!(parse(&render(&circuit), &BTreeMap::new()).unwrap(), circuit);
    }
}

/// Some valid documents to spoil.
fn documents() -> impl Strategy<Value = Vec<u8>> {
    reference::gates(4, 6).prop_map(|(qubits, gates)| {
        let mut operations: Vec<Operation> = gates
            .iter()
            .map(|(gate, operands)| Operation::unitary(*gate, operands))
            .collect();
        operations.push(Operation::Reset(vec![0]));
        operations.push(Operation::measure(&[(0, 2)]));
        let mut extra = serde_json::Map::new();
        extra.insert(
            "metadata".to_owned(),
            serde_json::json!({"a": [1.5, null, "\u{e9}"]}),
        );
        render(
            &Circuit::new(qubits, operations)
                .unwrap()
                .with_document("0.1", extra),
        )
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(document in documents()) {
        let circuit = parse(&document, &BTreeMap::new()).unwrap();
        prop_assert_eq!(render(&circuit), document);
        prop_assert_eq!(parse(&render(&circuit), &BTreeMap::new()).unwrap(), circuit);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, &BTreeMap::new());
    }

    #[test]
    fn a_spoilt_document_is_read_or_refused_and_what_is_read_is_sound(
        document in documents(),
        spoils in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..4),
    ) {
        let mut document = document;
        for (place, kind, byte) in spoils {
            let place = place.index(document.len());
            let token = b"0123456789-.e,:\"[]{}ntf"[byte as usize % 23];
            match kind {
                0 => document[place] = token,
                1 => document.insert(place, token),
                _ => drop(document.remove(place)),
            }
        }
        if let Ok(circuit) = parse(&document, &BTreeMap::new()) {
            prop_assert_eq!(parse(&render(&circuit), &BTreeMap::new()).unwrap(), circuit);
        }
    }
}
