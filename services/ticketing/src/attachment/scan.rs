//! The virus scanner: clamd's INSTREAM over TCP (clamd(8)). One that is away is waited for: what was not scanned is shown to nobody.

use std::time::Duration;

use drumtower_runtime::Failure;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long one scan may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes sent at a time.
const CHUNK: usize = 64 * 1024;
/// Longest answer that is read.
const LONGEST_ANSWER: u64 = 4096;

/// A scanner's address.
#[derive(Debug, Clone)]
pub struct Scanner {
    address: String,
}

/// What it said.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    /// The name of what was found.
    Found(String),
}

impl Scanner {
    /// At `host:port`.
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned() }
    }

    /// Scans bytes; an error when the scanner is away or could not say.
    #[tracing::instrument(name = "scan", skip_all, err(level = "debug", Debug))]
    pub async fn scan(&self, bytes: &[u8]) -> Result<Verdict, Failure> {
        let answer = tokio::time::timeout(PATIENCE, self.ask(bytes)).await??;
        read(&answer).ok_or_else(|| format!("the scanner answered {answer:?}").into())
    }

    async fn ask(&self, bytes: &[u8]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(b"zINSTREAM\0").await?;
        for chunk in bytes.chunks(CHUNK) {
            stream.write_u32(u32::try_from(chunk.len()).unwrap_or_default()).await?;
            stream.write_all(chunk).await?;
        }
        stream.write_u32(0).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).trim_end_matches(['\0', '\n']).to_owned())
    }
}

/// `stream: OK`, `stream: <name> FOUND`; anything else is no verdict.
fn read(answer: &str) -> Option<Verdict> {
    let said = answer.strip_prefix("stream: ")?;
    match said.strip_suffix(" FOUND") {
        Some(name) => Some(Verdict::Found(name.to_owned())),
        None => (said == "OK").then_some(Verdict::Clean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_verdict_is_one() {
        assert_eq!(read("stream: OK"), Some(Verdict::Clean));
        assert_eq!(read("stream: Eicar-Signature FOUND"), Some(Verdict::Found("Eicar-Signature".into())));
        for no in ["", "OK", "stream: ", "INSTREAM size limit exceeded. ERROR", "stream: x ERROR", "PONG"] {
            assert_eq!(read(no), None, "{no}");
        }
    }
}
