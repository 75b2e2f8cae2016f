//! Template messages of an official account of WeChat.

use std::{collections::HashMap, sync::Arc};

use drumtower_runtime::delivery::Trouble;
use jiff::{SignedDuration, Timestamp, tz};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{
    carry::{Message, Post, needed},
    rules::{Secrets, Wechat, briefly},
};

/// A token is asked for anew so long before it runs out.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// Characters of a field `thing…` of a template.
const THING: usize = 20;

/// Tokens of the districts' accounts, while they are good. Lost with the process: `stable_token` gives the same one again.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<HashMap<(i32, String), Account>>);

/// One account's token with its end. Renewed by one at a time, and no other account waits for it.
type Account = Arc<Mutex<Option<(String, Timestamp)>>>;

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    errmsg: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: i64,
}

impl Answer {
    fn read(body: &[u8]) -> Result<Self, Trouble> {
        serde_json::from_slice(body).map_err(|error| Trouble::Later(format!("WeChat answered {error}")))
    }

    /// By WeChat's list of codes: what concerns the person or the template stays so, all else may pass.
    fn trouble(&self) -> Option<Trouble> {
        let why = format!("WeChat: {} {}", self.errcode, self.errmsg);
        match self.errcode {
            0 => None,
            40003 | 40037 | 43004 | 43101 | 47001 | 47003 => Some(Trouble::Never(why)),
            _ => Some(Trouble::Later(why)),
        }
    }

    fn token_is_old(&self) -> bool {
        matches!(self.errcode, 40001 | 40014 | 42001)
    }
}

pub async fn send(post: &Post, tenant: i32, wechat: &Wechat, secrets: &Secrets, to: &str, message: &Message<'_>) -> Result<(), Trouble> {
    if wechat.template_id.is_empty() {
        return Err(Trouble::Never("no template is set".to_owned()));
    }
    let body = body(wechat, to, message).to_string();
    let mut failed = String::new();
    for attempt in 0..2 {
        let token = token(post, tenant, wechat, secrets, &failed).await?;
        let url = format!("{}/cgi-bin/message/template/send?access_token={token}", wechat.base_url);
        let headers = [("content-type", "application/json".to_owned())];
        let answer = Answer::read(&post.web.post(&url, &headers, body.clone()).await?)?;
        if answer.token_is_old() && attempt == 0 {
            failed = token;
            continue;
        }
        return answer.trouble().map_or(Ok(()), Err);
    }
    Err(Trouble::Later("WeChat takes no token of ours".to_owned()))
}

fn body(wechat: &Wechat, to: &str, message: &Message<'_>) -> serde_json::Value {
    let time = tz::offset(8).to_datetime(message.at).strftime("%Y-%m-%d %H:%M").to_string();
    let value = |field: &str, what: &str| match what {
        "time" => time.clone(),
        _ if field.starts_with("thing") => briefly(message.lines, THING),
        _ => briefly(message.lines, 200),
    };
    let data: serde_json::Map<String, serde_json::Value> =
        wechat.fields.iter().map(|(field, what)| (field.clone(), serde_json::json!({ "value": value(field, what) }))).collect();
    // WeChat tells a second time by `client_msg_id`.
    serde_json::json!({
        "touser": to,
        "template_id": wechat.template_id,
        "url": wechat.page_url,
        "client_msg_id": message.id.simple().to_string(),
        "data": data,
    })
}

/// A token that is good, but for the one that just failed: whoever comes first renews it for all.
async fn token(post: &Post, tenant: i32, wechat: &Wechat, secrets: &Secrets, failed: &str) -> Result<String, Trouble> {
    let account = Arc::clone(post.tokens.0.lock().await.entry((tenant, wechat.app_id.clone())).or_default());
    let mut known = account.lock().await;
    let now = post.clock.now();
    if let Some((token, until)) = &*known
        && token != failed
        && now < *until
    {
        return Ok(token.clone());
    }
    let anew = !failed.is_empty();
    let ask = serde_json::json!({
        "grant_type": "client_credential",
        "appid": wechat.app_id,
        "secret": needed(secrets, "app_secret")?,
        "force_refresh": anew,
    });
    let url = format!("{}/cgi-bin/stable_token", wechat.base_url);
    let headers = [("content-type", "application/json".to_owned())];
    let answer = Answer::read(&post.web.post(&url, &headers, ask.to_string()).await?)?;
    if answer.access_token.is_empty() {
        return Err(Trouble::Later(format!("WeChat: {} {}", answer.errcode, answer.errmsg)));
    }
    let until = now + SignedDuration::from_secs(answer.expires_in) - MARGIN;
    *known = Some((answer.access_token.clone(), until));
    Ok(answer.access_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wechat_says_is_for_good_or_may_pass() {
        let trouble = |code: i64| Answer { errcode: code, errmsg: String::new(), access_token: String::new(), expires_in: 0 }.trouble();
        assert_eq!(trouble(0), None);
        assert!(matches!(trouble(43004), Some(Trouble::Never(_))), "the person does not follow the account");
        assert!(matches!(trouble(45009), Some(Trouble::Later(_))), "too many today");
        assert!(matches!(trouble(-1), Some(Trouble::Later(_))), "busy");
    }
}
