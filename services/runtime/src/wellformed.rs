//! Whether a request is well-formed, before a handler sees it: decodes with the descriptor, refuses unknown fields and NUL bytes, and
//! checks the field rules of the contract. The handler may rely on every rule.

use std::{collections::HashMap, sync::LazyLock};

use drumtower_proto::POOL;
use prost_reflect::{
    Cardinality, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value,
};
use regex::Regex;

use crate::refusal::{Kind as RefusalKind, Refusal};

static FIELD_RULES: LazyLock<ExtensionDescriptor> =
    LazyLock::new(|| POOL.get_extension_by_name("buf.validate.field").expect("part of the contract"));

/// Rules of every field, by full name, compiled once.
static RULES: LazyLock<HashMap<String, Rules>> = LazyLock::new(|| {
    POOL.all_messages()
        .filter(|message| message.full_name().starts_with("drumtower."))
        .flat_map(|message| message.fields().collect::<Vec<_>>())
        .filter_map(|field| {
            let options = field.options();
            if !options.has_extension(&FIELD_RULES) {
                return None;
            }
            let rules = options.get_extension(&FIELD_RULES);
            Some((field.full_name().to_owned(), Rules::read(rules.as_message()?)))
        })
        .collect()
});

/// Rules of one field.
#[derive(Debug, Default)]
struct Rules {
    required: bool,
    min_len: Option<u64>,
    max_len: Option<u64>,
    pattern: Option<Regex>,
    uuid: bool,
    max_bytes: Option<u64>,
    defined_only: bool,
    at_least: Option<f64>,
    at_most: Option<f64>,
    min_items: Option<u64>,
    max_items: Option<u64>,
    unique: bool,
    items: Option<Box<Rules>>,
}

impl Rules {
    fn read(rules: &DynamicMessage) -> Self {
        let mut read = Self { required: get(rules, "required").and_then(|value| value.as_bool()).unwrap_or(false), ..Self::default() };
        for (field, value) in rules.fields() {
            let Some(inner) = value.as_message() else { continue };
            match field.name() {
                "string" => {
                    read.min_len = number(inner, "min_len");
                    read.max_len = number(inner, "max_len");
                    read.uuid = get(inner, "uuid").and_then(|value| value.as_bool()).unwrap_or(false);
                    let pattern = get(inner, "pattern").and_then(|value| value.as_str().map(str::to_owned));
                    read.pattern = pattern.and_then(|pattern| Regex::new(&pattern).ok());
                }
                "bytes" => read.max_bytes = number(inner, "max_len"),
                "enum" => read.defined_only = get(inner, "defined_only").and_then(|value| value.as_bool()).unwrap_or(false),
                "int32" | "int64" | "double" => {
                    read.at_least = bound(inner, "gte");
                    read.at_most = bound(inner, "lte");
                }
                "repeated" => {
                    read.min_items = number(inner, "min_items");
                    read.max_items = number(inner, "max_items");
                    read.unique = get(inner, "unique").and_then(|value| value.as_bool()).unwrap_or(false);
                    read.items = get(inner, "items").and_then(|value| value.as_message().map(|items| Box::new(Self::read(items))));
                }
                _ => {}
            }
        }
        read
    }
}

fn get(message: &DynamicMessage, name: &str) -> Option<Value> {
    message.has_field_by_name(name).then(|| message.get_field_by_name(name).map(|value| value.into_owned())).flatten()
}

fn number(message: &DynamicMessage, name: &str) -> Option<u64> {
    get(message, name).and_then(|value| value.as_u64())
}

fn bound(message: &DynamicMessage, name: &str) -> Option<f64> {
    get(message, name).and_then(|value| as_number(&value))
}

#[expect(clippy::cast_precision_loss, reason = "bounds of the contract are far below 2^53")]
fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::I32(number) => Some(f64::from(*number)),
        Value::I64(number) => Some(*number as f64),
        Value::F64(number) => Some(*number),
        _ => None,
    }
}

/// Decodes and checks a message.
pub fn check(descriptor: &MessageDescriptor, bytes: &[u8]) -> Result<(), Refusal> {
    let message = DynamicMessage::decode(descriptor.clone(), bytes).map_err(|error| {
        Refusal::new(RefusalKind::Invalid, "MALFORMED", "请求格式不正确", format!("not a valid {}: {error}", descriptor.name()))
    })?;
    let mut problems = Vec::new();
    walk(&message, "", &mut problems, 0);
    let Some(first) = problems.first() else { return Ok(()) };
    let reason = first.reason;
    let text = format!("{}: {}", first.path, first.en);
    let zh = format!("{}：{}", first.path, first.zh);
    let refusal = Refusal::new(RefusalKind::Invalid, reason, zh, text);
    Err(problems.into_iter().take(20).fold(refusal, |refusal, problem| refusal.field(problem.path, problem.en)))
}

#[derive(Debug)]
struct Problem {
    path: String,
    reason: &'static str,
    zh: String,
    en: String,
}

fn walk(message: &DynamicMessage, at: &str, problems: &mut Vec<Problem>, depth: usize) {
    if depth > 32 {
        problems.push(Problem { path: at.into(), reason: "TOO_DEEP", zh: "嵌套过深".into(), en: "is nested too deep".into() });
        return;
    }
    if let Some(unknown) = message.unknown_fields().next() {
        let path = join(at, &format!("#{}", unknown.number()));
        problems.push(Problem { path, reason: "UNKNOWN_FIELD", zh: "未知字段".into(), en: "is not a field of the contract".into() });
    }
    for field in message.descriptor().fields() {
        let path = join(at, field.name());
        let rules = RULES.get(field.full_name());
        if !message.has_field(&field) {
            missing(&field, rules, path, problems);
            continue;
        }
        let value = message.get_field(&field);
        match value.as_list() {
            Some(items) => list(&field, rules, items, &path, problems, depth),
            None => single(&field, rules, &value, &path, problems, depth),
        }
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// A scalar that is not set has its default value, which the rules see as well.
fn missing(field: &FieldDescriptor, rules: Option<&Rules>, path: String, problems: &mut Vec<Problem>) {
    let Some(rules) = rules else { return };
    if field.cardinality() == Cardinality::Repeated {
        if rules.min_items.is_some_and(|min| min > 0) {
            problems.push(Problem { path, reason: "REQUIRED", zh: "不能为空".into(), en: "must not be empty".into() });
        }
        return;
    }
    if rules.required {
        problems.push(Problem { path, reason: "REQUIRED", zh: "必填".into(), en: "is required".into() });
        return;
    }
    if !matches!(field.kind(), Kind::Message(_)) {
        scalar(field, rules, &Value::default_value_for_field(field), &path, problems);
    }
}

fn list(field: &FieldDescriptor, rules: Option<&Rules>, items: &[Value], path: &str, problems: &mut Vec<Problem>, depth: usize) {
    if let Some(rules) = rules {
        let count = items.len() as u64;
        if rules.min_items.is_some_and(|min| count < min) || rules.max_items.is_some_and(|max| count > max) {
            let (min, max) = (rules.min_items.unwrap_or(0), rules.max_items.map_or_else(|| "∞".to_owned(), |max| max.to_string()));
            let (zh, en) = (format!("应有 {min} 至 {max} 项"), format!("must have {min} to {max} items"));
            problems.push(Problem { path: path.into(), reason: "ITEM_COUNT", zh, en });
        }
        let twice = rules.unique && items.iter().enumerate().any(|(i, item)| items[..i].contains(item));
        if twice {
            problems
                .push(Problem { path: path.into(), reason: "DUPLICATE_ITEM", zh: "有重复项".into(), en: "has an item twice".into() });
        }
    }
    for (i, item) in items.iter().enumerate() {
        let path = format!("{path}[{i}]");
        single(field, rules.and_then(|rules| rules.items.as_deref()), item, &path, problems, depth);
    }
}

fn single(field: &FieldDescriptor, rules: Option<&Rules>, value: &Value, path: &str, problems: &mut Vec<Problem>, depth: usize) {
    if let Some(message) = value.as_message() {
        // Well-known types (times, masks) check themselves when they are read.
        if message.descriptor().full_name().starts_with("drumtower.") {
            walk(message, path, problems, depth + 1);
        }
        return;
    }
    if value.as_str().is_some_and(|text| text.contains('\0')) {
        problems
            .push(Problem { path: path.into(), reason: "NUL_BYTE", zh: "含有非法字符".into(), en: "holds a NUL character".into() });
        return;
    }
    if value.as_str().is_some_and(|text| text.len() > 1_000_000) {
        problems.push(Problem { path: path.into(), reason: "TOO_LONG", zh: "过长".into(), en: "is too long".into() });
        return;
    }
    if value.as_f64().is_some_and(|number| !number.is_finite()) {
        problems.push(Problem {
            path: path.into(), reason: "NOT_FINITE", zh: "不是有效数值".into(), en: "is not a finite number".into()
        });
        return;
    }
    if let Some(rules) = rules {
        scalar(field, rules, value, path, problems);
    }
}

fn scalar(field: &FieldDescriptor, rules: &Rules, value: &Value, path: &str, problems: &mut Vec<Problem>) {
    let mut say = |reason, zh: String, en: String| problems.push(Problem { path: path.to_owned(), reason, zh, en });
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        if rules.min_len.is_some_and(|min| length < min) {
            let min = rules.min_len.unwrap_or(0);
            say("TOO_SHORT", format!("至少 {min} 个字"), format!("must have at least {min} characters"));
        } else if rules.max_len.is_some_and(|max| length > max) {
            let max = rules.max_len.unwrap_or(0);
            say("TOO_LONG", format!("至多 {max} 个字"), format!("must have at most {max} characters"));
        } else if rules.uuid && uuid::Uuid::try_parse(text).is_err() {
            say("NOT_AN_ID", "编号格式不正确".into(), "must be an id (UUID)".into());
        } else if let Some(pattern) = &rules.pattern
            && !pattern.is_match(text)
        {
            say("PATTERN", "格式不正确".into(), format!("must match {}", pattern.as_str()));
        }
    }
    if let Some(bytes) = value.as_bytes()
        && rules.max_bytes.is_some_and(|max| bytes.len() as u64 > max)
    {
        say("TOO_LARGE", "过大".into(), format!("must have at most {} bytes", rules.max_bytes.unwrap_or(0)));
    }
    if let (Some(number), Kind::Enum(kind)) = (value.as_enum_number(), field.kind())
        && rules.defined_only
        && kind.get_value(number).is_none()
    {
        say("UNKNOWN_VALUE", "未知取值".into(), format!("{number} is not a value of {}", kind.name()));
    }
    if let Some(number) = as_number(value) {
        if rules.at_least.is_some_and(|least| number < least) {
            let least = rules.at_least.unwrap_or_default();
            say("TOO_SMALL", format!("不小于 {least}"), format!("must be at least {least}"));
        } else if rules.at_most.is_some_and(|most| number > most) {
            let most = rules.at_most.unwrap_or_default();
            say("TOO_GREAT", format!("不大于 {most}"), format!("must be at most {most}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drumtower_proto::ticketing::{CreateTicketRequest, DispatchTicketRequest, ticket};
    use prost::Message as _;

    fn refused(name: &str, bytes: &[u8]) -> (&'static str, Vec<String>) {
        let descriptor = POOL.get_message_by_name(name).expect("in the contract");
        let refusal = check(&descriptor, bytes).expect_err("refused");
        (refusal.reason(), refusal.fields().iter().map(|(field, _)| field.clone()).collect())
    }

    const CREATE: &str = "drumtower.ticketing.v1.CreateTicketRequest";

    fn good() -> CreateTicketRequest {
        CreateTicketRequest {
            title: "三楼漏水".into(),
            description: "走廊天花板漏水".into(),
            kind: ticket::Kind::Help as i32,
            ..CreateTicketRequest::default()
        }
    }

    #[test]
    fn a_good_request_passes_and_each_rule_refuses() {
        let descriptor = POOL.get_message_by_name(CREATE).expect("in the contract");
        assert_eq!(check(&descriptor, &good().encode_to_vec()), Ok(()));
        let cases: [(&str, &str, CreateTicketRequest); 6] = [
            ("TOO_SHORT", "title", CreateTicketRequest { title: String::new(), ..good() }),
            ("TOO_LONG", "title", CreateTicketRequest { title: "长".repeat(101), ..good() }),
            ("REQUIRED", "kind", CreateTicketRequest { kind: 0, ..good() }),
            ("UNKNOWN_VALUE", "kind", CreateTicketRequest { kind: 99, ..good() }),
            ("NUL_BYTE", "description", CreateTicketRequest { description: "a\0b".into(), ..good() }),
            ("PATTERN", "contact_phone", CreateTicketRequest { contact_phone: "call me".into(), ..good() }),
        ];
        for (reason, field, request) in cases {
            assert_eq!(refused(CREATE, &request.encode_to_vec()), (reason, vec![field.to_owned()]));
        }
    }

    #[test]
    fn unknown_fields_and_garbage_are_refused() {
        let mut bytes = good().encode_to_vec();
        bytes.extend([0xfa, 0x3f, 0x01, b'x']);
        assert_eq!(refused(CREATE, &bytes).0, "UNKNOWN_FIELD");
        assert_eq!(refused(CREATE, &[0xff, 0xff, 0xff]).0, "MALFORMED");
        assert_eq!(refused(CREATE, &[0x0a, 0x02, 0xc3, 0x28]).0, "MALFORMED");
    }

    #[test]
    fn items_are_checked_one_by_one() {
        let unit = uuid::Uuid::now_v7().to_string();
        let request = DispatchTicketRequest {
            ticket_id: unit.clone(),
            lead_unit_id: unit.clone(),
            support_unit_ids: vec![unit.clone(), "x".into(), unit],
            ..DispatchTicketRequest::default()
        };
        let (reason, fields) = refused("drumtower.ticketing.v1.DispatchTicketRequest", &request.encode_to_vec());
        assert_eq!(reason, "DUPLICATE_ITEM");
        assert!(fields.contains(&"support_unit_ids[1]".to_owned()));
    }
}
