//! The process of an environment, and all processes that it started.

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

/// Starts all processes from one thread.
///
/// The kernel kills the children of a *thread* when the thread ends, if they asked for it. A thread
/// of the async runtime may end at any time. This thread lives as long as the server.
#[derive(Debug, Clone)]
pub(super) struct Spawner {
    requests: mpsc::Sender<SpawnRequest>,
    /// The files that were open when the server started.
    inherited: Arc<[RawFd]>,
}

struct SpawnRequest {
    command: Command,
    started: oneshot::Sender<io::Result<(Child, Instant)>>,
}

impl Spawner {
    /// Has to be called inside the async runtime that will wait for the processes.
    pub(super) fn start() -> io::Result<Self> {
        let inherited = open_files()?.into();
        let (requests, inbox) = mpsc::channel::<SpawnRequest>();
        let runtime = Handle::current();
        thread::Builder::new().name("powertune-spawn".to_owned()).spawn(move || {
            let _inside = runtime.enter();
            for mut request in inbox {
                // `spawn` returns when the program runs. The time is taken here, because the
                // requester wakes up later.
                let child = request.command.spawn().map(|child| (child, Instant::now()));
                // If the requester has gone, the process is dropped and so killed.
                drop(request.started.send(child));
            }
        })?;
        Ok(Self { requests, inherited })
    }

    /// Starts `command` as the leader of a process group, inside the cgroups with these
    /// `cgroup.procs`. Returns when the program runs.
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

/// Sets up the new process between fork and exec.
#[expect(unsafe_code, reason = "std offers no other way to run code between fork and exec")]
pub(super) fn before_exec(command: &mut std::process::Command, cgroups: Vec<OwnedFd>) {
    let prepare = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        for procs in &cgroups {
            write(procs, b"0")?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe functions may be called. `prepare` makes
    // two kinds of system calls, prctl and write. It neither allocates nor locks.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// The open files, except for standard input, output and error.
fn open_files() -> io::Result<Vec<RawFd>> {
    let entries = fs::read_dir("/proc/self/fd")?.collect::<Result<Vec<_>, _>>()?;
    let numbers = entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.filter(|file| *file > 2).collect())
}

/// Closes files for the new program. Rust opens files with close-on-exec, but the parent of this
/// server may have left files open: a shell does for `--payload @<(...)`.
#[expect(unsafe_code, reason = "std offers no other way to run code between fork and exec")]
fn close_on_exec(command: &mut std::process::Command, files: Arc<[RawFd]>) {
    let prepare = move || {
        for file in &*files {
            // SAFETY: the file was open when it was listed. If it has been closed since, the call
            // fails. If the number belongs to another file now, that file is not for the program
            // either.
            let file = unsafe { BorrowedFd::borrow_raw(*file) };
            fcntl(file, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok();
        }
        Ok(())
    };
    // SAFETY: as above. `prepare` makes one system call for each file, fcntl.
    unsafe {
        command.pre_exec(prepare);
    }
}

#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Group,
    started: Instant,
}

/// A process group: the process that was started, and its descendants that did not leave the group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group(Pid);

impl Group {
    pub(super) fn leader(self) -> Pid {
        self.0
    }

    /// Sends `signal` to every member. A member that has ended needs none.
    pub(super) fn signal(self, signal: Signal) {
        killpg(self.0, signal).ok();
    }
}

impl Process {
    pub(super) fn group(&self) -> Group {
        self.group
    }

    /// The time at which its program began to run.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Waits for the end of the process, and kills the rest of its group. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Exit {
        let leading = self.child.id().is_some();
        // Waiting fails only if other code has taken the status.
        let exit = self.child.wait().await.map_or(Exit::Unknown, Exit::from);
        if leading {
            // The number of the group is in use until all members have ended.
            self.group.signal(Signal::SIGKILL);
        }
        exit
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn kill(&self) {
        // The kernel keeps the number until the status is collected, so it belongs to no other
        // process.
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

    /// The end in Lambda's words.
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
        // The pipe ends with the last process that holds it.
        let read = tokio::task::spawn_blocking(move || io::copy(&mut reader, &mut io::sink()));
        assert_eq!(read.await.unwrap().unwrap(), 0);
    }
}
