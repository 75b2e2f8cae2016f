//! The surface: every RPC of the contract with its rules, and every role with what it grants, read once from the descriptors.
//! The guard, the gateway, the isolation suite and the role matrix read here; nobody keeps a second list.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use drumtower_proto::{
    POOL,
    options::{Role, Scope},
};
use prost_reflect::{
    DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};

/// Who may call an RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Anybody.
    Public,
    /// Any signed-in person of the district.
    Authenticated,
    /// Whoever holds the permission.
    Permission(String),
    /// Services only.
    Internal,
}

/// One RPC.
#[derive(Debug)]
pub struct Method {
    /// Path on the wire, `/package.Service/Method`.
    pub path: String,
    /// The service (process) that serves it: the word after `drumtower.`; every service serves the log.
    pub service: String,
    /// Who may call.
    pub who: Who,
    /// Services that may call beside the gateway.
    pub callers: BTreeSet<String>,
    /// Changes nothing.
    pub reads: bool,
    /// Needs a recent sign-in.
    pub step_up: bool,
    /// Reaches the caller's own rows alone.
    pub own: bool,
    /// Reaches the list of districts, for the platform's own people.
    pub platform: bool,
    /// Whether an answer holds personal data somewhere.
    pub answers_personal: bool,
    /// The descriptor.
    pub descriptor: MethodDescriptor,
}

/// A role as the contract has it.
#[derive(Debug)]
pub struct RoleRule {
    /// The role.
    pub role: Role,
    /// Name, Chinese.
    pub zh: String,
    /// Name, English.
    pub en: String,
    /// Permissions.
    pub grants: BTreeSet<String>,
    /// How far an assignment reaches: TENANT, NODE, ENTERPRISE or SELF.
    pub reach: String,
    /// Group of roles of which a person holds at most one; empty for none.
    pub exclusive: String,
    /// Held in the platform's own house alone.
    pub platform: bool,
}

/// Personal data in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// NAME, PHONE, ID_NUMBER or HIDDEN.
    pub kind: String,
    /// Who may see it unmasked.
    pub permission: String,
}

/// The surface of the contract.
#[derive(Debug)]
pub struct Surface {
    methods: HashMap<String, Method>,
    roles: HashMap<i32, RoleRule>,
}

/// Read once.
pub static SURFACE: LazyLock<Surface> = LazyLock::new(Surface::read);

/// The option on methods.
pub static ACCESS: LazyLock<ExtensionDescriptor> = LazyLock::new(|| extension("drumtower.options.v1.access"));
static PII: LazyLock<ExtensionDescriptor> = LazyLock::new(|| extension("drumtower.options.v1.pii"));
static REF: LazyLock<ExtensionDescriptor> = LazyLock::new(|| extension("drumtower.options.v1.ref"));
static ROLE: LazyLock<ExtensionDescriptor> = LazyLock::new(|| extension("drumtower.options.v1.role"));

fn extension(name: &str) -> ExtensionDescriptor {
    POOL.get_extension_by_name(name).expect("the build checked that the option exists")
}

impl Surface {
    fn read() -> Self {
        let methods = POOL
            .services()
            .filter(|service| service.full_name().starts_with("drumtower."))
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .map(|descriptor| (wire_path(&descriptor), method(descriptor)))
            .collect();
        let roles = POOL.get_enum_by_name("drumtower.options.v1.Role").map(|roles| read_roles(&roles)).unwrap_or_default();
        Self { methods, roles }
    }

    /// The RPC of a wire path.
    pub fn method(&self, path: &str) -> Option<&Method> {
        self.methods.get(path)
    }

    /// All RPCs.
    pub fn methods(&self) -> impl Iterator<Item = &Method> {
        self.methods.values()
    }

    /// A role.
    pub fn role(&self, role: i32) -> Option<&RoleRule> {
        self.roles.get(&role)
    }

    /// All roles.
    pub fn roles(&self) -> impl Iterator<Item = &RoleRule> {
        self.roles.values()
    }
}

fn wire_path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

fn method(descriptor: MethodDescriptor) -> Method {
    let options = descriptor.options();
    let access = options.get_extension(&ACCESS);
    let access = access.as_message().expect("the build refuses an RPC without an access rule");
    let who = if flag(access, "public") {
        Who::Public
    } else if flag(access, "internal") {
        Who::Internal
    } else if flag(access, "authenticated") {
        Who::Authenticated
    } else {
        Who::Permission(text(access, "permission"))
    };
    let scope = access.get_field_by_name("scope").and_then(|scope| scope.as_enum_number());
    Method {
        path: wire_path(&descriptor),
        service: descriptor.parent_service().full_name().split('.').nth(1).unwrap_or_default().to_owned(),
        who,
        callers: texts(access, "callers"),
        reads: flag(access, "reads"),
        step_up: flag(access, "step_up"),
        own: scope == Some(Scope::Self_ as i32),
        platform: scope == Some(Scope::Platform as i32),
        answers_personal: holds_personal(&descriptor.output(), &mut BTreeSet::new()),
        descriptor,
    }
}

fn read_roles(roles: &EnumDescriptor) -> HashMap<i32, RoleRule> {
    roles
        .values()
        .filter(|value| value.options().has_extension(&ROLE))
        .filter_map(|value| {
            let options = value.options();
            let rule = options.get_extension(&ROLE);
            let rule = rule.as_message()?;
            let reach = rule.get_field_by_name("reach")?.as_enum_number()?;
            let reach = POOL.get_enum_by_name("drumtower.options.v1.Reach")?.get_value(reach)?;
            let role = RoleRule {
                role: Role::try_from(value.number()).ok()?,
                zh: text(rule, "zh"),
                en: text(rule, "en"),
                grants: texts(rule, "grants"),
                reach: reach.name().trim_start_matches("REACH_").to_owned(),
                exclusive: text(rule, "exclusive"),
                platform: flag(rule, "platform"),
            };
            Some((value.number(), role))
        })
        .collect()
}

/// Personal data that a field holds.
pub fn personal(field: &FieldDescriptor) -> Option<Personal> {
    let options = field.options();
    if !options.has_extension(&PII) {
        return None;
    }
    let pii = options.get_extension(&PII);
    let pii = pii.as_message()?;
    let kind = pii.get_field_by_name("kind")?.as_enum_number()?;
    let kind = POOL.get_enum_by_name("drumtower.options.v1.Pii.Kind")?.get_value(kind)?;
    Some(Personal { kind: kind.name().to_owned(), permission: text(pii, "permission") })
}

/// The resource that an id field points to.
pub fn reference(field: &FieldDescriptor) -> Option<String> {
    let options = field.options();
    options.has_extension(&REF).then(|| options.get_extension(&REF).as_str().unwrap_or_default().to_owned())
}

/// Whether a message holds personal data somewhere.
fn holds_personal(message: &MessageDescriptor, seen: &mut BTreeSet<String>) -> bool {
    if !seen.insert(message.full_name().to_owned()) {
        return false;
    }
    message.fields().any(|field| personal(&field).is_some() || matches!(field.kind(), Kind::Message(inner) if holds_personal(&inner, seen)))
}

fn flag(message: &DynamicMessage, name: &str) -> bool {
    message.get_field_by_name(name).is_some_and(|value| value.as_bool() == Some(true))
}

fn text(message: &DynamicMessage, name: &str) -> String {
    message.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn texts(message: &DynamicMessage, name: &str) -> BTreeSet<String> {
    let value = message.get_field_by_name(name);
    let list = value.as_ref().and_then(|value| value.as_list()).unwrap_or(&[]);
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_asked_for_is_granted_by_some_role() {
        let granted: BTreeSet<&String> = SURFACE.roles().flat_map(|role| &role.grants).collect();
        for method in SURFACE.methods() {
            if let Who::Permission(permission) = &method.who {
                assert!(granted.contains(permission), "{} asks for {permission}, which no role grants", method.path);
            }
        }
    }

    #[test]
    fn the_three_officers_share_no_writing_permission() {
        let officers: Vec<_> = SURFACE.roles().filter(|role| role.exclusive == "three_officers").collect();
        assert_eq!(officers.len(), 3);
        for (i, one) in officers.iter().enumerate() {
            for other in &officers[i + 1..] {
                let shared: Vec<_> = one.grants.intersection(&other.grants).filter(|grant| !grant.ends_with(".read")).collect();
                assert!(shared.is_empty(), "{} and {} share {shared:?}", one.en, other.en);
            }
        }
    }

    #[test]
    fn personal_data_is_found_through_nested_messages() {
        let list = SURFACE.method("/drumtower.ticketing.v1.TicketService/ListTickets").expect("in the contract");
        assert!(list.answers_personal);
        let units = SURFACE.method("/drumtower.identity.v1.UnitService/ListUnits").expect("in the contract");
        assert!(!units.answers_personal);
    }
}
