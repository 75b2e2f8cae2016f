//! A stream of messages over HTTP: one JSON line each (NDJSON), or server-sent events for browsers.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use drumtower_runtime::Fault;
use http::{HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, body::Body};

use crate::{problem, upstream, write::Writer};

/// How each message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line each.
    Lines,
    /// A server-sent event each.
    Events,
}

impl Form {
    /// What the client accepts.
    pub fn of(accept: Option<&str>) -> Self {
        if accept.is_some_and(|accept| accept.contains("text/event-stream")) { Self::Events } else { Self::Lines }
    }

    fn write(self, json: &[u8]) -> Bytes {
        match self {
            Self::Lines => [json, b"\n"].concat().into(),
            Self::Events => [b"data: ", json, b"\n\n"].concat().into(),
        }
    }

    /// A stream that ends badly says so in its last message, in the form of every other error.
    fn write_end(self, status: &Status, request_id: &str) -> Bytes {
        let json = problem::body(status, request_id, problem::http_status(status.code()));
        match self {
            Self::Lines => self.write(json.as_bytes()),
            Self::Events => [b"event: error\n", &self.write(json.as_bytes())[..]].concat().into(),
        }
    }

    fn kind(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Lines => "application/x-ndjson; charset=utf-8",
            Self::Events => "text/event-stream; charset=utf-8",
        })
    }
}

type Sender = tokio::sync::mpsc::Sender<Result<Frame<Bytes>, Status>>;

/// The response to a streaming RPC.
pub fn response(writer: Arc<Writer>, body: Body, form: Form, request_id: String) -> Response<Body> {
    let (to, from) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        let Err(status) = relay(writer, body, form, &to).await else { return };
        let _left = to.send(Ok(Frame::data(form.write_end(&status, &request_id)))).await;
    });
    let mut response = Response::new(Body::new(StreamBody::new(ReceiverStream::new(from))));
    response.headers_mut().insert(header::CONTENT_TYPE, form.kind());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Writes messages until the service ends the stream. A client that leaves closes the channel, which ends this and with it the call.
async fn relay(writer: Arc<Writer>, mut body: Body, form: Form, to: &Sender) -> Result<(), Status> {
    let mut buffer = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| upstream::unreachable())?.into_data() {
            Ok(data) => buffer.extend_from_slice(&data),
            Err(frame) => return ended(frame.trailers_ref().and_then(Status::from_header_map)),
        }
        for message in upstream::messages(&mut buffer) {
            let json = writer.json(&message).map_err(Fault::broken)?;
            if to.send(Ok(Frame::data(form.write(&json)))).await.is_err() {
                return Ok(());
            }
        }
    }
    ended(None)
}

/// A stream that ends without saying how was cut off.
fn ended(status: Option<Status>) -> Result<(), Status> {
    match status {
        Some(status) if status.code() == Code::Ok => Ok(()),
        Some(status) => Err(status),
        None => Err(upstream::unreachable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drumtower_proto::identity::Unit;
    use prost::Message as _;

    async fn streamed(accept: Option<&str>, end: Option<&'static str>) -> String {
        let framed = |name: &str| {
            let bytes = Unit { name: name.to_owned(), ..Unit::default() }.encode_to_vec();
            [&[0][..], &u32::try_from(bytes.len()).expect("short").to_be_bytes(), &bytes].concat()
        };
        let all: Vec<u8> = [framed("市监局"), framed("消防")].concat();
        let (to, from) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Status>>(100);
        for byte in all {
            to.send(Ok(Frame::data(Bytes::from(vec![byte])))).await.expect("sent");
        }
        if let Some(end) = end {
            let trailers = http::HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static(end))]);
            to.send(Ok(Frame::trailers(trailers))).await.expect("sent");
        }
        drop(to);
        let descriptor = drumtower_proto::POOL.get_message_by_name("drumtower.identity.v1.Unit").expect("in the contract");
        let body = Body::new(StreamBody::new(ReceiverStream::new(from)));
        let bytes = response(Arc::new(Writer::new(descriptor)), body, Form::of(accept), "abc".to_owned())
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn a_stream_is_lines_or_events_and_says_how_it_ended() {
        let whole = streamed(None, Some("0")).await;
        let lines: Vec<serde_json::Value> = whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0]["name"].as_str(), lines[1]["name"].as_str()), (Some("市监局"), Some("消防")));
        for (end, code) in [(Some("8"), "RESOURCE_EXHAUSTED"), (None, "UNAVAILABLE")] {
            let lines = streamed(None, end).await;
            let last: serde_json::Value = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
            assert_eq!((lines.lines().count(), last["error"]["status"].as_str()), (3, Some(code)));
            assert!(last["error"]["details"].to_string().contains("abc"), "the request id");
        }
        let events = streamed(Some("text/event-stream"), Some("14")).await;
        assert_eq!(events.matches("data: ").count(), 3);
        assert!(events.contains("event: error\ndata: "));
    }
}
