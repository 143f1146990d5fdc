//! Which keys a document may have, and which parameters a program.

use super::tests::{assert_refused, read, with};
use super::*;

#[test]
fn bits_that_nothing_is_read_into_can_be_declared() {
    let with_bits = |bits: &str| {
        let measure = with(r#"{"op":"MEASURE","q":[0],"c":[1]}"#);
        read(&measure.replace(r#""qubits""#, &format!(r#""bits":{bits},"qubits""#)))
    };
    assert_eq!(with_bits("null").unwrap().bits(), 2);
    let two = with_bits("2").unwrap();
    assert!(
        !String::from_utf8(render(&two))
            .unwrap()
            .contains(r#""bits""#)
    );
    let five = with_bits("5").unwrap();
    assert_eq!(five.bits(), 5);
    let printed = String::from_utf8(render(&five)).unwrap();
    assert!(printed.starts_with(r#"{"version":"1.0.0","qubits":2,"bits":5,"#));
    assert_eq!(read(&printed).unwrap(), five);
    for (bits, why) in [
        ("1", "bits is 1, but must be from 2 to 4096"),
        ("4097", "bits is 4097, but must be from 2 to 4096"),
        ("-1", "bits is -1, but must be an integer from 0 to 4096"),
        (
            "\"3\"",
            "bits is \"3\", but must be an integer from 0 to 4096",
        ),
    ] {
        assert_eq!(with_bits(bits).unwrap_err().to_string(), why);
    }
}

#[test]
fn a_value_for_a_parameter_that_is_not_there_is_refused_in_a_program() {
    let document = br#"{"version":"1","qubits":1,"parameters":{"a":0.25,"b":"a"},
        "operations":[{"op":"RX","q":[0],"params":{"theta":"c"}}]}"#;
    let read = |more: &str| {
        let given = [
            ("param.c", "d"),
            ("param.d", "1"),
            (more, "2"),
            ("seed", "7"),
        ];
        let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
        parse_program(document, &given.into())
    };
    for known in ["param.a", "parameters:b", "param:d", "e"] {
        assert!(read(known).is_ok(), "{known}");
    }
    assert_eq!(
        read("param.e").unwrap_err().to_string(),
        "a value is given for the parameter \"e\", which no angle has; it has a, b, c, d"
    );
}

#[test]
fn a_key_that_is_not_known_is_refused_rather_than_lost() {
    let keys = "op, q, params, c, basis";
    let bad = [
        (
            r#"{"op":"H","q":[0]},{"op":"X","q":[0],"condition":{"c":0}}"#,
            format!("operations[1].condition is not a key that is known; an operation has {keys}"),
        ),
        (
            r#"{"op":"X","q":[0],"if":1}"#,
            format!("operations[0].if is not a key that is known; an operation has {keys}"),
        ),
        (
            r#"{"op":"RX","q":[0],"params":{"theta":1,"phi":2}}"#,
            "operations[0].params.phi is not a key that is known; params has theta".to_owned(),
        ),
        (
            r#"{"op":"X","q":[0],"c":[0]}"#,
            "operations[0].c is a list of 1, but must be left out: it belongs to other operations"
                .to_owned(),
        ),
        (
            r#"{"op":"RESET","q":[0],"params":{"theta":1}}"#,
            "operations[0].params is an object, but must be left out: it belongs to other \
             operations"
                .to_owned(),
        ),
    ];
    for (operations, message) in &bad {
        assert_refused(&[(operations, message)]);
    }
    let why = read(r#"{"version":"1","qubits":1,"shots":5,"operations":[]}"#).unwrap_err();
    assert_eq!(
        why.to_string(),
        "shots is not a key that is known; the document has version, qubits, bits, operations, \
         parameters, metadata, checksums, annotations, topology"
    );
}

#[test]
fn the_keys_that_eigen_compiler_writes_are_read() {
    let circuit = read(
        r#"{"annotations":{"expectation":null},"checksums":{"aqo":"ab"},"metadata":{},
            "operations":[{"basis":null,"c":[],"op":"RX","params":{"theta":"a"},"q":[0]},
            {"basis":"Z","c":[0],"op":"MEASURE","params":{},"q":[0]}],
            "parameters":{"a":0.5},"qubits":1,"topology":{"partition_count":1},"version":"1.0.0"}"#,
    );
    let passed: Vec<_> = circuit.unwrap().extra().keys().cloned().collect();
    let wanted = [
        "annotations",
        "checksums",
        "metadata",
        "parameters",
        "topology",
    ];
    assert_eq!(passed, wanted);
}

#[test]
fn a_version_of_which_nothing_is_known_is_refused() {
    let with = |version: &str| {
        read(&format!(
            r#"{{"version":"{version}","qubits":1,"operations":[]}}"#
        ))
        .map_err(|why| why.to_string())
    };
    for fine in ["0.1", "1", "1.0.0", "1.7"] {
        assert!(with(fine).is_ok(), "{fine}");
    }
    for unknown in ["2.0.0", "10", "next", "v1", "-1"] {
        let told = with(unknown).unwrap_err();
        let wanted = format!("version is {unknown:?}, and AQO of versions 0 and 1 is read here");
        assert!(told.starts_with(&wanted), "{told}");
    }
}

#[test]
fn a_mark_of_utf_8_is_no_part_of_a_document() {
    let document = r#"{"version":"1","qubits":1,"operations":[]}"#;
    assert_eq!(
        read(&format!("\u{feff}{document}")).unwrap(),
        read(document).unwrap()
    );
}

#[test]
fn what_is_no_object_is_told_so_before_anything_else() {
    let told = |text: &str| read(text).unwrap_err().to_string();
    for other in ["[[[", "[]", "3", "\"a\"", "null"] {
        assert_eq!(
            told(other),
            "the document is another JSON value, but must be an object",
            "{other}"
        );
    }
    assert!(told(" ").contains("the document is empty"));
}
