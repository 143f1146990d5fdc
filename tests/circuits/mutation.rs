//! No text crashes the front end, none keeps it for longer than a second, and none makes it read a
//! file. What it accepts is a circuit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use qrtx::circuit::{AQO_BYTES_MAX, parse, parse_qasm, render};
use qrtx_testkit::circuits::{Dice, GateSet, Texts};

use super::spoil::spoilt;
use super::traps;

/// The stack of the threads on which the kernel reads programs.
const STACK_BYTES: usize = 2 << 20;
/// A second, or so many times what a yardstick takes: no build that is made to find mistakes is fast, and
/// no machine that has much else to do.
const TIME_MAX: Duration = Duration::from_secs(1);
const YARDS_MAX: u32 = 10;
/// What takes longer is read so often.
const TRIES: usize = 3;
/// For one trap, and for all mutants, on a machine that is busy with much else.
const TRAP_TIME_MAX: Duration = Duration::from_secs(60);
const MUTANTS_TIME_MAX: Duration = Duration::from_secs(600);
const MUTANTS: usize = 10_000;
const SEED: u64 = 1;
/// Texts that are spoilt are not much longer than those that people write.
const ORIGINAL_BYTES_MAX: usize = 8_000;

/// Runs on such a thread; `None` if it has not come to its end by then.
fn on_a_small_stack<T: Send + 'static>(
    most: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let thread = thread.spawn(move || tell.send(work()));
    let thread = thread.expect("there is room for a thread");
    match told.recv_timeout(most) {
        Ok(done) => Some(done),
        Err(mpsc::RecvTimeoutError::Timeout) => None,
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = thread.join().expect_err("it has not sent anything");
            std::panic::resume_unwind(panic)
        }
    }
}

/// How long this thread has been at work; how long the machine was busy with others does not
/// matter. Where the system does not tell, all time counts.
fn worked(begin: Instant) -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanos = stat
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| begin.elapsed(), Duration::from_nanos)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let before = worked(begin);
    let done = work();
    (done, worked(begin) - before)
}

/// How long a library takes to read eight texts as long as any: on this machine, in this build.
fn yard() -> Duration {
    let part = ",\"x q[0];\"";
    let text = format!("[0{}]", part.repeat((4 << 20) / part.len()));
    let read = || serde_json::from_str::<Vec<serde_json::Value>>(&text).is_ok();
    let (read, took) = timed(|| (0..8).all(|_| read()));
    assert!(read, "it is JSON");
    took
}

/// Reads texts, and remembers which took longest.
#[derive(Default)]
struct Reader {
    slowest: Duration,
    which: String,
    read: usize,
    accepted: usize,
    slow: Vec<String>,
}

impl Reader {
    fn read(&mut self, name: &str, text: &[u8]) {
        // After an abort this tells which text it was.
        let last = Path::new(env!("CARGO_TARGET_TMPDIR")).join("last-text-read");
        std::fs::write(last, name).expect("the name can be left behind");
        let (none, stop) = (BTreeMap::new(), AtomicBool::new(false));
        let attempt = || timed(|| parse_qasm(text, &none, &stop).ok());
        let (circuit, mut took) = attempt();
        let mut most = TIME_MAX;
        for _ in 1..TRIES {
            if took <= most {
                break;
            }
            took = took.min(attempt().1);
            most = most.max(yard() * YARDS_MAX);
        }
        if took > most {
            self.slow
                .push(format!("{name} takes {took:?}, and may take {most:?}"));
        }
        if took > self.slowest {
            self.slowest = took;
            name.clone_into(&mut self.which);
        }
        self.read += 1;
        let Some(circuit) = circuit else {
            return;
        };
        self.accepted += 1;
        // A megabyte of operations says no more of the round trip than a few.
        if circuit.operations().len() > 10_000 {
            return;
        }
        let rendered = render(&circuit);
        assert!(
            rendered.len() <= AQO_BYTES_MAX,
            "{name}: short circuits are short texts"
        );
        let again = parse(&rendered, &none).expect("what was accepted is a circuit");
        assert_eq!(again, circuit, "{name}");
        let outline = qrtx::circuit::outline(&rendered).expect("it is AQO");
        assert_eq!(outline.qubits, circuit.qubits(), "{name}");
        assert!(outline.key_widths.contains(&circuit.bits()), "{name}");
    }

    fn report(&self) {
        let Self {
            slowest,
            which,
            read,
            accepted,
            slow,
        } = self;
        println!("{read} texts, {accepted} accepted; slowest {slowest:?}: {which}");
        assert!(slow.is_empty(), "{}", slow.join("\n"));
    }
}

/// Programs before they are spoilt: the examples, those of the mistakes, generated ones.
fn originals() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mistakes = std::fs::read_to_string(root.join("src/circuit/qasm/mistakes.txt"));
    let mistakes = mistakes.expect("the mistakes are there");
    let mut all: Vec<_> = mistakes
        .split("\n----\n")
        .map(|text| text.as_bytes().to_vec())
        .collect();
    let folder = std::fs::read_dir(root.join("examples")).expect("there are examples");
    let paths = folder.map(|entry| entry.expect("a file has a name").path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "qasm"))
        .collect();
    // The order of a folder is chance.
    paths.sort();
    all.extend(
        paths
            .iter()
            .map(|path| std::fs::read(path).expect("an example can be read")),
    );
    for set in GateSet::ALL {
        for number in 0..80 {
            let Texts { qasm2, qasm3, .. } = Texts::new(set, SEED, number);
            all.extend([qasm2, qasm3].map(String::into_bytes));
        }
    }
    all.retain(|text| text.len() <= ORIGINAL_BYTES_MAX);
    all
}

#[test]
fn spoilt_programs_are_refused_or_read_within_a_second() {
    let all = on_a_small_stack(MUTANTS_TIME_MAX, || {
        let originals = originals();
        let mut reader = Reader::default();
        for number in 0..MUTANTS {
            let mut dice = Dice::new(SEED, number as u64);
            let text = spoilt(&dice.pick(&originals), &mut dice);
            reader.read(&format!("mutant {number}"), &text);
        }
        reader
    });
    let reader = all.expect("no text takes for ever");
    reader.report();
    // A test that only meets refusals, or none, does not test much.
    assert!(
        reader.accepted > MUTANTS / 50,
        "{} were accepted",
        reader.accepted
    );
    assert!(
        reader.accepted < MUTANTS / 2,
        "{} were accepted",
        reader.accepted
    );
}

#[test]
fn traps_are_refused_or_read_within_a_second() {
    let mut reader = Reader::default();
    for trap in traps::all() {
        let name = trap.name.clone();
        let done = on_a_small_stack(TRAP_TIME_MAX, move || {
            reader.read(&trap.name, &trap.text);
            reader
        });
        reader = done.unwrap_or_else(|| panic!("{name} has no end"));
    }
    reader.report();
}

#[test]
fn a_file_that_is_there_is_not_included() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("gates.inc");
    std::fs::write(&path, "gate mine x { U(1, 2, 3) x; }").expect("there is room for a file");
    let escaped = path.to_str().expect("it is text");
    for file in [
        escaped.to_owned(),
        format!("file://{escaped}"),
        "Cargo.toml".to_owned(),
    ] {
        let text = format!("include \"{file}\"; qubit q; mine q;");
        let why = parse_qasm(text.as_bytes(), &BTreeMap::new(), &AtomicBool::new(false))
            .expect_err("no file is opened");
        assert!(why.to_string().contains("cannot be included"), "{why}");
        assert_eq!(why.line(), Some(1));
    }
}
