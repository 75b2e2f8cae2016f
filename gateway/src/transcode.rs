//! JSON to messages, straight from the descriptors: path, query and body become a request. The way back is [`crate::write`].

use bytes::Bytes;
use drumtower_runtime::{Kind, Refusal};
use prost::Message as _;
use prost_reflect::{
    DeserializeOptions, DynamicMessage, FieldDescriptor, Kind as FieldKind, MessageDescriptor, ReflectMessage as _, Value,
};

use crate::{
    raw,
    route::{Body, Route, decode},
};

/// How deep JSON may nest.
const MAX_DEPTH: usize = 64;

fn malformed(en: impl Into<String>) -> Refusal {
    Refusal::new(Kind::Invalid, "MALFORMED", "请求格式不正确", en)
}

fn unknown(field: &str) -> Refusal {
    Refusal::invalid(field, "UNKNOWN_FIELD", format!("未知字段 {field}"), format!("{field} is not a field of this request"))
}

/// The message of a request, from its address and its body with the kind that was said of it.
pub fn request(
    route: &Route,
    bound: &[(String, String)],
    query: Option<&str>,
    (kind, body): (Option<&str>, &Bytes),
) -> Result<Bytes, Refusal> {
    let descriptor = route.method.descriptor.input();
    let mut message = match &route.body {
        Body::None if body.is_empty() => DynamicMessage::new(descriptor),
        Body::None => return Err(malformed("this request takes no body")),
        Body::Whole => from_json(&descriptor, body)?,
        Body::Field(name) => {
            let field = descriptor.get_field_by_name(name).ok_or_else(|| unknown(name))?;
            if route.takes_raw { as_it_is(&descriptor, &field, kind, body)? } else { one_field(&descriptor, &field, body)? }
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

/// A message with one field, which holds the body as it is.
fn as_it_is(descriptor: &MessageDescriptor, field: &FieldDescriptor, kind: Option<&str>, body: &Bytes) -> Result<DynamicMessage, Refusal> {
    let mut message = DynamicMessage::new(descriptor.clone());
    if let FieldKind::Message(inner) = field.kind() {
        let inner = DynamicMessage::decode(inner, raw::body(kind, body).as_slice()).map_err(|error| malformed(error.to_string()))?;
        message.set_field(field, Value::Message(inner));
    }
    Ok(message)
}

/// A message with one field, which the body is.
fn one_field(descriptor: &MessageDescriptor, field: &FieldDescriptor, body: &[u8]) -> Result<DynamicMessage, Refusal> {
    let mut message = DynamicMessage::new(descriptor.clone());
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(message);
    }
    match field.kind() {
        FieldKind::Message(inner) if !field.is_list() && !field.is_map() => {
            message.set_field(field, Value::Message(from_json(&inner, body)?));
            Ok(message)
        }
        // Lists, maps and scalars are read as the only field of an object, once it is sure that the body is one whole value.
        _ => {
            serde_json::from_slice::<serde::de::IgnoredAny>(body).map_err(|error| not_json(&error))?;
            from_json(descriptor, &[b"{\"", field.name().as_bytes(), b"\":", body, b"}"].concat())
        }
    }
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
    if let FieldKind::Message(message) = field.kind()
        && is_wrapper(message.full_name())
    {
        let mut wrapper = DynamicMessage::new(message.clone());
        let inner = message.get_field(1)?;
        wrapper.set_field(&inner, scalar(&inner, text)?);
        return Some(Value::Message(wrapper));
    }
    if let FieldKind::Message(message) = field.kind()
        && message.full_name() == "google.protobuf.FieldMask"
    {
        return mask(&message, text);
    }
    let wrapped = if field.is_list() { serde_json::json!({ field.name(): [text] }) } else { serde_json::json!({ field.name(): text }) };
    let mut message = DynamicMessage::deserialize(field.parent_message().clone(), wrapped).ok()?;
    match message.take_field(field)? {
        Value::List(items) => items.into_iter().next(),
        value => Some(value),
    }
}

/// Field names with commas between. The contract's own spelling is taken as well as JSON's, which is the only one the library reads.
fn mask(descriptor: &MessageDescriptor, text: &str) -> Option<Value> {
    let is_name = |path: &str| path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    let snake = |path: &str| {
        path.chars().fold(String::with_capacity(path.len()), |mut snake, letter| {
            if letter.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
            snake
        })
    };
    let paths: Vec<&str> = text.split(',').map(str::trim).filter(|path| !path.is_empty()).collect();
    if !paths.iter().all(|path| is_name(path)) {
        return None;
    }
    let mut message = DynamicMessage::new(descriptor.clone());
    message.set_field(&descriptor.get_field(1)?, Value::List(paths.into_iter().map(|path| Value::String(snake(path))).collect()));
    Some(Value::Message(message))
}

/// Messages that hold one scalar and are written as it.
fn is_wrapper(name: &str) -> bool {
    name.strip_prefix("google.protobuf.")
        .and_then(|name| name.strip_suffix("Value"))
        .is_some_and(|of| matches!(of, "Bool" | "Bytes" | "Double" | "Float" | "Int32" | "Int64" | "String" | "UInt32" | "UInt64"))
}

/// An answer as JSON, or the field of it that is the body.
pub fn answer(route: &Route, bytes: &[u8]) -> Result<Vec<u8>, String> {
    if route.response_body.is_empty() { route.writer.json(bytes) } else { route.writer.field(&route.response_body, bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        route::{Found, Routes},
        samples,
    };
    use drumtower_proto::{
        enterprise::UpdateEnterpriseRequest,
        party::{CreateMeetingRequest, ListObligationsRequest},
        ticketing::{CheckInTicketRequest, CreateTicketRequest, ListTicketsRequest},
    };
    use proptest::prelude::*;

    fn transcode(verb: http::Method, path: &str, body: &str) -> Result<Bytes, Refusal> {
        let routes = Routes::of_contract().expect("valid");
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        match routes.find(&verb, path) {
            Found::Route(route, bound) => request(route, &bound, query, (None, &Bytes::copy_from_slice(body.as_bytes()))),
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
        let bytes = transcode(http::Method::PATCH, "/v1/enterprises/9?update_mask=name,short_name,capitalWan", r#"{"name": "云栈"}"#)
            .expect("transcoded");
        let message = UpdateEnterpriseRequest::decode(bytes).expect("decoded");
        let enterprise = message.enterprise.expect("a company");
        assert_eq!((enterprise.id.as_str(), enterprise.name.as_str()), ("9", "云栈"));
        assert_eq!(message.update_mask.map(|mask| mask.paths), Some(["name", "short_name", "capital_wan"].map(str::to_owned).to_vec()));
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

    /// The made-up message that a request of the made-up contract becomes.
    fn made_up(template: &str, kind: Body, path: &str, body: &str) -> Result<serde_json::Value, Refusal> {
        let mut routes = Routes::default();
        routes.add(samples::method("Change"), http::Method::POST, template, kind, String::new()).expect("a template");
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let Found::Route(route, bound) = routes.find(&http::Method::POST, path) else { panic!("{path}") };
        let bytes = request(route, &bound, query, (None, &Bytes::copy_from_slice(body.as_bytes())))?;
        let message = DynamicMessage::decode(samples::sample(), bytes).expect("decoded");
        Ok(serde_json::to_value(&message).expect("JSON"))
    }

    #[test]
    fn every_kind_of_value_comes_by_query() {
        let query = "a_int64=-5&aUint32=7&a_double=1.5&a_bool=true&a_bytes=AQI%3D&many_bytes=AQ%3D%3D&many_bytes=Ag%3D%3D&a_colour=RED\
            &many_colour=5&many_colour=RED&at=2026-11-24T10:00:00Z&many_at=2026-11-24T10:00:00Z&many_at=2026-11-25T10:00:00%2B08:00\
            &mask=a_bool,inner.aString&flag=true&count=12&note=a%20b&inner.inner.a_string=deep&many_string=x&many_string=";
        let json = made_up("/v1/x", Body::None, &format!("/v1/x?{query}"), "").expect("transcoded");
        let wanted = serde_json::json!({
            "aInt64": "-5", "aUint32": 7, "aDouble": 1.5, "aBool": true, "aBytes": "AQI=", "manyBytes": ["AQ==", "Ag=="],
            "aColour": "RED", "manyColour": ["BLUE", "RED"], "at": "2026-11-24T10:00:00Z",
            "manyAt": ["2026-11-24T10:00:00Z", "2026-11-25T02:00:00Z"], "mask": "aBool,inner.aString", "flag": true, "count": "12",
            "note": "a b", "inner": { "inner": { "aString": "deep" } }, "manyString": ["x", ""],
        });
        assert_eq!(json, wanted);
    }

    #[test]
    fn a_field_of_any_form_can_be_the_body() {
        let body = |field: &str, body: &str| made_up("/v1/{a_string}", Body::Field(field.to_owned()), "/v1/p", body);
        let json = |text: &str| Ok(serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
        assert_eq!(body("many_inner", r#"[{"a_bool": true}, {}]"#), json(r#"{"aString": "p", "manyInner": [{"aBool": true}, {}]}"#));
        assert_eq!(body("many_int32", "[1, 2]"), json(r#"{"aString": "p", "manyInt32": [1, 2]}"#));
        assert_eq!(body("by_name", r#"{"x": 1}"#), json(r#"{"aString": "p", "byName": {"x": 1}}"#));
        assert_eq!(body("a_int32", "5"), json(r#"{"aString": "p", "aInt32": 5}"#));
        assert_eq!(body("a_int32", ""), json(r#"{"aString": "p"}"#));
        for smuggled in [r#"5, "a_bool": true"#, r#"5} {"#, "5 6", "["] {
            assert_eq!(body("a_int32", smuggled).expect_err(smuggled).reason(), "MALFORMED");
        }
    }

    #[test]
    fn paths_bind_nested_fields_and_many_segments() {
        let json = made_up("/v1/{inner.a_string=shelves/*/books/**}:go", Body::Whole, "/v1/shelves/1/books/2/3:go", r#"{"aBool": true}"#);
        let wanted = serde_json::json!({ "aBool": true, "inner": { "aString": "shelves/1/books/2/3" } });
        assert_eq!(json, Ok(wanted));
        let bent = made_up("/v1/{a_int32}", Body::None, "/v1/x", "").expect_err("refused");
        assert_eq!((bent.reason(), bent.fields()[0].0.as_str()), ("NOT_A_VALUE", "a_int32"));
    }

    #[test]
    fn what_no_field_can_take_is_refused_with_its_name() {
        for name in ["nonsense", "inner.nonsense", "a_string.x", "many_inner.a_bool", "by_name.x", "by_name", "inner"] {
            let refusal = made_up("/v1/x", Body::None, &format!("/v1/x?{name}=1"), "").expect_err(name);
            assert_eq!((refusal.kind(), refusal.fields()[0].0.as_str()), (Kind::Invalid, name));
        }
        for pair in ["a_bool=yes", "a_uint32=-1", "a_colour=GREEN", "at=yesterday", "a_bytes=%25", "count=x", "flag=2", "mask=a-b"] {
            let refusal = made_up("/v1/x", Body::None, &format!("/v1/x?{pair}"), "").expect_err(pair);
            assert_eq!(refusal.reason(), "NOT_A_VALUE", "{pair}");
        }
    }

    proptest! {
        /// Whatever arrives at whatever kind of binding, it is transcoded or refused as the caller's fault: never a panic.
        #[test]
        fn no_binding_panics(body in prop_oneof!["\\PC{0,60}", json()], query in "[a-z_.]{0,20}=[^&#]{0,20}", field in 0..43usize) {
            let field = samples::sample().fields().nth(field).expect("a field").name().to_owned();
            for kind in [Body::None, Body::Whole, Body::Field(field.clone())] {
                for path in ["/v1/x".to_owned(), format!("/v1/x?{query}"), format!("/v1/x?{field}={body}"), format!("/v1/x?{field}.{query}")] {
                    if let Err(refusal) = made_up("/v1/{a_string}", kind.clone(), &path, &body) {
                        prop_assert_eq!(refusal.kind(), Kind::Invalid);
                    }
                }
            }
        }

        /// Whatever arrives, it is transcoded or refused: never a panic.
        #[test]
        fn no_body_or_query_panics(body in ".{0,200}", query in ".{0,60}", json in json()) {
            let routes = Routes::of_contract().expect("valid");
            let Found::Route(route, bound) = routes.find(&http::Method::POST, "/v1/tickets") else { panic!("no route") };
            let _either = request(route, &bound, None, (None, &Bytes::from(body)));
            let _either = request(route, &bound, None, (None, &Bytes::from(json)));
            let Found::Route(route, bound) = routes.find(&http::Method::GET, "/v1/tickets") else { panic!("no route") };
            let _either = request(route, &bound, Some(&query), (None, &Bytes::new()));
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
