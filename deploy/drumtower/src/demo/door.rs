//! The gateway as a loader sees it: sign in, read, write with a key.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::PASSWORD;
use crate::Failure;

/// Somebody signed in.
#[derive(Debug, Clone)]
pub struct Door {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Door {
    /// Signs a demonstration person in.
    pub async fn sign_in(base: &str, login: &str) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        let mut door = Self { http, base: base.to_owned(), token: String::new() };
        let session = door.post("/v1/sessions", &json!({ "login": login, "password": PASSWORD }), "").await?;
        session["access_token"].as_str().unwrap_or_default().clone_into(&mut door.token);
        Ok(door)
    }

    /// Reads.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.send(self.http.get(format!("{}{path}", self.base)).query(query), path).await
    }

    /// Writes. The key names what is written: the same row of the same file has the same key at every run.
    pub async fn post(&self, path: &str, body: &Value, key: &str) -> Result<Value, Failure> {
        let mut request = self.http.post(format!("{}{path}", self.base)).json(body);
        if !key.is_empty() {
            let hash = Sha256::digest(format!("{}{path}{key}{body}", self.base));
            request = request.header("idempotency-key", format!("demo-{}", hex::encode(&hash[..16])));
        }
        self.send(request, &format!("{path} {key}")).await
    }

    /// Sends, again after a pause when the platform asks for patience.
    async fn send(&self, request: reqwest::RequestBuilder, what: &str) -> Result<Value, Failure> {
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        for attempt in 0..20u64 {
            let again = request.try_clone().ok_or("a request that cannot be repeated")?;
            let answer = again.send().await;
            let Ok(answer) = answer else {
                tokio::time::sleep(Duration::from_millis(100 * (attempt + 1))).await;
                continue;
            };
            let status = answer.status();
            let text = answer.text().await?;
            if status.is_success() {
                return Ok(serde_json::from_str(&text)?);
            }
            if !matches!(status.as_u16(), 429 | 503 | 504) {
                return Err(format!("{what}: {status}: {text}").into());
            }
            tokio::time::sleep(Duration::from_millis(100 * (attempt + 1))).await;
        }
        Err(format!("{what}: no answer after many attempts").into())
    }
}
