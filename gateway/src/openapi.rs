//! The OpenAPI 3.1 document, made from the descriptors: paths, parameters, schemas with their limits, and the words of the contract.

use std::collections::{BTreeMap, BTreeSet};

use drumtower_runtime::surface::Who;
use prost_reflect::{Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::{
    raw,
    route::{Body, Route, Routes, field_at},
    schema::{Schemas, comment},
};

/// The document.
pub fn document(routes: &Routes) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut schemas = Schemas::default();
    let mut tags = BTreeMap::new();
    let mut ids = BTreeMap::new();
    for route in routes.all() {
        let service = route.method.descriptor.parent_service();
        tags.entry(service.name().to_owned()).or_insert_with(|| comment(&service.parent_file(), service.path()));
        let mut operation = operation(route, &mut schemas);
        operation["operationId"] = id(route.method.descriptor.name(), &mut ids).into();
        paths.entry(plain(&route.template)).or_default().insert(route.verb.as_str().to_ascii_lowercase(), operation);
    }
    let tags: Vec<Value> = tags.into_iter().map(|(name, description)| json!({ "name": name, "description": description })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Drumtower 鼓楼",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "区级园区企业服务平台接口。地址前缀 /t/{区划代码} 或主机名指明所在区；写操作请带 Idempotency-Key。\n\nInterface of a district's enterprise platform. The district is said by the prefix /t/{code} or by host; writes carry an Idempotency-Key.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/t/{district}", "variables": { "district": { "default": "350102", "description": "GB/T 2260 code" } } }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.done(),
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
        },
    })
}

/// The operation's id: the RPC's name, numbered where a further binding or another service has it already.
fn id(name: &str, ids: &mut BTreeMap<String, u32>) -> String {
    let met = ids.entry(name.to_owned()).or_default();
    *met += 1;
    if *met == 1 { name.to_owned() } else { format!("{name}_{met}") }
}

/// A template with OpenAPI's plain parameters.
fn plain(template: &str) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}').map_or(rest.len(), |close| open + close + 1);
        let field = rest[open + 1..close - 1].split('=').next().unwrap_or_default();
        path.push_str(&rest[..open]);
        path.push('{');
        path.push_str(field);
        path.push('}');
        rest = &rest[close..];
    }
    path + rest
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let method = &route.method.descriptor;
    let words = comment(&method.parent_file(), method.path());
    let mut operation = json!({
        "tags": [method.parent_service().name()],
        "summary": sentence(&words),
        "description": format!("{words}\n\n{}", access(route)),
        "parameters": parameters(route, schemas),
        "responses": {
            "200": { "description": "OK", "content": answer(route, schemas) },
            "default": {
                "description": "拒绝或错误 Refusal or error (AIP-193)",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
            },
        },
    });
    if route.method.who != Who::Public {
        operation["security"] = json!([{ "bearer": [] }]);
    }
    if let Some(schema) = body(route, schemas) {
        let kind = if route.takes_raw { "*/*" } else { "application/json" };
        operation["requestBody"] = json!({ "required": true, "content": { kind: { "schema": schema } } });
    }
    operation
}

/// The first sentence of some words, wherever their lines break.
fn sentence(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.find(". ") {
        Some(end) => line[..=end].to_owned(),
        None => line,
    }
}

fn access(route: &Route) -> String {
    let who = match &route.method.who {
        Who::Public => "公开 Public".to_owned(),
        Who::Authenticated => "需登录 Signed in".to_owned(),
        Who::Permission(permission) => format!("需要权限 {permission} (permission)"),
        Who::Internal => "内部 Internal".to_owned(),
    };
    if route.method.step_up { format!("{who}；需近期登录 recent sign-in") } else { who }
}

/// What the path binds, what the query may bind, and the key of a write.
fn parameters(route: &Route, schemas: &mut Schemas) -> Vec<Value> {
    let input = route.method.descriptor.input();
    let bound: BTreeSet<&str> = route.path_fields().collect();
    let mut parameters: Vec<Value> = bound.iter().map(|path| parameter(&input, path, "path", schemas)).collect();
    let taken = match &route.body {
        Body::Field(name) => Some(name.as_str()),
        Body::None => Some(""),
        Body::Whole => None,
    };
    if let Some(taken) = taken {
        let mut free = Vec::new();
        leaves(&input, "", &mut free, &mut Vec::new());
        let is_of_body = |path: &str| path.split('.').next() == Some(taken);
        let free = free.iter().filter(|path| !bound.contains(path.as_str()) && !is_of_body(path));
        parameters.extend(free.map(|path| parameter(&input, path, "query", schemas)));
    }
    if !route.method.reads {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" },
            "description": "幂等键：同一操作重试时不变 The same for every attempt at one change",
        }));
    }
    parameters
}

/// Paths of the fields that a query can bind. A message inside itself is left out.
fn leaves(message: &MessageDescriptor, at: &str, found: &mut Vec<String>, inside: &mut Vec<String>) {
    for field in message.fields().filter(|field| !field.is_map()) {
        let path = if at.is_empty() { field.name().to_owned() } else { format!("{at}.{}", field.name()) };
        match field.kind() {
            Kind::Message(inner) if !inner.full_name().starts_with("google.protobuf.") => {
                if field.is_list() || inside.iter().any(|name| name == inner.full_name()) {
                    continue;
                }
                inside.push(inner.full_name().to_owned());
                leaves(&inner, &path, found, inside);
                inside.pop();
            }
            _ => found.push(path),
        }
    }
}

fn parameter(input: &MessageDescriptor, path: &str, place: &str, schemas: &mut Schemas) -> Value {
    let (schema, description, is_needed) = match field_at(input, path) {
        Some(field) => (schemas.field(&field), comment(&field.parent_file(), field.path()), crate::schema::is_needed(&field)),
        None => (json!({ "type": "string" }), String::new(), false),
    };
    let required = place == "path" || is_needed && !path.contains('.');
    json!({ "name": path, "in": place, "required": required, "schema": schema, "description": description })
}

/// The body: the message without what the path binds, or one field of it.
fn body(route: &Route, schemas: &mut Schemas) -> Option<Value> {
    let input = route.method.descriptor.input();
    match &route.body {
        Body::None => None,
        Body::Field(name) => input.get_field_by_name(name).map(|field| schemas.field(&field)),
        Body::Whole => {
            let bound: BTreeSet<&str> = route.path_fields().collect();
            Some(if bound.is_empty() { schemas.of(&input) } else { schemas.object(&input, &bound) })
        }
    }
}

fn answer(route: &Route, schemas: &mut Schemas) -> Value {
    let output = route.method.descriptor.output();
    if raw::is_answer(&output) {
        return json!({ "*/*": { "schema": { "type": "string", "format": "binary" } } });
    }
    let schema = match output.get_field_by_name(&route.response_body) {
        Some(field) => schemas.field(&field),
        None => schemas.of(&output),
    };
    if route.method.descriptor.is_server_streaming() {
        return json!({ "application/x-ndjson": { "schema": schema }, "text/event-stream": { "schema": schema } });
    }
    json!({ "application/json": { "schema": schema } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value.as_str()) {
                ("$ref", Some(reference)) => {
                    found.insert(reference.to_owned());
                }
                _ => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_route_is_there() {
        let routes = Routes::of_contract().expect("valid");
        let document = document(&routes);
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 30);
        for reference in found {
            let name = reference.trim_start_matches("#/components/schemas/");
            assert!(document["components"]["schemas"].get(name).is_some_and(Value::is_object), "{reference}");
        }
        for route in routes.all() {
            let verb = route.verb.as_str().to_ascii_lowercase();
            assert!(document["paths"][plain(&route.template)][verb]["operationId"].is_string(), "{}", route.template);
        }
    }

    #[test]
    fn every_rpc_with_a_rule_is_there_once_and_no_internal_one() {
        use drumtower_runtime::surface::SURFACE;
        let http = drumtower_proto::POOL.get_extension_by_name("google.api.http").expect("in the contract");
        let document = document(&Routes::of_contract().expect("valid"));
        let paths = document["paths"].as_object().expect("paths");
        let operations = paths.values().flat_map(|verbs| verbs.as_object().expect("verbs").values());
        let ids: Vec<&str> = operations.clone().filter_map(|operation| operation["operationId"].as_str()).collect();
        for method in SURFACE.methods() {
            let is_shown = ids.iter().filter(|id| **id == method.descriptor.name()).count();
            let wanted = method.who != Who::Internal && method.descriptor.options().has_extension(&http);
            assert_eq!(is_shown, usize::from(wanted), "{}", method.path);
        }
        for operation in operations {
            let named = operation["parameters"].as_array().expect("parameters").iter();
            let names: Vec<(&str, &str)> =
                named.map(|one| (one["name"].as_str().unwrap_or_default(), one["in"].as_str().unwrap_or_default())).collect();
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(!summary.is_empty() && !summary.ends_with([',', ';']), "{}: {summary}", operation["operationId"]);
        }
        assert!(document["tags"].as_array().is_some_and(|tags| tags.iter().all(|tag| tag["description"] != "")));
    }

    #[test]
    fn a_path_names_each_of_its_parameters() {
        let document = document(&Routes::of_contract().expect("valid"));
        for (path, verbs) in document["paths"].as_object().expect("paths") {
            for operation in verbs.as_object().expect("verbs").values() {
                let of_path = operation["parameters"].as_array().expect("parameters").iter().filter(|one| one["in"] == "path");
                let names: Vec<&str> = of_path.filter_map(|one| one["name"].as_str()).collect();
                assert_eq!(names.len(), path.matches('{').count(), "{path}");
                assert!(names.iter().all(|name| path.contains(&format!("{{{name}}}"))), "{path}: {names:?}");
            }
        }
    }

    #[test]
    fn made_up_bindings_are_shown_as_they_are() {
        let mut routes = Routes::default();
        let (change, watch) = (crate::samples::method("Change"), crate::samples::method("Watch"));
        let post = http::Method::POST;
        routes
            .add(change, post.clone(), "/v1/{inner.a_string=x/*}", Body::Field("many_inner".to_owned()), "inner".to_owned())
            .expect("added");
        routes.add(change, post, "/v1/again", Body::Whole, String::new()).expect("added");
        routes.add(watch, http::Method::GET, "/v1/watch", Body::None, String::new()).expect("added");
        let document = document(&routes);
        let first = &document["paths"]["/v1/{inner.a_string}"]["post"];
        assert_eq!(first["requestBody"]["content"]["application/json"]["schema"]["type"], "array");
        assert_eq!(document["paths"]["/v1/again"]["post"]["operationId"], "Change_2");
        let stream = &document["paths"]["/v1/watch"]["get"];
        assert!(stream["responses"]["200"]["content"]["application/x-ndjson"].is_object());
        let names: Vec<&str> = stream["parameters"].as_array().expect("parameters").iter().filter_map(|one| one["name"].as_str()).collect();
        assert!(names.contains(&"inner.many_at") && names.contains(&"mask") && !names.contains(&"by_name"), "{names:?}");
    }

    #[test]
    fn limits_and_words_of_the_contract_are_in_it() {
        let document = document(&Routes::of_contract().expect("valid"));
        let title = &document["components"]["schemas"]["ticketing.v1.CreateTicketRequest"]["properties"]["title"];
        assert_eq!((title["maxLength"].as_i64(), title["description"].as_str()), (Some(100), Some("One line.")));
        let create = &document["components"]["schemas"]["ticketing.v1.CreateTicketRequest"];
        let kind = &create["properties"]["kind"];
        assert_eq!(kind["enum"][0], "CONSULT");
        assert!(kind["description"].as_str().is_some_and(|words| words.contains("CONSULT: 咨询.")), "{kind}");
        assert!(create["required"].as_array().is_some_and(|names| names.contains(&"title".into())), "{create}");
        let accept = &document["paths"]["/v1/tickets/{ticket_id}:accept"]["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert!(accept["properties"]["etag"].is_object() && accept["properties"]["ticket_id"].is_null(), "the path binds the id");
        let id = &document["paths"]["/v1/tickets/{ticket_id}"]["get"]["parameters"][0];
        assert_eq!((id["in"].as_str(), id["schema"]["format"].as_str()), (Some("path"), Some("uuid")));
        assert!(
            document["paths"]["/v1/tickets/{ticket_id}:accept"]["post"]["description"]
                .as_str()
                .is_some_and(|text| text.contains("ticket.accept"))
        );
    }
}
