//! One process per role: started, logged, started again when it dies, stopped in order.

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::logfile::LogFile;
use crate::{Failure, installation::Installation, local::tail};

/// How long a role may drain after SIGTERM.
const DRAIN: Duration = Duration::from_secs(12);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A role that lived so long gets a short pause again.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// The running roles.
#[derive(Debug)]
pub struct Roles {
    program: PathBuf,
    settings: PathBuf,
    logs: PathBuf,
    shown: bool,
    running: Vec<Running>,
    deaths: mpsc::UnboundedReceiver<Death>,
    report: mpsc::UnboundedSender<Death>,
}

#[derive(Debug)]
struct Running {
    role: &'static str,
    stop: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

/// A role's process ended though nobody asked it to.
#[derive(Debug)]
struct Death {
    role: &'static str,
    how: String,
}

impl Roles {
    /// None yet.
    pub fn new(installation: &Installation, shown: bool) -> Result<Self, Failure> {
        let (report, deaths) = mpsc::unbounded_channel();
        Ok(Self {
            program: std::env::current_exe()?,
            settings: installation.settings(),
            logs: installation.path("log"),
            shown,
            running: Vec::new(),
            deaths,
            report,
        })
    }

    /// Starts a role and keeps it running.
    pub fn start(&mut self, role: &'static str) {
        let (stop, stopped) = watch::channel(false);
        let log = self.log(role);
        let mut command = Command::new(&self.program);
        command
            .envs(crate::role::MEMORY)
            .args(["serve", role, "--with-parent", "--config"])
            .arg(&self.settings)
            // It is for `up` alone; as a setting it would be an unknown one.
            .env_remove("DRUMTOWER_POSTGRES")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is for us, who stop things in order.
            .process_group(0);
        let one = One { role, command, log, shown: self.shown, report: self.report.clone() };
        self.running.push(Running { role, stop, keeper: tokio::spawn(one.keep(stopped)) });
    }

    fn log(&self, role: &str) -> PathBuf {
        self.logs.join(format!("{role}.log"))
    }

    /// Waits until the gateway says that it and all services are ready. A role that dies before that will not get better by itself.
    pub async fn ready(&mut self, door: &str, patience: Duration) -> Result<(), Failure> {
        tokio::select! {
            ready = tokio::time::timeout(patience, answers(door)) => match ready {
                Ok(()) => Ok(()),
                Err(_) => Err(format!("not ready within {} s; the logs are in {}", patience.as_secs(), self.logs.display()).into()),
            },
            Some(death) = self.deaths.recv() => {
                // What it wrote last may still be on its way.
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(format!("{} ended ({}):\n{}", death.role, death.how, tail(&self.log(death.role), 8)).into())
            }
        }
    }

    /// Stops all: the gateway first, so that nothing new comes in while the services drain.
    pub async fn stop(&mut self) {
        let (gateway, services): (Vec<_>, Vec<_>) = self.running.drain(..).partition(|running| running.role == "gateway");
        for group in [gateway, services] {
            for running in &group {
                let _gone = running.stop.send(true);
            }
            for running in group {
                let _ended = running.keeper.await;
            }
        }
    }
}

async fn answers(door: &str) {
    let client = reqwest::Client::new();
    let url = format!("{door}/readyz");
    loop {
        let answer = client.get(&url).timeout(Duration::from_secs(2)).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One role's process, again and again.
struct One {
    role: &'static str,
    command: Command,
    log: PathBuf,
    shown: bool,
    report: mpsc::UnboundedSender<Death>,
}

impl One {
    async fn keep(mut self, mut stop: watch::Receiver<bool>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let how = match self.run(&mut stop).await {
                Ok(None) => return,
                Ok(Some(status)) => status.to_string(),
                Err(error) => error.to_string(),
            };
            if began.elapsed() > HEALTHY_AFTER {
                pause = FIRST_PAUSE;
            }
            eprintln!("{} ended ({how}); started again in {pause:?}; its log: {}", self.role, self.log.display());
            let _nobody = self.report.send(Death { role: self.role, how });
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                _ = stop.changed() => return,
            }
        }
    }

    /// Runs the process until it ends by itself (how) or is told to stop (`None`).
    async fn run(&mut self, stop: &mut watch::Receiver<bool>) -> std::io::Result<Option<ExitStatus>> {
        let mut child = self.command.spawn()?;
        let log = Arc::new(Mutex::new(LogFile::open(&self.log)?));
        if let (Some(out), Some(errors)) = (child.stdout.take(), child.stderr.take()) {
            tokio::spawn(copy(self.role, self.shown, out, Arc::clone(&log)));
            tokio::spawn(copy(self.role, self.shown, errors, log));
        }
        // `wait` would close the child's standard input, which to it means that we are gone.
        let input = child.stdin.take();
        let ended = tokio::select! {
            status = child.wait() => Some(status?),
            _ = stop.changed() => None,
        };
        if ended.is_none() {
            end(&mut child).await;
        }
        drop(input);
        Ok(ended)
    }
}

/// SIGTERM, patience, SIGKILL.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _gone = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(DRAIN, child.wait()).await.is_err() {
        let _gone = child.kill().await;
    }
}

async fn copy(role: &'static str, shown: bool, output: impl AsyncRead + Unpin, log: Arc<Mutex<LogFile>>) {
    let mut output = BufReader::new(output);
    let mut bytes = Vec::new();
    while output.read_until(b'\n', &mut bytes).await.is_ok_and(|read| read > 0) {
        let line = String::from_utf8_lossy(bytes.trim_ascii_end());
        if shown {
            println!("{role:<10} {line}");
        }
        let written = log.lock().unwrap_or_else(PoisonError::into_inner).add(&line);
        if let Err(error) = written {
            eprintln!("{role}: its log cannot be written: {error}");
        }
        bytes.clear();
    }
}
