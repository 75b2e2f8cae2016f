//! Private PostgreSQL and Redis servers: for `drumtower up`, and throw-away ones for tests. They run as an unprivileged account
//! when we are root, in their own process group, and end with the process that started them, however that ends.

mod account;
mod kept;
mod port;
mod postgres;
mod redis;

use std::path::{Path, PathBuf};

pub use port::{Port, check};
pub use postgres::Postgres;
pub use redis::Redis;

/// Why a server could not be started, for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A program is not installed.
    #[error("{program} is not installed: {install}")]
    Missing {
        /// What was looked for.
        program: &'static str,
        /// What to do.
        install: &'static str,
    },
    /// Somebody else listens there.
    #[error("port {port} is taken{}", holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    PortTaken {
        /// The port.
        port: u16,
        /// The process, when we may know.
        holder: Option<String>,
    },
    /// A server ended or did not get ready; its last words.
    #[error("{program} did not start:\n{log}")]
    Start {
        /// Which server.
        program: &'static str,
        /// The end of its log.
        log: String,
    },
    /// No account to run as.
    #[error("PostgreSQL refuses to run as root, and there is no account to run it as: {0}")]
    Account(String),
    /// A file or a process failed.
    #[error("{what}: {error}")]
    Io {
        /// What was attempted.
        what: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Names what was attempted, for an input/output error alone says little.
pub(crate) trait Doing<T> {
    /// With the attempt named.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Fault>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Fault> {
        self.map_err(|error| Fault::Io { what: what(), error })
    }
}

/// A program by name: on the PATH, or in the folders that distributions keep off it (the newest version first).
fn find(program: &str, beside: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(beside.iter().flat_map(|parent| versions(Path::new(parent))));
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// `<parent>/<number>/bin`, the highest number first.
fn versions(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.0));
    versions.into_iter().map(|(_, bin)| bin).collect()
}

/// The last lines of a log file.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    let bytes = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first_by_number() {
        let dir = tempfile::tempdir().expect("a folder");
        for version in ["9", "15", "16", "common"] {
            std::fs::create_dir_all(dir.path().join(version).join("bin")).expect("a folder");
        }
        let found = versions(dir.path());
        assert_eq!(found[0], dir.path().join("16/bin"));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn the_tail_of_a_log_is_its_last_lines() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("log");
        std::fs::write(&file, "a\nb\nc\n").expect("write");
        assert_eq!(tail(&file, 2), "b\nc");
        assert_eq!(tail(&dir.path().join("none"), 2), "");
    }
}
