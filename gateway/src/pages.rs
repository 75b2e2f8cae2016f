//! What the gateway answers itself: health, readiness, the OpenAPI document and its page.

use std::time::Duration;

use bytes::Bytes;
use drumtower_runtime::config::SERVICES;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use tonic::body::Body;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{door::Door, openapi, route::Routes};

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

    /// The page of a path, if the gateway has one.
    pub async fn get(&self, path: &str, door: &Door) -> Option<Response<Body>> {
        let json = "application/json; charset=utf-8";
        Some(match path {
            "/" => page(json, json!({ "service": "drumtower", "openapi": "/openapi.json", "docs": "/docs" }).to_string()),
            "/healthz" => page("text/plain; charset=utf-8", "ok\n".to_owned()),
            "/readyz" => ready(door).await,
            "/openapi.json" => page(json, self.openapi.clone()),
            "/docs" => page("text/html; charset=utf-8", include_str!("../assets/docs.html")),
            "/docs.js" => page("text/javascript; charset=utf-8", include_str!("../assets/docs.js")),
            "/docs.css" => page("text/css; charset=utf-8", include_str!("../assets/docs.css")),
            _ => return None,
        })
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
    if !door.keys_known() {
        reasons.insert("keys".to_owned(), "identity's keys are not known yet".into());
    }
    let is_ready = reasons.is_empty();
    let mut response = page("application/json; charset=utf-8", json!({ "ready": is_ready, "reasons": reasons }).to_string());
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
