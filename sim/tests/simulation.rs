//! The simulated world as part of the ordinary tests: they take the same road as a person who
//! says `cargo run -p qrtx-sim`, whatever flags are set around them.

#![expect(clippy::disallowed_methods, reason = "these tests write files")]

use std::process::Command;

fn sim(arguments: &[&str], rustflags: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qrtx-sim"));
    command.args(arguments).env_remove("RUSTFLAGS");
    command.envs(rustflags.map(|flags| ("RUSTFLAGS", flags)));
    let output = command.output().expect("the program was just built");
    let text = [output.stdout, output.stderr].map(|out| String::from_utf8_lossy(&out).into_owned());
    (output.status.code(), text.join("\n"))
}

#[test]
fn every_scenario_keeps_its_promises() {
    let (code, said) = sim(&["run", "all"], None);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" runs, 0 of them failed"), "{said}");
}

/// Else it could not be kept as a regression once the mistake is mended.
#[test]
fn what_is_left_of_a_mistake_is_well_without_it() {
    let name = format!("qrtx-sim-well-{}.toml", std::process::id());
    let small = std::env::temp_dir().join(name).display().to_string();
    for (bug, seed) in [
        ("keys-in-memory-only", "135888950137514"),
        ("key-of-another-request", "773123116017455"),
    ] {
        let shrink = ["shrink", "random", "--bug", bug, "--seed", seed];
        let (code, said) = sim(&[&shrink[..], &["--out", &small]].concat(), None);
        assert_eq!(code, Some(129), "{bug}: {said}");
        let (code, said) = sim(&["replay", &small], None);
        assert_eq!(code, Some(0), "{bug}: {said}");
    }
    std::fs::remove_file(&small).unwrap();
}

#[test]
fn a_run_that_does_not_end_is_given_up_and_said_to_be_one() {
    let run = ["run", "random", "--seed", "7", "--patience"];
    let (code, said) = sim(&[&run[..], &["0"]].concat(), None);
    assert_eq!(code, Some(127), "{said}");
    assert!(
        said.contains("the run does not come to an end: after 0ns"),
        "{said}"
    );
    let (code, said) = sim(&[&run[..], &["600"]].concat(), None);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn the_same_seed_goes_the_same_way_in_two_processes() {
    let (code, said) = sim(&["self-check", "--seeds", "5"], Some("--cfg not_ours"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(", 0 divergences"), "{said}");
}

#[test]
fn a_planted_mistake_is_found_shrunk_and_drawn() {
    let (code, said) = sim(
        &["mutants", "results-later", "--seeds", "0", "--json"],
        None,
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(r#""caught_by":{"result_before_done":"#),
        "{said}"
    );

    let folder = std::env::temp_dir().join(format!("qrtx-sim-{}", std::process::id()));
    let file = |name: &str| folder.join(name).display().to_string();
    std::fs::create_dir_all(&folder).unwrap();
    let (small, picture) = (file("small.toml"), file("picture.html"));
    let bug = ["--bug", "results-later", "--seed", "5", "--out"];
    let shrunk = [&["shrink", "random"][..], &bug, &[&small]].concat();
    let (code, said) = sim(&shrunk, None);
    assert_eq!(code, Some(129), "{said}");
    assert!(said.contains("0 faults and 1 jobs are left"), "{said}");
    let drawn = ["draw", &small, "--bug", "results-later", "--out", &picture];
    let (code, said) = sim(&drawn, None);
    assert_eq!(code, Some(129), "{said}");
    let page = std::fs::read_to_string(&picture).unwrap();
    assert!(page.contains("result_before_done") && page.contains("class=\"breach\""));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn wrong_use_is_told_apart_from_a_failed_run() {
    let (code, said) = sim(&["run", "no-such-scenario"], None);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("calm"), "{said}");
}

#[test]
fn a_run_that_is_not_well_says_so_and_how_to_repeat_it() {
    for (name, wanted) in [("never-fires", 131), ("false-hope", 129), ("no-end", 128)] {
        let path = format!("tests/scenarios/{name}.toml");
        let (code, said) = sim(&["run", &path, "--seed", "7"], None);
        assert_eq!(code, Some(wanted), "{said}");
        let again = format!("scenarios/{name}.toml --seed 7");
        assert!(
            said.lines()
                .any(|line| line.contains("again: cargo sim run") && line.contains(&again)),
            "{said}"
        );
    }
}
