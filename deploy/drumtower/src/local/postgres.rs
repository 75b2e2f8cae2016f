//! A private PostgreSQL server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Doing as _, Fault, Port,
    account::{Account, Home},
    find,
    kept::{Kept, stop_orphan, waited},
    tail,
};
use crate::secrets;

/// The superuser of a private cluster.
const SUPERUSER: &str = "drumtower";
/// The kernel allows 107 bytes for the path of a socket, the file's own name included.
const LONGEST_SOCKET_FOLDER: usize = 80;

/// A running server. Dropped, it stops.
#[derive(Debug)]
pub struct Postgres {
    kept: Kept,
    home: Home,
    port: u16,
    password: SecretString,
    durable: bool,
}

impl Postgres {
    /// The folder of PostgreSQL's programs.
    pub fn find() -> Result<PathBuf, Fault> {
        let found = find("initdb", &["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/postgresql"]);
        // A link on the PATH leads to a folder that has the server too.
        let real = found.and_then(|initdb| initdb.canonicalize().ok());
        real.and_then(|initdb| initdb.parent().map(Path::to_owned))
            .filter(|bin| bin.join("postgres").is_file())
            .ok_or(Fault::Missing { program: "PostgreSQL", install: "apt-get install postgresql (15 or newer)" })
    }

    /// Starts the cluster in a folder, which is created when missing; the superuser's password counts when the cluster is created. Not
    /// durable is for tests: faster, and its data may be lost with the machine.
    pub fn start(dir: &Path, port: Port, durable: bool, password: SecretString) -> Result<Self, Fault> {
        let bin = Self::find()?;
        let account = Account::choose()?;
        let home = account.home(dir)?;
        init(&bin, account, &home.path, durable, &password)?;
        stop_orphan(&home.path.join("data/postmaster.pid"), "postgres")?;
        let (kept, port) = port.launch("could not bind", |port| launch(&bin, account, &home.path, port, durable))?;
        Ok(Self { kept, home, port, password, durable })
    }

    /// Where the cluster's files are.
    pub fn home(&self) -> &Path {
        &self.home.path
    }

    /// Whether the files are not where they were asked for, see [`Self::home`].
    pub fn aside(&self) -> bool {
        self.home.aside
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's password.
    pub fn password(&self) -> &SecretString {
        &self.password
    }

    /// URL of a database, without a login.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://127.0.0.1:{}/{database}", self.port)
    }

    /// URL of a database as superuser.
    pub fn admin_url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.password.expose_secret(), self.port)
    }

    /// Whether the server still runs.
    pub fn running(&mut self) -> bool {
        !self.kept.ended()
    }

    /// Stops the server: open transactions are rolled back, what was committed is on disk.
    pub fn stop(&mut self) {
        self.kept.stop(Duration::from_secs(30));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        if self.home.aside && !self.durable {
            // Beside the caller's temporary folder nobody else would clean up.
            let _gone = fs::remove_dir_all(&self.home.path);
        }
    }
}

/// Creates the cluster unless it is there. It takes its name last, so a creation cut short is begun again.
fn init(bin: &Path, account: Account, home: &Path, durable: bool, password: &SecretString) -> Result<(), Fault> {
    let (data, fresh, secret) = (home.join("data"), home.join("data.new"), home.join("initdb.password"));
    if data.join("PG_VERSION").exists() {
        return Ok(());
    }
    if fresh.exists() {
        fs::remove_dir_all(&fresh).doing(|| format!("removing {}", fresh.display()))?;
    }
    secrets::write(&secret, password.expose_secret()).doing(|| format!("writing {}", secret.display()))?;
    account.give(&secret)?;
    let mut initdb = account.command(bin.join("initdb"));
    initdb.args(["--username", SUPERUSER, "--auth=scram-sha-256", "--locale=C.UTF-8", "--encoding=UTF8", "--data-checksums"]);
    initdb.arg("--pwfile").arg(&secret).arg("--pgdata").arg(&fresh);
    if !durable {
        initdb.arg("--no-sync");
    }
    let output = initdb.output().doing(|| "starting initdb".into())?;
    fs::remove_file(&secret).doing(|| format!("removing {}", secret.display()))?;
    if !output.status.success() {
        return Err(Fault::Start { program: "initdb", log: String::from_utf8_lossy(&output.stderr).into_owned() });
    }
    fs::rename(&fresh, &data).doing(|| format!("naming {}", data.display()))
}

fn launch(bin: &Path, account: Account, home: &Path, port: u16, durable: bool) -> Result<Kept, Fault> {
    let log = home.join("server.log");
    let data = home.join("data");
    let mut server = Command::new(bin.join("postgres"));
    server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
    for setting in settings(account, home, durable)? {
        server.args(["-c", &setting]);
    }
    let mut kept = Kept::start(account, &server, &log)?;
    let ready = waited(Duration::from_secs(60), || kept.ended() || accepts(&data));
    if ready && !kept.ended() {
        return Ok(kept);
    }
    kept.stop(Duration::from_secs(5));
    Err(Fault::Start { program: "PostgreSQL", log: tail(&log, 8) })
}

fn settings(account: Account, home: &Path, durable: bool) -> Result<Vec<String>, Fault> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("unix_socket_directories={}", socket_folder(account, home)?),
        "max_connections=300".into(),
        "password_encryption=scram-sha-256".into(),
        "timezone=UTC".into(),
        "log_timezone=UTC".into(),
    ];
    if !durable {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=4GB"].map(str::to_owned));
    }
    Ok(settings)
}

/// A folder for the socket; none when its path would be too long or holds what a list of folders gives a meaning to.
fn socket_folder(account: Account, home: &Path) -> Result<String, Fault> {
    let folder = home.join("run");
    let text = folder.to_string_lossy().into_owned();
    if text.len() > LONGEST_SOCKET_FOLDER || text.contains([',', '"', ' ']) {
        return Ok(String::new());
    }
    if !folder.is_dir() {
        fs::create_dir(&folder).doing(|| format!("creating {text}"))?;
        account.give(&folder)?;
    }
    Ok(text)
}

/// The server writes `ready` into the eighth line of its pid file when it takes connections.
fn accepts(data: &Path) -> bool {
    fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.trim() == "ready"))
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, Signal, kill_process_group};

    use super::*;

    async fn connects(url: &str) -> Result<(), sqlx::Error> {
        use sqlx::Connection as _;
        let connection = sqlx::PgConnection::connect(url).await?;
        connection.close().await
    }

    #[tokio::test]
    async fn a_cluster_keeps_its_data_and_password_and_recovers_from_a_kill() {
        let dir = tempfile::tempdir().expect("a folder");
        let start = || Postgres::start(&dir.path().join("pg"), Port::Any, false, SecretString::from("kept"));
        let mut first = start().expect("starts");
        let port = first.port();
        connects(&first.admin_url("postgres")).await.expect("signs in");
        connects(&first.url("postgres")).await.expect_err("nobody without a password");
        // As if the machine had stopped: keeper and server gone, the pid file left.
        let group = Pid::from_raw(i32::try_from(first.kept.id()).expect("a number")).expect("a process");
        kill_process_group(group, Signal::KILL).expect("killed");
        assert!(waited(Duration::from_secs(5), || !first.running()));
        let again = start().expect("starts again");
        connects(&again.admin_url("postgres")).await.expect("same password");
        let last = again.port();
        drop(again);
        assert!(super::super::check(([127, 0, 0, 1], last).into()).is_ok(), "stopped when dropped");
        assert!(super::super::check(([127, 0, 0, 1], port).into()).is_ok());
    }
}
