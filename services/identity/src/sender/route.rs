//! Where something for a person goes: what it is, by which means, to whom. The address itself is looked up when it is sent.

use std::fmt;

use drumtower_proto::identity::Means;
use uuid::Uuid;

/// What goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Notices of the inbox, together.
    Notices,
    /// A code that proves an address.
    Code,
}

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub what: What,
    pub means: Means,
    pub user: Uuid,
}

impl Route {
    pub fn notices(means: Means, user: Uuid) -> Self {
        Self { what: What::Notices, means, user }
    }

    pub fn code(means: Means, user: Uuid) -> Self {
        Self { what: What::Code, means, user }
    }

    /// Reads one.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let what = match parts.next()? {
            "notices" => What::Notices,
            "code" => What::Code,
            _ => return None,
        };
        let means = Means::from_str_name(parts.next()?)?;
        Some(Self { what, means, user: Uuid::try_parse(parts.next()?).ok()? })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.what == What::Notices { "notices" } else { "code" };
        write!(f, "{what}:{}:{}", self.means.as_str_name(), self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_read_as_it_was_written() {
        let route = Route::code(Means::Email, Uuid::from_u128(7));
        assert_eq!(Route::read(&route.to_string()), Some(route));
        assert_eq!(Route::read("channel:00000000-0000-0000-0000-000000000007"), None);
    }
}
