//! A kernel as its operator has it: a process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

/// Whatever takes longer than this does not happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One kernel as a process; it is killed when this goes.
pub(crate) struct Process {
    child: Child,
    ready: Option<oneshot::Receiver<SocketAddr>>,
}

impl Process {
    /// Its files are in `folder`: the job store in `data`, the artifacts in `qfs`.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qrtx"));
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
        let (tell, ready) = oneshot::channel();
        // Whoever does not read what a process says holds it up.
        std::thread::spawn(move || {
            let mut tell = Some(tell);
            for line in lines.map_while(Result::ok) {
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                if said["event"] == "ready"
                    && let Some(tell) = tell.take()
                {
                    let _ = tell.send(said["grpc"].as_str().unwrap().parse().unwrap());
                }
            }
        });
        Self {
            child,
            ready: Some(ready),
        }
    }

    /// Where it listens, as soon as it does.
    pub(crate) async fn ready(&mut self) -> SocketAddr {
        let ready = self.ready.take().unwrap();
        let address = tokio::time::timeout(PATIENCE, ready).await;
        address.expect("it starts").expect("it says so")
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
