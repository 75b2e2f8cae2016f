//! What the gateway answers itself: health, readiness, the OpenAPI document and its page.

use std::time::Duration;

use bytes::Bytes;
use drumtower_runtime::config::SERVICES;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::json;
use tonic::body::Body;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{
    admit::Came,
    door::{Door, Refused},
    openapi,
    route::Routes,
};

const JSON: &str = "application/json; charset=utf-8";
const PATHS: [&str; 7] = ["/", "/healthz", "/readyz", "/openapi.json", "/docs", "/docs.js", "/docs.css"];

/// Pages made once.
#[derive(Debug)]
pub struct Pages {
    openapi: Bytes,
}

impl Pages {
    /// From the routes of the contract.
    pub fn new(routes: &Routes) -> Self {
        Self { openapi: Bytes::from(openapi::document(routes).to_string()) }
    }

    /// Whether a request is for one of them.
    pub fn has(&self, came: &Came) -> bool {
        came.prefix.is_none() && PATHS.contains(&came.path.as_str())
    }

    /// The page of a path that [`Pages::has`].
    pub async fn get(&self, came: &Came, door: &Door) -> Result<Response<Body>, Refused> {
        if came.head.method != Method::GET && came.head.method != Method::HEAD {
            return Err(Refused::other_method(&["GET".to_owned(), "HEAD".to_owned()]));
        }
        let page = match came.path.as_str() {
            "/healthz" => page("text/plain; charset=utf-8", "ok\n"),
            "/readyz" => ready(door).await,
            "/openapi.json" => page(JSON, self.openapi.clone()),
            "/docs" => page("text/html; charset=utf-8", include_str!("../assets/docs.html")),
            "/docs.js" => page("text/javascript; charset=utf-8", include_str!("../assets/docs.js")),
            "/docs.css" => page("text/css; charset=utf-8", include_str!("../assets/docs.css")),
            _ => page(JSON, json!({ "service": "drumtower", "openapi": "/openapi.json", "docs": "/docs" }).to_string()),
        };
        Ok(page)
    }
}

fn page(kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::new(body.into())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Ready when every service serves and the keys of people's tokens are known. Redis may be away.
async fn ready(door: &Door) -> Response<Body> {
    let mut reasons = serde_json::Map::new();
    let checks = SERVICES.iter().map(|service| async move { (*service, serving(door, service).await) });
    for (service, state) in futures::future::join_all(checks).await {
        if let Err(reason) = state {
            reasons.insert(service.to_owned(), reason.into());
        }
    }
    if !door.people.any() {
        reasons.insert("keys".to_owned(), "identity's keys are not known yet".into());
    }
    let is_ready = reasons.is_empty();
    let mut response = page(JSON, json!({ "ready": is_ready, "reasons": reasons }).to_string());
    if !is_ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

async fn serving(door: &Door, service: &str) -> Result<(), String> {
    let channel = door.peers.channel(service).ok_or("not configured")?;
    let mut health = HealthClient::new(channel);
    let check = health.check(HealthCheckRequest { service: String::new() });
    let answer = tokio::time::timeout(Duration::from_secs(1), check).await.map_err(|_| "no answer within a second")?;
    let status = answer.map_err(|status| status.code().to_string())?.into_inner().status();
    if status == ServingStatus::Serving { Ok(()) } else { Err(status.as_str_name().to_owned()) }
}
