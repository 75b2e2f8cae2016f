//! What a sender is set to, and how what is sent reads.

use std::collections::BTreeMap;

use drumtower_proto::identity::Means;
use drumtower_runtime::{Refusal, web::secret_bytes};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What a sender is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    Wechat(Wechat),
    Sms(Sms),
    Email(Email),
}

/// An official account of WeChat (公众号).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wechat {
    pub app_id: String,
    /// The template of notices; empty sends none, and messages are taken all the same.
    #[serde(default)]
    pub template_id: String,
    /// Fields of the template: `text` or `time` in each.
    #[serde(default = "Wechat::usual_fields")]
    pub fields: BTreeMap<String, String>,
    /// Where WeChat's interface is.
    #[serde(default = "Wechat::usual_url")]
    pub base_url: String,
    /// Opened when a notice is tapped.
    #[serde(default)]
    pub page_url: String,
}

impl Wechat {
    fn usual_fields() -> BTreeMap<String, String> {
        [("thing1", "text"), ("time2", "time")].map(|(field, what)| (field.to_owned(), what.to_owned())).into()
    }

    fn usual_url() -> String {
        "https://api.weixin.qq.com".to_owned()
    }
}

/// A gateway for short messages: it gets `{"to", "text"}`, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    pub url: String,
    /// Between brackets before every message (短信签名).
    pub signature: String,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub from: String,
    #[serde(default)]
    pub username: String,
}

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after a greeting; without it nothing is sent.
    Starttls,
    /// None; for a server inside that the operator named.
    None,
}

/// Secrets by name.
pub type Secrets = BTreeMap<String, String>;

impl Settings {
    /// Reads settings and says what is wrong with them.
    pub fn read(means: Means, json: &str) -> Result<Self, Refusal> {
        let settings = match means {
            Means::Wechat => Self::Wechat(parsed(json)?),
            Means::Sms => Self::Sms(parsed(json)?),
            Means::Email => Self::Email(parsed(json)?),
            Means::Unspecified => return Err(Refusal::invalid("means", "REQUIRED", "必填", "is required")),
        };
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Refusal> {
        let wrong = |field: &str, zh: &str, en: &str| Err(Refusal::invalid(format!("settings.{field}"), "SENDER", zh, en));
        match self {
            Self::Wechat(wechat) if wechat.app_id.trim().is_empty() => wrong("app_id", "缺少 AppID", "is needed"),
            Self::Wechat(wechat) if !wechat.fields.values().all(|what| what == "text" || what == "time") => {
                wrong("fields", "字段内容只能为 text 或 time", "are text or time")
            }
            Self::Sms(sms) if !(2..=20).contains(&sms.signature.chars().count()) => {
                wrong("signature", "短信签名须为 2 至 20 字", "has 2 to 20 characters")
            }
            Self::Email(email) if email.from.parse::<lettre::message::Mailbox>().is_err() => wrong("from", "发件人不正确", "is no mailbox"),
            Self::Email(email) if email.host.trim().is_empty() || email.port == 0 => wrong("host", "缺少服务器", "is needed"),
            _ => Ok(()),
        }
    }

    /// Names of the secrets that it may have.
    pub fn secrets(&self) -> &'static [&'static str] {
        match self {
            Self::Wechat(_) => &["app_secret", "token", "aes_key"],
            Self::Sms(_) => &["secret"],
            Self::Email(_) => &["password"],
        }
    }

    /// As they are kept.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Wechat(wechat) => serde_json::to_string(wechat),
            Self::Sms(sms) => serde_json::to_string(sms),
            Self::Email(email) => serde_json::to_string(email),
        }
    }

    /// Who gets what is sent, and the secrets with it.
    pub fn receiver(&self) -> String {
        match self {
            Self::Wechat(wechat) => format!("{} {}", wechat.base_url, wechat.app_id),
            Self::Sms(sms) => sms.url.clone(),
            Self::Email(email) => format!("{}:{} {:?} {}", email.host, email.port, email.security, email.username),
        }
    }

    /// The secrets it has with those that are given: `null` takes one away. What it had goes to nobody else: another receiver begins
    /// without.
    pub fn secrets_with(&self, before: Option<(&Self, Secrets)>, json: &str) -> Result<Secrets, Refusal> {
        let mut secrets = before.filter(|(before, _)| before.receiver() == self.receiver()).map(|(_, secrets)| secrets).unwrap_or_default();
        let given: BTreeMap<String, Option<String>> = if json.is_empty() { BTreeMap::new() } else { parsed(json)? };
        for (name, value) in given {
            secrets.remove(&name);
            secrets.extend(value.map(|value| (name, value)));
        }
        self.check_secrets(&secrets)?;
        Ok(secrets)
    }

    /// Only those that it may have, each well-formed.
    fn check_secrets(&self, secrets: &Secrets) -> Result<(), Refusal> {
        let wrong = |name: &str, zh: &str, en: &str| Err(Refusal::invalid(format!("secrets.{name}"), "SECRET", zh, en));
        for (name, value) in secrets {
            if !self.secrets().contains(&name.as_str()) {
                return wrong(name, "没有该密钥", "is no secret of it");
            }
            if name == "aes_key" && crate::wechat::rules::aes_key(value).is_none() {
                return wrong(name, "EncodingAESKey 须为 43 位", "has 43 characters of base 64");
            }
            if name == "secret" && secret_bytes(value).is_empty() {
                return wrong(name, "密钥须为 whsec_ 加 base64", "is whsec_ and base 64");
            }
        }
        Ok(())
    }
}

fn parsed<T: DeserializeOwned>(json: &str) -> Result<T, Refusal> {
    // Where it is wrong, not what it says: that may be a secret.
    serde_json::from_str(json).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Refusal::invalid("settings", "MALFORMED", format!("内容有误：{place}"), place)
    })
}

/// Lines shown when several are sent together.
const LINES: usize = 5;

/// Several notices as one message: the newest ones, and how many more.
pub fn together(lines: &[String]) -> String {
    let shown = lines.len().min(LINES);
    let mut text = lines[lines.len() - shown..].join("\n");
    if lines.len() > shown {
        text.push_str(&format!("\n另有 {} 条通知，请登录查看", lines.len() - shown));
    }
    text
}

/// Several notices in few characters, for a template or a short message.
pub fn briefly(lines: &[String], most: usize) -> String {
    let text = match lines {
        [one] => one.clone(),
        many => format!("您有 {} 条新通知", many.len()),
    };
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most - 1).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_secrets_are_checked() {
        let wechat = Settings::read(Means::Wechat, r#"{"app_id":"wx1"}"#).expect("in order");
        assert_eq!(Settings::read(Means::Wechat, &wechat.text().expect("JSON")), Ok(wechat.clone()));
        let key = "a".repeat(43);
        let with = |json: &str| wechat.secrets_with(None, json);
        let had = with(&format!(r#"{{"aes_key":"{key}","token":"t"}}"#)).expect("in order");
        assert_eq!(with(r#"{"aes_key":"short"}"#).expect_err("short").reason(), "SECRET");
        assert_eq!(with(r#"{"password":"x"}"#).expect_err("another's").reason(), "SECRET");
        // They stay, one is taken away, and none goes to another receiver.
        assert_eq!(wechat.secrets_with(Some((&wechat, had.clone())), ""), Ok(had.clone()));
        let plain = wechat.secrets_with(Some((&wechat, had.clone())), r#"{"aes_key":null}"#).expect("in order");
        assert_eq!(plain.keys().collect::<Vec<_>>(), ["token"]);
        let elsewhere = Settings::read(Means::Wechat, r#"{"app_id":"wx1","base_url":"https://evil.example"}"#).expect("in order");
        assert_eq!(elsewhere.secrets_with(Some((&wechat, had)), ""), Ok(Secrets::new()));
        let sms = Settings::read(Means::Sms, r#"{"url":"https://sms.example/","signature":"软件园"}"#).expect("in order");
        assert_eq!(sms.secrets_with(None, r#"{"secret":"my-secret!"}"#).expect_err("signs nothing").reason(), "SECRET");
        for (means, json, reason) in [
            (Means::Wechat, r#"{"app_id":" "}"#, "SENDER"),
            (Means::Wechat, r#"{"app_id":"wx1","fields":{"thing1":"name"}}"#, "SENDER"),
            (Means::Sms, r#"{"url":"https://sms.example/","signature":"x"}"#, "SENDER"),
            (Means::Email, r#"{"host":"mail.example","port":465,"security":"TLS","from":"nobody"}"#, "SENDER"),
            (Means::Email, r#"{"host":"","port":465,"security":"TLS","from":"a@b.example"}"#, "SENDER"),
            (Means::Email, r#"{"host":"x","port":25,"security":"SSL3","from":"a@b.example"}"#, "MALFORMED"),
            (Means::Unspecified, "{}", "REQUIRED"),
        ] {
            assert_eq!(Settings::read(means, json).expect_err(json).reason(), reason, "{json}");
        }
    }

    #[test]
    fn many_are_told_together_and_briefly() {
        let lines: Vec<String> = (1..=7).map(|number| format!("第 {number} 条")).collect();
        assert_eq!(together(&lines), "第 3 条\n第 4 条\n第 5 条\n第 6 条\n第 7 条\n另有 2 条通知，请登录查看");
        assert_eq!(together(&lines[..1]), "第 1 条");
        assert_eq!(briefly(&lines, 20), "您有 7 条新通知");
        assert_eq!(briefly(&["一二三四五六七八九十".to_owned()], 5), "一二三四…");
    }
}
