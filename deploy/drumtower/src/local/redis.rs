//! A private Redis server: a cache that forgets everything when it stops.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
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

/// A running server. Dropped, it stops.
#[derive(Debug)]
pub struct Redis {
    kept: Kept,
    home: Home,
    port: u16,
    password: SecretString,
}

impl Redis {
    /// The server program.
    pub fn find() -> Result<PathBuf, Fault> {
        find("redis-server", &[])
            .or_else(|| find("valkey-server", &[]))
            .ok_or(Fault::Missing { program: "Redis", install: "apt-get install redis-server" })
    }

    /// Starts a server with this password; its files are in a folder that is created when missing.
    pub fn start(dir: &Path, port: Port, password: SecretString) -> Result<Self, Fault> {
        let program = Self::find()?;
        let account = Account::choose()?;
        let home = account.home(dir)?;
        stop_orphan(&home.path.join("redis.pid"), "redis-server")?;
        let (kept, port) = port.launch("Address already in use", |port| launch(&program, account, &home.path, port, &password))?;
        Ok(Self { kept, home, port, password })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// URL with the password.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/0", self.password.expose_secret(), self.port)
    }

    /// Whether the server still runs.
    pub fn running(&mut self) -> bool {
        !self.kept.ended()
    }

    /// Stops the server.
    pub fn stop(&mut self) {
        self.kept.stop(Duration::from_secs(5));
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
        if self.home.aside {
            let _gone = fs::remove_dir_all(&self.home.path);
        }
    }
}

fn launch(program: &Path, account: Account, home: &Path, port: u16, password: &SecretString) -> Result<Kept, Fault> {
    let (log, file) = (home.join("server.log"), home.join("redis.conf"));
    configure(account, home, &file, port, password)?;
    let mut server = Command::new(program);
    server.arg(&file);
    let mut kept = Kept::start(account, &server, &log)?;
    let ready = waited(Duration::from_secs(10), || kept.ended() || answers(port, password));
    if ready && !kept.ended() {
        return Ok(kept);
    }
    kept.stop(Duration::from_secs(2));
    Err(Fault::Start { program: "Redis", log: tail(&log, 8) })
}

/// The password goes into a file of the account's own: arguments are visible to everybody on the machine.
fn configure(account: Account, home: &Path, file: &Path, port: u16, password: &SecretString) -> Result<(), Fault> {
    let text = format!(
        "bind 127.0.0.1\nport {port}\nsave \"\"\nappendonly no\ndir \"{home}\"\npidfile \"{home}/redis.pid\"\nrequirepass {}\n\
         maxmemory 256mb\nmaxmemory-policy allkeys-lru\n",
        password.expose_secret(),
        home = home.display(),
    );
    secrets::write(file, &text).doing(|| format!("writing {}", file.display()))?;
    account.give(file)
}

/// Signs in and says PING. A stranger on the port would not know the password.
fn answers(port: u16, password: &SecretString) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(format!("AUTH {}\r\nPING\r\nQUIT\r\n", password.expose_secret()).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.contains("+PONG"))
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_its_password_only_and_stops_when_dropped() {
        let dir = tempfile::tempdir().expect("a folder");
        let redis = Redis::start(&dir.path().join("redis"), Port::Any, secrets::password()).expect("starts");
        let port = redis.port();
        assert!(answers(port, &redis.password));
        assert!(!answers(port, &SecretString::from("wrong")));
        drop(redis);
        assert!(super::super::check(([127, 0, 0, 1], port).into()).is_ok());
    }
}
