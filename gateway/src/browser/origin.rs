//! Whether a page of ours sent a request. Browsers say so themselves, and no script can make them say something else.

use http::{Uri, uri::Authority};

use crate::admit::{Came, asked_for};

/// Whether a request comes from a page of this host: by `Sec-Fetch-Site`, or, from browsers that do not say it, by `Origin`.
pub fn is_ours(came: &Came) -> bool {
    match came.header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => came.header("origin").zip(asked_for(&came.head)).is_some_and(|(origin, host)| is_same(origin, &host)),
    }
}

/// Whether an origin is the host that was asked for. TLS may end before the door, so the scheme decides the default port alone.
fn is_same(origin: &str, host: &Authority) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let default = match origin.scheme_str() {
        Some("https") => 443,
        Some("http") => 80,
        _ => return false,
    };
    let Some(of_origin) = origin.authority() else { return false };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    of_origin.host().eq_ignore_ascii_case(host.host()) && port(of_origin) == port(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(headers: &[(&'static str, &'static str)]) -> bool {
        let mut request = http::Request::post("/v1/tickets");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        is_ours(&Came::new(request.into_parts().0, "127.0.0.1:1".parse().expect("an address")))
    }

    #[test]
    fn only_a_page_of_this_host_is_ours() {
        let host = ("host", "gulou.example");
        assert!(ours(&[host, ("sec-fetch-site", "same-origin")]));
        for site in ["same-site", "cross-site", "none", ""] {
            assert!(!ours(&[host, ("sec-fetch-site", site), ("origin", "https://gulou.example")]), "{site}");
        }
        for origin in ["https://gulou.example", "https://GULOU.example:443", "http://gulou.example", "http://gulou.example:80"] {
            assert!(ours(&[host, ("origin", origin)]), "{origin}");
        }
        for origin in ["https://gulou.example.evil.test", "https://gulou.example:8443", "null", "", "gulou.example", "file://gulou.example"]
        {
            assert!(!ours(&[host, ("origin", origin)]), "{origin}");
        }
        assert!(ours(&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")]));
        assert!(!ours(&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:5173")]));
        assert!(!ours(&[host]), "who says nothing is no browser, and needs no cookie");
    }
}
