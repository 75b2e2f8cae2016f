//! JSON to messages and back, straight from the descriptors: path, query and body into a request, an answer into JSON.

use bytes::Bytes;
use drumtower_runtime::{Kind, Refusal};
use prost::Message as _;
use prost_reflect::{
    DeserializeOptions, DynamicMessage, FieldDescriptor, Kind as FieldKind, MessageDescriptor, ReflectMessage as _, SerializeOptions, Value,
};

use crate::route::{Body, Route, decode};

/// How deep JSON may nest.
const MAX_DEPTH: usize = 64;

fn malformed(en: impl Into<String>) -> Refusal {
    Refusal::new(Kind::Invalid, "MALFORMED", "请求格式不正确", en)
}

fn unknown(field: &str) -> Refusal {
    Refusal::invalid(field, "UNKNOWN_FIELD", format!("未知字段 {field}"), format!("{field} is not a field of this request"))
}

/// The message of a request.
pub fn request(route: &Route, bound: &[(String, String)], query: Option<&str>, body: &Bytes) -> Result<Bytes, Refusal> {
    let descriptor = route.method.descriptor.input();
    let mut message = match &route.body {
        Body::None if body.is_empty() => DynamicMessage::new(descriptor),
        Body::None => return Err(malformed("this request takes no body")),
        Body::Whole => from_json(&descriptor, body)?,
        Body::Field(name) => {
            let mut message = DynamicMessage::new(descriptor.clone());
            let field = descriptor.get_field_by_name(name).ok_or_else(|| unknown(name))?;
            if let FieldKind::Message(inner) = field.kind() {
                message.set_field(&field, Value::Message(from_json(&inner, body)?));
            }
            message
        }
    };
    for (path, value) in pairs(query)? {
        let bound_otherwise = match &route.body {
            Body::Whole => true,
            Body::Field(name) => path == *name || path.starts_with(&format!("{name}.")),
            Body::None => false,
        };
        if bound_otherwise || route.path_fields().any(|field| field == path) {
            return Err(unknown(&path));
        }
        set(&mut message, &path, &value, true)?;
    }
    for (path, value) in bound {
        set(&mut message, path, value, false)?;
    }
    Ok(Bytes::from(message.encode_to_vec()))
}

/// A JSON body as a message. An empty body is an empty object.
fn from_json(descriptor: &MessageDescriptor, body: &[u8]) -> Result<DynamicMessage, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(DynamicMessage::new(descriptor.clone()));
    }
    let text = std::str::from_utf8(body).map_err(|_| malformed("the body is not UTF-8"))?;
    if depth(text) > MAX_DEPTH {
        return Err(malformed(format!("the body nests deeper than {MAX_DEPTH}")));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let message = DynamicMessage::deserialize_with_options(descriptor.clone(), &mut reader, &options).map_err(|error| not_json(&error))?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(message)
}

/// What is wrong with a body, with the field when it is an unknown one.
fn not_json(error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    match text.split('\'').nth(1).filter(|_| text.starts_with("unrecognized field")) {
        Some(field) => unknown(field),
        None => malformed(text),
    }
}

/// How deep brackets nest, outside of texts.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut inside, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The parameters of a query, decoded.
fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, Refusal> {
    let plain = |text: &str| decode(&text.replace('+', " ")).ok_or_else(|| malformed("the query is not percent-encoded UTF-8"));
    query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((plain(name)?, plain(value)?))
        })
        .collect()
}

/// Sets a field by its path from text; a repeated field takes one more item.
fn set(message: &mut DynamicMessage, path: &str, text: &str, from_query: bool) -> Result<(), Refusal> {
    let mut at = message;
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let descriptor = at.descriptor();
        let field = descriptor.get_field_by_name(name).or_else(|| descriptor.get_field_by_json_name(name)).ok_or_else(|| unknown(path))?;
        if names.peek().is_some() {
            if field.is_list() || field.is_map() {
                return Err(unknown(path));
            }
            at = at.get_field_mut(&field).as_message_mut().ok_or_else(|| unknown(path))?;
            continue;
        }
        if field.is_map() || (field.is_list() && !from_query) {
            return Err(unknown(path));
        }
        let value = scalar(&field, text).ok_or_else(|| {
            Refusal::invalid(path, "NOT_A_VALUE", format!("{path} 的取值不正确"), format!("`{text}` is not a value of {path}"))
        })?;
        if field.is_list() {
            if let Value::List(items) = at.get_field_mut(&field) {
                items.push(value);
            }
        } else {
            at.set_field(&field, value);
        }
    }
    Ok(())
}

/// A value from text.
fn scalar(field: &FieldDescriptor, text: &str) -> Option<Value> {
    Some(match field.kind() {
        FieldKind::String => Value::String(text.to_owned()),
        FieldKind::Bool => Value::Bool(text.parse().ok()?),
        FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => Value::I32(text.parse().ok()?),
        FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => Value::I64(text.parse().ok()?),
        FieldKind::Uint32 | FieldKind::Fixed32 => Value::U32(text.parse().ok()?),
        FieldKind::Uint64 | FieldKind::Fixed64 => Value::U64(text.parse().ok()?),
        FieldKind::Float => Value::F32(text.parse().ok()?),
        FieldKind::Double => Value::F64(text.parse().ok()?),
        FieldKind::Enum(kind) => {
            let by_name = kind.get_value_by_name(text).map(|value| value.number());
            Value::EnumNumber(by_name.or_else(|| text.parse().ok())?)
        }
        // Times, masks, wrappers and bytes have one text form, the one they have in JSON.
        FieldKind::Bytes | FieldKind::Message(_) => in_json(field, text)?,
    })
}

fn in_json(field: &FieldDescriptor, text: &str) -> Option<Value> {
    let wrapped = serde_json::json!({ field.name(): text });
    let parent = field.parent_message().clone();
    let mut message = DynamicMessage::deserialize(parent, wrapped).ok()?;
    message.take_field(field)
}

/// An answer as JSON, with the contract's field names.
pub fn answer(route: &Route, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let message = DynamicMessage::decode(route.method.descriptor.output(), bytes).map_err(|error| error.to_string())?;
    if route.response_body.is_empty() {
        return to_json(&message);
    }
    let field = message.descriptor().get_field_by_name(&route.response_body).ok_or("no such field of the answer")?;
    match message.get_field(&field).as_message() {
        Some(inner) => to_json(inner),
        None => Err("only a message can be the body of an answer".to_owned()),
    }
}

/// A message as JSON.
pub fn to_json(message: &DynamicMessage) -> Result<Vec<u8>, String> {
    let mut json = Vec::with_capacity(512);
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options).map_err(|error| error.to_string())?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Found, Routes};
    use drumtower_proto::{
        enterprise::UpdateEnterpriseRequest,
        party::{CreateMeetingRequest, ListObligationsRequest},
        ticketing::{CheckInTicketRequest, CreateTicketRequest, ListTicketsRequest, ticket},
    };
    use proptest::prelude::*;

    fn transcode(verb: http::Method, path: &str, body: &str) -> Result<Bytes, Refusal> {
        let routes = Routes::of_contract().expect("valid");
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        match routes.find(&verb, path) {
            Found::Route(route, bound) => request(route, &bound, query, &Bytes::copy_from_slice(body.as_bytes())),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn a_whole_body_with_path_binds_both() {
        let body = r#"{"latitude": 26.1, "longitude": 119.2, "deviceTime": "2026-11-24T10:00:00Z"}"#;
        let bytes = transcode(http::Method::POST, "/v1/tickets/7:checkIn", body).expect("transcoded");
        let message = CheckInTicketRequest::decode(bytes).expect("decoded");
        assert_eq!((message.ticket_id.as_str(), message.latitude), ("7", 26.1));
        assert_eq!(message.device_time.map(|at| at.seconds), Some(1_795_514_400));
    }

    #[test]
    fn a_query_binds_scalars_enums_and_text() {
        let bytes = transcode(http::Method::GET, "/v1/tickets?filter=state+%3D+%22HANDLING%22&page_size=5", "").expect("transcoded");
        let message = ListTicketsRequest::decode(bytes).expect("decoded");
        assert_eq!((message.filter.as_str(), message.page_size), ("state = \"HANDLING\"", 5));
        let bytes = transcode(http::Method::GET, "/v1/obligations?state=OVERDUE&pageSize=3", "").expect("transcoded");
        let message = ListObligationsRequest::decode(bytes).expect("decoded");
        assert_eq!((message.state, message.page_size), (3, 3));
    }

    #[test]
    fn a_field_body_binds_that_field_and_the_mask_comes_by_query() {
        let bytes = transcode(http::Method::PATCH, "/v1/enterprises/9?update_mask=name,status", r#"{"name": "云栈"}"#).expect("transcoded");
        let message = UpdateEnterpriseRequest::decode(bytes).expect("decoded");
        let enterprise = message.enterprise.expect("a company");
        assert_eq!((enterprise.id.as_str(), enterprise.name.as_str()), ("9", "云栈"));
        assert_eq!(message.update_mask.map(|mask| mask.paths), Some(vec!["name".to_owned(), "status".to_owned()]));
    }

    #[test]
    fn repeated_enums_are_read_by_name() {
        let body = r#"{"kinds": ["MEMBERS", "LECTURE"], "held_at": "2026-03-01T09:00:00+08:00"}"#;
        let bytes = transcode(http::Method::POST, "/v1/organisations/5/meetings", body).expect("transcoded");
        assert_eq!(CreateMeetingRequest::decode(bytes).expect("decoded").kinds, [1, 5]);
    }

    #[test]
    fn bad_input_is_refused_with_what_is_wrong() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let cases = [
            (http::Method::POST, "/v1/tickets", r#"{"titel": "x"}"#, "UNKNOWN_FIELD"),
            (http::Method::POST, "/v1/tickets", r#"{"title": 5}"#, "MALFORMED"),
            (http::Method::POST, "/v1/tickets", r#"{"title": "x"} x"#, "MALFORMED"),
            (http::Method::POST, "/v1/tickets", r#"{"title": "x""#, "MALFORMED"),
            (http::Method::POST, "/v1/tickets", deep.as_str(), "MALFORMED"),
            (http::Method::POST, "/v1/tickets?title=x", "{}", "UNKNOWN_FIELD"),
            (http::Method::GET, "/v1/tickets", "{}", "MALFORMED"),
            (http::Method::GET, "/v1/tickets?nonsense=1", "", "UNKNOWN_FIELD"),
            (http::Method::GET, "/v1/tickets?page_size=many", "", "NOT_A_VALUE"),
            (http::Method::GET, "/v1/tickets?filter=%ff", "", "MALFORMED"),
            (http::Method::GET, "/v1/tickets/7?ticket_id=8", "", "UNKNOWN_FIELD"),
        ];
        for (verb, path, body, reason) in cases {
            assert_eq!(transcode(verb, path, body).expect_err(body).reason(), reason, "{path} {body}");
        }
    }

    #[test]
    fn answers_carry_the_contracts_names_and_default_values() {
        let routes = Routes::of_contract().expect("valid");
        let Found::Route(route, _) = routes.find(&http::Method::GET, "/v1/tickets/7") else { panic!("no route") };
        let ticket = drumtower_proto::ticketing::Ticket { state: ticket::State::Handling as i32, return_count: 2, ..Default::default() };
        let json: serde_json::Value = serde_json::from_slice(&answer(route, &ticket.encode_to_vec()).expect("JSON")).expect("valid");
        assert_eq!((json["state"].as_str(), json["return_count"].as_i64(), json["score"].as_i64()), (Some("HANDLING"), Some(2), Some(0)));
        assert!(json.get("due_at").is_none_or(serde_json::Value::is_null));
    }

    proptest! {
        /// Whatever arrives, it is transcoded or refused: never a panic.
        #[test]
        fn no_body_or_query_panics(body in ".{0,200}", query in ".{0,60}", json in json()) {
            let routes = Routes::of_contract().expect("valid");
            let Found::Route(route, bound) = routes.find(&http::Method::POST, "/v1/tickets") else { panic!("no route") };
            let _either = request(route, &bound, None, &Bytes::from(body));
            let _either = request(route, &bound, None, &Bytes::from(json));
            let Found::Route(route, bound) = routes.find(&http::Method::GET, "/v1/tickets") else { panic!("no route") };
            let _either = request(route, &bound, Some(&query), &Bytes::new());
        }

        #[test]
        fn what_is_written_is_read_back(title in "\\PC{0,50}", danger in any::<bool>()) {
            let body = serde_json::json!({ "title": title, "danger": danger }).to_string();
            let bytes = transcode(http::Method::POST, "/v1/tickets", &body).expect("transcoded");
            let message = CreateTicketRequest::decode(bytes).expect("decoded");
            prop_assert_eq!((message.title, message.danger), (title, danger));
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let field = prop_oneof![Just("title"), Just("kind"), Just("danger"), Just("enterprise_id"), Just("x")];
        let value = prop_oneof![
            Just("null"),
            Just("1"),
            Just("-1e999"),
            Just("\"\\u0000\""),
            Just("[]"),
            Just("{}"),
            Just("true"),
            Just("\"HELP\"")
        ];
        proptest::collection::vec((field, value), 0..6).prop_map(|pairs| {
            let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", pairs.join(","))
        })
    }
}
