//! Answers as JSON, straight from their bytes: what a message looks like is worked out once, and no message is built to be written.
//! Whatever is out of the ordinary (fields out of order or sent twice, maps, the rarer well-known types) is left to the general way
//! by way of a dynamic message, which writes the same.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::encoding::decode_varint;
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions};

use crate::civil;

/// How deep answers may nest on the straight way.
const MAX_DEPTH: usize = 32;

/// Writes the messages of one type.
#[derive(Debug)]
pub struct Writer {
    descriptor: MessageDescriptor,
    /// The message itself, then those inside it.
    shapes: Vec<Shape>,
}

/// Fields of a message by number.
#[derive(Debug, Default)]
struct Shape {
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    number: u32,
    /// `"name":`
    key: Vec<u8>,
    /// What is written when the field is not there, key included; `None` for nothing.
    absent: Option<Vec<u8>>,
    form: Form,
    is_list: bool,
}

/// How a value is sent, and so how it is written.
#[derive(Debug)]
enum Form {
    Bool,
    Int32,
    Sint32,
    Uint32,
    Fixed32,
    Sfixed32,
    Int64,
    Sint64,
    Uint64,
    Fixed64,
    Sfixed64,
    Float,
    Double,
    Text,
    Bytes,
    /// Names by number, quoted.
    Enum(Vec<(i32, Vec<u8>)>),
    Message(usize),
    Time,
    /// Left to the general way.
    Odd,
}

/// A value as sent.
#[derive(Debug, Clone, Copy)]
enum Raw<'a> {
    Varint(u64),
    Eight([u8; 8]),
    Four([u8; 4]),
    Bytes(&'a [u8]),
}

/// Out of the ordinary.
#[derive(Debug)]
struct Odd;

impl Writer {
    /// Works out what messages of a type look like.
    pub fn new(descriptor: MessageDescriptor) -> Self {
        let mut shapes = Vec::new();
        shape(&descriptor, &mut Vec::new(), &mut shapes);
        Self { descriptor, shapes }
    }

    /// A message as JSON, with the contract's field names and every value, set or not, but messages that are not there.
    pub fn json(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(bytes.len() * 2 + 256);
        if self.descriptor.full_name().starts_with("google.protobuf.") || self.message(0, bytes, &mut out, 0).is_err() {
            return general(&self.decode(bytes)?);
        }
        Ok(out)
    }

    /// One field of a message as JSON.
    pub fn field(&self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let field = self.descriptor.get_field_by_name(name).ok_or("no such field of the answer")?;
        let mut only = DynamicMessage::new(self.descriptor.clone());
        let message = self.decode(bytes)?;
        if !message.has_field(&field) && field.supports_presence() {
            return Ok(b"{}".to_vec());
        }
        only.set_field(&field, message.get_field(&field).into_owned());
        // Of the object with every field, the value behind this one's name.
        let mut whole: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&general(&only)?).map_err(|e| e.to_string())?;
        let value = whole.remove(name).ok_or("no value of the field")?;
        serde_json::to_vec(&value).map_err(|error| error.to_string())
    }

    fn decode(&self, bytes: &[u8]) -> Result<DynamicMessage, String> {
        DynamicMessage::decode(self.descriptor.clone(), bytes).map_err(|error| error.to_string())
    }

    fn message(&self, shape: usize, bytes: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), Odd> {
        if depth > MAX_DEPTH {
            return Err(Odd);
        }
        out.push(b'{');
        let start = out.len();
        let mut rest = bytes;
        let mut sent = record(&mut rest)?;
        for field in &self.shapes[shape].fields {
            match sent {
                Some((number, raw)) if number == field.number => {
                    comma(out, start);
                    out.extend_from_slice(&field.key);
                    sent = self.field_values(field, raw, &mut rest, out, depth)?;
                }
                _ => {
                    if let Some(absent) = &field.absent {
                        comma(out, start);
                        out.extend_from_slice(absent);
                    }
                }
            }
        }
        out.push(b'}');
        // Something is left over: unknown, sent twice or out of order.
        if sent.is_some() { Err(Odd) } else { Ok(()) }
    }

    /// Writes the values of a field and returns the record behind them.
    fn field_values<'a>(
        &self,
        field: &Field,
        first: Raw<'a>,
        rest: &mut &'a [u8],
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Result<Option<(u32, Raw<'a>)>, Odd> {
        if !field.is_list {
            self.value(&field.form, first, out, depth)?;
            return record(rest);
        }
        out.push(b'[');
        let start = out.len();
        let mut raw = first;
        let behind = loop {
            match (raw, field.form.is_packable()) {
                (Raw::Bytes(packed), true) => self.packed(&field.form, packed, out, start)?,
                _ => {
                    comma(out, start);
                    self.value(&field.form, raw, out, depth)?;
                }
            }
            match record(rest)? {
                Some((number, next)) if number == field.number => raw = next,
                behind => break behind,
            }
        };
        out.push(b']');
        Ok(behind)
    }

    fn packed(&self, form: &Form, mut packed: &[u8], out: &mut Vec<u8>, start: usize) -> Result<(), Odd> {
        while !packed.is_empty() {
            let raw = match form {
                Form::Fixed32 | Form::Sfixed32 | Form::Float => Raw::Four(take(&mut packed)?),
                Form::Fixed64 | Form::Sfixed64 | Form::Double => Raw::Eight(take(&mut packed)?),
                _ => Raw::Varint(decode_varint(&mut packed).map_err(|_| Odd)?),
            };
            comma(out, start);
            self.value(form, raw, out, 0)?;
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "the wire format says so")]
    fn value(&self, form: &Form, raw: Raw<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Odd> {
        match (form, raw) {
            (Form::Bool, Raw::Varint(value)) => plain(out, &(value != 0)),
            (Form::Int32, Raw::Varint(value)) => plain(out, &(value as i32)),
            (Form::Uint32, Raw::Varint(value)) => plain(out, &(value as u32)),
            (Form::Sint32, Raw::Varint(value)) => plain(out, &(((value as u32) >> 1) as i32 ^ -((value & 1) as i32))),
            (Form::Fixed32, Raw::Four(value)) => plain(out, &u32::from_le_bytes(value)),
            (Form::Sfixed32, Raw::Four(value)) => plain(out, &i32::from_le_bytes(value)),
            (Form::Int64, Raw::Varint(value)) => quoted(out, &(value as i64)),
            (Form::Uint64, Raw::Varint(value)) => quoted(out, &value),
            (Form::Sint64, Raw::Varint(value)) => quoted(out, &((value >> 1) as i64 ^ -((value & 1) as i64))),
            (Form::Fixed64, Raw::Eight(value)) => quoted(out, &u64::from_le_bytes(value)),
            (Form::Sfixed64, Raw::Eight(value)) => quoted(out, &i64::from_le_bytes(value)),
            (Form::Float, Raw::Four(value)) => {
                let value = f32::from_le_bytes(value);
                if value.is_finite() { plain(out, &value) } else { Err(Odd) }
            }
            (Form::Double, Raw::Eight(value)) => {
                let value = f64::from_le_bytes(value);
                if value.is_finite() { plain(out, &value) } else { Err(Odd) }
            }
            (Form::Text, Raw::Bytes(value)) => plain(out, std::str::from_utf8(value).map_err(|_| Odd)?),
            (Form::Bytes, Raw::Bytes(value)) => plain(out, &STANDARD.encode(value)),
            (Form::Enum(names), Raw::Varint(value)) => {
                let at = names.binary_search_by_key(&(value as i32), |(number, _)| *number).map_err(|_| Odd)?;
                out.extend_from_slice(&names[at].1);
                Ok(())
            }
            (Form::Message(shape), Raw::Bytes(value)) => self.message(*shape, value, out, depth + 1),
            (Form::Time, Raw::Bytes(value)) => time(value, out),
            _ => Err(Odd),
        }
    }
}

impl Form {
    fn is_packable(&self) -> bool {
        !matches!(self, Self::Text | Self::Bytes | Self::Message(_) | Self::Time | Self::Odd)
    }
}

/// A message as JSON by the general way.
pub fn general(message: &DynamicMessage) -> Result<Vec<u8>, String> {
    let mut json = Vec::with_capacity(512);
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options).map_err(|error| error.to_string())?;
    Ok(json)
}

/// The place of a message's shape, worked out when it is met first.
fn shape(message: &MessageDescriptor, met: &mut Vec<String>, shapes: &mut Vec<Shape>) -> usize {
    if let Some(place) = met.iter().position(|name| name == message.full_name()) {
        return place;
    }
    let place = met.len();
    met.push(message.full_name().to_owned());
    shapes.push(Shape::default());
    let fields = message.fields().map(|descriptor| field(&descriptor, met, shapes)).collect();
    shapes[place].fields = fields;
    place
}

fn field(descriptor: &FieldDescriptor, met: &mut Vec<String>, shapes: &mut Vec<Shape>) -> Field {
    let form = if descriptor.is_map() || descriptor.is_group() { Form::Odd } else { form(descriptor, met, shapes) };
    let key = format!("\"{}\":", descriptor.name()).into_bytes();
    let absent = match (&form, descriptor.supports_presence()) {
        (_, true) => None,
        _ if descriptor.is_map() => Some("{}"),
        _ if descriptor.is_list() => Some("[]"),
        (Form::Bool, _) => Some("false"),
        (Form::Text | Form::Bytes, _) => Some("\"\""),
        (Form::Float | Form::Double, _) => Some("0.0"),
        (Form::Int64 | Form::Sint64 | Form::Uint64 | Form::Fixed64 | Form::Sfixed64, _) => Some("\"0\""),
        (Form::Enum(names), _) => names.iter().find(|(number, _)| *number == 0).and_then(|(_, name)| std::str::from_utf8(name).ok()),
        _ => Some("0"),
    };
    let absent = absent.map(|value| [&key, value.as_bytes()].concat());
    Field { number: descriptor.number(), key, absent, form, is_list: descriptor.is_list() }
}

fn form(field: &FieldDescriptor, met: &mut Vec<String>, shapes: &mut Vec<Shape>) -> Form {
    match field.kind() {
        Kind::Bool => Form::Bool,
        Kind::Int32 => Form::Int32,
        Kind::Sint32 => Form::Sint32,
        Kind::Uint32 => Form::Uint32,
        Kind::Fixed32 => Form::Fixed32,
        Kind::Sfixed32 => Form::Sfixed32,
        Kind::Int64 => Form::Int64,
        Kind::Sint64 => Form::Sint64,
        Kind::Uint64 => Form::Uint64,
        Kind::Fixed64 => Form::Fixed64,
        Kind::Sfixed64 => Form::Sfixed64,
        Kind::Float => Form::Float,
        Kind::Double => Form::Double,
        Kind::String => Form::Text,
        Kind::Bytes => Form::Bytes,
        Kind::Enum(kind) if kind.full_name() == "google.protobuf.NullValue" => Form::Odd,
        Kind::Enum(kind) => Form::Enum(names(&kind)),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => Form::Time,
            name if name.starts_with("google.protobuf.") => Form::Odd,
            _ => Form::Message(shape(&message, met, shapes)),
        },
    }
}

/// Names by number; of two names for one number the first stands.
fn names(kind: &EnumDescriptor) -> Vec<(i32, Vec<u8>)> {
    let mut names: Vec<(i32, Vec<u8>)> =
        kind.values().map(|value| (value.number(), format!("\"{}\"", value.name()).into_bytes())).collect();
    names.sort_by_key(|(number, _)| *number);
    names.dedup_by_key(|(number, _)| *number);
    names
}

/// The next record of a message: field number and value.
fn record<'a>(rest: &mut &'a [u8]) -> Result<Option<(u32, Raw<'a>)>, Odd> {
    if rest.is_empty() {
        return Ok(None);
    }
    let key = decode_varint(rest).map_err(|_| Odd)?;
    let number = u32::try_from(key >> 3).map_err(|_| Odd)?;
    let raw = match key & 7 {
        0 => Raw::Varint(decode_varint(rest).map_err(|_| Odd)?),
        1 => Raw::Eight(take(rest)?),
        5 => Raw::Four(take(rest)?),
        2 => {
            let length = usize::try_from(decode_varint(rest).map_err(|_| Odd)?).map_err(|_| Odd)?;
            let (bytes, behind) = rest.split_at_checked(length).ok_or(Odd)?;
            *rest = behind;
            Raw::Bytes(bytes)
        }
        _ => return Err(Odd),
    };
    Ok(Some((number, raw)))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Odd> {
    let (bytes, behind) = rest.split_first_chunk::<N>().ok_or(Odd)?;
    *rest = behind;
    Ok(*bytes)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "the wire format says so")]
fn time(mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Odd> {
    let (mut seconds, mut nanos) = (0, 0);
    while let Some(sent) = record(&mut bytes)? {
        match sent {
            (1, Raw::Varint(value)) => seconds = value as i64,
            (2, Raw::Varint(value)) => nanos = value as i32,
            _ => return Err(Odd),
        }
    }
    civil::write(seconds, nanos, out).ok_or(Odd)
}

fn comma(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

fn plain<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Odd> {
    serde_json::to_writer(out, value).map_err(|_| Odd)
}

fn quoted<T: serde::Serialize>(out: &mut Vec<u8>, value: &T) -> Result<(), Odd> {
    out.push(b'"');
    plain(out, value)?;
    out.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::sample;
    use drumtower_proto::{POOL, ticketing};
    use proptest::prelude::*;
    use prost::Message as _;
    use prost_reflect::{ReflectMessage as _, Value};

    /// Any value that a field may have, well-formed or not.
    fn any_value(field: &FieldDescriptor, depth: u32) -> BoxedStrategy<Value> {
        match field.kind() {
            Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => any::<i32>().prop_map(Value::I32).boxed(),
            Kind::Uint32 | Kind::Fixed32 => any::<u32>().prop_map(Value::U32).boxed(),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => any::<i64>().prop_map(Value::I64).boxed(),
            Kind::Uint64 | Kind::Fixed64 => any::<u64>().prop_map(Value::U64).boxed(),
            Kind::Float => any::<f32>().prop_map(Value::F32).boxed(),
            Kind::Double => any::<f64>().prop_map(Value::F64).boxed(),
            Kind::String => ".{0,12}".prop_map(Value::String).boxed(),
            Kind::Bytes => proptest::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| Value::Bytes(bytes.into())).boxed(),
            Kind::Enum(_) => (0..7i32).prop_map(Value::EnumNumber).boxed(),
            Kind::Message(message) => any_message(message, depth.saturating_sub(1)).prop_map(Value::Message).boxed(),
        }
    }

    fn any_field(field: FieldDescriptor, depth: u32) -> BoxedStrategy<Option<(FieldDescriptor, Value)>> {
        let is_message = matches!(field.kind(), Kind::Message(_));
        // Maps are written in an order of their own: one entry tells as much.
        if field.is_map() {
            let one = |number: i32| Value::Map([(prost_reflect::MapKey::String("x".to_owned()), Value::I32(number))].into());
            return proptest::option::weighted(0.05, any::<i32>().prop_map(move |number| (field.clone(), one(number)))).boxed();
        }
        if is_message && depth == 0 && !field.kind().as_message().is_some_and(|message| message.full_name().starts_with("google.")) {
            return Just(None).boxed();
        }
        let value = any_value(&field, depth);
        let value = if field.is_list() { proptest::collection::vec(value, 0..4).prop_map(Value::List).boxed() } else { value };
        proptest::option::weighted(0.4, value.prop_map(move |value| (field.clone(), value))).boxed()
    }

    fn any_message(descriptor: MessageDescriptor, depth: u32) -> BoxedStrategy<DynamicMessage> {
        if descriptor.full_name() == "google.protobuf.FieldMask" {
            return Just(DynamicMessage::new(descriptor)).boxed();
        }
        let fields: Vec<_> = descriptor.fields().map(|field| any_field(field, depth)).collect();
        fields
            .prop_map(move |fields| {
                let mut message = DynamicMessage::new(descriptor.clone());
                for (field, value) in fields.into_iter().flatten() {
                    message.set_field(&field, value);
                }
                message
            })
            .boxed()
    }

    /// What the general way makes of bytes, if anything.
    fn known(descriptor: &MessageDescriptor, bytes: &[u8]) -> Result<String, String> {
        let message = DynamicMessage::decode(descriptor.clone(), bytes).map_err(|error| error.to_string())?;
        general(&message).map(|json| String::from_utf8(json).expect("text"))
    }

    fn written(descriptor: &MessageDescriptor, bytes: &[u8]) -> Result<String, String> {
        Writer::new(descriptor.clone()).json(bytes).map(|json| String::from_utf8(json).expect("text"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Every message of the made-up contract is written as the general way writes it.
        #[test]
        fn both_ways_write_the_same(message in any_message(sample(), 2)) {
            let bytes = message.encode_to_vec();
            prop_assert_eq!(written(&sample(), &bytes), known(&sample(), &bytes));
        }

        /// So is every ticket, which has no odd field: here the straight way alone must do.
        #[test]
        fn tickets_take_the_straight_way(message in any_message(ticket(), 2)) {
            let bytes = message.encode_to_vec();
            prop_assert_eq!(written(&ticket(), &bytes), known(&ticket(), &bytes));
        }

        /// Whatever the bytes are, both ways agree on them, be it that they are nothing.
        #[test]
        fn both_ways_agree_on_noise(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(written(&sample(), &bytes).ok(), known(&sample(), &bytes).ok());
        }

        /// Bytes cut off or changed in one place, likewise.
        #[test]
        fn both_ways_agree_on_damage(message in any_message(ticket(), 1), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = message.encode_to_vec();
            prop_assume!(!bytes.is_empty());
            let at = at.index(bytes.len());
            prop_assert_eq!(written(&ticket(), &bytes[..at]).ok(), known(&ticket(), &bytes[..at]).ok());
            bytes[at] = byte;
            prop_assert_eq!(written(&ticket(), &bytes).ok(), known(&ticket(), &bytes).ok());
        }
    }

    fn ticket() -> MessageDescriptor {
        POOL.get_message_by_name("drumtower.ticketing.v1.Ticket").expect("in the contract")
    }

    #[test]
    fn every_answer_of_the_contract_takes_the_straight_way() {
        for method in drumtower_runtime::surface::SURFACE.methods() {
            let writer = Writer::new(method.descriptor.output());
            let odd: Vec<&Field> =
                writer.shapes.iter().flat_map(|shape| &shape.fields).filter(|field| matches!(field.form, Form::Odd)).collect();
            let is_known = method.descriptor.output().full_name().starts_with("google.protobuf.");
            assert!(odd.is_empty() || is_known, "{}: {odd:?}", method.path);
        }
    }

    #[test]
    fn names_are_the_contracts_and_only_messages_may_be_absent() {
        let state = ticketing::ticket::State::Handling as i32;
        let bytes = ticketing::Ticket { state, return_count: 2, ..Default::default() }.encode_to_vec();
        let json: serde_json::Value = serde_json::from_str(&written(&ticket(), &bytes).expect("written")).expect("JSON");
        assert_eq!((json["state"].as_str(), json["return_count"].as_i64(), json["score"].as_i64()), (Some("HANDLING"), Some(2), Some(0)));
        for field in ticket().fields() {
            assert_eq!(json.get(field.name()).is_none(), field.supports_presence(), "{}", field.name());
        }
    }

    #[test]
    fn a_field_of_an_answer_can_be_the_body() {
        let mut message = DynamicMessage::new(sample());
        let mut inner = DynamicMessage::new(sample());
        inner.set_field_by_name("a_string", Value::String("里".to_owned()));
        message.set_field_by_name("inner", Value::Message(inner));
        message.set_field_by_name("many_int32", Value::List(vec![Value::I32(1), Value::I32(2)]));
        let (writer, bytes) = (Writer::new(message.descriptor()), message.encode_to_vec());
        let field = |name: &str| writer.field(name, &bytes).map(|json| String::from_utf8(json).expect("text"));
        assert_eq!(field("many_int32").as_deref(), Ok("[1,2]"));
        assert_eq!(field("many_string").as_deref(), Ok("[]"));
        assert_eq!(field("a_string").as_deref(), Ok("\"\""));
        assert_eq!(field("mask").as_deref(), Ok("{}"));
        assert!(field("inner").is_ok_and(|json| json.contains("里")));
        assert!(field("nonsense").is_err());
    }
}
