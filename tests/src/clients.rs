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
