//! Ports of this machine: which is free, and who holds one that is not.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

use super::{Doing as _, Fault};

/// Which port a server gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// This one, or none.
    Fixed(u16),
    /// One that is free.
    Any,
}

impl Port {
    /// A port that was free a moment ago.
    pub(super) fn pick(self) -> Result<u16, Fault> {
        match self {
            Self::Fixed(port) => check((Ipv4Addr::LOCALHOST, port).into()).map(|()| port),
            Self::Any => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing(|| "looking for a free port".into())?;
                listener.local_addr().map(|address| address.port()).doing(|| "looking for a free port".into())
            }
        }
    }

    /// Starts a server and says its port. One picked at random may be taken by another before the server has it, which then says
    /// `taken` in its log: that is tried again.
    pub(super) fn launch<T>(self, taken: &str, mut start: impl FnMut(u16) -> Result<T, Fault>) -> Result<(T, u16), Fault> {
        let mut attempts = if self == Self::Any { 5 } else { 1 };
        loop {
            let number = self.pick()?;
            attempts -= 1;
            match start(number) {
                Ok(server) => return Ok((server, number)),
                Err(Fault::Start { log, .. }) if attempts > 0 && log.contains(taken) => {}
                Err(fault) => return Err(fault),
            }
        }
    }
}

/// Whether one could listen there.
pub fn check(address: SocketAddr) -> Result<(), Fault> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(Fault::PortTaken { port: address.port(), holder: holder(address.port()) })
        }
        Err(error) => Err(Fault::Io { what: format!("listening on {address}"), error }),
    }
}

/// Name and process number of who listens, as far as `/proc` shows it to us.
fn holder(port: u16) -> Option<String> {
    let socket = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| socket(&fs::read_to_string(table).ok()?, port))?;
    let link = format!("socket:[{socket}]");
    let mut processes = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let process = processes.find(|process| holds(Path::new(&format!("/proc/{process}")), &link))?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(format!("{} (process {process})", name.trim()))
}

/// The inode of the socket that listens on a port (state 0A) in the kernel's table.
fn socket(table: &str, port: u16) -> Option<String> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next()?, fields.nth(1)?);
        (local.ends_with(&suffix) && state == "0A").then(|| fields.nth(5).map(str::to_owned)).flatten()
    })
}

fn holds(process: &Path, link: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return false };
    files.filter_map(Result::ok).any(|file| file.path().read_link().is_ok_and(|target| target.as_os_str() == link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_who_holds_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let fault = Port::Fixed(port).pick().expect_err("taken");
        let Fault::PortTaken { holder, .. } = fault else { panic!("{fault}") };
        assert!(holder.expect("known: it is us").contains(&std::process::id().to_string()));
        drop(listener);
        assert_eq!(Port::Fixed(port).pick().expect("free again"), port);
    }

    #[test]
    fn any_port_is_a_free_one() {
        assert_ne!(Port::Any.pick().expect("a port"), 0);
    }
}
