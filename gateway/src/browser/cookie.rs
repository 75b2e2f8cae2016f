//! The cookie: one a district, for several share a host. `__Host-` and `Secure` keep it to this host and to HTTPS, `HttpOnly` from scripts.

use http::{HeaderMap, HeaderValue, header};

/// Length of a secret: 32 bytes as base64url.
const SECRET: usize = 43;

/// How cookies are named and formed.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    /// For an installation that is reached by plain HTTP only.
    plain: bool,
}

impl Cookies {
    /// `plain` gives up what needs HTTPS.
    pub fn new(plain: bool) -> Self {
        Self { plain }
    }

    fn name(self, code: &str) -> String {
        if self.plain { format!("dt-{code}") } else { format!("__Host-dt-{code}") }
    }

    /// The secret in a district's cookie. HTTP/2 may send cookies in several headers.
    pub fn of(self, headers: &HeaderMap, code: &str) -> Option<String> {
        let name = self.name(code);
        let all = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
        let named = all.filter_map(|pair| pair.trim().split_once('=')).filter(|(named, _)| *named == name).map(|(_, secret)| secret);
        named.filter(|secret| is_secret(secret)).map(str::to_owned).next()
    }

    /// The header that sets a district's cookie for so many seconds.
    pub fn some(self, code: &str, secret: &str, seconds: i64) -> HeaderValue {
        self.written(code, secret, seconds)
    }

    /// The header that takes a district's cookie away.
    pub fn none(self, code: &str) -> HeaderValue {
        self.written(code, "", 0)
    }

    fn written(self, code: &str, secret: &str, seconds: i64) -> HeaderValue {
        let secure = if self.plain { "" } else { "; Secure" };
        let text = format!("{}={secret}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", self.name(code), seconds.max(0));
        // Codes are digits and secrets base64url: there is nothing in it that a header does not take.
        let mut value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

fn is_secret(text: &str) -> bool {
    text.len() == SECRET && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_districts_cookie_is_found_among_others_and_nobody_elses() {
        let secret = "A-b_".repeat(10) + "xyz";
        let mut headers = HeaderMap::new();
        let lines = [format!("theme=dark; __Host-dt-350103={}", "z".repeat(43)), format!("a=b;__Host-dt-350102={secret}; c")];
        for line in lines {
            headers.append(header::COOKIE, line.try_into().expect("a header"));
        }
        let cookies = Cookies::new(false);
        assert_eq!(cookies.of(&headers, "350102"), Some(secret));
        assert_eq!(cookies.of(&headers, "350103"), Some("z".repeat(43)));
        assert_eq!(cookies.of(&headers, "350104"), None);
        assert_eq!(Cookies::new(true).of(&headers, "350102"), None, "another form is another cookie");
        for bent in ["", "short", &"x".repeat(44), &"!".repeat(43)] {
            let headers = HeaderMap::from_iter([(header::COOKIE, format!("__Host-dt-350102={bent}").try_into().expect("a header"))]);
            assert_eq!(cookies.of(&headers, "350102"), None, "{bent}");
        }
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_other_hosts_and_plain_http_unless_that_is_all_there_is() {
        let text = |cookie: HeaderValue| cookie.to_str().expect("text").to_owned();
        let wanted = "__Host-dt-350102=abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(text(Cookies::new(false).some("350102", "abc", 43_200)), wanted);
        assert_eq!(text(Cookies::new(true).some("350102", "abc", 60)), "dt-350102=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        assert!(text(Cookies::new(false).none("350102")).starts_with("__Host-dt-350102=; Path=/; Max-Age=0;"));
    }
}
