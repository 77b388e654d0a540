//! An environment's process, from its start to the end of everything it started.

use std::{
    fs, io,
    os::{
        fd::{BorrowedFd, OwnedFd, RawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::ExitStatus,
    sync::{Arc, mpsc},
    thread,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::{
        prctl::set_pdeathsig,
        signal::{Signal, killpg},
    },
    unistd::{Pid, write},
};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
    time::Instant,
};

/// Starts processes, all from one thread.
///
/// The kernel ends a child that asked for it when the *thread* that started it ends. A thread of
/// the async runtime may end at any time, this one lives as long as the server.
#[derive(Debug, Clone)]
pub(super) struct Spawner {
    requests: mpsc::Sender<SpawnRequest>,
    /// What was open as the server started.
    inherited: Arc<[RawFd]>,
}

struct SpawnRequest {
    command: Command,
    started: oneshot::Sender<io::Result<(Child, Instant)>>,
}

impl Spawner {
    /// Must be called inside the async runtime that is to wait for the processes.
    pub(super) fn start() -> io::Result<Self> {
        let inherited = open_files()?.into();
        let (requests, inbox) = mpsc::channel::<SpawnRequest>();
        let runtime = Handle::current();
        thread::Builder::new().name("powertune-spawn".to_owned()).spawn(move || {
            let _inside = runtime.enter();
            for mut request in inbox {
                // It returns when the program runs, which is the moment to measure from: the
                // process goes on at once, while whoever ordered it is yet to be woken.
                let child = request.command.spawn().map(|child| (child, Instant::now()));
                // Whoever no longer waits for the process gets it dropped, and so killed.
                drop(request.started.send(child));
            }
        })?;
        Ok(Self { requests, inherited })
    }

    /// Starts `command` as the leader of a process group, inside the cgroups whose `cgroup.procs`
    /// are `cgroups`. Returns when the program runs.
    pub(super) async fn spawn(
        &self,
        command: std::process::Command,
        cgroups: Vec<OwnedFd>,
    ) -> io::Result<Process> {
        let mut command = command;
        command.process_group(0);
        before_exec(&mut command, cgroups);
        close_on_exec(&mut command, Arc::clone(&self.inherited));
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        let (started, answer) = oneshot::channel();
        let gone = |_gone| io::Error::other("the thread that starts processes has ended");
        self.requests.send(SpawnRequest { command, started }).map_err(|_order| gone(()))?;
        let (child, started) = answer.await.map_err(|_closed| gone(()))??;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group =
            id.map(Pid::from_raw).ok_or_else(|| io::Error::other("the process ended at once"))?;
        Ok(Process { child, group: Group(group), started })
    }
}

/// What the new process does to itself between fork and exec.
#[expect(unsafe_code, reason = "std offers no other way to run code between fork and exec")]
pub(super) fn before_exec(command: &mut std::process::Command, cgroups: Vec<OwnedFd>) {
    let prepare = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        for procs in &cgroups {
            write(procs, b"0")?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe functions may be called. `prepare`
    // makes two system calls, prctl and write; it neither allocates nor locks.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// The files that are open, but for standard input, output and error.
fn open_files() -> io::Result<Vec<RawFd>> {
    let entries = fs::read_dir("/proc/self/fd")?.collect::<Result<Vec<_>, _>>()?;
    let numbers = entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.filter(|file| *file > 2).collect())
}

/// Keeps files from a program. What this server opens doesn't go on to another program anyway, but
/// whoever started it may have left something open, and a shell does for `--payload @<(...)`.
#[expect(unsafe_code, reason = "std offers no other way to run code between fork and exec")]
fn close_on_exec(command: &mut std::process::Command, files: Arc<[RawFd]>) {
    let prepare = move || {
        for file in &*files {
            // SAFETY: it was open when it was listed. If it has been closed since, the call fails,
            // and if the number is another file's now, that one is as little for the program.
            let file = unsafe { BorrowedFd::borrow_raw(*file) };
            fcntl(file, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok();
        }
        Ok(())
    };
    // SAFETY: as above; `prepare` makes a system call for each file, fcntl.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// A running process and the group it leads.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Group,
    started: Instant,
}

/// A process group: the process that was started and its children that did not leave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group(Pid);

impl Group {
    pub(super) fn leader(self) -> Pid {
        self.0
    }

    /// Sends `signal` to every member; one that has ended needs none.
    pub(super) fn signal(self, signal: Signal) {
        killpg(self.0, signal).ok();
    }
}

impl Process {
    pub(super) fn group(&self) -> Group {
        self.group
    }

    /// When its program began to run.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Waits for its end, and ends the rest of its group. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Exit {
        let leading = self.child.id().is_some();
        // Waiting for a child of ours fails only if somebody else took its status.
        let exit = self.child.wait().await.map_or(Exit::Unknown, Exit::from);
        if leading {
            // What it started goes with it. The group's number is free only when all have ended.
            self.group.signal(Signal::SIGKILL);
        }
        exit
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the whole group.
    pub(super) fn kill(&self) {
        // Until the status is collected the kernel keeps the number, so it can't be another's.
        if self.child.id().is_some() {
            self.group.signal(Signal::SIGKILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Code(i32),
    Signal(i32),
    Unknown,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl Exit {
    pub(super) fn is_kill(self) -> bool {
        self == Self::Signal(Signal::SIGKILL as i32)
    }

    /// In Lambda's words.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Code(0) | Self::Unknown => "Runtime exited without providing a reason".to_owned(),
            Self::Code(code) => format!("Runtime exited with error: exit status {code}"),
            Self::Signal(signal) => {
                format!("Runtime exited with error: signal: {}", signal_name(signal))
            }
        }
    }
}

fn signal_name(signal: i32) -> String {
    let names = [
        (Signal::SIGHUP, "hangup"),
        (Signal::SIGINT, "interrupt"),
        (Signal::SIGILL, "illegal instruction"),
        (Signal::SIGTRAP, "trace/breakpoint trap"),
        (Signal::SIGABRT, "aborted"),
        (Signal::SIGBUS, "bus error"),
        (Signal::SIGFPE, "floating point exception"),
        (Signal::SIGKILL, "killed"),
        (Signal::SIGSEGV, "segmentation fault"),
        (Signal::SIGPIPE, "broken pipe"),
        (Signal::SIGTERM, "terminated"),
    ];
    let name = names.iter().find(|(known, _)| *known as i32 == signal);
    name.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_read_as_on_lambda() {
        let cases = [
            (Exit::Code(0), "Runtime exited without providing a reason"),
            (Exit::Code(7), "Runtime exited with error: exit status 7"),
            (Exit::Signal(9), "Runtime exited with error: signal: killed"),
            (Exit::Signal(11), "Runtime exited with error: signal: segmentation fault"),
            (Exit::Signal(64), "Runtime exited with error: signal: signal 64"),
        ];
        for (exit, text) in cases {
            assert_eq!(exit.describe(), text);
        }
    }

    #[tokio::test]
    async fn killing_a_process_ends_its_children() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", "sleep 1000 & sleep 1000"]).stdout(writer);
        let process = Spawner::start().unwrap().spawn(command, Vec::new()).await.unwrap();
        drop(process);
        // The pipe ends when the last process that holds it has ended.
        let read = tokio::task::spawn_blocking(move || io::copy(&mut reader, &mut io::sink()));
        assert_eq!(read.await.unwrap().unwrap(), 0);
    }
}
