//! WeChat's envelope (signature, encryption, XML) and what people write in it.
//! Source: <https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Message_encryption_and_decryption_instructions.html>.

use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _, block_padding::NoPadding};
use base64::{
    Engine as _,
    alphabet::STANDARD as ALPHABET,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD},
};
use drumtower_proto::ticketing::ticket::Kind;
use jiff::{SignedDuration, Timestamp};
use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};
use sha2::{Digest as _, Sha256};

/// How old or early a message may be. WeChat sends it three times, five seconds apart.
pub const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// Blocks that WeChat pads to.
const BLOCK: usize = 32;

/// The key of an EncodingAESKey: 43 characters of base 64 without their last one, `=`.
pub fn aes_key(text: &str) -> Option<[u8; 32]> {
    // Its last character carries two bits that mean nothing.
    let lenient = GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
    if text.len() != 43 {
        return None;
    }
    lenient.decode(format!("{text}=")).ok()?.try_into().ok()
}

/// The signature of some words: SHA-1 over them in order, in hexadecimal.
pub fn signature(words: &[&str]) -> String {
    let mut sorted = words.to_vec();
    sorted.sort_unstable();
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, sorted.concat().as_bytes());
    hex::encode(digest)
}

/// Whether a signature is right and its time is now.
pub fn signed(said: &str, words: &[&str], timestamp: &str, now: Timestamp) -> bool {
    // Digests are compared: how long that takes says nothing of the signature.
    let right = Sha256::digest(signature(words)) == Sha256::digest(said);
    let at = timestamp.parse::<i64>().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    right && at.is_some_and(|at| now.duration_since(at).abs() <= FRESH)
}

/// Opens what is encrypted for an account; `None` when it is for another or was changed.
pub fn decrypted(key: &[u8; 32], app_id: &str, sealed: &str) -> Option<String> {
    let mut bytes = STANDARD.decode(sealed.trim()).ok()?;
    let cipher = cbc::Decryptor::<aes::Aes256>::new_from_slices(key, &key[..16]).ok()?;
    let plain = cipher.decrypt_padded::<NoPadding>(&mut bytes).ok()?;
    let padding = usize::from(*plain.last()?);
    let plain = plain.get(..plain.len().checked_sub(padding)?).filter(|_| (1..=BLOCK).contains(&padding))?;
    // 16 random bytes, the length, the message, the account.
    let length = u32::from_be_bytes(plain.get(16..20)?.try_into().ok()?) as usize;
    let message = plain.get(20..20usize.checked_add(length)?)?;
    (plain.get(20 + length..)? == app_id.as_bytes()).then(|| String::from_utf8(message.to_vec()).ok()).flatten()
}

/// Encrypts a message for an account.
pub fn encrypted(key: &[u8; 32], app_id: &str, message: &str, random: [u8; 16]) -> Option<String> {
    let length = u32::try_from(message.len()).ok()?.to_be_bytes();
    let mut bytes = [&random[..], &length, message.as_bytes(), app_id.as_bytes()].concat();
    let padding = BLOCK - bytes.len() % BLOCK;
    bytes.resize(bytes.len() + padding, u8::try_from(padding).ok()?);
    let length = bytes.len();
    let cipher = cbc::Encryptor::<aes::Aes256>::new_from_slices(key, &key[..16]).ok()?;
    Some(STANDARD.encode(cipher.encrypt_padded::<NoPadding>(&mut bytes, length).ok()?))
}

/// A message as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    pub to: String,
    pub from: String,
    pub created: String,
    pub kind: String,
    pub id: String,
    pub content: String,
    pub event: String,
    pub event_key: String,
    /// The message itself, when it is encrypted.
    pub sealed: String,
}

/// Reads the flat XML of WeChat.
pub fn read(xml: &str) -> Option<Message> {
    let mut reader = Reader::from_str(xml);
    let (mut message, mut path): (Message, Vec<String>) = (Message::default(), Vec::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => path.push(tag.name().as_ref().to_owned()),
            Event::End(_) => {
                path.pop()?;
            }
            Event::Text(text) => put(&mut message, &path, &text),
            Event::CData(text) => put(&mut message, &path, &text),
            Event::GeneralRef(name) => put(&mut message, &path, resolve_predefined_entity(&name)?),
            Event::DocType(_) => return None,
            Event::Eof => return path.is_empty().then_some(message),
            _ => {}
        }
    }
}

fn put(message: &mut Message, path: &[String], text: &str) {
    let [root, name] = path else { return };
    let field = match name.as_str() {
        "ToUserName" => &mut message.to,
        "FromUserName" => &mut message.from,
        "CreateTime" => &mut message.created,
        "MsgType" => &mut message.kind,
        "MsgId" => &mut message.id,
        "Content" => &mut message.content,
        "Event" => &mut message.event,
        "EventKey" => &mut message.event_key,
        "Encrypt" => &mut message.sealed,
        _ => return,
    };
    if root == "xml" {
        field.push_str(text);
    }
}

impl Message {
    /// What tells a second time of it: messages have ids, events who and when.
    pub fn key(&self) -> String {
        if self.id.is_empty() { format!("{} {} {}", self.from, self.created, self.event) } else { self.id.clone() }
    }
}

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// 绑定 CODE, or a code scanned.
    Bind(String),
    /// 诉求、咨询、求助、投诉、建议 and words.
    Ask(Kind, String),
    /// 进度.
    Progress,
    /// Anything else.
    Help,
}

/// Reads what somebody wants.
pub fn wanted(message: &Message) -> Wanted {
    if message.kind == "event" {
        let code = message.event_key.strip_prefix("qrscene_").unwrap_or(&message.event_key);
        let scanned = matches!(message.event.as_str(), "subscribe" | "SCAN") && !code.is_empty();
        return if scanned { Wanted::Bind(code.to_owned()) } else { Wanted::Help };
    }
    if message.kind != "text" {
        return Wanted::Help;
    }
    let text = message.content.trim();
    if text == "进度" {
        return Wanted::Progress;
    }
    let after = |word: &str| text.strip_prefix(word).map(|rest| rest.trim_start_matches(['：', ':', ' ', '，', '\n']).trim().to_owned());
    if let Some(code) = after("绑定") {
        return Wanted::Bind(code);
    }
    let kinds =
        [("诉求", Kind::Help), ("求助", Kind::Help), ("咨询", Kind::Consult), ("投诉", Kind::Complaint), ("建议", Kind::Suggestion)];
    let asked = kinds.into_iter().find_map(|(word, kind)| after(word).map(|words| (kind, words)));
    match asked {
        Some((kind, words)) if words.chars().count() >= 2 => Wanted::Ask(kind, words.chars().take(4000).collect()),
        _ => Wanted::Help,
    }
}

/// The XML of a reply in words.
pub fn reply(message: &Message, text: &str, now: Timestamp) -> String {
    // The end of a CDATA section in the text would end the reply's own.
    let safe = text.replace("]]>", "]] >");
    format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName><FromUserName><![CDATA[{}]]></FromUserName><CreateTime>{}</CreateTime>\
         <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{safe}]]></Content></xml>",
        cdata(&message.from),
        cdata(&message.to),
        now.as_second()
    )
}

fn cdata(text: &str) -> String {
    text.replace("]]>", "")
}

/// The XML of a reply that is encrypted.
pub fn envelope(sealed: &str, signature: &str, timestamp: &str, nonce: &str) -> String {
    format!(
        "<xml><Encrypt><![CDATA[{sealed}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
         <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{}]]></Nonce></xml>",
        cdata(nonce)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &str) -> Message {
        Message { kind: "text".to_owned(), content: content.to_owned(), ..Message::default() }
    }

    #[test]
    fn what_is_sealed_opens_for_its_account_only() {
        let key = aes_key("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").expect("a key");
        for message in ["", "短", &"长".repeat(2000)] {
            let sealed = encrypted(&key, "wx1", message, [7; 16]).expect("sealed");
            assert_eq!(decrypted(&key, "wx1", &sealed).as_deref(), Some(message));
            assert_eq!(decrypted(&key, "wx2", &sealed), None);
            assert_eq!(decrypted(&[1; 32], "wx1", &sealed), None);
            assert_eq!(decrypted(&key, "wx1", &sealed[..sealed.len() - 8]), None);
        }
        assert_eq!(decrypted(&key, "wx1", "nonsense"), None);
        assert_eq!(decrypted(&key, "wx1", ""), None);
        assert!(aes_key("short").is_none());
    }

    #[test]
    fn messages_are_read_and_nothing_else() {
        let xml = "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName><CreateTime>1348831860</CreateTime>\
            <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[诉求 漏水 <b>]]></Content><MsgId>1234567890123456</MsgId></xml>";
        let message = read(xml).expect("read");
        assert_eq!((message.from.as_str(), message.content.as_str(), message.key().as_str()), ("o1", "诉求 漏水 <b>", "1234567890123456"));
        for bad in ["<xml><Content>a</xml>", "<!DOCTYPE xml [<!ENTITY a \"b\">]><xml><Content>&a;</Content></xml>", "<xml>"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        let nested = read("<xml><a><Content>x</Content></a></xml>").expect("read");
        assert_eq!(nested.content, "");
        let again = read(&reply(&message, "好 ]]> <x>", Timestamp::UNIX_EPOCH)).expect("our own reply is XML");
        assert_eq!((again.to.as_str(), again.content.as_str()), ("o1", "好 ]] > <x>"));
    }

    #[test]
    fn people_bind_ask_and_look() {
        assert_eq!(wanted(&text("绑定 ABCD2345")), Wanted::Bind("ABCD2345".to_owned()));
        assert_eq!(wanted(&text(" 投诉：电梯停运 ")), Wanted::Ask(Kind::Complaint, "电梯停运".to_owned()));
        assert_eq!(wanted(&text("诉求")), Wanted::Help);
        assert_eq!(wanted(&text("进度")), Wanted::Progress);
        assert_eq!(wanted(&text("你好")), Wanted::Help);
        let event = |event: &str, key: &str| Message {
            kind: "event".to_owned(),
            event: event.to_owned(),
            event_key: key.to_owned(),
            ..Message::default()
        };
        assert_eq!(wanted(&event("subscribe", "qrscene_AB")), Wanted::Bind("AB".to_owned()));
        assert_eq!(wanted(&event("SCAN", "AB")), Wanted::Bind("AB".to_owned()));
        assert_eq!(wanted(&event("subscribe", "")), Wanted::Help);
        assert_eq!(wanted(&event("CLICK", "AB")), Wanted::Help);
    }

    #[test]
    fn a_signature_is_right_and_of_now() {
        let now = Timestamp::from_second(1_700_000_000).expect("a time");
        let words = ["token", "1700000000", "nonce"];
        let right = signature(&words);
        assert!(signed(&right, &words, "1700000000", now));
        assert!(!signed(&right, &["another", "1700000000", "nonce"], "1700000000", now));
        assert!(!signed(&right, &words, "1700000000", now + SignedDuration::from_mins(6)));
        assert!(!signed("", &words, "1700000000", now));
    }
}
