//! Clients that others wrote, in Python, with the versions of `tests/clients/requirements.txt`.

use std::{path::PathBuf, process::Command, sync::OnceLock};

use crate::sources::root;

/// The Python that has them, made once for each set of versions.
fn python() -> &'static PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let list = root().join("tests/clients/requirements.txt");
        let wanted = std::fs::read_to_string(&list).expect("the list");
        let home = crate::world::program().with_file_name("clients");
        let (python, mark) = (home.join("bin/python"), home.join("installed"));
        if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
            return python;
        }
        let run = |command: &mut Command| {
            let done = command.output().expect("it runs");
            assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list));
        std::fs::write(mark, wanted).expect("written");
        python
    })
}

/// Runs a client; what it prints. Panics with what it says when it fails.
pub async fn run(script: &str, arguments: &[&str]) -> String {
    let script = root().join("tests/clients").join(script);
    let mut command = Command::new(tokio::task::spawn_blocking(python).await.expect("a Python"));
    command.arg(&script).args(arguments);
    let done = tokio::process::Command::from(command).output().await.expect("it runs");
    assert!(done.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// A server that others wrote, with what it prints. It ends with the test.
#[derive(Debug)]
pub struct Server {
    _child: tokio::process::Child,
    lines: tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>,
}

impl Server {
    /// Starts one.
    pub async fn start(script: &str, arguments: &[&str]) -> Self {
        use tokio::io::AsyncBufReadExt as _;
        let mut command = Command::new(tokio::task::spawn_blocking(python).await.expect("a Python"));
        command.arg(root().join("tests/clients").join(script)).args(arguments).stdout(std::process::Stdio::piped());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("started");
        let out = child.stdout.take().expect("its output");
        Self { _child: child, lines: tokio::io::BufReader::new(out).lines() }
    }

    /// The next line that it prints, as JSON.
    pub async fn next(&mut self) -> serde_json::Value {
        let line = tokio::time::timeout(std::time::Duration::from_secs(60), self.lines.next_line()).await;
        let line = line.expect("within a minute").expect("read").expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }
}
