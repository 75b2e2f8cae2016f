//! What a client may ask for: the catalogue of services, the form of a request, the span of a question.

use std::collections::{BTreeMap, BTreeSet};

use drumtower_proto::ticketing::ticket::Kind;
use drumtower_runtime::Refusal;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::form::Form;
use crate::ticket::rules::Position;

/// The longest span of a question (the standard's own figure).
pub const SPAN: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The same form again within this time is the same request: clients have no key for a second attempt.
pub const SAME_FORM: SignedDuration = SignedDuration::from_mins(10);

/// What a district offers to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Catalogue {
    pub services: Vec<Service>,
    /// Requests of this client are shown to anybody; otherwise to whoever has its key.
    pub public: bool,
    /// Submissions are answered with a token instead of a number.
    pub tokens: bool,
    /// The public address of the interface, for discovery.
    pub endpoint: String,
    /// Whom to ask for a key, and whom about the interface.
    pub key_service: String,
    pub contact: String,
    /// What who submits is told.
    pub notice: String,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub code: String,
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub group: String,
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Our kind of request.
    pub kind: String,
    #[serde(default)]
    pub danger: bool,
    #[serde(default)]
    pub attributes: Vec<Attribute>,
}

/// A question that a service asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    pub code: String,
    pub description: String,
    pub datatype: String,
    #[serde(default)]
    pub datatype_description: String,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub values: Vec<Choice>,
}

/// A choice of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub key: String,
    pub name: String,
}

const DATATYPES: [&str; 6] = ["string", "number", "datetime", "text", "singlevaluelist", "multivaluelist"];

impl Default for Catalogue {
    fn default() -> Self {
        let service = |code: &str, name: &str, kind: Kind| Service {
            code: code.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            group: "企业诉求".to_owned(),
            keywords: Vec::new(),
            kind: kind.as_str_name().to_owned(),
            danger: false,
            attributes: Vec::new(),
        };
        Self {
            services: vec![
                service("consult", "咨询", Kind::Consult),
                service("help", "求助", Kind::Help),
                service("complaint", "投诉", Kind::Complaint),
                service("suggestion", "建议", Kind::Suggestion),
            ],
            public: false,
            tokens: false,
            endpoint: String::new(),
            key_service: "请向区指挥中心申请密钥".to_owned(),
            contact: "区指挥中心".to_owned(),
            notice: "已收到，受理后可凭编号查询进度".to_owned(),
        }
    }
}

impl Catalogue {
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut codes = BTreeSet::new();
        for service in &self.services {
            let field = format!("settings.services.{}", service.code);
            let wrong = |zh: &str, en: &str| Err(Refusal::invalid(field.clone(), "SERVICE", format!("{}：{zh}", service.code), en));
            if !is_code(&service.code) || !codes.insert(&service.code) {
                return wrong("编码有误或重复", "its code is wrong, or another's");
            }
            if !(2..=60).contains(&service.name.chars().count()) {
                return wrong("名称须为 2 至 60 字", "its name has 2 to 60 characters");
            }
            if Kind::from_str_name(&service.kind).is_none_or(|kind| kind == Kind::Unspecified) {
                return wrong("类型不存在", "there is no such kind");
            }
            let mut asked = BTreeSet::new();
            for attribute in &service.attributes {
                let is_list = attribute.datatype.ends_with("valuelist");
                let good = is_code(&attribute.code) && asked.insert(&attribute.code) && DATATYPES.contains(&attribute.datatype.as_str());
                if !good || is_list == attribute.values.is_empty() {
                    return wrong("属性有误", "one of its attributes is wrong");
                }
            }
        }
        if self.services.is_empty() {
            return Err(Refusal::invalid("settings.services", "REQUIRED", "至少一项服务", "one service at least"));
        }
        Ok(())
    }

    /// A service.
    pub fn service(&self, code: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.code == code)
    }
}

fn is_code(code: &str) -> bool {
    (1..=60).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    Discovery,
    Services,
    Service(String),
    Requests,
    Request(String),
    Token(String),
}

/// Reads a path: the resource and the form, or what is not there in the form that was asked for.
pub fn resource(path: &str) -> Result<(Resource, Form), Form> {
    let (name, form) = match path.rsplit_once('.') {
        Some((name, "json")) => (name, Form::Json),
        Some((name, "xml")) => (name, Form::Xml),
        _ => return Err(Form::Xml),
    };
    let segments: Vec<&str> = name.split('/').collect();
    let resource = match segments.as_slice() {
        ["discovery"] => Resource::Discovery,
        ["services"] => Resource::Services,
        ["services", code] => Resource::Service((*code).to_owned()),
        ["requests"] => Resource::Requests,
        ["requests", id] => Resource::Request((*id).to_owned()),
        ["tokens", token] => Resource::Token((*token).to_owned()),
        _ => return Err(form),
    };
    Ok((resource, form))
}

/// A form that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    pub api_key: String,
    pub service_code: String,
    pub at: Option<Position>,
    pub building: Option<Uuid>,
    pub place: String,
    pub description: String,
    pub name: String,
    pub phone: String,
    pub media_url: String,
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// Reads the fields of a form. What it cannot read is told in words for the client's developer.
pub fn sent(fields: impl Iterator<Item = (String, String)>) -> Result<Sent, String> {
    let mut plain: BTreeMap<String, String> = BTreeMap::new();
    let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in fields {
        match name.strip_prefix("attribute[").and_then(|rest| rest.split_once(']')) {
            Some((code, "" | "[]")) => attributes.entry(code.to_owned()).or_default().push(value),
            _ => {
                plain.insert(name, value);
            }
        }
    }
    let mut text = |name: &str, most: usize| match plain.remove(name).unwrap_or_default() {
        long if long.chars().count() > most => Err(format!("{name} has at most {most} characters")),
        bent if bent.contains('\0') => Err(format!("{name} holds a NUL")),
        good => Ok(good.trim().to_owned()),
    };
    let (latitude, longitude) = (text("lat", 40)?, text("long", 40)?);
    let name = format!("{} {}", text("first_name", 30)?, text("last_name", 29)?);
    let phone = text("phone", 20)?;
    Ok(Sent {
        at: position(&latitude, &longitude)?,
        building: match text("address_id", 40)?.as_str() {
            "" => None,
            id => Some(Uuid::try_parse(id).map_err(|_| "address_id is not the id of a building".to_owned())?),
        },
        place: text("address_string", 200)?,
        description: text("description", 4000)?,
        name: name.trim().to_owned(),
        phone: phone.chars().filter(|letter| letter.is_ascii_digit() || matches!(letter, '+' | '-')).collect(),
        media_url: text("media_url", 500)?,
        api_key: text("api_key", 200)?,
        service_code: text("service_code", 60)?,
        attributes,
    })
}

fn position(latitude: &str, longitude: &str) -> Result<Option<Position>, String> {
    if latitude.is_empty() && longitude.is_empty() {
        return Ok(None);
    }
    let read = latitude.parse::<f64>().ok().zip(longitude.parse::<f64>().ok());
    let on_earth = read.filter(|(latitude, longitude)| (-90.0..=90.0).contains(latitude) && (-180.0..=180.0).contains(longitude));
    let (latitude, longitude) = on_earth.ok_or_else(|| "lat and long are degrees, WGS 84".to_owned())?;
    Ok(Some(Position { latitude, longitude }))
}

impl Sent {
    /// Checks it against its service; what it describes with the answers to the service's questions.
    pub fn described(&self, service: &Service) -> Result<String, String> {
        if self.at.is_none() && self.building.is_none() && self.place.is_empty() {
            return Err("say where: lat and long, address_string or address_id".to_owned());
        }
        let digits = self.phone.bytes().filter(u8::is_ascii_digit).count();
        if !self.phone.is_empty() && digits < 5 {
            return Err("phone is no number".to_owned());
        }
        let mut lines = vec![self.description.clone()];
        for attribute in &service.attributes {
            let answers = self.attributes.get(&attribute.code).map(Vec::as_slice).unwrap_or_default();
            let answers: Vec<&String> = answers.iter().filter(|answer| !answer.is_empty()).collect();
            if answers.is_empty() && attribute.required {
                return Err(format!("attribute[{}] is required", attribute.code));
            }
            if attribute.datatype != "multivaluelist" && answers.len() > 1 {
                return Err(format!("attribute[{}] has one value", attribute.code));
            }
            let named: Result<Vec<String>, String> = answers.iter().map(|answer| attribute.named(answer)).collect();
            let named = named?;
            if !named.is_empty() {
                lines.push(format!("{}：{}", attribute.description, named.join("、")));
            }
        }
        if !self.media_url.is_empty() {
            lines.push(format!("图片：{}", self.media_url));
        }
        let whole = lines.join("\n").trim().to_owned();
        match whole.chars().count() {
            0 => Ok(service.name.clone()),
            1..=4000 => Ok(whole),
            _ => Err("description and attributes have at most 4000 characters".to_owned()),
        }
    }
}

impl Attribute {
    /// What an answer means, if it is one.
    fn named(&self, answer: &str) -> Result<String, String> {
        let wrong = || format!("attribute[{}] does not take {answer}", self.code);
        match self.datatype.as_str() {
            "singlevaluelist" | "multivaluelist" => {
                let choice = self.values.iter().find(|choice| choice.key == answer).ok_or_else(wrong)?;
                Ok(choice.name.clone())
            }
            "number" => answer.parse::<f64>().map(|_| answer.to_owned()).map_err(|_| wrong()),
            "datetime" => answer.parse::<Timestamp>().map(|_| answer.to_owned()).map_err(|_| wrong()),
            _ if answer.contains('\0') => Err(wrong()),
            _ => Ok(answer.chars().take(1000).collect()),
        }
    }
}

/// From when to when a question asks: ninety days at most, by default the last ninety.
pub fn span(start: &str, end: &str, now: Timestamp) -> Result<(Timestamp, Timestamp), String> {
    let read = |name: &str, text: &str| match text {
        "" => Ok(None),
        text => text.parse::<Timestamp>().map(Some).map_err(|_| format!("{name} is a time such as 2026-01-01T00:00:00Z")),
    };
    let moved = |at: Timestamp, by: SignedDuration| at.checked_add(by).map_err(|_| "is out of range".to_owned());
    let (from, to) = match (read("start_date", start)?, read("end_date", end)?) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, moved(from, SPAN)?.min(now)),
        (None, Some(to)) => (moved(to, -SPAN)?, to),
        (None, None) => (now - SPAN, now),
    };
    if to < from || to.duration_since(from) > SPAN {
        return Err("start_date and end_date span 90 days at most".to_owned());
    }
    Ok((from, to))
}

/// Which of open and closed are asked for.
pub fn status(text: &str) -> Result<(bool, bool), String> {
    let mut wanted = (text.is_empty(), text.is_empty());
    for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        match one {
            "open" => wanted.0 = true,
            "closed" => wanted.1 = true,
            other => return Err(format!("{other} is no status; open, closed")),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Result<Sent, String> {
        sent(form_urlencoded::parse(text.as_bytes()).into_owned())
    }

    #[test]
    fn paths_name_a_resource_and_a_form() {
        assert_eq!(resource("requests/20261124-0001.json"), Ok((Resource::Request("20261124-0001".to_owned()), Form::Json)));
        assert_eq!(resource("services.xml"), Ok((Resource::Services, Form::Xml)));
        assert_eq!(resource("discovery.json"), Ok((Resource::Discovery, Form::Json)));
        assert_eq!(resource("requests/a/b.json"), Err(Form::Json));
        assert_eq!(resource("requests"), Err(Form::Xml));
    }

    #[test]
    fn a_form_is_checked_against_its_service() {
        let question = |code: &str, datatype: &str, required: bool| Attribute {
            code: code.to_owned(),
            description: code.to_uppercase(),
            datatype: datatype.to_owned(),
            datatype_description: String::new(),
            required,
            values: if datatype.ends_with("list") { vec![Choice { key: "1".to_owned(), name: "一层".to_owned() }] } else { Vec::new() },
        };
        let mut service = Catalogue::default().services[1].clone();
        service.attributes = vec![question("floor", "singlevaluelist", true), question("depth", "number", false)];
        let catalogue = Catalogue { services: vec![service.clone()], ..Catalogue::default() };
        catalogue.check().expect("in order");
        let good = form("service_code=help&lat=26.1&long=119.3&description=%E6%BC%8F%E6%B0%B4&attribute[floor]=1&attribute[depth]=2.5")
            .expect("read");
        assert_eq!(good.described(&service), Ok("漏水\nFLOOR：一层\nDEPTH：2.5".to_owned()));
        for (text, wrong) in [
            ("lat=26.1&long=119.3", "attribute[floor] is required"),
            ("lat=26.1&long=119.3&attribute[floor]=9", "attribute[floor] does not take 9"),
            ("lat=26.1&long=119.3&attribute[floor]=1&attribute[floor]=1", "attribute[floor] has one value"),
            ("lat=26.1&long=119.3&attribute[floor]=1&attribute[depth]=deep", "attribute[depth] does not take deep"),
            ("description=x&attribute[floor]=1", "say where: lat and long, address_string or address_id"),
        ] {
            assert_eq!(form(text).expect("read").described(&service).expect_err(text), wrong);
        }
        for text in ["lat=26.1", "lat=x&long=1", "lat=99&long=1", "address_id=7", &format!("description={}", "x".repeat(4001))] {
            assert!(form(text).is_err(), "{text}");
        }
        let mut bent = catalogue.clone();
        bent.services[0].attributes[0].values.clear();
        assert_eq!(bent.check().expect_err("no choices").reason(), "SERVICE");
    }

    #[test]
    fn a_question_spans_ninety_days() {
        let now: Timestamp = "2026-11-24T00:00:00Z".parse().expect("a time");
        assert_eq!(span("", "", now), Ok((now - SPAN, now)));
        assert!(span("2026-01-01T00:00:00Z", "2026-04-02T00:00:00Z", now).is_err());
        assert!(span("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", now).is_err());
        for odd in [("yesterday", ""), ("9999-12-30T00:00:00Z", ""), ("", "-009999-01-03T00:00:00Z")] {
            assert!(span(odd.0, odd.1, now).is_err(), "{odd:?}");
        }
        assert_eq!(status("open, closed"), Ok((true, true)));
        assert_eq!(status("closed"), Ok((false, true)));
        assert!(status("done").is_err());
    }
}
