//! The console and the phone's pages as they were built: the program carries them, and a folder may be served in their place.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use drumtower_runtime::{Kind, Refusal};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};
use tonic::body::Body;

use crate::{admit::Came, door::Refused, tenant::is_code};

/// What the console's build wrote; nothing where it was not built.
#[derive(RustEmbed)]
#[folder = "console/dist"]
#[allow_missing = true]
struct Built;

/// Codings of the siblings that the build wrote beside a file, with their names' ends; the smaller first.
const CODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// An asset's name changes with its content.
const FOR_A_YEAR: &str = "public, max-age=31536000, immutable";
/// Asked about anew each time: a page names the assets of its own version.
const ASK_FIRST: &str = "no-cache";

/// What every file carries. A page runs our scripts and no other, talks to this door and nobody else, and is shown in no other's frame;
/// inline styles are what the component kit and the charts need.
const HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; \
         connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("permissions-policy", "camera=(self), geolocation=(self), microphone=(self)"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// The pages.
#[derive(Debug)]
pub struct Console {
    dir: Option<PathBuf>,
}

/// What an address asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// The console, from the front door.
    Front,
    /// A page, which finds out by itself what of it is meant.
    Page(&'static str),
    /// A file whose name changes with its content.
    Asset(&'a str),
    /// A file that keeps its name.
    File(&'static str),
    /// Something that is not there.
    Nothing,
}

/// A file's bytes, and a text that changes with them.
struct File {
    bytes: Bytes,
    tag: String,
}

impl Console {
    /// From a folder, or as the program carries it.
    pub fn new(dir: Option<&Path>) -> Self {
        Self { dir: dir.map(Path::to_owned) }
    }

    /// Whether a request is for it.
    pub fn has(&self, came: &Came) -> bool {
        wanted(came).is_some()
    }

    /// The answer to a request that [`Console::has`].
    pub async fn get(&self, came: &Came) -> Result<Response<Body>, Refused> {
        if came.head.method != Method::GET && came.head.method != Method::HEAD {
            return Err(Refused::other_method(&["GET".to_owned(), "HEAD".to_owned()]));
        }
        let no_such = || Refusal::new(Kind::NotFound, "UNKNOWN_PATH", "未知地址", "no such file");
        let (name, keep) = match wanted(came).unwrap_or(Wanted::Nothing) {
            Wanted::Front => return Ok(to_console(came)),
            Wanted::Page(name) => (name, ASK_FIRST),
            Wanted::File(name) => (name, ASK_FIRST),
            Wanted::Asset(name) => (name, FOR_A_YEAR),
            Wanted::Nothing => return Err(no_such().into()),
        };
        let mut response = match self.coded(came, name).await {
            Some((file, coding)) => answer(came, name, file, coding, keep),
            None if name.ends_with(".html") => not_built(),
            None => return Err(no_such().into()),
        };
        if name == "sw.js" {
            // It may answer for the phone's first page too, whose address has no slash at its end.
            put(response.headers_mut(), HeaderName::from_static("service-worker-allowed"), &format!("{}/m", district(came)));
        }
        Ok(response)
    }

    /// A file in the best coding that the browser takes.
    async fn coded(&self, came: &Came, name: &str) -> Option<(File, Option<&'static str>)> {
        let accepted = came.header("accept-encoding").unwrap_or_default();
        for (coding, end) in CODINGS.into_iter().filter(|(coding, _)| accepts(accepted, coding)) {
            if let Some(file) = self.file(&format!("{name}{end}")).await {
                return Some((file, Some(coding)));
            }
        }
        self.file(name).await.map(|file| (file, None))
    }

    async fn file(&self, name: &str) -> Option<File> {
        let tag = |hash: &[u8]| URL_SAFE_NO_PAD.encode(&hash[..12]);
        let Some(dir) = &self.dir else {
            let built = Built::get(name)?;
            let tag = tag(&built.metadata.sha256_hash());
            let bytes = match built.data {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => bytes.into(),
            };
            return Some(File { bytes, tag });
        };
        let bytes = tokio::fs::read(dir.join(name)).await.ok()?;
        let tag = tag(&Sha256::digest(&bytes));
        Some(File { bytes: bytes.into(), tag })
    }
}

/// What a request asks for; `None` when it is not for the pages.
fn wanted(came: &Came) -> Option<Wanted<'_>> {
    let path = came.path.as_str();
    let of_district = came.prefix.as_deref();
    if of_district.is_some_and(|code| !is_code(code)) {
        return None;
    }
    if path == "/" {
        let html = came.header("accept").is_some_and(|accept| accept.contains("text/html"));
        return html.then_some(Wanted::Front);
    }
    if of_district.is_none() {
        if path == "/favicon.svg" {
            return Some(Wanted::File("favicon.svg"));
        }
        if let Some(name) = path.strip_prefix("/assets/") {
            return Some(if is_name(name) { Wanted::Asset(&path[1..]) } else { Wanted::Nothing });
        }
    }
    let below = |entry| path.strip_prefix(entry).filter(|rest: &&str| rest.is_empty() || rest.starts_with('/'));
    let (page, rest) = below("/console").map(|rest| ("index.html", rest)).or_else(|| below("/m").map(|rest| ("m.html", rest)))?;
    let is_file = rest.rsplit('/').next().is_some_and(|last| last.contains('.'));
    Some(match (page, rest) {
        ("m.html", "/sw.js") => Wanted::File("sw.js"),
        _ if is_file => Wanted::Nothing,
        _ => Wanted::Page(page),
    })
}

/// Whether a path below a folder stays below it.
fn is_name(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-~+@".contains(letter);
    name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain))
}

/// Whether a coding is among those accepted, and not with a weight of nothing.
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = parts.find_map(|part| part.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()));
        named && weight.is_none_or(|weight| weight > 0.0)
    })
}

fn answer(came: &Came, name: &str, file: File, coding: Option<&'static str>, keep: &'static str) -> Response<Body> {
    let tag = format!("\"{}\"", file.tag);
    let known = came.header("if-none-match").is_some_and(|known| {
        known.split(',').map(|known| known.trim()).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    });
    let mut response = Response::new(if known { Body::empty() } else { whole(file.bytes) });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    put(headers, header::ETAG, &tag);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    guard(headers);
    response
}

/// What says, instead of a page, how to get it.
fn not_built() -> Response<Body> {
    let mut response = Response::new(whole(Bytes::from_static(include_bytes!("../assets/no-console.html"))));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(".html")));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    guard(headers);
    response
}

/// From the front door to the console; programs are told where the documents are instead.
fn to_console(came: &Came) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    put(headers, header::LOCATION, &format!("{}/console", district(came)));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(ASK_FIRST));
    response
}

/// What stands before an address of the district: `/t/{code}`, or nothing where the host says it.
fn district(came: &Came) -> String {
    came.prefix.as_ref().map(|code| format!("/t/{code}")).unwrap_or_default()
}

fn whole(bytes: Bytes) -> Body {
    Body::new(http_body_util::Full::new(bytes))
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn guard(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// What a file is, by its name's end.
fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "gif" => "image/gif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(path: &str, accept: &'static str) -> Came {
        let request = http::Request::get(path).header("accept", accept).body(()).expect("a request");
        Came::new(request.into_parts().0, "127.0.0.1:1".parse().expect("an address"))
    }

    #[test]
    fn an_address_is_a_page_a_file_or_not_ours() {
        for (path, expected) in [
            ("/console", Some(Wanted::Page("index.html"))),
            ("/t/350102/console", Some(Wanted::Page("index.html"))),
            ("/t/350102/console/tickets/0198-7", Some(Wanted::Page("index.html"))),
            ("/t/350102/m/", Some(Wanted::Page("m.html"))),
            ("/m/my/tickets", Some(Wanted::Page("m.html"))),
            ("/t/350102/m/sw.js", Some(Wanted::File("sw.js"))),
            ("/console/sw.js", Some(Wanted::Nothing)),
            ("/m/manifest.json", Some(Wanted::Nothing)),
            ("/favicon.svg", Some(Wanted::File("favicon.svg"))),
            ("/assets/index-a1.js", Some(Wanted::Asset("assets/index-a1.js"))),
            ("/assets/../index.html", Some(Wanted::Nothing)),
            ("/assets/%2e%2e/index.html", Some(Wanted::Nothing)),
            ("/assets//etc/passwd", Some(Wanted::Nothing)),
            ("/assets/.env", Some(Wanted::Nothing)),
            ("/assets/", Some(Wanted::Nothing)),
            ("/t/350102/assets/index-a1.js", None),
            ("/t/nowhere/console", None),
            ("/consoles", None),
            ("/mine", None),
            ("/v1/tickets", None),
            ("/", None),
        ] {
            assert_eq!(wanted(&came(path, "*/*")), expected, "{path}");
        }
        for path in ["/", "/t/350102", "/t/350102/"] {
            assert_eq!(wanted(&came(path, "text/html,*/*;q=0.8")), Some(Wanted::Front), "{path}");
        }
    }

    #[test]
    fn a_coding_is_taken_when_it_is_wanted() {
        assert!(accepts("gzip, deflate, br", "br") && accepts("gzip;q=0.5", "gzip") && accepts("BR", "br"));
        assert!(!accepts("gzip", "br") && !accepts("br;q=0, gzip", "br") && !accepts("br; q=0.0", "br") && !accepts("", "gzip"));
    }
}
