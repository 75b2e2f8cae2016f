//! Compiles the contract with protox, refuses one that says too little, and generates the Rust code.

use std::{env, fs, path::PathBuf};

use prost_reflect::{DescriptorPool, ExtensionDescriptor, MethodDescriptor, Value};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    println!("cargo::rerun-if-changed=drumtower");
    println!("cargo::rerun-if-changed=google");
    println!("cargo::rerun-if-changed=buf");

    let mut files = Vec::new();
    for service in ["options", "log", "identity", "enterprise", "party", "ticketing"] {
        for entry in fs::read_dir(root.join("drumtower").join(service).join("v1"))? {
            files.push(entry?.path());
        }
    }
    files.extend(["google/api/httpbody.proto", "google/rpc/http.proto"].map(|file| root.join(file)));
    files.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let pool = compiler.descriptor_pool();
    let faults = faults(&pool);
    if !faults.is_empty() {
        return Err(format!("the contract says too little:\n  {}", faults.join("\n  ")).into());
    }

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().include_file("mod.rs").build_transport(true).compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// Everything a contract must say and does not.
fn faults(pool: &DescriptorPool) -> Vec<String> {
    let access = extension(pool, "drumtower.options.v1.access");
    let reference = extension(pool, "drumtower.options.v1.ref");
    let mut faults = Vec::new();
    for service in pool.services().filter(|service| ours(service.full_name())) {
        for method in service.methods() {
            if let Some(fault) = access_fault(&method, &access) {
                faults.push(format!("{}: {fault}", method.full_name()));
            }
        }
    }
    for message in pool.all_messages().filter(|message| ours(message.full_name())) {
        let documented = documented_fields(&message);
        for field in message.fields() {
            let name = field.name();
            if !documented.contains(&field.number()) {
                faults.push(format!("{}: has no comment", field.full_name()));
            }
            let is_id = name == "id" || name.ends_with("_id") || name.ends_with("_ids");
            if is_id && !field.options().has_extension(&reference) {
                faults.push(format!("{}: an id field says with (ref) what it points to", field.full_name()));
            }
        }
    }
    faults
}

fn access_fault(method: &MethodDescriptor, access: &ExtensionDescriptor) -> Option<&'static str> {
    if !method.options().has_extension(access) {
        return Some("has no access rule");
    }
    let options = method.options();
    let rule = options.get_extension(access);
    let rule = rule.as_message()?;
    let set = |name: &str| rule.has_field_by_name(name);
    let callers = rule.get_field_by_name("callers").and_then(|value| value.as_list().map(<[Value]>::len)).unwrap_or(0);
    match (set("public"), set("internal"), set("authenticated") || set("permission")) {
        (true, _, _) => None,
        (_, true, _) if callers == 0 => Some("an internal RPC names its callers"),
        (_, true, _) => None,
        (_, _, true) if !set("scope") => Some("says whom it serves but not which rows (scope)"),
        (_, _, true) => None,
        _ => Some("says neither public, authenticated, permission nor internal"),
    }
}

/// Numbers of the fields of a message that carry a leading comment.
fn documented_fields(message: &prost_reflect::MessageDescriptor) -> Vec<u32> {
    let file = message.parent_file();
    let Some(info) = file.file_descriptor_proto().source_code_info.as_ref() else { return Vec::new() };
    message
        .fields()
        .filter(|field| {
            info.location.iter().any(|location| location.path == field.path() && !location.leading_comments().trim().is_empty())
        })
        .map(|field| field.number())
        .collect()
}

fn ours(name: &str) -> bool {
    name.starts_with("drumtower.")
}

fn extension(pool: &DescriptorPool, name: &str) -> ExtensionDescriptor {
    pool.get_extension_by_name(name).unwrap_or_else(|| panic!("{name} is not in the contract"))
}
