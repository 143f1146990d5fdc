//! The simulated world as part of the ordinary tests: they take the same road as a person who
//! says `cargo run -p qrtx-sim`, whatever flags are set around them.

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
fn every_scenario_keeps_its_promises_with_a_handful_of_seeds() {
    let (code, said) = sim(&["run", "all", "--seed", "1", "--seeds", "8"], None);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("32 runs, 0 of them failed"), "{said}");
}

#[test]
fn the_same_seed_goes_the_same_way_in_two_processes() {
    let (code, said) = sim(&["self-check", "--seeds", "3"], Some("--cfg not_ours"));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("twice the same").count(), 12, "{said}");
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
