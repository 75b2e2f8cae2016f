//! Texts at the root of a district's address (`/MP_verify_….txt`): other platforms look for them there before they believe that the address
//! is the district's. The path leads to the RPC that has them.

use http::{HeaderValue, Response, header};
use tonic::body::Body;

/// How long whoever asks may keep a text.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// The RPC's path behind a path at the root; none when it is no root text's.
pub fn behind(path: &str) -> Option<String> {
    let name = path.strip_prefix('/')?.strip_suffix(".txt")?;
    let fits = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    fits.then(|| format!("/v1/rootTexts/{name}"))
}

/// The answer, which may be kept a while.
pub fn kept(mut response: Response<Body>) -> Response<Body> {
    if response.status().is_success() {
        response.headers_mut().insert(header::CACHE_CONTROL, KEPT);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn only_names_of_root_texts_lead_to_one() {
        assert_eq!(behind("/MP_verify_aB3-x.txt").as_deref(), Some("/v1/rootTexts/MP_verify_aB3-x"));
        assert_eq!(behind("/0123456789abcdef0123456789abcdef.txt").as_deref(), Some("/v1/rootTexts/0123456789abcdef0123456789abcdef"));
        let long = format!("/{}.txt", "x".repeat(65));
        for other in ["/.txt", "/a.b.txt", "/a/b.txt", "/a%2fb.txt", "/..%2f.txt", "/a.TXT", "a.txt", "/a.txt/", "/键.txt", &long] {
            assert_eq!(behind(other), None, "{other}");
        }
    }
}
