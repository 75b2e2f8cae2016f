//! Masking: personal data leaves a service masked unless the caller holds the permission that the contract names for the field.

use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _, Value};

use crate::{call::Call, surface};

/// Masks an encoded answer; `None` when it could not be decoded, which is a fault.
pub fn answer(descriptor: &MessageDescriptor, bytes: &[u8], call: &Call) -> Option<Vec<u8>> {
    let mut message = DynamicMessage::decode(descriptor.clone(), bytes).ok()?;
    mask(&mut message, &call.actor_name(), &|permission| !permission.is_empty() && call.may(permission));
    Some(prost::Message::encode_to_vec(&message))
}

fn mask(message: &mut DynamicMessage, own: &str, may: &dyn Fn(&str) -> bool) {
    if is_oneself(message, own) {
        return;
    }
    for (field, value) in message.fields_mut() {
        if let Some(personal) = surface::personal(&field) {
            if let Value::String(text) = value
                && !may(&personal.permission)
            {
                *text = masked(&personal.kind, text);
            }
            continue;
        }
        match value {
            Value::Message(inner) => mask(inner, own, may),
            Value::List(items) => items.iter_mut().filter_map(Value::as_message_mut).for_each(|inner| mask(inner, own, may)),
            _ => {}
        }
    }
}

/// Nobody's name and number are secrets to themselves.
fn is_oneself(message: &DynamicMessage, own: &str) -> bool {
    message.descriptor().full_name() == "drumtower.identity.v1.User"
        && message.get_field_by_name("id").is_some_and(|id| id.as_str() == Some(own))
}

/// Name 王*波, phone 138****0000, identity number first three and last two.
pub fn masked(kind: &str, text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let keep = |front: usize, back: usize| {
        if letters.len() <= front + back {
            return "*".repeat(letters.len());
        }
        let middle = "*".repeat(letters.len() - front - back);
        format!("{}{middle}{}", letters[..front].iter().collect::<String>(), letters[letters.len() - back..].iter().collect::<String>())
    };
    match (kind, letters.len()) {
        (_, 0) => String::new(),
        ("NAME", 2) => format!("{}*", letters[0]),
        ("NAME", _) => keep(1, 1),
        ("PHONE", _) => keep(3, 4),
        ("ID_NUMBER", _) => keep(3, 2),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use drumtower_proto::{POOL, identity::User};
    use prost::Message as _;
    use prost_reflect::DynamicMessage;

    use super::{mask, masked};

    #[test]
    fn people_see_their_own_name_and_number() {
        let user = User { id: "7".to_owned(), name: "王小波".to_owned(), phone: "19900001234".to_owned(), ..User::default() };
        let seen_by = |own: &str| {
            let descriptor = POOL.get_message_by_name("drumtower.identity.v1.User").expect("in the contract");
            let mut message = DynamicMessage::decode(descriptor, user.encode_to_vec().as_slice()).expect("a user");
            mask(&mut message, own, &|_| false);
            message.get_field_by_name("name").and_then(|name| name.as_str().map(str::to_owned)).expect("a name")
        };
        assert_eq!((seen_by("7"), seen_by("8"), seen_by("")), ("王小波".to_owned(), "王*波".to_owned(), "王*波".to_owned()));
    }

    #[test]
    fn masks_keep_what_helps_and_no_more() {
        assert_eq!(masked("NAME", "王小波"), "王*波");
        assert_eq!(masked("NAME", "王波"), "王*");
        assert_eq!(masked("NAME", "王"), "*");
        assert_eq!(masked("PHONE", "19900001234"), "199****1234");
        assert_eq!(masked("PHONE", "12345"), "*****");
        assert_eq!(masked("ID_NUMBER", "999999199001011234"), "999*************34");
        assert_eq!(masked("HIDDEN", "secret"), "");
    }
}
