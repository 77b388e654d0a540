//! The start, the reuse and the end of environments.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use powertune_local::{CpuControl, Settings};
use serde_json::json;

use crate::{
    Add, SERVE,
    bed::Bed,
    stage::{HANDLER, Stage, block_on, ended, is_alive},
};

pub(crate) fn trials(add: &mut Add<'_>) {
    add("an environment serves again, and only its first report has an init", None, |cpu| {
        block_on(serves_again(cpu));
    });
    add("invocations at once have environments of their own", None, |cpu| block_on(at_once(cpu)));
    add("a change of configuration makes a new environment", None, |cpu| {
        block_on(change_of_configuration(cpu));
    });
    add("nothing runs between invocations", None, |cpu| block_on(frozen(cpu)));
    add("shutdown leaves no process, cgroup or folder", None, |cpu| block_on(shutdown(cpu)));
    add("dropping the server leaves no process", None, dropped);
    add("a killed server leaves no function running", None, killed);
}

async fn serves_again(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 512, 30).await;
    let first = stage.f(json!({})).await;
    assert!(first.is_cold(), "{}", first.log);
    assert!(first.log.contains("initialised\nSTART "), "{}", first.log);
    for _ in 0..3 {
        let again = stage.f(json!({})).await;
        assert_eq!(again.pid(), first.pid());
        assert!(!again.is_cold() && !again.log.contains("initialised"), "{}", again.log);
    }
}

async fn at_once(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 256, 30).await;
    let meeting = tempfile::tempdir().unwrap();
    let event = json!({"do": "meet", "folder": meeting.path(), "others": 3});
    let answers =
        tokio::join!(stage.f(event.clone()), stage.f(event.clone()), stage.f(event.clone()));
    let mut pids = [answers.0.pid(), answers.1.pid(), answers.2.pid()];
    pids.sort_unstable();
    assert!(pids[0] < pids[1] && pids[1] < pids[2], "{pids:?}");
    let again = stage.f(json!({})).await;
    assert!(pids.contains(&again.pid()) && !again.is_cold());
}

async fn change_of_configuration(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 256, 30).await;
    let before = stage.f(json!({})).await;
    let update = stage.bed.client.update_function_configuration().function_name("f");
    update.memory_size(512).send().await.unwrap();
    stage.bed.settled("f").await;
    let after = stage.f(json!({})).await;
    assert!(after.is_cold());
    assert_eq!(after.report()["Memory Size"], "512 MB");
    ended(before.pid()).await;
}

async fn frozen(cpu: CpuControl) {
    const IDLE: Duration = Duration::from_millis(400);

    let stage = Stage::with_function(cpu, 1769, 30).await;
    stage.f(json!({"do": "background"})).await.result();
    tokio::time::sleep(IDLE).await;
    let later = stage.f(json!({"do": "background"})).await;
    // The thread of the first invocation slept a millisecond at a time, except for this gap. It may
    // run a last time just before the stop, and may not have run again yet.
    let again = stage.f(json!({"do": "background"})).await;
    let gap = later.result().as_f64().unwrap().max(again.result().as_f64().unwrap());
    assert!(gap >= IDLE.as_secs_f64() / 2.0, "{gap} s");
}

async fn shutdown(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 256, 30).await;
    let child = stage.f(json!({"do": "child"})).await;
    let child_pid = child.result().as_i64().unwrap();
    let place = stage.f(json!({"do": "where"})).await;
    let [code, own] = [0, 1].map(|n| place.result()[n].as_str().unwrap().to_owned());
    assert!(is_alive(child.pid()) && is_alive(child_pid));
    let cgroup = cgroup_of(child.pid());
    assert_eq!(cgroup.is_none(), cpu == CpuControl::Signals, "{cgroup:?}");
    assert_eq!(cgroup_of(child_pid), cgroup);
    let cgroups =
        cgroup.as_deref().map_or(0, |name| folders_named(name, Path::new("/sys/fs/cgroup")));
    assert_eq!(cgroups == 0, cpu == CpuControl::Signals);

    stage.bed.lambda.shutdown().await;
    ended(child.pid()).await;
    ended(child_pid).await;
    for folder in [code, own] {
        assert!(!Path::new(&folder).exists(), "{folder}");
    }
    let cgroups =
        cgroup.as_deref().map_or(0, |name| folders_named(name, Path::new("/sys/fs/cgroup")));
    assert_eq!(cgroups, 0);
}

/// The name of the server's cgroup of a process.
fn cgroup_of(pid: i64) -> Option<String> {
    let memberships = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let ours = format!("powertune-{}-", std::process::id());
    memberships.split(['/', '\n']).find(|part| part.starts_with(&ours)).map(str::to_owned)
}

fn folders_named(name: &str, place: &Path) -> usize {
    let entries = std::fs::read_dir(place).into_iter().flatten().filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders
        .map(|folder| usize::from(folder.file_name() == name) + folders_named(name, &folder.path()))
        .sum()
}

fn dropped(cpu: CpuControl) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pid = runtime.block_on(async {
        let stage = Stage::with_function(cpu, 256, 30).await;
        stage.f(json!({})).await.pid()
    });
    drop(runtime);
    block_on(ended(pid));
}

fn killed(cpu: CpuControl) {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .env(SERVE, format!("{cpu:?}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid: i64 = line.trim().parse().unwrap();
    assert!(is_alive(pid));
    server.kill().unwrap();
    server.wait().unwrap();
    block_on(ended(pid));
}

/// Starts a server and runs a function. Prints its process id and waits until it is killed, or
/// prints the variables and the open files of the function.
pub(crate) fn serve() {
    let wanted = std::env::var(SERVE).unwrap();
    let signals = wanted.starts_with(&format!("{:?}", CpuControl::Signals));
    let cpu = if signals { CpuControl::Signals } else { CpuControl::Cgroup };
    block_on(async {
        let stage = Stage { bed: Bed::start(Settings { cpu, ..Settings::default() }).await };
        stage.python("f", HANDLER, 256, 30).await;
        if wanted.ends_with("environment") {
            for what in ["environment", "files"] {
                println!("{}", stage.f(json!({"do": what})).await.result());
            }
            stage.bed.lambda.shutdown().await;
        } else {
            println!("{}", stage.f(json!({})).await.pid());
            std::future::pending::<()>().await;
        }
    });
}
