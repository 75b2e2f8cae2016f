//! The OpenAPI 3.1 document, made from the descriptors: paths, parameters, schemas with their limits, and the words of the contract.

use std::collections::{BTreeMap, BTreeSet};

use drumtower_runtime::surface::{Who, personal};
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value, json};

use crate::route::{Body, Route, Routes};

/// The document.
pub fn document(routes: &Routes) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut schemas = Schemas::default();
    for route in routes.all() {
        let path = plain(&route.template);
        let operation = operation(route, &mut schemas);
        paths.entry(path).or_default().insert(route.verb.as_str().to_ascii_lowercase(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Drumtower 鼓楼",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "区级园区企业服务平台接口。地址前缀 /t/{区划代码} 或主机名指明所在区；写操作请带 Idempotency-Key。\n\nInterface of a district's enterprise platform. The district is said by the prefix /t/{code} or by host; writes carry an Idempotency-Key.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/t/{district}", "variables": { "district": { "default": "350102", "description": "GB/T 2260 code" } } }],
        "paths": paths,
        "components": {
            "schemas": schemas.done(),
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
        },
    })
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
    let input = method.input();
    let bound: BTreeSet<&str> = route.path_fields().collect();
    let mut parameters: Vec<Value> = bound.iter().map(|path| parameter(&input, path, "path", schemas)).collect();
    if route.body == Body::None || matches!(route.body, Body::Field(_)) {
        let taken = if let Body::Field(name) = &route.body { name.as_str() } else { "" };
        let free = input.fields().filter(|field| !bound.contains(field.name()) && field.name() != taken);
        parameters.extend(free.map(|field| parameter(&input, field.name(), "query", schemas)));
    }
    let mut operation = json!({
        "operationId": method.name(),
        "tags": [method.parent_service().name()],
        "summary": comment_of(method).lines().next().unwrap_or_default(),
        "description": format!("{}\n\n{}", comment_of(method), access(route)),
        "parameters": parameters,
        "responses": {
            "200": { "description": "OK", "content": { "application/json": { "schema": schemas.of(&method.output()) } } },
            "default": { "description": "拒绝或错误 Refusal or error (AIP-193)", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } } },
        },
    });
    if route.method.who != Who::Public {
        operation["security"] = json!([{ "bearer": [] }]);
    }
    let body = match &route.body {
        Body::None => None,
        Body::Whole => Some(schemas.of(&input)),
        Body::Field(name) => input.get_field_by_name(name).and_then(|field| field.kind().as_message().map(|inner| schemas.of(inner))),
    };
    if let Some(schema) = body {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn access(route: &Route) -> String {
    match &route.method.who {
        Who::Public => "公开 Public".to_owned(),
        Who::Authenticated => "需登录 Signed in".to_owned(),
        Who::Permission(permission) => format!("需要权限 Permission `{permission}`"),
        Who::Internal => "内部 Internal".to_owned(),
    }
}

fn parameter(input: &MessageDescriptor, path: &str, place: &str, schemas: &mut Schemas) -> Value {
    let mut names = path.split('.');
    let mut field = names.next().and_then(|name| input.get_field_by_name(name));
    for name in names {
        field = field.and_then(|field| field.kind().as_message().and_then(|inner| inner.get_field_by_name(name)));
    }
    let (schema, description) =
        field.map_or((json!({ "type": "string" }), String::new()), |field| (schemas.field(&field), field_comment(&field)));
    json!({ "name": path, "in": place, "required": place == "path", "schema": schema, "description": description })
}

/// Schemas by name, each made once.
#[derive(Debug, Default)]
struct Schemas {
    made: BTreeMap<String, Value>,
}

impl Schemas {
    fn done(mut self) -> BTreeMap<String, Value> {
        let details = json!({ "type": "array", "items": { "type": "object", "properties": { "@type": { "type": "string" } } } });
        let error = json!({
            "type": "object",
            "properties": { "error": { "type": "object", "properties": {
                "code": { "type": "integer" }, "status": { "type": "string" }, "message": { "type": "string" }, "details": details,
            } } },
        });
        self.made.insert("Error".to_owned(), error);
        self.made
    }

    /// A reference to the schema of a message.
    fn of(&mut self, message: &MessageDescriptor) -> Value {
        match message.full_name() {
            "google.protobuf.Timestamp" => return json!({ "type": "string", "format": "date-time" }),
            "google.protobuf.FieldMask" => {
                return json!({ "type": "string", "description": "字段名以逗号分隔 Field names, comma-separated" });
            }
            "google.protobuf.Empty" => return json!({ "type": "object" }),
            _ => {}
        }
        let name = message.full_name().trim_start_matches("drumtower.").to_owned();
        if !self.made.contains_key(&name) {
            self.made.insert(name.clone(), Value::Null);
            let fields: Map<String, Value> = message.fields().map(|field| (field.name().to_owned(), self.described(&field))).collect();
            let required: Vec<&str> = Vec::new();
            let schema = json!({ "type": "object", "properties": fields, "required": required });
            self.made.insert(name.clone(), schema);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    fn described(&mut self, field: &FieldDescriptor) -> Value {
        let schema = self.field(field);
        let mut comment = field_comment(field);
        if let Some(personal) = personal(field) {
            comment = format!("{comment}\n\n个人信息，默认脱敏 Personal data, masked ({})", personal.kind);
        }
        if schema.get("$ref").is_some() {
            return json!({ "allOf": [schema], "description": comment });
        }
        let mut schema = schema;
        schema["description"] = comment.into();
        schema
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let rules = rules(field);
        let one = |schemas: &mut Self, rules: Option<&DynamicMessage>| schemas.single(field, rules);
        if !field.is_list() {
            return one(self, rules.as_ref());
        }
        let repeated = rules.as_ref().and_then(|rules| inner(rules, "repeated"));
        let items = repeated.as_ref().and_then(|repeated| inner(repeated, "items"));
        let mut schema = json!({ "type": "array", "items": one(self, items.as_ref()) });
        for (rule, key) in [("min_items", "minItems"), ("max_items", "maxItems"), ("unique", "uniqueItems")] {
            if let Some(value) = repeated.as_ref().and_then(|repeated| value(repeated, rule)) {
                schema[key] = value;
            }
        }
        schema
    }

    fn single(&mut self, field: &FieldDescriptor, rules: Option<&DynamicMessage>) -> Value {
        let limits = |kind: &str, pairs: &[(&str, &str)], schema: &mut Value| {
            let Some(of_kind) = rules.and_then(|rules| inner(rules, kind)) else { return };
            for (rule, key) in pairs {
                if let Some(value) = value(&of_kind, rule) {
                    schema[*key] = value;
                }
            }
        };
        match field.kind() {
            Kind::Message(message) => self.of(&message),
            Kind::Enum(kind) => enumeration(&kind),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Double | Kind::Float => {
                let mut schema = json!({ "type": "number" });
                limits("double", &[("gte", "minimum"), ("lte", "maximum")], &mut schema);
                schema
            }
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => json!({ "type": "string", "format": "int64" }),
            Kind::String => {
                let mut schema = json!({ "type": "string" });
                limits("string", &[("min_len", "minLength"), ("max_len", "maxLength"), ("pattern", "pattern")], &mut schema);
                if rules.and_then(|rules| inner(rules, "string")).is_some_and(|rules| value(&rules, "uuid") == Some(Value::Bool(true))) {
                    schema["format"] = "uuid".into();
                }
                schema
            }
            _ => {
                let mut schema = json!({ "type": "integer", "format": "int32" });
                limits("int32", &[("gte", "minimum"), ("lte", "maximum")], &mut schema);
                schema
            }
        }
    }
}

fn enumeration(kind: &EnumDescriptor) -> Value {
    let names: Vec<String> = kind.values().filter(|value| value.number() != 0).map(|value| value.name().to_owned()).collect();
    json!({ "type": "string", "enum": names })
}

fn rules(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let extension = drumtower_proto::POOL.get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    options.has_extension(&extension).then(|| options.get_extension(&extension).as_message().cloned()).flatten()
}

fn inner(message: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    message.has_field_by_name(name).then(|| message.get_field_by_name(name).and_then(|value| value.as_message().cloned())).flatten()
}

fn value(message: &DynamicMessage, name: &str) -> Option<Value> {
    if !message.has_field_by_name(name) {
        return None;
    }
    match message.get_field_by_name(name)?.into_owned() {
        prost_reflect::Value::Bool(value) => Some(value.into()),
        prost_reflect::Value::U64(value) => Some(value.into()),
        prost_reflect::Value::I32(value) => Some(value.into()),
        prost_reflect::Value::I64(value) => Some(value.into()),
        prost_reflect::Value::F64(value) => Some(value.into()),
        prost_reflect::Value::String(value) => Some(value.into()),
        _ => None,
    }
}

/// The leading comment of something in its file.
fn comment(file: &prost_reflect::FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let found = info.and_then(|info| info.location.iter().find(|location| location.path == path));
    let text = found.map(|location| location.leading_comments().trim().to_owned()).unwrap_or_default();
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

fn comment_of(method: &MethodDescriptor) -> String {
    comment(&method.parent_file(), method.path())
}

fn field_comment(field: &FieldDescriptor) -> String {
    comment(&field.parent_file(), field.path())
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
    fn limits_and_words_of_the_contract_are_in_it() {
        let document = document(&Routes::of_contract().expect("valid"));
        let title = &document["components"]["schemas"]["ticketing.v1.CreateTicketRequest"]["properties"]["title"];
        assert_eq!((title["maxLength"].as_i64(), title["description"].as_str()), (Some(100), Some("One line.")));
        let kind = &document["components"]["schemas"]["ticketing.v1.CreateTicketRequest"]["properties"]["kind"];
        assert_eq!(kind["enum"][0], "CONSULT");
        let id = &document["paths"]["/v1/tickets/{ticket_id}"]["get"]["parameters"][0];
        assert_eq!((id["in"].as_str(), id["schema"]["format"].as_str()), (Some("path"), Some("uuid")));
        assert!(
            document["paths"]["/v1/tickets/{ticket_id}:accept"]["post"]["description"]
                .as_str()
                .is_some_and(|text| text.contains("ticket.accept"))
        );
    }
}
