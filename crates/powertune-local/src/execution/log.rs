//! The output of an environment's processes: standard output and error, in the order written.
//!
//! Both are one pipe, because both go to one log stream on Lambda. A task empties the pipe, so that
//! a function never blocks on its own output. Only the end of the output is kept, because only a
//! tail is ever shown.

use std::{
    io::{self, PipeWriter},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::net::unix::pipe::Receiver;
use tokio_util::task::AbortOnDropHandle;

/// Bytes of an invocation's output that are kept.
const KEPT: usize = 64 * 1024;
/// Reads before other tasks get a turn. Together they are more than a full pipe.
const READS: usize = 8;
const READ_SIZE: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Output {
    pipe: Arc<Pipe>,
    _follower: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Pipe {
    reader: Receiver,
    tail: Mutex<Tail>,
}

/// The state of a pipe after reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drained {
    Empty,
    MaybeMore,
    Closed,
}

impl Output {
    /// A pipe. The writing end is for the environment's processes.
    pub(super) fn open() -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let reader = Receiver::from_owned_fd(reader.into())?;
        let pipe = Arc::new(Pipe { reader, tail: Mutex::default() });
        let follower = tokio::spawn(Arc::clone(&pipe).follow());
        Ok((Self { pipe, _follower: AbortOnDropHandle::new(follower) }, writer))
    }

    /// The output since the last call, or the end of it if it was long.
    ///
    /// It holds all that a process wrote before its call of the Runtime API, because that is in the
    /// pipe by then.
    pub(super) fn take(&self) -> Vec<u8> {
        // Not through tokio, which may not know yet that the pipe has data.
        self.pipe.drain(|buffer| Ok(nix::unistd::read(&self.pipe.reader, buffer)?));
        self.pipe.lock().take()
    }
}

impl Pipe {
    async fn follow(self: Arc<Self>) {
        while self.reader.readable().await.is_ok() {
            match self.drain(|buffer| self.reader.try_read(buffer)) {
                Drained::Empty => {}
                Drained::MaybeMore => tokio::task::yield_now().await,
                Drained::Closed => return,
            }
        }
    }

    /// Reads all available output. The lock is held meanwhile, so that two readers keep the order.
    fn drain(&self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> Drained {
        let mut tail = self.lock();
        let mut buffer = vec![0; READ_SIZE];
        for _ in 0..READS {
            match read(&mut buffer) {
                Ok(0) => return Drained::Closed,
                Ok(n) => tail.push(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Empty,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A broken pipe has no more output.
                Err(_) => return Drained::Closed,
            }
        }
        Drained::MaybeMore
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().expect("nothing panics while it holds the lock")
    }
}

#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * KEPT {
            self.cut();
        }
    }

    fn take(&mut self) -> Vec<u8> {
        self.cut();
        std::mem::take(&mut self.bytes)
    }

    fn cut(&mut self) {
        let excess = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn what_was_written_is_there_at_once() {
        let (output, mut writer) = Output::open().unwrap();
        for n in 0..1000 {
            let line = format!("line {n}\n");
            writer.write_all(line.as_bytes()).unwrap();
            assert_eq!(output.take(), line.as_bytes());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn much_output_neither_blocks_nor_grows() {
        let (output, mut writer) = Output::open().unwrap();
        tokio::task::spawn_blocking(move || {
            for n in 0..100_000 {
                writeln!(writer, "{n:09}").unwrap();
            }
        })
        .await
        .unwrap();
        let taken = output.take();
        assert_eq!(taken.len(), KEPT);
        assert!(taken.ends_with(b"\n000099998\n000099999\n"));
        assert!(output.pipe.lock().bytes.capacity() <= 4 * KEPT);
    }
}
