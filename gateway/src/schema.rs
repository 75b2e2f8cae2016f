//! JSON schemas of messages, with the limits and the words of the contract.

use std::collections::{BTreeMap, BTreeSet};

use drumtower_runtime::surface::personal;
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

/// Schemas by name, each made once.
#[derive(Debug, Default)]
pub struct Schemas {
    made: BTreeMap<String, Value>,
}

impl Schemas {
    /// All schemas met, and that of errors.
    pub fn done(mut self) -> BTreeMap<String, Value> {
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
    pub fn of(&mut self, message: &MessageDescriptor) -> Value {
        match message.full_name() {
            "google.protobuf.Timestamp" => return json!({ "type": "string", "format": "date-time" }),
            "google.protobuf.FieldMask" => {
                return json!({ "type": "string", "description": "字段名以逗号分隔 Field names, comma-separated" });
            }
            "google.api.HttpBody" => return json!({ "type": "string", "format": "binary" }),
            "google.protobuf.Empty" => return json!({ "type": "object" }),
            _ => {}
        }
        let name = message.full_name().trim_start_matches("drumtower.").to_owned();
        if !self.made.contains_key(&name) {
            // Stands for itself while its own fields are looked at.
            self.made.insert(name.clone(), Value::Null);
            let schema = self.object(message, &BTreeSet::new());
            self.made.insert(name.clone(), schema);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// The schema of a message without some of its fields.
    pub fn object(&mut self, message: &MessageDescriptor, without: &BTreeSet<&str>) -> Value {
        let fields: Vec<FieldDescriptor> = message.fields().filter(|field| !without.contains(field.name())).collect();
        let properties: Map<String, Value> = fields.iter().map(|field| (field.name().to_owned(), self.described(field))).collect();
        let needed: Vec<&str> = fields.iter().filter(|field| is_needed(field)).map(FieldDescriptor::name).collect();
        let words = comment(&message.parent_file(), message.path());
        let mut schema = json!({ "type": "object", "properties": properties });
        if !words.is_empty() {
            schema["description"] = words.into();
        }
        if !needed.is_empty() {
            schema["required"] = needed.into();
        }
        schema
    }

    fn described(&mut self, field: &FieldDescriptor) -> Value {
        let schema = self.field(field);
        let mut comment = comment(&field.parent_file(), field.path());
        if let Kind::Enum(kind) = field.kind() {
            comment = format!("{comment}\n\n{}", values(&kind));
        }
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

    /// The schema of a field.
    pub fn field(&mut self, field: &FieldDescriptor) -> Value {
        if field.is_map() {
            return json!({ "type": "object" });
        }
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
            Kind::Enum(kind) => enumeration(&kind, rules.is_some_and(|rules| value(rules, "required") == Some(Value::Bool(true)))),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Bytes => bytes(rules),
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

/// Bytes are base64: four characters for every three of them.
fn bytes(rules: Option<&DynamicMessage>) -> Value {
    let mut schema = json!({ "type": "string", "contentEncoding": "base64" });
    let most = rules.and_then(|rules| inner(rules, "bytes")).and_then(|rules| value(&rules, "max_len")?.as_u64());
    if let Some(most) = most {
        schema["maxLength"] = (most.div_ceil(3) * 4).into();
    }
    schema
}

/// Names of an enum; the one that says nothing is none where something must be said.
fn enumeration(kind: &EnumDescriptor, is_required: bool) -> Value {
    let names: Vec<String> =
        kind.values().filter(|value| value.number() != 0 || !is_required).map(|value| value.name().to_owned()).collect();
    json!({ "type": "string", "enum": names })
}

/// What the values of an enum mean, a line each.
fn values(kind: &EnumDescriptor) -> String {
    let of_value = |value: prost_reflect::EnumValueDescriptor| format!("{}: {}", value.name(), comment(&kind.parent_file(), value.path()));
    kind.values().filter(|value| value.number() != 0).map(of_value).collect::<Vec<_>>().join("\n")
}

/// Whether the rules refuse a request without the field: it is required, or its default value is out of bounds.
pub fn is_needed(field: &FieldDescriptor) -> bool {
    let Some(rules) = rules(field) else { return false };
    let says = |kind: &str, rule: &str| inner(&rules, kind).and_then(|rules| value(&rules, rule));
    let above_zero = |value: Option<Value>| value.and_then(|value| value.as_f64()).is_some_and(|least| least > 0.0);
    if field.is_list() {
        return above_zero(says("repeated", "min_items"));
    }
    value(&rules, "required") == Some(Value::Bool(true))
        || says("string", "uuid") == Some(Value::Bool(true))
        || above_zero(says("string", "min_len"))
        || ["int32", "int64", "double"].iter().any(|kind| above_zero(says(kind, "gte")))
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
pub fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let found = info.and_then(|info| info.location.iter().find(|location| location.path == path));
    let text = found.map(|location| location.leading_comments().trim().to_owned()).unwrap_or_default();
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}
