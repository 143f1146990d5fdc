use std::fmt::Write as _;

use super::*;
use crate::limits::{
    KEY_CHARS_MAX, METADATA_BYTES_MAX, METADATA_ENTRIES_MAX, NAME_CHARS_MAX, SHOTS_MAX,
    SOURCE_BYTES_MAX,
};

const NOW: Circumstances = Circumstances {
    now: Timestamp(1_000_000),
    chance: 0xabc,
};

/// A request that keeps every rule and says no more than it must.
fn good() -> JobRequest {
    JobRequest {
        name: "bell".into(),
        program: b"{}".to_vec(),
        program_format: "aqo_json".into(),
        target: "sim-1".into(),
        ..JobRequest::default()
    }
}

fn with(change: impl FnOnce(&mut JobRequest)) -> JobRequest {
    let mut request = good();
    change(&mut request);
    request
}

fn note(request: &mut JobRequest, key: &str, value: &str) {
    request.metadata.insert(key.into(), value.into());
}

fn noted(key: &str, value: &str) -> JobRequest {
    with(|request| note(request, key, value))
}

fn program(format: &str, bytes: usize) -> JobRequest {
    with(|request| {
        request.program_format = format.into();
        request.program = vec![b'x'; bytes];
    })
}

fn complaints(request: JobRequest) -> String {
    let violations = request.accept(NOW).map(|_| ()).unwrap_err();
    let lines = violations
        .iter()
        .map(|wrong| format!("  {}: {}\n", wrong.field, wrong.reason));
    lines.collect()
}

#[test]
fn bad_requests_are_told_what_is_wrong_and_what_would_be_right() {
    let mut table = String::new();
    for (case, request) in bad_names_and_programs()
        .into_iter()
        .chain(bad_numbers())
        .chain(too_much())
    {
        write!(table, "{case}\n{}", complaints(request)).unwrap();
    }
    insta::assert_snapshot!(table);
}

fn bad_names_and_programs() -> Vec<(&'static str, JobRequest)> {
    vec![
        ("no name", with(|request| request.name.clear())),
        (
            "a long name",
            with(|request| request.name = "é".repeat(NAME_CHARS_MAX + 1)),
        ),
        (
            "a name of two lines",
            with(|request| request.name = "two\nlines".into()),
        ),
        ("no program", with(|request| request.program.clear())),
        (
            "a large circuit",
            program("aqo_json", limits::CIRCUIT_BYTES_MAX + 1),
        ),
        (
            "a large source",
            program("eigen_lang_source", SOURCE_BYTES_MAX + 1),
        ),
        ("a long reference", program("aqo_ref", 1025)),
        (
            "a large program in no format",
            program("", limits::CIRCUIT_BYTES_MAX + 1),
        ),
        (
            "a program in Latin-1",
            with(|request| request.program = b"caf\xe9".to_vec()),
        ),
        ("no format", with(|request| request.program_format.clear())),
        (
            "an unknown format",
            with(|request| request.program_format = "cobol".into()),
        ),
        (
            "a huge format",
            with(|request| request.program_format = "x".repeat(10_000)),
        ),
        ("no target", with(|request| request.target.clear())),
        (
            "a long target",
            with(|request| request.target = "d".repeat(129)),
        ),
        (
            "a target of two lines",
            with(|request| request.target = "sim\n1".into()),
        ),
    ]
}

fn bad_numbers() -> Vec<(&'static str, JobRequest)> {
    vec![
        ("priority 101", with(|request| request.priority = Some(101))),
        ("priority -1", with(|request| request.priority = Some(-1))),
        ("priority 256", with(|request| request.priority = Some(256))),
        ("shots 0", with(|request| request.shots = Some(0))),
        ("shots -1", with(|request| request.shots = Some(-1))),
        (
            "shots 2^31",
            with(|request| request.shots = Some(SHOTS_MAX + 1)),
        ),
        ("shots \"abc\" in the metadata", noted("shots", "abc")),
        ("shots \"1e3\" in the metadata", noted("shots", "1e3")),
        ("shots \"0\" in the metadata", noted("shots", "0")),
        (
            "timeout 0",
            with(|request| request.timeout = Some(Ok(Duration::ZERO))),
        ),
        (
            "timeout 31 days",
            with(|request| request.timeout = Some(Ok(Duration::from_secs(2_678_400)))),
        ),
        (
            "timeout that is no span",
            with(|request| request.timeout = Some(Err("is -1 s".into()))),
        ),
        (
            "timeout \"0\" in the metadata",
            noted("timeout_seconds", "0"),
        ),
        (
            "timeout \"NaN\" in the metadata",
            noted("timeout_seconds", "NaN"),
        ),
        (
            "timeout \"inf\" in the metadata",
            noted("timeout_seconds", "inf"),
        ),
        (
            "timeout \"x\" in the metadata",
            noted("timeout_seconds", "x"),
        ),
        (
            "timeout \"1e300\" in the metadata",
            noted("timeout_seconds", "1e300"),
        ),
        (
            "timeout \"2592001\" in the metadata",
            noted("timeout_seconds", "2592001"),
        ),
        (
            "timeout \"-5\" in the metadata",
            noted("timeout_seconds", "-5"),
        ),
    ]
}

fn too_much() -> Vec<(&'static str, JobRequest)> {
    let long = || "k".repeat(KEY_CHARS_MAX + 1);
    let many = |map: &mut BTreeMap<String, String>| {
        map.extend(
            (0..=METADATA_ENTRIES_MAX).map(|number| (format!("{number:03}"), String::new())),
        );
    };
    vec![
        (
            "too many notes",
            with(|request| many(&mut request.metadata)),
        ),
        ("a note that steers a terminal", noted("a", "\u{1b}[2J")),
        ("a note of that name", noted("a\n", "b")),
        (
            "too many options",
            with(|request| many(&mut request.compiler_options)),
        ),
        (
            "a note that is a book",
            noted("book", &"x".repeat(METADATA_BYTES_MAX)),
        ),
        (
            "a long key",
            with(|request| request.idempotency_key = long()),
        ),
        ("a long tenant", with(|request| request.tenant = long())),
        ("a long project", with(|request| request.project = long())),
        ("a long subject", with(|request| request.subject = long())),
        (
            "a long request id",
            with(|request| request.request_id = long()),
        ),
        (
            "a request id of two lines",
            with(|request| request.request_id = "two\nlines".into()),
        ),
    ]
}

#[test]
fn every_violation_is_told_at_once() {
    let request = JobRequest {
        priority: Some(200),
        shots: Some(0),
        timeout: Some(Ok(Duration::ZERO)),
        ..JobRequest::default()
    };
    let wrong = request.accept(NOW).map(|_| ()).unwrap_err();
    let fields: Vec<_> = wrong.iter().map(|wrong| wrong.field).collect();
    let all = [
        "program_format",
        "name",
        "program",
        "target",
        "priority",
        "shots",
        "timeout",
    ];
    assert_eq!(fields, all);
}

#[test]
fn what_a_request_leaves_out_is_filled_in() {
    let spec = good().accept(NOW).unwrap().spec;
    insta::assert_json_snapshot!(spec);
}

#[test]
fn the_least_and_the_most_of_everything_are_taken() {
    let most = with(|request| {
        request.name = "é".repeat(NAME_CHARS_MAX);
        request.program_format = "eigen_lang_source".into();
        request.program = vec![b'x'; SOURCE_BYTES_MAX];
        request.target = "d".repeat(128);
        request.priority = Some(100);
        request.shots = Some(SHOTS_MAX);
        request.timeout = Some(Ok(limits::JOB_TIMEOUT_MAX));
        request.idempotency_key = "k".repeat(KEY_CHARS_MAX);
        note(request, "k", &"x".repeat(METADATA_BYTES_MAX - 1));
    });
    assert_eq!(most.accept(NOW).unwrap().spec.shots, 2_147_483_647);
    let least = with(|request| {
        request.priority = Some(0);
        request.shots = Some(1);
        request.timeout = Some(Ok(Duration::from_millis(1)));
    });
    let spec = least.accept(NOW).unwrap().spec;
    assert_eq!(
        (spec.priority, spec.shots, spec.expires_at),
        (0, 1, Timestamp(1_001_000))
    );
}

#[test]
fn metadata_speaks_only_where_the_request_is_silent() {
    let both = |request: &mut JobRequest| {
        note(request, "shots", " 20 ");
        note(request, "seed", "7");
        note(request, "timeout_seconds", "1.5");
    };
    let spec = with(both).accept(NOW).unwrap().spec;
    assert_eq!(
        (spec.shots, spec.seed, spec.expires_at),
        (20, Some(7), Timestamp(2_500_000))
    );

    let outspoken = with(|request| {
        both(request);
        request.shots = Some(30);
        request.seed = Some(8);
        request.timeout = Some(Ok(Duration::from_secs(9)));
    });
    let spec = outspoken.accept(NOW).unwrap().spec;
    assert_eq!(
        (spec.shots, spec.seed, spec.expires_at),
        (30, Some(8), Timestamp(10_000_000))
    );
}

#[test]
fn a_noted_seed_that_is_no_number_is_only_a_note() {
    let spec = noted("seed", "lucky").accept(NOW).unwrap().spec;
    assert_eq!(spec.seed, None);
    assert_eq!(spec.metadata["seed"], "lucky");
}

#[test]
fn the_callers_trace_and_request_id_are_kept_and_a_broken_trace_is_replaced() {
    let trace_id = |traceparent: &str| {
        let request = with(|request| {
            request.traceparent = traceparent.into();
            request.request_id = "req-9".into();
        });
        let spec = request.accept(NOW).unwrap().spec;
        assert_eq!(spec.request_id, "req-9");
        spec.trace.trace_id
    };
    assert_eq!(
        trace_id("00-e03dd7b000ae4e6780164115ebd986f8-6ea36324b6811d7b-01") >> 96,
        0xe03d_d7b0
    );
    assert_eq!(trace_id("nonsense"), NOW.chance);
}

#[test]
fn the_fingerprint_is_that_of_the_content_alone() {
    let fingerprint = |request: JobRequest| request.accept(NOW).unwrap().fingerprint;
    let plain = fingerprint(good());
    let same: [fn(&mut JobRequest); 6] = [
        |request| request.request_id = "req-9".into(),
        |request| request.idempotency_key = "once".into(),
        |request| {
            request.traceparent = "00-e03dd7b000ae4e6780164115ebd986f8-6ea36324b6811d7b-01".into()
        },
        // Saying what is assumed anyway changes nothing.
        |request| request.priority = Some(limits::PRIORITY_DEFAULT),
        |request| request.shots = Some(limits::SHOTS_DEFAULT),
        |request| request.timeout = Some(Ok(limits::JOB_TIMEOUT_DEFAULT)),
    ];
    for (number, change) in same.into_iter().enumerate() {
        assert_eq!(fingerprint(with(change)), plain, "change {number}");
    }
    let other: [fn(&mut JobRequest); 11] = [
        |request| request.name = "other".into(),
        |request| request.program = b"[]".to_vec(),
        |request| request.program_format = "aqo_ref".into(),
        |request| request.target = "sim-2".into(),
        |request| request.priority = Some(51),
        |request| request.shots = Some(1),
        |request| request.seed = Some(1),
        |request| note(request, "team", "blue"),
        |request| drop(request.compiler_options.insert("level".into(), "2".into())),
        |request| request.timeout = Some(Ok(Duration::from_secs(1))),
        |request| note(request, "seed", "1"),
    ];
    let mut seen = std::collections::BTreeSet::from([plain]);
    for (number, change) in other.into_iter().enumerate() {
        assert!(seen.insert(fingerprint(with(change))), "change {number}");
    }
}
