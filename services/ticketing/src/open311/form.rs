//! Answers in both of Open311's forms, from one tree.

use drumtower_proto::google::rpc::{HttpHeader, HttpResponse};
use serde_json::{Map, Number, Value};

/// The form that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Json,
    Xml,
}

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Text(String),
    Decimal(f64),
    Whole(i64),
    Flag(bool),
    Nothing,
    /// A list, with what XML calls an item.
    List(&'static str, Vec<Node>),
    Fields(Vec<(&'static str, Node)>),
}

impl Node {
    /// A text, or nothing for an empty one.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Nothing } else { Self::Text(text) }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Decimal(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            Self::Whole(number) => Value::from(*number),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Nothing => Value::Null,
            Self::List(_, items) => Value::Array(items.iter().map(Self::json).collect()),
            Self::Fields(fields) => {
                Value::Object(fields.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect::<Map<_, _>>())
            }
        }
    }

    fn xml(&self, name: &str, out: &mut String) {
        out.push('<');
        out.push_str(name);
        out.push('>');
        match self {
            Self::Text(text) => escape(text, out),
            Self::Decimal(number) => out.push_str(&number.to_string()),
            Self::Whole(number) => out.push_str(&number.to_string()),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Nothing => {}
            Self::List(item, items) => items.iter().for_each(|value| value.xml(item, out)),
            Self::Fields(fields) => fields.iter().for_each(|(name, value)| value.xml(name, out)),
        }
        out.push_str("</");
        out.push_str(name);
        out.push('>');
    }
}

/// Text as XML has it; what XML 1.0 cannot hold is left out.
fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(letter),
            control if control < ' ' || matches!(control, '\u{fffe}' | '\u{ffff}') => {}
            other => out.push(other),
        }
    }
}

/// An answer; `root` is what XML calls it.
pub fn answer(form: Form, status: i32, root: &str, node: &Node) -> HttpResponse {
    let (kind, body) = match form {
        Form::Json => ("application/json; charset=utf-8", node.json().to_string()),
        Form::Xml => {
            let mut xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?>".to_owned();
            node.xml(root, &mut xml);
            ("text/xml; charset=utf-8", xml)
        }
    };
    let headers = vec![HttpHeader { key: "content-type".to_owned(), value: kind.to_owned() }];
    HttpResponse { status, reason: String::new(), headers, body: body.into_bytes() }
}

/// An error, as Open311 has it.
pub fn error(form: Form, status: i32, description: &str) -> HttpResponse {
    let error = Node::Fields(vec![("code", Node::Whole(i64::from(status))), ("description", Node::text(description))]);
    answer(form, status, "errors", &Node::List("error", vec![error]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tree_makes_both_forms() {
        let node =
            Node::List("request", vec![Node::Fields(vec![("lat", Node::Decimal(26.1)), ("status_notes", Node::text("a<b & \u{1}c"))])]);
        let json = answer(Form::Json, 200, "service_requests", &node);
        assert_eq!(String::from_utf8_lossy(&json.body), r#"[{"lat":26.1,"status_notes":"a<b & \u0001c"}]"#);
        let xml = answer(Form::Xml, 200, "service_requests", &node);
        let wanted = "<service_requests><request><lat>26.1</lat><status_notes>a&lt;b &amp; c</status_notes></request></service_requests>";
        assert!(String::from_utf8_lossy(&xml.body).ends_with(wanted));
        let wrong = error(Form::Json, 403, "no key");
        assert_eq!(
            (wrong.status, String::from_utf8_lossy(&wrong.body).into_owned()),
            (403, r#"[{"code":403,"description":"no key"}]"#.to_owned())
        );
    }
}
