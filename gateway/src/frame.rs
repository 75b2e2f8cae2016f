//! Whose pages may show a district's in a frame: what its brand says, kept for a minute. Where nothing is known, nobody's.

use std::{sync::Arc, time::Duration};

use drumtower_proto::identity::{GetBrandRequest, brand_service_client::BrandServiceClient};
use drumtower_runtime::{Call, Clock, Fault, peers::Peers};
use http::{HeaderValue, Response, header};
use moka::future::Cache;
use tonic::body::Body;

/// How long a page waits for the answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// What a page says as long as nobody is allowed.
const NOBODY: &str = "frame-ancestors 'none'";

/// Who may show pages in a frame, by district.
#[derive(Debug, Clone)]
pub struct Frames {
    peers: Peers,
    clock: Clock,
    known: Cache<i32, Arc<[String]>>,
}

impl Frames {
    /// Asks identity over the given peers.
    pub fn new(peers: Peers, clock: Clock) -> Self {
        let known = Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(60)).build();
        Self { peers, clock, known }
    }

    /// The origins that a district allows.
    pub async fn of(&self, tenant: i32) -> Arc<[String]> {
        let asked = self.known.try_get_with(tenant, self.ask(tenant)).await;
        asked.unwrap_or_else(|error| {
            tracing::debug!(?error, tenant, "a page is shown in no frame while it is not known in whose it may be");
            Arc::from(Vec::new())
        })
    }

    async fn ask(&self, tenant: i32) -> Result<Arc<[String]>, Fault> {
        let call = Call::of_service("gateway", tenant, self.clock.now(), PATIENCE);
        let brand = BrandServiceClient::new(self.peers.to("identity", &call)?).get_brand(GetBrandRequest {}).await?.into_inner();
        Ok(brand.frame_ancestors.into())
    }
}

/// Whether an answer is a page, not one of its files.
pub fn is_page(response: &Response<Body>) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// A page that these origins may show in a frame, beside its own. The older `x-frame-options` counts for nothing beside this (CSP 3, 6.4.2.1).
pub fn allow(response: &mut Response<Body>, origins: &[String]) {
    if origins.is_empty() {
        return;
    }
    let headers = response.headers_mut();
    let said = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok()).unwrap_or_default();
    let policy = said.replace(NOBODY, &format!("frame-ancestors 'self' {}", origins.join(" ")));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str]) -> String {
        let mut response = Response::new(Body::empty());
        let said = HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'; object-src 'none'");
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, said);
        allow(&mut response, &origins.iter().map(|origin| (*origin).to_owned()).collect::<Vec<_>>());
        response.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned()
    }

    #[test]
    fn only_who_is_named_may_frame_a_page() {
        assert_eq!(policy(&[]), "default-src 'self'; frame-ancestors 'none'; object-src 'none'");
        let named = policy(&["https://a.example", "https://b.example:8443"]);
        assert_eq!(named, "default-src 'self'; frame-ancestors 'self' https://a.example https://b.example:8443; object-src 'none'");
    }
}
