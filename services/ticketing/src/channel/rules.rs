//! What a channel is set to, what its messages say, and what becomes of what a camera saw.

use std::collections::BTreeMap;

use base64::Engine as _;
use drumtower_proto::ticketing::{
    RatingTag, attachment,
    channel::Kind,
    ticket::{Kind as Asked, State, Urgency},
};
use drumtower_runtime::Refusal;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    attachment::rules::recognise,
    open311::rules::Catalogue,
    ticket::rules::{Position, distance_m},
};

/// How old or early a message may be (the standard's own figure).
pub const FRESH: SignedDuration = SignedDuration::from_mins(5);

/// What a channel is set to.
#[derive(Debug, Clone, PartialEq)]
pub enum Settings {
    Hotline(Hotline),
    Vision(Vision),
    Open311(Catalogue),
}

impl Settings {
    /// Reads settings and says what is wrong with them; empty ones are the platform's own.
    pub fn read(kind: Kind, json: &str) -> Result<Self, Refusal> {
        let json = if json.trim().is_empty() { "{}" } else { json };
        let settings = match kind {
            Kind::Hotline => Self::Hotline(parsed("settings", json)?),
            Kind::Vision => Self::Vision(parsed("settings", json)?),
            Kind::Open311 => Self::Open311(parsed("settings", json)?),
            Kind::Unspecified => return Err(Refusal::invalid("kind", "REQUIRED", "必填", "is required")),
        };
        match &settings {
            Self::Hotline(hotline) => hotline.check()?,
            Self::Vision(vision) => vision.check()?,
            Self::Open311(catalogue) => catalogue.check()?,
        }
        Ok(settings)
    }

    /// As they are kept, with what the platform added.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Hotline(hotline) => serde_json::to_string(hotline),
            Self::Vision(vision) => serde_json::to_string(vision),
            Self::Open311(catalogue) => serde_json::to_string(catalogue),
        }
    }
}

fn parsed<T: DeserializeOwned>(field: &'static str, json: &str) -> Result<T, Refusal> {
    serde_json::from_str(json).map_err(|error| malformed(field, &error))
}

/// What is wrong with JSON, without a word of what it says: that may be a person's number.
pub fn malformed(field: &'static str, error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    let name = |kind: &str| text.strip_prefix(kind).and_then(|rest| rest.split('`').nth(1)).map(|name| format!("{kind} `{name}`"));
    let what = name("missing field").or_else(|| name("unknown field")).unwrap_or_else(|| match error.line() {
        0 => "a value is of another type".to_owned(),
        line => format!("line {line}, column {}", error.column()),
    });
    Refusal::invalid(field, "MALFORMED", format!("内容有误：{what}"), what)
}

/// The exchange with the 12345 hotline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hotline {
    /// Where the course of its requests is told; empty for nowhere.
    pub url: String,
    /// What the hotline calls the kinds of requests.
    pub kinds: BTreeMap<String, String>,
    /// What the hotline calls our states; those that are missing are not told.
    pub states: BTreeMap<String, String>,
}

impl Default for Hotline {
    fn default() -> Self {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        Self {
            url: String::new(),
            kinds: pairs(&[("咨询", "CONSULT"), ("求助", "HELP"), ("投诉", "COMPLAINT"), ("建议", "SUGGESTION")]),
            // That it came in is nothing to tell who sent it.
            states: (1..=14)
                .filter_map(|number| State::try_from(number).ok().filter(|state| *state != State::Submitted))
                .map(|state| (state.as_str_name().to_owned(), in_words(state).to_owned()))
                .collect(),
        }
    }
}

/// Where a request stands, as people outside call it.
pub fn in_words(state: State) -> &'static str {
    match state {
        State::Unspecified => "",
        State::Submitted => "待受理",
        State::Accepted => "已受理",
        State::Dispatched => "已派单",
        State::Handling => "办理中",
        State::OnSite => "现场处置",
        State::Consulting => "会商中",
        State::Review => "待审核",
        State::Callback => "待回访",
        State::Redo => "重办",
        State::Archived => "已办结",
        State::Refused => "不予受理",
        State::Withdrawn => "已撤回",
        State::Merged => "已并单",
        State::Ledger => "挂账",
    }
}

impl Hotline {
    fn check(&self) -> Result<(), Refusal> {
        if let Some((name, kind)) = self.kinds.iter().find(|(_, kind)| !is_kind(kind)) {
            return Err(Refusal::invalid("settings.kinds", "KIND", format!("{name} 的类型 {kind} 不存在"), format!("{kind} is no kind")));
        }
        let unknown = self.states.keys().find(|state| State::from_str_name(state).is_none_or(|state| state == State::Unspecified));
        if let Some(state) = unknown {
            return Err(Refusal::invalid("settings.states", "STATE", format!("状态 {state} 不存在"), format!("{state} is no state")));
        }
        Ok(())
    }

    /// Our kind of what the hotline says.
    pub fn kind(&self, said: &str) -> Result<Asked, Refusal> {
        let kind = self.kinds.get(said).and_then(|kind| Asked::from_str_name(kind));
        kind.ok_or_else(|| Refusal::invalid("data.kind", "KIND", format!("诉求类型 {said} 未配置"), format!("{said} is not mapped")))
    }
}

fn is_kind(name: &str) -> bool {
    Asked::from_str_name(name).is_some_and(|kind| kind != Asked::Unspecified)
}

/// What cameras see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vision {
    pub types: BTreeMap<String, Sight>,
    /// The same thing at the same place within so many minutes is one matter.
    pub window_minutes: i64,
    /// So near, in metres, is the same place.
    pub radius_m: u32,
}

/// One type of what cameras see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    pub title: String,
    pub kind: String,
    pub urgency: String,
    /// Goes straight to dispatch.
    #[serde(default)]
    pub danger: bool,
    /// The least confidence that makes it a request, 0 to 1.
    pub threshold: f64,
}

impl Default for Vision {
    fn default() -> Self {
        let sight = |code: &str, title: &str, urgency: Urgency, danger: bool, threshold: f64| {
            let (title, kind, urgency) = (title.to_owned(), Asked::Help.as_str_name().to_owned(), urgency.as_str_name().to_owned());
            (code.to_owned(), Sight { title, kind, urgency, danger, threshold })
        };
        let types = [
            sight("smoke", "疑似烟火", Urgency::Emergency, true, 0.6),
            sight("fire_lane_blocked", "消防通道占用", Urgency::Emergency, true, 0.8),
            sight("waterlogging", "道路积水", Urgency::Livelihood, false, 0.8),
            sight("manhole_missing", "井盖缺失", Urgency::Emergency, true, 0.7),
            sight("garbage", "垃圾堆积", Urgency::Normal, false, 0.85),
        ];
        Self { types: types.into(), window_minutes: 30, radius_m: 50 }
    }
}

impl Vision {
    fn check(&self) -> Result<(), Refusal> {
        let wrong = |field: &str, zh: &str, en: &str| {
            Err(Refusal::invalid(format!("settings.{field}"), "VISION", format!("{field}：{zh}"), format!("{field}: {en}")))
        };
        if !(1..=1440).contains(&self.window_minutes) {
            return wrong("window_minutes", "须为 1 至 1440", "is 1 to 1440");
        }
        if !(1..=1000).contains(&self.radius_m) {
            return wrong("radius_m", "须为 1 至 1000", "is 1 to 1000");
        }
        for (code, sight) in &self.types {
            let urgent = Urgency::from_str_name(&sight.urgency).is_some_and(|urgency| urgency != Urgency::Unspecified);
            let titled = (2..=100).contains(&sight.title.chars().count());
            if !titled || !is_kind(&sight.kind) || !urgent || !(0.0..=1.0).contains(&sight.threshold) {
                return wrong(&format!("types.{code}"), "标题、类型、紧急程度或阈值有误", "title, kind, urgency or threshold is wrong");
            }
        }
        Ok(())
    }
}

/// A message as it came: what happened, and what of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    pub r#type: String,
    pub data: serde_json::Value,
}

/// What the hotline says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Created(Box<Created>),
    Urged(About),
    Withdrawn(About),
    Rated(Rated),
}

/// A new request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Created {
    pub request_id: String,
    #[serde(default)]
    pub title: String,
    pub content: String,
    pub kind: String,
    #[serde(default)]
    pub contact_name: String,
    pub contact_phone: String,
    /// Unified social credit code of the company; empty when it concerns none.
    #[serde(default)]
    pub credit_code: String,
    #[serde(default)]
    pub building_id: Option<Uuid>,
    #[serde(default)]
    pub place: String,
    #[serde(default)]
    pub danger: bool,
}

/// Words about a request that was sent before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub request_id: String,
    #[serde(default)]
    pub text: String,
}

/// A rating that the hotline asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rated {
    pub request_id: String,
    pub score: i32,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub text: String,
}

impl Rated {
    /// The tags by number.
    pub fn numbers(&self) -> Result<Vec<i32>, Refusal> {
        let number = |tag: &String| {
            let unknown = || Refusal::invalid("data.tags", "TAG", format!("标签 {tag} 不存在"), format!("{tag} is no tag"));
            RatingTag::from_str_name(tag).map(|tag| tag as i32).filter(|tag| *tag != 0).ok_or_else(unknown)
        };
        self.tags.iter().map(number).collect()
    }
}

/// Reads what the hotline says.
pub fn said(envelope: &Envelope) -> Result<Said, Refusal> {
    let said = match envelope.r#type.as_str() {
        "request.created" => Said::Created(data(envelope)?),
        "request.urged" => Said::Urged(data(envelope)?),
        "request.withdrawn" => Said::Withdrawn(data(envelope)?),
        "request.rated" => Said::Rated(data(envelope)?),
        other => {
            return Err(Refusal::invalid("type", "TYPE", format!("消息类型 {other} 不支持"), format!("{other} is no type of message")));
        }
    };
    match &said {
        Said::Created(created) => created.check()?,
        Said::Urged(About { request_id, text }) | Said::Withdrawn(About { request_id, text }) => {
            lengths(&[("request_id", request_id, 1, 100), ("text", text, 0, 1000)])?;
        }
        Said::Rated(rated) => {
            lengths(&[("request_id", &rated.request_id, 1, 100), ("text", &rated.text, 0, 1000)])?;
            if !(1..=5).contains(&rated.score) {
                return Err(Refusal::invalid("data.score", "SCORE", "须为 1 至 5", "is 1 to 5"));
            }
        }
    }
    Ok(said)
}

fn data<T: DeserializeOwned>(envelope: &Envelope) -> Result<T, Refusal> {
    T::deserialize(&envelope.data).map_err(|error| malformed("data", &error))
}

/// Texts within their limits, as the contract has them for people.
pub fn lengths(fields: &[(&str, &str, usize, usize)]) -> Result<(), Refusal> {
    for (field, text, least, most) in fields {
        let length = text.chars().count();
        if length < *least || length > *most || text.contains('\0') {
            let (zh, en) = (format!("{field} 须为 {least} 至 {most} 字"), format!("{field} has {least} to {most} characters"));
            return Err(Refusal::invalid(format!("data.{field}"), "LENGTH", zh, en));
        }
    }
    Ok(())
}

/// A number to contact as the contract has it.
pub fn phone(field: &'static str, number: &str) -> Result<(), Refusal> {
    let good = number.is_empty()
        || ((5..=20).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit() || b"+-".contains(&byte)));
    if good { Ok(()) } else { Err(Refusal::invalid(field, "PHONE", "电话号码格式不正确", "is no number")) }
}

impl Created {
    fn check(&self) -> Result<(), Refusal> {
        lengths(&[
            ("request_id", &self.request_id, 1, 100),
            ("title", &self.title, 0, 100),
            ("content", &self.content, 2, 4000),
            ("contact_name", &self.contact_name, 0, 60),
            ("credit_code", &self.credit_code, 0, 18),
            ("place", &self.place, 0, 200),
        ])?;
        phone("data.contact_phone", &self.contact_phone)
    }
}

/// A title, or the beginning of what is said.
pub fn titled(title: &str, content: &str) -> String {
    let title = title.trim();
    if title.chars().count() >= 2 {
        return title.chars().take(100).collect();
    }
    let first = content.trim().lines().next().unwrap_or_default();
    let cut: String = first.chars().take(40).collect();
    if cut.chars().count() < 2 { "（无标题）".to_owned() } else { cut }
}

/// Something that a camera saw.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    #[serde(rename = "type")]
    pub what: String,
    /// How sure, 0 to 1.
    pub confidence: f64,
    #[serde(default)]
    pub latitude: Option<f64>,
    #[serde(default)]
    pub longitude: Option<f64>,
    #[serde(default)]
    pub building_id: Option<Uuid>,
    #[serde(default)]
    pub place: String,
    pub seen_at: Timestamp,
    /// The picture, JPEG or PNG in base 64.
    #[serde(default)]
    pub picture: String,
}

impl Sighting {
    /// Reads one; what it says of time and place must make sense.
    pub fn read(envelope: &Envelope, now: Timestamp) -> Result<Self, Refusal> {
        if envelope.r#type != "event.seen" {
            let other = &envelope.r#type;
            return Err(Refusal::invalid("type", "TYPE", format!("消息类型 {other} 不支持"), format!("{other} is no type of message")));
        }
        let sighting: Self = data(envelope)?;
        lengths(&[("type", &sighting.what, 1, 60), ("place", &sighting.place, 0, 200)])?;
        let on_earth = |latitude: f64, longitude: f64| (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        if sighting.latitude.zip(sighting.longitude).is_some_and(|(latitude, longitude)| !on_earth(latitude, longitude)) {
            return Err(Refusal::invalid("data.latitude", "POSITION", "位置不正确", "is nowhere on Earth"));
        }
        if sighting.position().is_none() && sighting.building_id.is_none() {
            return Err(Refusal::invalid("data.latitude", "REQUIRED", "须有经纬度或楼宇", "a position or a building"));
        }
        if !(0.0..=1.0).contains(&sighting.confidence) {
            return Err(Refusal::invalid("data.confidence", "CONFIDENCE", "须为 0 至 1", "is 0 to 1"));
        }
        if sighting.seen_at > now + FRESH || sighting.seen_at < now - SignedDuration::from_hours(24) {
            return Err(Refusal::invalid("data.seen_at", "TOO_OLD", "发现时间须在一天之内", "was seen within a day"));
        }
        Ok(sighting)
    }

    /// The picture that comes with it, by its content one.
    pub fn picture(&self) -> Result<Option<Vec<u8>>, Refusal> {
        if self.picture.is_empty() {
            return Ok(None);
        }
        let bytes = base64::engine::general_purpose::STANDARD.decode(&self.picture).ok();
        let photo = bytes.filter(|bytes| recognise(attachment::Kind::Photo, bytes).is_ok());
        let none = || Refusal::invalid("data.picture", "NOT_A_PHOTO", "须为 JPEG 或 PNG 图片（base64）", "is no photo in base 64");
        photo.map(Some).ok_or_else(none)
    }

    /// Where it is.
    pub fn position(&self) -> Option<Position> {
        self.latitude.zip(self.longitude).map(|(latitude, longitude)| Position { latitude, longitude })
    }
}

/// What becomes of something that a camera saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not sure enough.
    Unsure,
    /// Part of a matter that is a request already.
    Joins(Uuid),
    /// A request of its own.
    New,
}

/// Whether something is sure enough to become a request.
pub fn is_sure(sight: &Sight, confidence: f64) -> bool {
    confidence >= sight.threshold
}

/// Judges one, beside what was seen of the same type lately and became requests that are open.
pub fn judge(vision: &Vision, sight: &Sight, confidence: f64, at: Position, lately: &[(Uuid, Position)]) -> Verdict {
    if !is_sure(sight, confidence) {
        return Verdict::Unsure;
    }
    let near = lately.iter().find(|(_, there)| distance_m(at, *there) <= vision.radius_m);
    near.map_or(Verdict::New, |(ticket, _)| Verdict::Joins(*ticket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn envelope(kind: &str, data: serde_json::Value) -> Envelope {
        Envelope { r#type: kind.to_owned(), data }
    }

    #[test]
    fn settings_are_checked_and_what_is_missing_is_the_platforms() {
        assert_eq!(Hotline::default().states.len(), 13, "every state but that it came in");
        for kind in [Kind::Hotline, Kind::Vision, Kind::Open311] {
            let own = Settings::read(kind, "").expect("the platform's own");
            assert_eq!(Settings::read(kind, &own.text().expect("JSON")).expect("read again"), own);
        }
        for (kind, json, reason) in [
            (Kind::Hotline, r#"{"kinds":{"咨询":"QUESTION"}}"#, "KIND"),
            (Kind::Hotline, r#"{"states":{"DONE":"完成"}}"#, "STATE"),
            (Kind::Hotline, r#"{"urls":"x"}"#, "MALFORMED"),
            (Kind::Vision, r#"{"window_minutes":0}"#, "VISION"),
            (Kind::Vision, r#"{"types":{"x":{"title":"积水","kind":"HELP","urgency":"SOON","threshold":0.5}}}"#, "VISION"),
            (Kind::Vision, r#"{"types":{"x":{"title":"积水","kind":"HELP","urgency":"NORMAL","threshold":1.5}}}"#, "VISION"),
            (Kind::Unspecified, "{}", "REQUIRED"),
        ] {
            assert_eq!(Settings::read(kind, json).expect_err(json).reason(), reason, "{json}");
        }
    }

    #[test]
    fn the_hotline_is_understood_or_told_why_not() {
        let new = json!({ "request_id": "A-1", "content": "雨后天花板滴水", "kind": "求助", "contact_phone": "059112345" });
        let Ok(Said::Created(created)) = said(&envelope("request.created", new.clone())) else { panic!("not understood") };
        assert_eq!(titled(&created.title, &created.content), "雨后天花板滴水");
        assert_eq!(Hotline::default().kind(&created.kind), Ok(Asked::Help));
        assert_eq!(Hotline::default().kind("表扬").expect_err("not mapped").reason(), "KIND");
        let with = |field: &str, value: serde_json::Value| {
            let mut data = new.clone();
            data[field] = value;
            said(&envelope("request.created", data)).map(drop).expect_err(field).reason()
        };
        assert_eq!(with("contact_phone", "call me".into()), "PHONE");
        assert_eq!(with("content", "".into()), "LENGTH");
        assert_eq!(with("content", "a\u{0}b".into()), "LENGTH");
        assert_eq!(with("colour", "red".into()), "MALFORMED");
        let mut numbered = new.clone();
        numbered["contact_phone"] = json!(13_800_001_234_i64);
        let refusal = said(&envelope("request.created", numbered)).expect_err("a number is no text");
        assert!(!refusal.to_string().contains("1380"), "{refusal}");
        assert_eq!(said(&envelope("request.closed", new)).expect_err("unknown").reason(), "TYPE");
        let rating = |score: i32, tag: &str| json!({ "request_id": "A-1", "score": score, "tags": [tag] });
        assert_eq!(said(&envelope("request.rated", rating(6, "SLOW"))).expect_err("no score").reason(), "SCORE");
        let Ok(Said::Rated(rated)) = said(&envelope("request.rated", rating(2, "SLOW"))) else { panic!("not understood") };
        assert_eq!(rated.numbers(), Ok(vec![RatingTag::Slow as i32]));
        let Ok(Said::Rated(rated)) = said(&envelope("request.rated", rating(2, "UGLY"))) else { panic!("not understood") };
        assert_eq!(rated.numbers().expect_err("no tag").reason(), "TAG");
    }

    #[test]
    fn a_camera_must_say_where_and_when() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().expect("a time");
        let good = json!({ "type": "smoke", "confidence": 0.9, "latitude": 26.1, "longitude": 119.3, "seen_at": "2026-11-24T09:59:00Z" });
        assert!(Sighting::read(&envelope("event.seen", good.clone()), now).is_ok());
        for (field, value, reason) in [
            ("latitude", json!(99.0), "POSITION"),
            ("latitude", json!(null), "REQUIRED"),
            ("confidence", json!(1.2), "CONFIDENCE"),
            ("seen_at", json!("2026-11-24T10:06:00Z"), "TOO_OLD"),
            ("seen_at", json!("2026-11-22T10:00:00Z"), "TOO_OLD"),
            ("seen_at", json!("yesterday"), "MALFORMED"),
        ] {
            let mut data = good.clone();
            data[field] = value;
            assert_eq!(Sighting::read(&envelope("event.seen", data), now).expect_err(field).reason(), reason, "{field}");
        }
        let with = |picture: &[u8]| {
            let mut data = good.clone();
            data["picture"] = base64::engine::general_purpose::STANDARD.encode(picture).into();
            Sighting::read(&envelope("event.seen", data), now).expect("read").picture().map_err(|refusal| refusal.reason())
        };
        assert_eq!((with(b""), with(b"\xff\xd8\xff\xe0")), (Ok(None), Ok(Some(b"\xff\xd8\xff\xe0".to_vec()))));
        assert_eq!((with(b"%PDF-1.7"), with(b"hello")), (Err("NOT_A_PHOTO"), Err("NOT_A_PHOTO")));
        assert_eq!(Sighting::read(&envelope("request.created", good), now).expect_err("another type").reason(), "TYPE");
    }

    #[test]
    fn a_sure_sighting_is_one_matter_within_its_radius() {
        let vision = Vision::default();
        let sight = &vision.types["smoke"];
        let here = Position { latitude: 26.1, longitude: 119.3 };
        // 0.0004 degrees of latitude are 44 m, 0.0005 are 56 m.
        let (near, far) = (Position { latitude: 26.1004, ..here }, Position { latitude: 26.1005, ..here });
        let open = [(Uuid::from_u128(1), here)];
        assert_eq!(judge(&vision, sight, 0.59, here, &open), Verdict::Unsure);
        assert_eq!(judge(&vision, sight, 0.6, here, &[]), Verdict::New);
        assert_eq!(judge(&vision, sight, 0.9, near, &open), Verdict::Joins(Uuid::from_u128(1)));
        assert_eq!(judge(&vision, sight, 0.9, far, &open), Verdict::New);
    }
}
