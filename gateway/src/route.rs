//! Paths: every `google.api.http` rule of the contract in one tree, matched segment by segment with its verb. Written by hand, for a
//! router that takes `{id}` and `{id}:close` apart is rare.

use std::{collections::BTreeMap, sync::Arc};

use drumtower_runtime::surface::{Method, SURFACE, Who};
use http::Method as Verb;
use prost_reflect::{DynamicMessage, ExtensionDescriptor, FieldDescriptor, MessageDescriptor};

use crate::{raw, write::Writer};

/// What of a request goes into the message from the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    None,
    /// Every field that the path does not bind.
    Whole,
    /// One field.
    Field(String),
}

/// One way to reach an RPC over HTTP.
#[derive(Debug)]
pub struct Route {
    /// The RPC.
    pub method: &'static Method,
    /// HTTP method.
    pub verb: Verb,
    /// The template as written.
    pub template: String,
    /// What the body binds.
    pub body: Body,
    /// Field of the answer sent as the body; empty sends the whole message.
    pub response_body: String,
    /// Writes the answers.
    pub writer: Arc<Writer>,
    /// The body is taken as it is, whatever its kind.
    pub takes_raw: bool,
    variables: Vec<Variable>,
}

/// A field bound by the path, and the segments it takes.
#[derive(Debug, PartialEq, Eq)]
struct Variable {
    field: String,
    from: usize,
    /// `None` takes the rest.
    to: Option<usize>,
}

/// One place of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Any,
    Rest,
}

/// The tree of all routes.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<Route>,
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    any: Option<Box<Node>>,
    rest: Vec<End>,
    ends: Vec<End>,
}

#[derive(Debug, Clone)]
struct End {
    method: Verb,
    verb: String,
    route: usize,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found<'a> {
    /// A route, with the fields its path binds.
    Route(&'a Route, Vec<(String, String)>),
    /// A path of the contract, with the methods it takes.
    OtherMethod(Vec<String>),
    /// Nothing.
    Nothing,
}

impl Routes {
    /// Every route of the contract; internal RPCs have none.
    pub fn of_contract() -> Result<Self, String> {
        let http = drumtower_proto::POOL.get_extension_by_name("google.api.http").ok_or("google.api.http is not in the contract")?;
        let mut methods: Vec<&'static Method> = SURFACE.methods().filter(|method| method.who != Who::Internal).collect();
        methods.sort_by(|a, b| a.path.cmp(&b.path));
        let mut routes = Self::default();
        for method in methods {
            routes.add_rules(method, &http)?;
        }
        Ok(routes)
    }

    fn add_rules(&mut self, method: &'static Method, http: &ExtensionDescriptor) -> Result<(), String> {
        let options = method.descriptor.options();
        if !options.has_extension(http) {
            return Ok(());
        }
        let rule = options.get_extension(http);
        let rule = rule.as_message().ok_or("google.api.http is not a message")?;
        self.add_rule(method, rule)?;
        let more = rule.get_field_by_name("additional_bindings");
        for rule in more.iter().filter_map(|more| more.as_list()).flatten().filter_map(|rule| rule.as_message()) {
            self.add_rule(method, rule)?;
        }
        Ok(())
    }

    fn add_rule(&mut self, method: &'static Method, rule: &DynamicMessage) -> Result<(), String> {
        let text = |name: &str| rule.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let verbs = [("get", Verb::GET), ("put", Verb::PUT), ("post", Verb::POST), ("delete", Verb::DELETE), ("patch", Verb::PATCH)];
        let found = verbs.into_iter().find(|(name, _)| rule.has_field_by_name(name));
        let (name, verb) = found.ok_or_else(|| format!("{}: no HTTP method", method.path))?;
        let body = match text("body").as_str() {
            "" => Body::None,
            "*" => Body::Whole,
            field => Body::Field(field.to_owned()),
        };
        self.add(method, verb, &text(name), body, text("response_body"))?;
        self.routes.last().map_or(Ok(()), Route::check)
    }

    /// Adds one way to an RPC.
    pub fn add(&mut self, method: &'static Method, verb: Verb, template: &str, body: Body, response_body: String) -> Result<(), String> {
        let (segments, variables, action) = parse(template)?;
        let route = self.routes.len();
        let mut node = &mut self.root;
        let mut rest = false;
        for segment in segments {
            match segment {
                Segment::Literal(text) => node = node.literals.entry(text).or_default(),
                Segment::Any => node = node.any.get_or_insert_default(),
                Segment::Rest => rest = true,
            }
        }
        let ends = if rest { &mut node.rest } else { &mut node.ends };
        if ends.iter().any(|end| end.method == verb && end.verb == action) {
            return Err(format!("{verb} {template} leads to two RPCs"));
        }
        ends.push(End { method: verb.clone(), verb: action, route });
        let writer = Arc::new(Writer::new(method.descriptor.output()));
        let takes_raw = match &body {
            Body::Field(name) => method.descriptor.input().get_field_by_name(name).is_some_and(|field| raw::is_body(&field)),
            Body::None | Body::Whole => false,
        };
        self.routes.push(Route { method, verb, template: template.to_owned(), body, response_body, writer, takes_raw, variables });
        Ok(())
    }

    /// All routes.
    pub fn all(&self) -> &[Route] {
        &self.routes
    }

    /// What a path leads to. The path is as it came; segments are decoded one by one.
    pub fn find(&self, method: &Verb, path: &str) -> Found<'_> {
        let Some(path) = path.strip_prefix('/') else { return Found::Nothing };
        let (path, action) = match path.rfind(':').filter(|colon| *colon > path.rfind('/').unwrap_or(0)) {
            Some(colon) => (&path[..colon], &path[colon + 1..]),
            None => (path, ""),
        };
        let segments: Vec<&str> = path.split('/').collect();
        let mut ends = Vec::new();
        collect(&self.root, &segments, &mut ends);
        let of_verb: Vec<&End> = ends.into_iter().filter(|end| end.verb == action).collect();
        if of_verb.is_empty() {
            return Found::Nothing;
        }
        let Some(end) = of_verb.iter().find(|end| end.method == *method) else {
            return Found::OtherMethod(of_verb.iter().map(|end| end.method.to_string()).collect());
        };
        let route = &self.routes[end.route];
        let Some(bound) = route.bind(&segments) else { return Found::Nothing };
        Found::Route(route, bound)
    }
}

/// Every end that the segments lead to, the most literal first.
fn collect<'a>(node: &'a Node, segments: &[&str], ends: &mut Vec<&'a End>) {
    let Some((first, others)) = segments.split_first() else {
        ends.extend(&node.ends);
        ends.extend(&node.rest);
        return;
    };
    if let Some(next) = node.literals.get(*first) {
        collect(next, others, ends);
    }
    if let Some(next) = node.any.as_deref().filter(|_| !first.is_empty()) {
        collect(next, others, ends);
    }
    ends.extend(&node.rest);
}

impl Route {
    /// The fields that the path binds, decoded; `None` when a segment is not valid percent-encoded UTF-8.
    fn bind(&self, segments: &[&str]) -> Option<Vec<(String, String)>> {
        let mut bound = Vec::with_capacity(self.variables.len());
        for variable in &self.variables {
            let of_variable = &segments[variable.from..variable.to.unwrap_or(segments.len())];
            let decoded: Option<Vec<String>> = of_variable.iter().map(|segment| decode(segment)).collect();
            bound.push((variable.field.clone(), decoded?.join("/")));
        }
        Some(bound)
    }

    /// Whether the fields it names are there.
    fn check(&self) -> Result<(), String> {
        let (input, output) = (self.method.descriptor.input(), self.method.descriptor.output());
        let of_path = self.path_fields().map(|path| field_at(&input, path).filter(|field| !field.is_list()));
        let of_body = match &self.body {
            Body::Field(name) => Some(input.get_field_by_name(name)),
            Body::None | Body::Whole => None,
        };
        let of_answer = (!self.response_body.is_empty()).then(|| output.get_field_by_name(&self.response_body));
        let all_there = of_path.chain(of_body).chain(of_answer).all(|field| field.is_some());
        if all_there { Ok(()) } else { Err(format!("{}: {} names a field that is not there", self.method.path, self.template)) }
    }

    /// Fields that the path binds.
    pub fn path_fields(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.field.as_str())
    }
}

/// The field at a path like `enterprise.id`.
pub fn field_at(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    match path.split_once('.') {
        None => message.get_field_by_name(path),
        Some((first, rest)) => field_at(message.get_field_by_name(first)?.kind().as_message()?, rest),
    }
}

/// Decodes percent-encoding.
pub fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Reads a template: `/v1/a/{b}/{c=x/*/y/**}:verb`.
fn parse(template: &str) -> Result<(Vec<Segment>, Vec<Variable>, String), String> {
    let bad = || format!("{template} is not a path template");
    let path = template.strip_prefix('/').ok_or_else(bad)?;
    let after_brace = path.rfind('}').unwrap_or(0);
    let (path, action) = match path[after_brace..].rfind(':') {
        Some(colon) => (&path[..after_brace + colon], &path[after_brace + colon + 1..]),
        None => (path, ""),
    };
    let (mut segments, mut variables) = (Vec::new(), Vec::new());
    let mut rest = path;
    while !rest.is_empty() {
        let from = segments.len();
        let end = if rest.starts_with('{') { rest.find('}').ok_or_else(bad)? + 1 } else { rest.find('/').unwrap_or(rest.len()) };
        let (segment, after) = rest.split_at(end);
        match segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
            None if segment.is_empty() => return Err(bad()),
            None => segments.push(Segment::Literal(segment.to_owned())),
            Some(inner) => {
                let (field, pattern) = inner.split_once('=').unwrap_or((inner, "*"));
                for part in pattern.split('/') {
                    segments.push(match part {
                        "*" => Segment::Any,
                        "**" => Segment::Rest,
                        literal => Segment::Literal(literal.to_owned()),
                    });
                }
                let to = (segments.last() != Some(&Segment::Rest)).then_some(segments.len());
                variables.push(Variable { field: field.to_owned(), from, to });
            }
        }
        rest = match after.strip_prefix('/') {
            Some(next) if !next.is_empty() => next,
            None if after.is_empty() => "",
            _ => return Err(bad()),
        };
    }
    if segments[..segments.len().saturating_sub(1)].contains(&Segment::Rest) {
        return Err(bad());
    }
    Ok((segments, variables, action.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(routes: &Routes, verb: Verb, path: &str) -> String {
        match routes.find(&verb, path) {
            Found::Route(route, bound) => {
                let bound: Vec<String> = bound.into_iter().map(|(field, value)| format!("{field}={value}")).collect();
                format!("{} {}", route.method.descriptor.name(), bound.join(" ")).trim_end().to_owned()
            }
            Found::OtherMethod(methods) => format!("405 {}", methods.join(",")),
            Found::Nothing => "404".to_owned(),
        }
    }

    #[test]
    fn the_contracts_paths_lead_where_they_say() {
        let routes = Routes::of_contract().expect("valid");
        let cases = [
            (Verb::POST, "/v1/sessions", "CreateSession"),
            (Verb::POST, "/v1/sessions:refresh", "RefreshSession"),
            (Verb::DELETE, "/v1/sessions/current", "DeleteSession"),
            (Verb::GET, "/v1/users/me", "GetMe"),
            (Verb::GET, "/v1/users/abc", "GetUser user_id=abc"),
            (Verb::GET, "/v1/tickets/a%2Fb/events", "ListTicketEvents ticket_id=a/b"),
            (Verb::POST, "/v1/tickets/7:checkIn", "CheckInTicket ticket_id=7"),
            (Verb::PATCH, "/v1/enterprises/9", "UpdateEnterprise enterprise.id=9"),
            (Verb::PUT, "/v1/tickets/7", "405 GET"),
            (Verb::POST, "/v1/tickets/7:explode", "404"),
            (Verb::GET, "/v1/tickets/", "404"),
            (Verb::GET, "/v1/tickets//events", "404"),
            (Verb::GET, "/v1/tickets/%ff", "404"),
            (Verb::GET, "/v2/tickets", "404"),
            (Verb::GET, "", "404"),
        ];
        for (verb, path, wanted) in cases {
            assert_eq!(leads(&routes, verb, path), wanted, "{path}");
        }
    }

    #[test]
    fn templates_of_every_form_are_read_and_bent_ones_refused() {
        let any = SURFACE.methods().next().expect("a method");
        let mut routes = Routes::default();
        for template in ["/v1/{name=shelves/*/books/*}", "/v1/{rest=files/**}", "/v1/{a.b}/x:go"] {
            routes.add(any, Verb::GET, template, Body::None, String::new()).expect(template);
        }
        let bound = |path: &str| match routes.find(&Verb::GET, path) {
            Found::Route(_, bound) => bound,
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(bound("/v1/shelves/1/books/2"), [("name".to_owned(), "shelves/1/books/2".to_owned())]);
        assert_eq!(bound("/v1/files/a/b/c"), [("rest".to_owned(), "files/a/b/c".to_owned())]);
        assert_eq!(bound("/v1/q/x:go"), [("a.b".to_owned(), "q".to_owned())]);
        for bent in ["v1/x", "/v1/{a", "/v1/{a=**}/b", "/v1//x", "/v1/{a}b"] {
            assert!(parse(bent).is_err(), "{bent}");
        }
        let change = crate::samples::method("Change");
        for (template, body, answer, good) in [
            ("/v1/{inner.a_string}", "*", "", true),
            ("/v1/{a_string}", "many_inner", "inner", true),
            ("/v1/{nonsense}", "*", "", false),
            ("/v1/{inner.nonsense}", "*", "", false),
            ("/v1/{many_string}", "*", "", false),
            ("/v1/x", "nonsense", "", false),
            ("/v1/x", "*", "nonsense", false),
        ] {
            let body = if body == "*" { Body::Whole } else { Body::Field(body.to_owned()) };
            let mut routes = Routes::default();
            routes.add(change, Verb::POST, template, body, answer.to_owned()).expect("a template");
            assert_eq!(routes.all()[0].check().is_ok(), good, "{template}");
        }
        assert!(routes.add(any, Verb::GET, "/v1/{other=shelves/*/books/*}", Body::None, String::new()).is_err(), "two RPCs on one path");
    }
}
