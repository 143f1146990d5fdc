//! Following a job though the connection is lost: nothing is missed, nothing comes twice, and
//! who gives up says how to go on.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::shell::Shell;
use crate::circuits::endless;
use crate::harness::{Deployment, cancel, until};

/// A way to the kernel that can be cut. While it is cut nobody gets through.
struct Way {
    addr: SocketAddr,
    open: watch::Sender<bool>,
    taken: Arc<AtomicUsize>,
}

impl Way {
    async fn to(kernel: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (open, is_open) = watch::channel(true);
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut cut = is_open.clone();
                if !*cut.borrow_and_update() {
                    continue;
                }
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut client = client;
                    let mut kernel = TcpStream::connect(kernel).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut kernel) => {}
                        _ = cut.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { addr, open, taken }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_behind_the_last_event_when_the_kernel_is_back() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let way = Way::to(deployment.serving().grpc).await;
    let shell = Shell::to_address(&way.addr.to_string());
    let file = shell.file("endless.json", &endless());
    let job = shell.output(&["submit", file]);
    until(&mut client, &job, "PhaseReached").await;

    let mut watching = shell.start(&["watch", &job, "--json"]);
    watching.until_printed("QuantumRunning");
    way.open.send_replace(false);
    watching.until("trying to reach it again");
    let before = way.taken.load(Ordering::SeqCst);
    cancel(&mut client, &job).await;
    way.open.send_replace(true);
    watching.until("the kernel answers again");
    let told = watching.end();
    assert_eq!(told.code, 5, "{}", told.stderr);
    assert!(way.taken.load(Ordering::SeqCst) > before);
    let rest = told
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rest: Vec<_> = rest.map(|event| event["seq"].as_u64().unwrap()).collect();
    let all = shell.run(&["watch", &job, "--json"]).stdout;
    let last = all.lines().count() as u64;
    let first = rest[0];
    assert_eq!(
        rest,
        (first..=last).collect::<Vec<_>>(),
        "no gap, nothing twice"
    );
    let printed = all.lines().nth(first as usize - 2).unwrap();
    assert!(printed.contains("QuantumRunning"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_says_how_to_go_on() {
    let deployment = Deployment::embedded().await;
    let mut client = deployment.client().await;
    let way = Way::to(deployment.serving().grpc).await;
    let shell = Shell::to_address(&way.addr.to_string());
    let file = shell.file("endless.json", &endless());
    let job = shell.output(&["submit", file]);
    until(&mut client, &job, "PhaseReached").await;

    for command in ["watch", "results"] {
        let mut arguments = vec![command, &job, "--json", "--patience", "0"];
        if command == "results" {
            arguments.push("--wait");
        }
        let before = way.taken.load(Ordering::SeqCst);
        let following = shell.start(&arguments);
        while before == way.taken.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        way.open.send_replace(false);
        let told = following.end();
        way.open.send_replace(true);
        assert_eq!(told.code, 3, "{}", told.stderr);
        let error = told.stdout.lines().last().unwrap();
        let error: Value = serde_json::from_str(error).unwrap();
        let error = &error["error"];
        assert_eq!(error["code"], "QRTX_CONNECTION_LOST", "{error}");
    }
    cancel(&mut client, &job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_that_came_back_without_the_job_is_said_to_have_forgotten_it() {
    let deployment = Deployment::embedded().await;
    let other = Deployment::embedded().await;
    let mut client = deployment.client().await;
    // The way leads to another kernel from the second connection on.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let ways = [deployment.serving().grpc, other.serving().grpc];
    let (cut, mut is_cut) = watch::channel(false);
    tokio::spawn(async move {
        for (turn, way) in ways.into_iter().enumerate() {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut kernel = TcpStream::connect(way).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut kernel) => {}
                _ = is_cut.wait_for(|cut| *cut), if turn == 0 => {}
            }
        }
    });
    let direct = Shell::to(&deployment);
    let file = direct.file("endless.json", &endless());
    let job = direct.output(&["submit", file]);
    until(&mut client, &job, "PhaseReached").await;
    let shell = Shell::to_address(&addr.to_string());
    let mut watching = shell.start(&["watch", &job]);
    watching.until_printed("QuantumRunning");
    cut.send_replace(true);
    let told = watching.end();
    assert_eq!(told.code, 2, "{}", told.stderr);
    assert!(
        told.stderr.contains("--store memory forgets"),
        "{}",
        told.stderr
    );
    cancel(&mut client, &job).await;
}

#[test]
fn a_submission_whose_answer_got_lost_names_the_key_to_repeat_it_with() {
    let kernel = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let shell = Shell::to_address(&kernel.local_addr().unwrap().to_string());
    let file = shell.file("bell.json", b"the program itself");
    for (given, interrupted) in [(None, false), (None, true), (Some("mine"), false)] {
        let mut command = vec!["submit", file, "--json"];
        command.extend(given.iter().flat_map(|key| ["--key", key]));
        let submitting = shell.start(&command);
        let (mut connection, _) = kernel.accept().unwrap();
        // It has sent the request, and gets no answer.
        let mut heard = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&heard).contains("the program itself") {
            let read = connection.read(&mut piece).unwrap();
            heard.extend(&piece[..read]);
        }
        let code = match interrupted {
            true => {
                submitting.interrupt();
                130
            }
            false => {
                drop(connection);
                3
            }
        };
        let told = submitting.end();
        assert_eq!(told.code, code, "{}", told.stderr);
        let document = told.document();
        let key = document["error"]["details"]["idempotency_key"].as_str();
        let key = key.unwrap_or_else(|| panic!("{document}"));
        assert!(
            told.stderr.contains(&format!("--key {key}")),
            "{}",
            told.stderr
        );
        assert!(
            String::from_utf8_lossy(&heard).contains(key),
            "it was sent with it"
        );
        assert!(given.is_none_or(|given| given == key), "{key}");
    }
}
