//! Other people's servers: calls out of the house over HTTP. An address is set by a district's administrator, so it is no way into the
//! house: what resolves to a private or local address is refused, unless the operator names it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, HeaderName, HeaderValue},
};
use sha2::Sha256;

use crate::{delivery::Trouble, fault::Fault};

/// Longest answer that is read, bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// Makes ring the process's cryptography, for clients that are not told one. A second time changes nothing.
pub fn use_ring() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// A way out.
#[derive(Debug, Clone)]
pub struct Web {
    client: reqwest::Client,
    allowed: Arc<Vec<String>>,
}

impl Web {
    /// `allowed` are hosts with ports, `127.0.0.1:9000`, that may be called though they are inside.
    pub fn new(allowed: &[String]) -> Result<Self, Fault> {
        let allowed = Arc::new(allowed.to_vec());
        let broken = |error: &dyn std::fmt::Display| Fault::broken(error.to_string());
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let names = allowed.iter().filter_map(|host| host.rsplit_once(':').map(|(name, _)| name.to_owned())).collect();
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(10))
            .dns_resolver(Arc::new(Outside { names }))
            .build()
            .map_err(|error| broken(&error))?;
        Ok(Self { client, allowed })
    }

    /// Whether an address may be called at all: HTTPS, or what the operator named. Names are looked at again when they are resolved.
    pub fn check(&self, url: &str) -> Result<Url, Trouble> {
        let url = Url::parse(url).map_err(|error| Trouble::Never(error.to_string()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        if self.allowed.iter().any(|allowed| *allowed == format!("{host}:{port}")) {
            return Ok(url);
        }
        // What is named by one port is not to be called at another.
        if self.allowed.iter().any(|allowed| allowed.rsplit_once(':').is_some_and(|(name, _)| name == host)) {
            return Err(Trouble::Never(format!("{host}:{port} is not named by the operator")));
        }
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        match literal {
            _ if url.scheme() != "https" => Err(Trouble::Never("must be https".to_owned())),
            Some(address) if !outside(address) => Err(Trouble::Never(format!("{host} is inside"))),
            _ => Ok(url),
        }
    }

    /// Whether the operator named a host with its port.
    pub fn inside(&self, host: &str, port: u16) -> Result<(), Trouble> {
        let named = self.allowed.iter().any(|allowed| *allowed == format!("{host}:{port}"));
        if named { Ok(()) } else { Err(Trouble::Never(format!("{host}:{port} is not named by the operator"))) }
    }

    /// An address of a host that may be called, for what is no HTTP.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, Trouble> {
        let named = self.inside(host, port).is_ok();
        let found = tokio::net::lookup_host((host, port)).await.map_err(|error| Trouble::Later(error.to_string()))?;
        let mut outside = found.filter(|address| named || outside(address.ip()));
        outside.next().ok_or_else(|| Trouble::Never(format!("{host} is nowhere outside")))
    }

    /// Fetches; the body of a good answer.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, Trouble> {
        let url = self.check(url)?;
        answer(self.client.get(url).send().await).await
    }

    /// Posts a body with headers; the body of a good answer.
    pub async fn post(&self, url: &str, headers: &[(&str, String)], body: String) -> Result<Vec<u8>, Trouble> {
        let url = self.check(url)?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).map_err(|error| Trouble::Never(error.to_string()))?;
            map.insert(name, HeaderValue::try_from(value).map_err(|error| Trouble::Never(error.to_string()))?);
        }
        answer(self.client.post(url).headers(map).body(body).send().await).await
    }
}

/// What came back: what the other side will not take as it is, is given up; all else may pass.
async fn answer(sent: reqwest::Result<reqwest::Response>) -> Result<Vec<u8>, Trouble> {
    let later = |error: reqwest::Error| Trouble::Later(error.without_url().to_string());
    let mut response = sent.map_err(later)?;
    let status = response.status();
    if !status.is_success() {
        let for_good = status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 404 | 408 | 409 | 425 | 429);
        let why = format!("answered {status}");
        return Err(if for_good { Trouble::Never(why) } else { Trouble::Later(why) });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(later)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(Trouble::Later("answered too much".to_owned()));
        }
    }
    Ok(body)
}

/// Resolves names to addresses outside only.
struct Outside {
    names: Vec<String>,
}

impl Resolve for Outside {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let named = self.names.contains(&host);
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.filter(|address| named || outside(address.ip())).collect();
            if found.is_empty() {
                return Err(format!("{host} is nowhere outside").into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is on the public network.
fn outside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let inside = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast();
            // Shared address space, benchmarking, multicast and what is reserved.
            let special = (a == 100 && (64..128).contains(&b)) || (a == 198 && (b == 18 || b == 19)) || a >= 224 || a == 0;
            !inside && !special
        }
        IpAddr::V6(v6) => {
            let [first, ..] = v6.segments();
            let inside = v6.is_loopback() || v6.is_unspecified() || (first & 0xfe00) == 0xfc00 || (first & 0xffc0) == 0xfe80;
            !inside && (first & 0xff00) != 0xff00
        }
    }
}

/// The key of a secret as the standard writes it: `whsec_` and base 64.
pub fn secret_bytes(secret: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).unwrap_or_default()
}

/// Signs a message as <https://www.standardwebhooks.com> has it: `v1,` and the HMAC of id, time and body in base 64.
pub fn signature(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    use base64::Engine as _;
    let bytes = hmac(secret, id, timestamp, body).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default();
    format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Whether one of the signatures in a header is right.
pub fn signed(secret: &[u8], id: &str, timestamp: &str, body: &[u8], header: &str) -> bool {
    use base64::Engine as _;
    header.split(' ').filter_map(|one| one.strip_prefix("v1,")).any(|one| {
        let said = base64::engine::general_purpose::STANDARD.decode(one).unwrap_or_default();
        hmac(secret, id, timestamp, body).is_some_and(|mac| mac.verify_slice(&said).is_ok())
    })
}

fn hmac(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    if secret.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_into_the_house_by_an_address() {
        let web = Web::new(&["127.0.0.1:9000".to_owned(), "hotline.test:8443".to_owned()]).expect("made");
        assert!(web.check("http://127.0.0.1:9000/x").is_ok(), "the operator named it");
        assert!(web.check("https://hotline.example/x").is_ok());
        for inside in [
            "http://hotline.example/x",
            "https://127.0.0.1:7101/x",
            "https://hotline.test/x",
            "https://hotline.test:5432/x",
            "https://[::1]/x",
            "https://10.0.0.5/x",
            "https://169.254.169.254/latest",
            "https://[::ffff:10.0.0.1]/",
            "https://0x7f000001/",
            "https://2130706433/",
            "ftp://a.example/",
            "nonsense",
        ] {
            assert!(matches!(web.check(inside), Err(Trouble::Never(_))), "{inside}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_nowhere() {
        let inside = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = inside.local_addr().expect("an address").port();
        let web = Web::new(&[]).expect("made");
        let Err(Trouble::Later(_)) = web.get(&format!("https://localhost:{port}/x")).await else { panic!("a way inside") };
        let came = tokio::time::timeout(Duration::from_millis(300), inside.accept()).await;
        assert!(came.is_err(), "it was called");
    }

    /// The example of the specification.
    #[test]
    fn signatures_are_those_of_the_standard() {
        use base64::Engine as _;
        let secret = base64::engine::general_purpose::STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base 64");
        let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        let wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(&secret, id, at, body), wanted);
        assert!(signed(&secret, id, at, body, &format!("v1,AAAA {wanted}")));
        for (id, at, body) in [("x", at, &body[..]), (id, "1614265331", &body[..]), (id, at, b"{}")] {
            assert!(!signed(&secret, id, at, body, wanted));
        }
        assert!(!signed(&[], id, at, body, &signature(&[], id, at, body)), "without a secret nothing is signed");
    }
}
