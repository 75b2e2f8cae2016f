//! Short messages by a gateway: every provider has its own interface, so one is put in front that takes `{"id", "to", "text"}`, signed as
//! <https://www.standardwebhooks.com> has it.

use drumtower_runtime::{
    delivery::Trouble,
    web::{secret_bytes, signature},
};

use super::{
    carry::{Message, Post, needed},
    rules::{Secrets, Sms, briefly},
};

/// Characters of one short message with its signature (70 in UCS-2).
const MOST: usize = 70;

pub async fn send(post: &Post, sms: &Sms, secrets: &Secrets, to: &str, message: &Message<'_>) -> Result<(), Trouble> {
    let room = MOST.saturating_sub(sms.signature.chars().count() + 2);
    let text = format!("【{}】{}", sms.signature, briefly(message.lines, room));
    let body = serde_json::json!({ "id": message.id, "to": to, "text": text }).to_string();
    let (id, at) = (message.id.to_string(), post.clock.now().as_second().to_string());
    let signed = signature(&secret_bytes(needed(secrets, "secret")?), &id, &at, body.as_bytes());
    let headers =
        [("content-type", "application/json".to_owned()), ("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signed)];
    post.web.post(&sms.url, &headers, body).await.map(drop)
}
