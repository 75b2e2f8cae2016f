//! A made-up contract with the forms of messages and bindings that the real one does not use, for tests.

use std::collections::BTreeSet;

use drumtower_runtime::surface::{Method, Who};
use prost_reflect::{
    DescriptorPool, MessageDescriptor,
    prost::Message as _,
    prost_types::{
        DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
        MessageOptions, MethodDescriptorProto, OneofDescriptorProto, ServiceDescriptorProto,
        field_descriptor_proto::{Label, Type},
    },
};

fn field(name: &str, number: i32, kind: Type, type_name: &str, label: Label) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label as i32),
        r#type: Some(kind as i32),
        type_name: (!type_name.is_empty()).then(|| type_name.to_owned()),
        ..FieldDescriptorProto::default()
    }
}

/// One field of every scalar type, each also repeated, and of the messages that JSON writes in their own way.
fn fields() -> Vec<FieldDescriptorProto> {
    let scalars = [
        ("bool", Type::Bool),
        ("int32", Type::Int32),
        ("sint32", Type::Sint32),
        ("uint32", Type::Uint32),
        ("fixed32", Type::Fixed32),
        ("sfixed32", Type::Sfixed32),
        ("int64", Type::Int64),
        ("sint64", Type::Sint64),
        ("uint64", Type::Uint64),
        ("fixed64", Type::Fixed64),
        ("sfixed64", Type::Sfixed64),
        ("float", Type::Float),
        ("double", Type::Double),
        ("string", Type::String),
        ("bytes", Type::Bytes),
    ];
    let mut fields = Vec::new();
    for ((name, kind), number) in scalars.into_iter().zip(1..) {
        fields.push(field(&format!("a_{name}"), number, kind, "", Label::Optional));
        fields.push(field(&format!("many_{name}"), number + 20, kind, "", Label::Repeated));
    }
    let mut either = field("either_text", 40, Type::String, "", Label::Optional);
    either.oneof_index = Some(0);
    let mut or = field("or_number", 41, Type::Int32, "", Label::Optional);
    or.oneof_index = Some(0);
    fields.extend([either, or]);
    fields.extend([
        field("a_colour", 50, Type::Enum, ".sample.Colour", Label::Optional),
        field("many_colour", 51, Type::Enum, ".sample.Colour", Label::Repeated),
        field("inner", 52, Type::Message, ".sample.Sample", Label::Optional),
        field("many_inner", 53, Type::Message, ".sample.Sample", Label::Repeated),
        field("at", 54, Type::Message, ".google.protobuf.Timestamp", Label::Optional),
        field("many_at", 55, Type::Message, ".google.protobuf.Timestamp", Label::Repeated),
        field("mask", 56, Type::Message, ".google.protobuf.FieldMask", Label::Optional),
        field("by_name", 57, Type::Message, ".sample.Sample.ByNameEntry", Label::Repeated),
        field("flag", 58, Type::Message, ".google.protobuf.BoolValue", Label::Optional),
        field("count", 59, Type::Message, ".google.protobuf.Int64Value", Label::Optional),
        field("note", 60, Type::Message, ".google.protobuf.StringValue", Label::Optional),
    ]);
    fields
}

fn map_entry() -> DescriptorProto {
    DescriptorProto {
        name: Some("ByNameEntry".to_owned()),
        field: vec![field("key", 1, Type::String, "", Label::Optional), field("value", 2, Type::Int32, "", Label::Optional)],
        options: Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() }),
        ..DescriptorProto::default()
    }
}

fn rpc(name: &str, streams: bool) -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".sample.Sample".to_owned()),
        output_type: Some(".sample.Sample".to_owned()),
        server_streaming: Some(streams),
        ..MethodDescriptorProto::default()
    }
}

fn pool() -> DescriptorPool {
    let sample = DescriptorProto {
        name: Some("Sample".to_owned()),
        field: fields(),
        nested_type: vec![map_entry()],
        oneof_decl: vec![OneofDescriptorProto { name: Some("one".to_owned()), options: None }],
        ..DescriptorProto::default()
    };
    let colours = [("COLOUR_UNSPECIFIED", 0), ("RED", 1), ("BLUE", 5)];
    let colour = EnumDescriptorProto {
        name: Some("Colour".to_owned()),
        value: colours
            .iter()
            .map(|(name, number)| EnumValueDescriptorProto { name: Some((*name).to_owned()), number: Some(*number), options: None })
            .collect(),
        ..EnumDescriptorProto::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("SampleService".to_owned()),
        method: vec![rpc("Change", false), rpc("Watch", true)],
        options: None,
    };
    let known = ["timestamp", "field_mask", "wrappers"].map(|name| format!("google/protobuf/{name}.proto"));
    let file = FileDescriptorProto {
        name: Some("sample.proto".to_owned()),
        package: Some("sample".to_owned()),
        dependency: known.to_vec(),
        message_type: vec![sample],
        enum_type: vec![colour],
        service: vec![service],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    let mut pool = DescriptorPool::global();
    pool.decode_file_descriptor_set(FileDescriptorSet { file: vec![file] }.encode_to_vec().as_slice()).expect("a valid file");
    pool
}

/// The made-up message.
pub fn sample() -> MessageDescriptor {
    pool().get_message_by_name("sample.Sample").expect("made up")
}

/// A made-up RPC: `Change`, or `Watch`, which streams.
pub fn method(name: &str) -> &'static Method {
    let service = pool().get_service_by_name("sample.SampleService").expect("made up");
    let descriptor = service.methods().find(|method| method.name() == name).expect("made up");
    Box::leak(Box::new(Method {
        path: format!("/sample.SampleService/{name}"),
        service: "ticketing".to_owned(),
        who: Who::Public,
        callers: BTreeSet::new(),
        reads: false,
        step_up: false,
        own: false,
        platform: false,
        answers_personal: false,
        descriptor,
    }))
}
