//! A server process that ends when we do. PostgreSQL and Redis do not watch their parent, so a shell between us and them waits
//! for the end of its input, which comes when this process ends in whatever way, and then interrupts the server.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};

use super::{Doing as _, Fault, account::Account};

/// File 3 is the pipe from us: a job in the background would get `/dev/null` for its input.
const KEEPER: &str = r#"exec 3<&0
"$@" </dev/null 3<&- & server=$!
(read -r _ <&3; kill -INT $server) >/dev/null 2>&1 & watcher=$!
exec 3<&-
wait $server; code=$?
kill $watcher 2>/dev/null
exit $code"#;

/// A running server behind its keeper.
#[derive(Debug)]
pub struct Kept {
    keeper: Child,
}

impl Kept {
    /// Starts a server. Its output goes to the log file. It gets a process group of its own: Ctrl-C at the terminal is for us, who
    /// stop things in order.
    pub fn start(account: Account, server: &Command, log: &Path) -> Result<Self, Fault> {
        let out = File::options().create(true).append(true).open(log).doing(|| format!("opening {}", log.display()))?;
        let errors = out.try_clone().doing(|| format!("opening {}", log.display()))?;
        let keeper = account
            .command("/bin/sh")
            .args(["-c", KEEPER, "drumtower-keeper"])
            .arg(server.get_program())
            .args(server.get_args())
            .envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .doing(|| format!("starting {}", server.get_program().display()))?;
        Ok(Self { keeper })
    }

    /// Process number of the keeper, which is that of the group too.
    #[cfg(test)]
    pub fn id(&self) -> u32 {
        self.keeper.id()
    }

    /// Whether the server ended.
    pub fn ended(&mut self) -> bool {
        self.keeper.try_wait().map_or(true, |status| status.is_some())
    }

    /// Interrupts the server, waits, and kills what is left after that.
    pub fn stop(&mut self, patience: Duration) {
        drop(self.keeper.stdin.take());
        if !waited(patience, || self.ended()) {
            if let Some(group) = i32::try_from(self.keeper.id()).ok().and_then(Pid::from_raw) {
                // The group may have ended this very moment; then there is nothing to do.
                let _gone = kill_process_group(group, Signal::KILL);
            }
            let _status = self.keeper.wait();
        }
    }
}

/// Stops a server that outlived its keeper (both were killed): the pid file names a process that runs `program`. A number that
/// was given to another program since is left alone, and the stale file removed.
pub fn stop_orphan(pid_file: &Path, program: &str) -> Result<(), Fault> {
    let Ok(text) = fs::read_to_string(pid_file) else { return Ok(()) };
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid.filter(|pid| runs(*pid, program)) {
        let _gone = kill_process(pid, Signal::INT);
        if !waited(Duration::from_secs(30), || test_kill_process(pid).is_err()) {
            return Err(Fault::Start { program: "the old server", log: format!("process {} does not stop", pid.as_raw_nonzero()) });
        }
    }
    fs::remove_file(pid_file).or_else(gone).doing(|| format!("removing {}", pid_file.display()))
}

fn runs(pid: Pid, program: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).is_ok_and(|name| name.trim().starts_with(program))
}

fn gone(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Looks every 10 ms until true or out of patience.
pub fn waited(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
