//! Calls any RPC of the contract by its descriptor, with requests made from the contract's own rules.

use drumtower_proto::POOL;
use drumtower_runtime::surface::{Method, reference};
use prost::Message as _;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use regex::Regex;
use tonic::{
    Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{MetadataMap, MetadataValue},
    transport::Channel,
};

/// Messages as bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Calls an RPC with a message and metadata.
pub async fn call(
    channel: &Channel,
    method: &Method,
    message: &DynamicMessage,
    metadata: &[(&'static str, String)],
) -> Result<Bytes, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(64 * 1024 * 1024);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(Bytes::from(message.encode_to_vec()));
    *request.metadata_mut() = MetadataMap::new();
    for (name, value) in metadata {
        if let Ok(value) = MetadataValue::try_from(value) {
            request.metadata_mut().insert(*name, value);
        }
    }
    let path = method.path.parse().map_err(|_| Status::internal("a path of the contract"))?;
    grpc.unary(request, path, Raw).await.map(tonic::Response::into_inner)
}

/// A field that names a row, by its path from the request, with the kind of row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Fields from the request down.
    pub path: Vec<FieldDescriptor>,
    /// Kind of row.
    pub kind: String,
}

/// Every field of a request that names a row.
pub fn references(message: &MessageDescriptor) -> Vec<Reference> {
    let mut found = Vec::new();
    walk(message, &mut Vec::new(), &mut found);
    found
}

fn walk(message: &MessageDescriptor, at: &mut Vec<FieldDescriptor>, found: &mut Vec<Reference>) {
    for field in message.fields() {
        at.push(field.clone());
        if let Some(kind) = reference(&field) {
            found.push(Reference { path: at.clone(), kind });
        } else if let Kind::Message(inner) = field.kind()
            && inner.full_name().starts_with("drumtower.")
            && at.len() < 4
        {
            walk(&inner, at, found);
        }
        at.pop();
    }
}

/// Sets the id that a reference names.
pub fn set(message: &mut DynamicMessage, path: &[FieldDescriptor], id: &str) {
    let Some((field, deeper)) = path.split_first() else { return };
    let value = message.get_field_mut(field);
    match (deeper.is_empty(), value) {
        (true, Value::List(items)) => *items = vec![Value::String(id.to_owned())],
        (true, value) => *value = Value::String(id.to_owned()),
        (false, Value::Message(inner)) => set(inner, deeper, id),
        (false, Value::List(items)) => {
            if items.is_empty()
                && let Kind::Message(inner) = field.kind()
            {
                items.push(Value::Message(fabricate(&inner)));
            }
            for inner in items.iter_mut().filter_map(Value::as_message_mut) {
                set(inner, deeper, id);
            }
        }
        _ => {}
    }
}

/// A request that the contract's rules let through; ids are left for the caller.
pub fn fabricate(message: &MessageDescriptor) -> DynamicMessage {
    let mut made = DynamicMessage::new(message.clone());
    for field in message.fields() {
        if reference(&field).is_some() {
            continue;
        }
        let rules = rules(&field);
        if field.is_list() {
            let wanted =
                rules.as_ref().and_then(|rules| inner(rules, "repeated")).and_then(|rules| number(&rules, "min_items")).unwrap_or(0);
            if wanted > 0 {
                made.set_field(&field, Value::List(vec![value(&field, None)]));
            }
            continue;
        }
        let required =
            rules.as_ref().is_some_and(|rules| rules.get_field_by_name("required").and_then(|value| value.as_bool()) == Some(true));
        match field.kind() {
            Kind::Message(inner) if inner.full_name() == "google.protobuf.FieldMask" => {
                let mut mask = DynamicMessage::new(inner);
                mask.set_field_by_name("paths", Value::List(vec![Value::String("short_name".to_owned())]));
                made.set_field(&field, Value::Message(mask));
            }
            Kind::Message(_) if !required => {}
            Kind::Enum(_) | Kind::String | Kind::Message(_) => made.set_field(&field, value(&field, rules.as_ref())),
            Kind::Int32 | Kind::Int64 | Kind::Double => {
                let least = rules.as_ref().and_then(least).unwrap_or(0.0);
                if least > 0.0 {
                    #[expect(clippy::cast_possible_truncation, reason = "lower bounds of the contract are small")]
                    made.set_field(&field, if field.kind() == Kind::Int32 { Value::I32(least as i32) } else { Value::I64(least as i64) });
                }
            }
            _ => {}
        }
    }
    made
}

fn value(field: &FieldDescriptor, rules: Option<&DynamicMessage>) -> Value {
    match field.kind() {
        Kind::Enum(kind) => Value::EnumNumber(kind.values().map(|value| value.number()).find(|number| *number != 0).unwrap_or(0)),
        Kind::Message(inner) if inner.full_name() == "google.protobuf.Timestamp" => {
            let mut at = DynamicMessage::new(inner);
            at.set_field_by_name("seconds", Value::I64(1_767_225_600));
            Value::Message(at)
        }
        Kind::Message(inner) => Value::Message(fabricate(&inner)),
        Kind::String => Value::String(rules.map(text).unwrap_or_default()),
        _ => Value::default_value_for_field(field),
    }
}

/// A text that a field's rules let through.
fn text(rules: &DynamicMessage) -> String {
    let Some(rules) = inner(rules, "string") else { return String::new() };
    if let Some(pattern) =
        rules.get_field_by_name("pattern").and_then(|value| value.as_str().map(str::to_owned)).filter(|pattern| !pattern.is_empty())
    {
        let unique = uuid::Uuid::now_v7().simple().to_string();
        let candidates = ["", "identity", "2026-01-05", "20260105-0001", "19900001234", &unique[20..], "350102"];
        let pattern = Regex::new(&pattern).expect("a pattern of the contract");
        return candidates
            .iter()
            .find(|candidate| pattern.is_match(candidate))
            .map(|candidate| (*candidate).to_owned())
            .unwrap_or_default();
    }
    let least = usize::try_from(number(&rules, "min_len").unwrap_or(0)).unwrap_or(0);
    if least == 0 { String::new() } else { format!("Aa1-{}", "x".repeat(least)) }
}

fn rules(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let extension = POOL.get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    options.has_extension(&extension).then(|| options.get_extension(&extension).as_message().cloned()).flatten()
}

fn inner(message: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    message.has_field_by_name(name).then(|| message.get_field_by_name(name).and_then(|value| value.as_message().cloned())).flatten()
}

fn number(message: &DynamicMessage, name: &str) -> Option<u64> {
    message.get_field_by_name(name).and_then(|value| value.as_u64())
}

fn least(rules: &DynamicMessage) -> Option<f64> {
    ["int32", "int64", "double"].iter().find_map(|kind| {
        let rules = inner(rules, kind)?;
        let value = rules.get_field_by_name("gte")?.into_owned();
        match value {
            Value::I32(number) => Some(f64::from(number)),
            Value::I64(number) => i32::try_from(number).ok().map(f64::from),
            Value::F64(number) => Some(number),
            _ => None,
        }
    })
}
