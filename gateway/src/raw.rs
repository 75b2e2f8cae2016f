//! Bodies that are not JSON: pictures, other protocols' callbacks. The contract says so by `google.api.HttpBody` as the body of a request or
//! the whole answer, and by `google.rpc.HttpResponse` where the answer has a status of its own.

use bytes::Bytes;
use drumtower_proto::google::{api::HttpBody, rpc::HttpResponse};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message as _;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use tonic::body::Body;

/// Headers of other protocols' senders that a service may look at, by <https://www.standardwebhooks.com>.
pub const HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// Whether a field holds a body as it is.
pub fn is_body(field: &FieldDescriptor) -> bool {
    !field.is_list() && matches!(field.kind(), Kind::Message(message) if message.full_name() == "google.api.HttpBody")
}

/// Whether an answer travels as it is.
pub fn is_answer(message: &MessageDescriptor) -> bool {
    matches!(message.full_name(), "google.api.HttpBody" | "google.rpc.HttpResponse")
}

/// The message of a body.
pub fn body(kind: Option<&str>, bytes: &Bytes) -> Vec<u8> {
    HttpBody { content_type: kind.unwrap_or_default().to_owned(), data: bytes.to_vec() }.encode_to_vec()
}

/// An answer as it is; `None` when it travels as JSON.
pub fn answer(message: &MessageDescriptor, bytes: &[u8]) -> Result<Option<Response<Body>>, String> {
    let wrong = |error: prost::DecodeError| error.to_string();
    let (status, kind, body) = match message.full_name() {
        "google.api.HttpBody" => {
            let HttpBody { content_type, data } = HttpBody::decode(bytes).map_err(wrong)?;
            (StatusCode::OK, content_type, data)
        }
        "google.rpc.HttpResponse" => {
            let answer = HttpResponse::decode(bytes).map_err(wrong)?;
            // A status that is not said is that of every other answer.
            let said = if answer.status == 0 { 200 } else { answer.status };
            let status = u16::try_from(said).ok().and_then(|status| StatusCode::from_u16(status).ok());
            let kind = answer.headers.into_iter().find(|header| header.key.eq_ignore_ascii_case("content-type"));
            (status.ok_or("no status of HTTP")?, kind.map(|header| header.value).unwrap_or_default(), answer.body)
        }
        _ => return Ok(None),
    };
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(pieces(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    let kind = if kind.is_empty() { "application/octet-stream" } else { &kind };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).map_err(|error| error.to_string())?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // What people sent in is shown as what it was found to be, and never runs here.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    Ok(Some(response))
}

/// How much of a raw answer is handed to the connection at a time.
const PIECE: usize = 64 * 1024;

/// A body in pieces: it is over when its last one was wanted, not when the first was.
fn pieces(mut bytes: Bytes) -> Body {
    let pieces = std::iter::from_fn(move || {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        (!piece.is_empty()).then_some(Ok::<_, std::convert::Infallible>(Frame::data(piece)))
    });
    Body::new(StreamBody::new(futures::stream::iter(pieces)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use drumtower_proto::{POOL, google::rpc::HttpHeader};

    fn of(name: &str, bytes: &[u8]) -> Result<Option<Response<Body>>, String> {
        answer(&POOL.get_message_by_name(name).expect("in the contract"), bytes)
    }

    #[test]
    fn an_answer_keeps_its_kind_and_status_and_nothing_else() {
        let picture = HttpBody { content_type: "image/png".to_owned(), data: vec![1, 2] }.encode_to_vec();
        let response = of("google.api.HttpBody", &picture).expect("good").expect("raw");
        assert_eq!((response.status(), &response.headers()["content-type"]), (StatusCode::OK, &HeaderValue::from_static("image/png")));
        let header = |key: &str, value: &str| HttpHeader { key: key.to_owned(), value: value.to_owned() };
        let headers = vec![header("Set-Cookie", "a=b"), header("Content-Type", "text/xml")];
        let xml = HttpResponse { status: 404, reason: String::new(), headers, body: b"<errors/>".to_vec() }.encode_to_vec();
        let response = of("google.rpc.HttpResponse", &xml).expect("good").expect("raw");
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::NOT_FOUND, &HeaderValue::from_static("text/xml"))
        );
        assert!(response.headers().get("set-cookie").is_none());
    }

    #[test]
    fn what_cannot_be_sent_is_a_fault_and_json_stays_json() {
        assert!(of("google.rpc.HttpResponse", &HttpResponse { status: 7, ..HttpResponse::default() }.encode_to_vec()).is_err());
        let split = HttpBody { content_type: "a\r\nset-cookie: x".to_owned(), data: Vec::new() }.encode_to_vec();
        assert!(of("google.api.HttpBody", &split).is_err());
        assert!(of("drumtower.ticketing.v1.Ticket", &[]).expect("good").is_none());
    }
}
