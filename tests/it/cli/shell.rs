//! The binary in a folder of its own, with an environment that nobody else has set, and what it
//! said, without what is another on every run.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use regex::{Captures, Regex};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::Deployment;

/// Variables that would change what is tested.
const VARIABLES: [&str; 15] = [
    "EIGEN_COMPILER_ENDPOINT",
    "DRIVER_MANAGER_ENDPOINT",
    "EIGEN_KERNEL_ADDR",
    "EIGEN_QFS_ROOT",
    "QRTX_CONFIG",
    "QRTX_ENDPOINT",
    "QRTX_HTTP_ADDR",
    "QRTX_STORE",
    "QRTX_DATA_DIR",
    "RUST_LOG",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "CI",
];

/// A folder, and perhaps a kernel that its commands are meant for.
pub(super) struct Shell {
    folder: TempDir,
    endpoint: Option<String>,
}

/// How a command ended.
pub(super) struct Told {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Told {
    fn of(output: std::process::Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("we print UTF-8");
        Self {
            code: output.status.code().expect("it ends by itself"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// stdout, which must be one JSON document.
    #[track_caller]
    pub(super) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|why| panic!("{why}: {:?} {:?}", self.stdout, self.stderr))
    }

    /// stdout, stderr and exit code for a snapshot.
    pub(super) fn transcript(&self, command: &str) -> String {
        let mut told = format!("$ qrtx {command}\n{}", self.stdout);
        for line in self.stderr.lines() {
            told += &format!("! {line}\n");
        }
        if self.code != 0 {
            told += &format!("exit {}\n", self.code);
        }
        plain(&told) + "\n"
    }
}

impl Shell {
    /// Without a kernel.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = None;
        Self { folder, endpoint }
    }

    /// For commands that are meant for the kernel of `deployment`.
    pub(super) fn to(deployment: &Deployment) -> Self {
        Self::to_address(&deployment.serving().grpc.to_string())
    }

    pub(super) fn to_address(endpoint: &str) -> Self {
        let endpoint = Some(endpoint.to_owned());
        Self {
            endpoint,
            ..Self::new()
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file into the folder, and gives its name.
    pub(super) fn file<'a>(&self, name: &'a str, content: &[u8]) -> &'a str {
        std::fs::write(self.path().join(name), content).unwrap();
        name
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qrtx"));
        for name in VARIABLES {
            command.env_remove(name);
        }
        if let Some(endpoint) = &self.endpoint {
            command.env("QRTX_ENDPOINT", endpoint);
        }
        command.stdin(Stdio::null());
        command.current_dir(self.path()).args(arguments);
        command
    }

    /// Runs a command to its end.
    pub(super) fn run(&self, arguments: &[&str]) -> Told {
        Told::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command that must succeed, and gives its stdout without the line's end.
    #[track_caller]
    pub(super) fn output(&self, arguments: &[&str]) -> String {
        let told = self.run(arguments);
        assert_eq!(told.code, 0, "{arguments:?}: {}", told.stderr);
        told.stdout.trim_end().to_owned()
    }

    /// What a command says, for a snapshot.
    pub(super) fn transcript(&self, arguments: &[&str]) -> String {
        self.run(arguments).transcript(&arguments.join(" "))
    }

    /// Starts a command whose words can be read while it runs.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::new(command.spawn().unwrap())
    }
}

/// A command that has not ended.
pub(super) struct Running {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Running {
    pub(super) fn new(mut child: Child) -> Self {
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let said = String::new();
        Self {
            child,
            stderr,
            said,
        }
    }

    /// Reads stderr up to a line with `words`.
    #[track_caller]
    pub(super) fn until(&mut self, words: &str) {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without {words:?}: {}", self.said);
            self.said += &line;
            if line.contains(words) {
                return;
            }
        }
    }

    /// Reads stdout up to a line with `words`.
    #[track_caller]
    pub(super) fn until_printed(&mut self, words: &str) {
        let mut line = Vec::new();
        let mut byte = [0];
        let stdout = self.child.stdout.as_mut().unwrap();
        // Not a byte more than the line may be taken: the rest is read at the end.
        while stdout.read(&mut byte).unwrap() > 0 {
            line.push(byte[0]);
            if byte[0] == b'\n' && String::from_utf8_lossy(&line).contains(words) {
                return;
            }
            if byte[0] == b'\n' {
                line.clear();
            }
        }
        panic!("it ended without printing {words:?}");
    }

    /// What a terminal sends on Ctrl-C.
    pub(super) fn interrupt(&self) {
        signal(&self.child, "INT");
    }

    pub(super) fn end(mut self) -> Told {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        let mut told = Told::of(self.child.wait_with_output().unwrap());
        told.stderr = self.said + &rest;
        told
    }
}

pub(super) fn signal(child: &Child, name: &str) {
    let mut kill = Command::new("kill");
    kill.args([&format!("-{name}"), &child.id().to_string()]);
    assert!(kill.status().unwrap().success());
}

pub(super) fn example(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    folder.join(name).display().to_string()
}

/// `text` without ids, times and ports; what is left keeps its place.
fn plain(text: &str) -> String {
    let same_length = |found: &Captures<'_>| {
        let shown = |c: char| if c.is_ascii_alphanumeric() { '#' } else { c };
        found[0].chars().map(shown).collect::<String>()
    };
    let ids = Regex::new(r"(job-)([0-9a-f]{32})|[0-9a-f]{64}|[0-9a-f]{32}").unwrap();
    let text = ids.replace_all(text, |found: &Captures<'_>| match found.get(1) {
        Some(_) => format!("job-{}", "#".repeat(32)),
        None => "#".repeat(found[0].len()),
    });
    let times = [
        r"\d{4}-\d\d-\d\dT[0-9:.]+Z",
        r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?",
        r"\d\d:\d\d:\d\d\.\d{3}",
        r"\d+\.\d{6}",
        r"127\.0\.0\.1:\d+",
    ];
    let mut text = text.into_owned();
    for time in times {
        let time = Regex::new(time).unwrap();
        text = time.replace_all(&text, same_length).into_owned();
    }
    // These have no length of their own.
    for (what, shown) in [
        (r"(in )?\d+(\.\d)? (s|ms|min|h|d)( ago)\b", "a moment ago"),
        (r"in \d+(\.\d)? (s|ms|min|h|d)\b", "in a while"),
        (r" +(\d+(\.\d)? (s|ms))  ", "  a moment  "),
        (r"STATE +AGE", "STATE  AGE"),
        (r"\d+ bytes", "# bytes"),
        (r"\.json +\d+\n", ".json  #\n"),
        (r"; \d+ shots? fired", "; # shots fired"),
        (
            r#""(bytes|shots_used|execution_seconds|seconds)": [0-9.e-]+"#,
            r#""$1": #"#,
        ),
    ] {
        let what = Regex::new(what).unwrap();
        text = what.replace_all(&text, shown).into_owned();
    }
    text
}
