//! A kernel as its operator has it: a process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use tokio::sync::watch;

/// Whatever takes longer than this does not happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One kernel as a process; it is killed when this goes.
pub(crate) struct Process {
    child: Child,
    said: watch::Receiver<Vec<Value>>,
}

impl Process {
    /// Its files are in `folder`: the job store in `data`, the artifacts in `qfs`.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_qrtx")), folder, arguments)
    }

    /// The same where no file grows beyond some 64 KiB: a write behind that fails as on a full disk.
    pub(crate) fn start_in_narrow(folder: &Path, arguments: &[&str]) -> Self {
        let mut shell = Command::new("/bin/sh");
        let narrow = "trap '' XFSZ; ulimit -S -f 64; exec \"$0\" \"$@\"";
        shell.args(["-c", narrow, env!("CARGO_BIN_EXE_qrtx")]);
        Self::start_as(shell, folder, arguments)
    }

    /// From now on files may grow.
    pub(crate) fn make_room(&self) {
        let pid = Pid::from_child(&self.child);
        let free = Rlimit {
            current: None,
            maximum: None,
        };
        prlimit(Some(pid), Resource::Fsize, free).unwrap();
    }

    fn start_as(mut command: Command, folder: &Path, arguments: &[&str]) -> Self {
        command.env_clear().env("RUST_LOG", "error,qrtx::cli=info");
        command
            .current_dir(folder)
            .args(["serve", "--listen", "127.0.0.1:0"]);
        command.args([
            "--http",
            "127.0.0.1:0",
            "--qfs-root",
            "qfs",
            "--data-dir",
            "data",
        ]);
        command.args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, said) = watch::channel(Vec::new());
        // Whoever does not read what a process says holds it up.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line: Value = serde_json::from_str(&line).unwrap_or_default();
                if line["event"].is_string() {
                    tell.send_modify(|said| said.push(line));
                }
            }
        });
        Self { child, said }
    }

    /// Where it listens, as soon as it does.
    pub(crate) async fn ready(&mut self) -> SocketAddr {
        let ready = self.says("ready").await;
        ready["grpc"].as_str().unwrap().parse().unwrap()
    }

    /// The line with which it says that.
    pub(crate) async fn says(&mut self, event: &str) -> Value {
        let said = |said: &Vec<Value>| said.iter().any(|line| line["event"] == event);
        let heard = tokio::time::timeout(PATIENCE, self.said.wait_for(said)).await;
        let heard = heard.expect("it says so in time").expect("it lives");
        let line = heard.iter().find(|line| line["event"] == event);
        line.unwrap().clone()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// In an orderly way.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
