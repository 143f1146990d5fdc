//! `qrtx explain`, of jobs of a running kernel: each says why it waits, and what was decided.

use qrtx::grpc::proto::internal::DeviceStatus;
use qrtx::os::clock::SystemClock;
use qrtx::os::config::Config;
use qrtx_testkit::neighbours::{CompilerDouble, DriverDouble, Method, Served, Unserved, Whim};
use tonic::Code;

use super::shell::Shell;
use crate::circuits::{bell, endless};
use crate::harness::{Deployment, until};

/// Asks until the answer has these words, which must come, and tells it.
fn explained(shell: &Shell, job: &str, words: &str) -> String {
    loop {
        let told = shell.transcript(&["explain", job]);
        assert!(!told.contains("! "), "{told}");
        if told.contains(words) {
            return told;
        }
    }
}

async fn deployed(change: impl FnOnce(&mut Config)) -> (Deployment, Shell) {
    let deployment = Deployment::new(change).await;
    let shell = Shell::to(&deployment);
    (deployment, shell)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_the_queue_of_its_device_names_who_is_ahead_and_by_which_rule() {
    let (deployment, shell) = deployed(|config| {
        config.devices.slots.insert("sim:local".parse().unwrap(), 1);
        config.limits.tenant_running = 1;
        // No minute ends in between: the rules that are named do not hang on the clock.
        config.limits.age_step_ms = 1 << 50;
    })
    .await;
    let mut client = deployment.client().await;
    let file = shell.file("endless.json", &endless());
    let running = shell.output(&["submit", file, "--tenant", "ada"]);
    until(&mut client, &running, "PhaseReached").await;
    let mut waiting = Vec::new();
    for (tenant, priority) in [("bob", "40"), ("bob", "50"), ("bob", "50"), ("ada", "99")] {
        let submit = ["submit", file, "--tenant", tenant, "--priority", priority];
        let job = shell.output(&submit);
        until(&mut client, &job, "Compiled").await;
        waiting.push(job);
    }
    let mut told = explained(&shell, &waiting[0], "2 jobs ahead");
    told += &explained(&shell, &waiting[3], "as many as it may");
    shell.output(&["cancel", &running]);
    told += &explained(&shell, &running, "cancelled");
    until(&mut client, &waiting[1], "PhaseReached").await;
    told += &explained(&shell, &waiting[1], "before");
    for job in &waiting {
        shell.output(&["cancel", job]);
    }
    // How far the device came before the cancel is a matter of microseconds.
    let (settled, shots) = ("execution is settled: ", " shots wasted, ");
    let masked = |line: &str| match (line.split_once(settled), line.contains(shots)) {
        (Some((before, _)), true) => format!("{before}{settled}…\n"),
        _ => format!("{line}\n"),
    };
    let told: String = told.lines().map(masked).collect();
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_takes_nothing_is_named() {
    let nobody = Unserved::new();
    let (_deployment, shell) = deployed(|config| config.driver = Some(nobody.url())).await;
    let file = shell.file("bell.json", &bell());
    let early = shell.output(&["submit", file]);
    explained(
        &shell,
        &early,
        "waits: the devices cannot be asked: driver-manager at",
    );

    let double = DriverDouble::new(SystemClock::default());
    double.set_status("sim:local", DeviceStatus::Calibrating);
    let served = Served::start(double.routes());
    let (deployment, shell) = deployed(|config| config.driver = Some(served.url())).await;
    let mut client = deployment.client().await;
    let file = shell.file("bell.json", &bell());
    let job = shell.output(&["submit", file]);
    until(&mut client, &job, "Compiled").await;
    insta::assert_snapshot!(explained(&shell, &job, "CALIBRATING"));
    served.cut().await;
    explained(&shell, &job, "the devices cannot be asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_before_its_device_names_the_compiler_or_the_slot_it_waits_for() {
    let double = CompilerDouble::new(SystemClock::default());
    let busy = Whim::refuse(Code::Unavailable, "warming up");
    double.whims().next(1, Method::CompileCircuit, busy);
    double.whims().always(Method::CompileCircuit, Whim::Hang);
    let served = Served::start(double.routes());
    let (deployment, shell) = deployed(|config| {
        config.compiler = Some(served.url());
        config.limits.compile_slots = 1;
        config.limits.backoff_ms_base = 3_600_000;
        config.limits.backoff_ms_max = 3_600_000;
    })
    .await;
    let mut client = deployment.client().await;
    let file = shell.file("source.eigen", b"qubits=2");
    let submit = ["submit", file, "--format", "eigen_lang_source"];
    let put_off = shell.output(&submit);
    until(&mut client, &put_off, "Retried").await;
    let told = explained(&shell, &put_off, "warming up");
    assert!(told.contains("waits: until ####"), "{told}");
    let hanging = shell.output(&submit);
    until(&mut client, &hanging, "Validated").await;
    let crowded = shell.output(&submit);
    let told = explained(&shell, &crowded, "1 of 1 compile slots are taken");
    assert!(
        told.contains("nobody ahead of it; it waits for a compile slot"),
        "{told}"
    );
}
