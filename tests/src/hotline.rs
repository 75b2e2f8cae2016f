//! Plays somebody else's system that sends signed messages.

use drumtower_runtime::web;
use serde_json::Value;

use crate::world::{Answer, Person};

/// What a message says in its headers.
#[derive(Debug, Clone)]
pub struct Headers {
    pub id: String,
    pub at: i64,
    pub signature: String,
}

/// Signs a body as it will be sent now.
pub fn sign(secret: &str, id: &str, at: i64, body: &str) -> Headers {
    let signature = web::signature(&web::secret_bytes(secret), id, &at.to_string(), body.as_bytes());
    Headers { id: id.to_owned(), at, signature }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    drumtower_runtime::Clock::system().now().as_second()
}

/// Sends a message to a channel of a person's district, signed now.
pub async fn send(of: &Person, channel: &str, secret: &str, id: &str, message: &Value) -> Answer {
    let body = message.to_string();
    post(of, channel, &sign(secret, id, now(), &body), &body).await
}

/// Sends a body with headers as they are.
pub async fn post(of: &Person, channel: &str, headers: &Headers, body: &str) -> Answer {
    let request = of.http.post(format!("{}/v1/channels/{channel}:receive", of.base)).header("content-type", "application/json");
    let request = request.header("webhook-id", &headers.id).header("webhook-timestamp", headers.at.to_string());
    let answer = request.header("webhook-signature", &headers.signature).body(body.to_owned()).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text, request_id: String::new() }
}
