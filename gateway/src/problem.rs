//! A status as the JSON that AIP-193 asks for, with the HTTP status that fits and the request id.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;

/// HTTP status of a gRPC code.
pub fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Name of a gRPC code.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// A status as JSON, with the HTTP status it is answered with.
pub fn body(status: &Status, request_id: &str, code: StatusCode) -> String {
    let body = json!({ "error": {
        "code": code.as_u16(),
        "status": code_name(status.code()),
        "message": status.message(),
        "details": details(status, request_id),
    }});
    body.to_string()
}

/// The answer to a status. `http` overrides the HTTP status where gRPC's codes are too coarse (405, 408, 413, 415, 431).
pub fn response(status: &Status, request_id: &str, http: Option<StatusCode>) -> Response<Body> {
    let code = http.unwrap_or_else(|| http_status(status.code()));
    let mut response = Response::new(Body::new(http_body_util::Full::new(bytes::Bytes::from(body(status, request_id, code)))));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if code == StatusCode::TOO_MANY_REQUESTS || code == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after(status)));
    }
    if code == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"drumtower\""));
    }
    response
}

/// Seconds after which it is worth trying again: what the refusal says, at least one.
fn retry_after(status: &Status) -> u64 {
    let info = status.get_details_error_info();
    let said = info.and_then(|info| info.metadata.get("retry_after_ms").and_then(|wait| wait.parse::<u64>().ok()));
    said.unwrap_or(0).div_ceil(1000).max(1)
}

fn details(status: &Status, request_id: &str) -> Vec<Value> {
    let known = status.get_error_details();
    let mut details = Vec::new();
    if let Some(info) = known.error_info() {
        let kind = "type.googleapis.com/google.rpc.ErrorInfo";
        details.push(json!({ "@type": kind, "reason": info.reason, "domain": info.domain, "metadata": info.metadata }));
    }
    if let Some(bad) = known.bad_request() {
        let fields: Vec<Value> =
            bad.field_violations.iter().map(|field| json!({ "field": field.field, "description": field.description })).collect();
        details.push(json!({ "@type": "type.googleapis.com/google.rpc.BadRequest", "field_violations": fields }));
    }
    if let Some(text) = known.localized_message() {
        let kind = "type.googleapis.com/google.rpc.LocalizedMessage";
        details.push(json!({ "@type": kind, "locale": text.locale, "message": text.message }));
    }
    details.push(json!({ "@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": request_id }));
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use drumtower_runtime::{Kind, Refusal, fault};
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_refusal_keeps_its_reason_field_and_both_languages() {
        let refusal = Refusal::invalid("title", "TOO_LONG", "标题过长", "the title is too long");
        let response = response(&fault::status(&refusal), "abc", None);
        assert_eq!(response.status(), 400);
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let json: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(json["error"]["status"], "INVALID_ARGUMENT");
        assert_eq!(json["error"]["details"][0]["reason"], "TOO_LONG");
        assert_eq!(json["error"]["details"][1]["field_violations"][0]["field"], "title");
        assert_eq!(json["error"]["details"][2]["message"], "标题过长");
        assert_eq!(json["error"]["details"][3]["request_id"], "abc");
    }
    #[test]
    fn codes_become_the_http_status_that_fits_with_the_headers_it_needs() {
        let cases = [
            (Kind::Invalid, 400),
            (Kind::Unauthenticated, 401),
            (Kind::Denied, 403),
            (Kind::NotFound, 404),
            (Kind::Exists, 409),
            (Kind::State, 400),
            (Kind::Stale, 409),
            (Kind::Exhausted, 429),
            (Kind::Unavailable, 503),
            (Kind::Deadline, 504),
            (Kind::Unimplemented, 501),
        ];
        for (kind, http) in cases {
            let refusal = Refusal::new(kind, "X", "某", "some").fact("retry_after_ms", "2100");
            let response = response(&fault::status(&refusal), "abc", None);
            assert_eq!(response.status(), http, "{kind:?}");
            let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            assert_eq!(retry_after, [429, 503].contains(&http).then_some("3"), "{kind:?}");
            assert_eq!(response.headers().contains_key("www-authenticate"), http == 401);
        }
        assert_eq!(response(&Status::unavailable("x"), "abc", None).headers()["retry-after"], "1");
    }
}
