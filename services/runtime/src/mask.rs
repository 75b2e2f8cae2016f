//! Masking: personal data leaves a service masked unless the caller holds the permission that the contract names for the field.

use prost_reflect::{DynamicMessage, Value};

use crate::{
    call::Call,
    surface::{self, Method},
};

/// Masks an encoded answer; `None` when it could not be decoded, which is a fault. Nobody's own rows are secrets to themselves; what the
/// contract shows to no permission it shows to nobody.
pub fn answer(method: &Method, bytes: &[u8], call: &Call) -> Option<Vec<u8>> {
    answer_to(method, bytes, &|permission| call.may(permission))
}

fn answer_to(method: &Method, bytes: &[u8], may: &dyn Fn(&str) -> bool) -> Option<Vec<u8>> {
    let mut message = DynamicMessage::decode(method.descriptor.output(), bytes).ok()?;
    mask(&mut message, &|permission| !permission.is_empty() && (method.own || may(permission)));
    Some(prost::Message::encode_to_vec(&message))
}

fn mask(message: &mut DynamicMessage, may: &dyn Fn(&str) -> bool) {
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
            Value::Message(inner) => mask(inner, may),
            Value::List(items) => items.iter_mut().filter_map(Value::as_message_mut).for_each(|inner| mask(inner, may)),
            _ => {}
        }
    }
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
    use drumtower_proto::identity::User;
    use prost::Message as _;

    use super::{answer_to, masked};
    use crate::surface::SURFACE;

    #[test]
    fn people_see_their_own_name_and_number() {
        let user = User { name: "王小波".to_owned(), phone: "19900001234".to_owned(), ..User::default() }.encode_to_vec();
        let seen = |rpc: &str| {
            let method = SURFACE.method(&format!("/drumtower.identity.v1.UserService/{rpc}")).expect("in the contract");
            let bytes = answer_to(method, &user, &|_| false).expect("a user");
            let seen = User::decode(bytes.as_slice()).expect("a user");
            (seen.name, seen.phone)
        };
        assert_eq!(seen("GetMe"), ("王小波".to_owned(), "19900001234".to_owned()));
        assert_eq!(seen("GetUser"), ("王*波".to_owned(), "199****1234".to_owned()));
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
