//! `--json`: one document on stdout, whatever happens, with names that stay.

use serde_json::Value;

use super::shell::Shell;
use crate::circuits::bell;
use crate::harness::Deployment;

/// The names in a document, and of what kind their values are.
fn shape(value: &Value, path: &str, into: &mut std::collections::BTreeSet<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(items) => {
            let path = format!("{path}[]");
            return items.iter().for_each(|item| shape(item, &path, into));
        }
        // Events are told as they are stored, which has a test of its own.
        Value::Object(_) if path.ends_with(".detail") => "object",
        Value::Object(fields) => {
            return fields
                .iter()
                .for_each(|(name, value)| shape(value, &format!("{path}.{name}"), into));
        }
    };
    into.insert(format!("{path}: {kind}"));
}

fn shape_of(document: &Value) -> String {
    let mut names = std::collections::BTreeSet::new();
    shape(document, "", &mut names);
    names.into_iter().map(|line| line + "\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_prints_one_document_with_names_that_stay() {
    let deployment = Deployment::embedded().await;
    let shell = Shell::to(&deployment);
    let file = shell.file("bell.json", &bell());
    let submitted = shell.run(&["submit", file, "--json"]).document();
    let job = submitted["job_id"].as_str().unwrap();
    let mut told = format!("-- submit\n{}", shape_of(&submitted));
    for command in [
        vec!["results", job, "--wait"],
        vec!["submit", file, "--wait"],
        vec!["run", file],
        vec!["status", job],
        vec!["history", job],
        vec!["explain", job],
        vec!["jobs"],
        vec!["devices"],
        vec!["drain", "sim:local"],
        vec!["undrain", "sim:local"],
        vec!["reserve", "sim:local", "--ttl", "1m", "--purpose", "a test"],
        vec!["devices"],
    ] {
        let document = shell.run(&[&command[..], &["--json"]].concat()).document();
        let name = command.join(" ").replace(job, "JOB");
        told += &format!("-- {name}\n{}", shape_of(&document));
    }
    let cancelled = shell.run(&["cancel", job, "--json"]);
    assert_eq!(cancelled.code, 1, "too late");
    told += &format!("-- cancel\n{}", shape_of(&cancelled.document()));

    let watched = shell.run(&["watch", job, "--json"]).stdout;
    let events = watched
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events: Value = events.collect();
    told += &format!(
        "-- watch, each line\n{}",
        shape_of(&events).replace("[]", "")
    );
    let submitted = shell.run(&["submit", file, "--watch", "--json"]).stdout;
    assert_eq!(submitted.lines().count(), watched.lines().count());
    assert!(
        submitted
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_one_document_too() {
    let deployment = Deployment::embedded().await;
    let shell = Shell::to(&deployment);
    let file = shell.file("bell.json", &bell());
    let unknown = format!("job-{:032}", 0);
    let nowhere = ["--endpoint", "127.0.0.1:1"];
    let commands: [&[&str]; 15] = [
        &["status", &unknown],
        &["watch", &unknown],
        &["results", &unknown],
        &["results", &unknown, "--wait"],
        &["cancel", &unknown],
        &["history", &unknown],
        &["explain", &unknown],
        &["drain", "no:device"],
        &["status", "job-1"],
        &["submit", file, "--shots", "0"],
        &["run", "nowhere.json"],
        &["run", file, "--store", "floppy"],
        &["jobs", "--page-token", "x"],
        &["jobs", "--state", "happy"],
        &["devices", "--no-such-flag"],
    ];
    let mut told = String::new();
    for command in commands {
        let answered = shell.run(&[command, &["--json"]].concat());
        let error = &answered.document()["error"];
        assert!(error["message"].is_string() && error["details"].is_object());
        assert_eq!(answered.code, 2, "{command:?}");
        told += &format!(
            "{:<24} {}\n",
            error["code"].as_str().unwrap(),
            command.join(" ")
        );
    }
    for command in [
        vec!["status", &unknown],
        vec!["watch", &unknown],
        vec!["results", &unknown],
        vec!["cancel", &unknown],
        vec!["history", &unknown],
        vec!["explain", &unknown],
        vec!["submit", file],
        vec!["jobs"],
        vec!["devices"],
        vec!["drain", "sim:local"],
    ] {
        let answered = shell.run(&[&command[..], &nowhere, &["--json"]].concat());
        let error = &answered.document()["error"];
        assert_eq!(error["code"], "QRTX_UNREACHABLE");
        assert_eq!(error["details"]["endpoint"], "127.0.0.1:1");
        assert_eq!(answered.code, 3, "{command:?}");
    }
    let refused = shell
        .run(&["submit", file, "--shots", "0", "--json"])
        .document();
    assert_eq!(refused["error"]["details"]["fields"][0]["field"], "shots");
    insta::assert_snapshot!(told);
}
