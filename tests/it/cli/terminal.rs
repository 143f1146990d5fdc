//! In a real terminal: nothing is wider than it, colours come where they are wanted, and a live
//! line tells how far a job is.

use std::fs::File;
use std::io::Read as _;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::shell::{Shell, example, signal};
use crate::circuits::{aqo, endless};
use crate::harness::Deployment;

/// Words that may be longer than there is room for.
const LONG: usize = 24;

/// A terminal of so many columns, and what was written to it.
struct Terminal {
    master: File,
    slave: File,
    shown: String,
}

impl Terminal {
    fn of(columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let name = ptsname(&master, Vec::new()).unwrap();
        let mut both_ways = File::options();
        let slave = both_ways.read(true).write(true);
        let slave = slave.open(name.to_str().unwrap()).unwrap();
        tcsetwinsize(&slave, size).unwrap();
        let shown = String::new();
        Self {
            master: File::from(master),
            slave,
            shown,
        }
    }

    fn start(&self, command: &mut Command) -> std::process::Child {
        let stream = || self.slave.try_clone().unwrap();
        command.stdout(stream()).stderr(stream()).spawn().unwrap()
    }

    /// Reads up to `words`.
    fn until(&mut self, words: &str) {
        let mut piece = [0; 4096];
        while !self.shown.contains(words) {
            let read = self.master.read(&mut piece).unwrap();
            assert!(read > 0, "it ended without {words:?}: {}", self.shown);
            self.shown += &String::from_utf8_lossy(&piece[..read]);
        }
    }

    /// Reads to the end: when nobody holds the terminal any more, reading it fails.
    fn end(self) -> String {
        let Self {
            mut master,
            slave,
            mut shown,
        } = self;
        drop(slave);
        let mut piece = [0; 4096];
        while let Ok(read) = master.read(&mut piece) {
            if read == 0 {
                break;
            }
            shown += &String::from_utf8_lossy(&piece[..read]);
        }
        shown
    }
}

fn run(shell: &Shell, columns: u16, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let terminal = Terminal::of(columns);
    let mut command = shell.command(arguments);
    command.env("TERM", "xterm-256color");
    command.envs(environment.iter().copied());
    let mut child = terminal.start(&mut command);
    drop(command);
    let shown = terminal.end();
    child.wait().unwrap();
    shown
}

/// Every line that was ever seen, without colours.
fn lines(shown: &str) -> Vec<String> {
    let lines = shown.split(['\r', '\n']);
    let lines = lines.map(|line| anstream::adapter::strip_str(line).to_string());
    lines.filter(|line| !line.is_empty()).collect()
}

/// `ESC [ … m`, which is how colours are told.
fn has_colours(shown: &str) -> bool {
    shown.split("\u{1b}[").skip(1).any(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';');
        end.is_some_and(|end| rest[end..].starts_with('m'))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wider_than_the_terminal() {
    let deployment = Deployment::embedded().await;
    let shell = Shell::to(&deployment);
    let wide = aqo(20, vec![serde_json::json!({ "op": "H", "q": [19] })]);
    let file = shell.file("twenty-qubits-and-a-name-that-takes-its-room.json", &wide);
    let job = shell.output(&["submit", file]);
    shell.output(&["results", &job, "--wait"]);
    for columns in [40, 80, 132] {
        for command in [
            vec!["results", &job],
            vec!["status", &job],
            vec!["watch", &job],
            vec!["history", &job],
            vec!["jobs"],
            vec!["devices"],
            vec!["cancel", &job],
            vec!["status", "job-1"],
            vec!["run", file],
            vec!["submit", file, "--shots", "many", "--no-such-flag-as-this"],
            vec!["jobs", "--limit", "9000"],
        ] {
            let shown = run(&shell, columns, &command, &[]);
            for line in lines(&shown) {
                // A word is never cut, be it a path, an id or a long name: it is for copying.
                let fits = line.chars().count() <= usize::from(columns);
                let is_long = line
                    .split_whitespace()
                    .any(|word| word.is_ascii() && word.len() > LONG);
                assert!(fits || is_long, "{command:?} at {columns}: {line:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_come_where_they_are_wanted() {
    let deployment = Deployment::embedded().await;
    let shell = Shell::to(&deployment);
    let jobs = |flags: &[&str], environment: &[(&str, &str)]| {
        has_colours(&run(
            &shell,
            80,
            &[&["devices"], flags].concat(),
            environment,
        ))
    };
    assert!(jobs(&[], &[]));
    assert!(!jobs(&[], &[("NO_COLOR", "1")]));
    assert!(!jobs(&[], &[("TERM", "dumb")]));
    assert!(!jobs(&["--color", "never"], &[]));
    assert!(jobs(&["--color", "always"], &[("NO_COLOR", "1")]));
    let piped = |flags: &[&str]| has_colours(&shell.run(&[&["devices"], flags].concat()).stdout);
    assert!(!piped(&[]));
    assert!(piped(&["--color", "always"]));
    assert!(!has_colours(&run(&shell, 80, &["devices", "--json"], &[])));
}

#[test]
fn a_live_line_tells_how_far_a_run_is_and_is_gone_at_the_end() {
    for columns in [40, 80] {
        let shell = Shell::new();
        let file = shell.file("endless.json", &endless());
        let mut terminal = Terminal::of(columns);
        let mut command = shell.command(&["run", file, "--shots", "1000000"]);
        command.env("TERM", "xterm-256color");
        let mut child = terminal.start(&mut command);
        drop(command);
        terminal.until("Executing");
        signal(&child, "INT");
        let shown = terminal.end();
        assert_eq!(child.wait().unwrap().code(), Some(5), "{shown}");
        let seen = lines(&shown);
        let live = seen.iter().filter(|line| line.contains('━'));
        assert!(live.clone().count() > 0, "{seen:#?}");
        for line in live {
            assert!(line.chars().count() <= usize::from(columns), "{line:?}");
        }
        let screen = shown.rsplit("\u{1b}[2K").next().unwrap();
        assert!(!screen.contains('━'), "the line is gone: {screen}");
        assert!(screen.contains("Cancelled"), "{screen}");
    }
}

#[test]
fn no_live_line_is_drawn_for_a_program() {
    let shell = Shell::new();
    let bell = example("bell.aqo.json");
    let shown = run(&shell, 80, &["run", &bell, "--json"], &[]);
    assert!(!shown.contains('━') && !shown.contains('\u{1b}'), "{shown}");
    assert_eq!(shell.run(&["run", &bell]).stderr, "");
}
