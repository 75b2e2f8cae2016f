//! Plays somebody else's server: hears requests, answers as told, and refuses everything while it is down.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A request that was heard.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    head: String,
    pub body: String,
}

impl Request {
    /// A header; empty when it is not there.
    pub fn header(&self, name: &str) -> String {
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    }
}

/// The server.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    requests: Arc<Mutex<Vec<Request>>>,
    down: Arc<Mutex<bool>>,
    refusing: Arc<Mutex<bool>>,
    hanging: Arc<Mutex<bool>>,
    answers: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Heard {
    /// Listens until the test ends.
    pub async fn listen(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("its port");
        let heard = Self::default();
        let server = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        heard
    }

    /// Goes down, or comes up again.
    pub fn set_down(&self, down: bool) {
        *self.down.lock().expect("a flag") = down;
    }

    /// Takes nothing as it is, or takes everything again.
    pub fn refuse(&self, refusing: bool) {
        *self.refusing.lock().expect("a flag") = refusing;
    }

    /// Takes connections and says nothing, or answers again.
    pub fn hang(&self, hanging: bool) {
        *self.hanging.lock().expect("a flag") = hanging;
    }

    /// What is answered to paths that begin so; the last one said counts.
    pub fn answer(&self, path: &'static str, body: impl Into<String>) {
        self.answers.lock().expect("answers").push((path, body.into()));
    }

    /// What was heard so far at paths that begin so.
    pub fn so_far(&self, path: &str) -> Vec<Request> {
        self.requests.lock().expect("requests").iter().filter(|request| request.path.starts_with(path)).cloned().collect()
    }

    /// Waits for so many at paths that begin so.
    pub async fn wait_for(&self, path: &str, count: usize) -> Vec<Request> {
        for _ in 0..600 {
            let heard = self.so_far(path);
            if heard.len() >= count {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("heard {:?}", self.so_far(""));
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some(request) = read(&mut stream).await else { return };
        if *self.hanging.lock().expect("a flag") {
            return tokio::time::sleep(Duration::from_secs(60)).await;
        }
        let (down, refusing) = (*self.down.lock().expect("a flag"), *self.refusing.lock().expect("a flag"));
        if down || refusing {
            let status = if down { "503 Service Unavailable" } else { "422 Unprocessable Content" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            drop(stream.write_all(answer.as_bytes()).await);
            return;
        }
        let body = {
            let answers = self.answers.lock().expect("answers");
            answers.iter().rev().find(|(path, _)| request.path.starts_with(path)).map_or_else(String::new, |(_, body)| body.clone())
        };
        self.requests.lock().expect("requests").push(request);
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        drop(stream.write_all((head + &body).as_bytes()).await);
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk).await.ok()?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let request = Request { path, head: head.to_owned(), body: body.to_owned() };
            if body.len() >= request.header("content-length").parse().unwrap_or(0) {
                return Some(request);
            }
        }
        if read == 0 {
            return None;
        }
    }
}
