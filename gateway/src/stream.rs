//! A stream of messages over HTTP: one JSON line each (NDJSON), or server-sent events for browsers.

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, body::Body};

use crate::{transcode, upstream};

/// How each message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    Events,
}

impl Form {
    fn of(accept: Option<&str>) -> Self {
        if accept.is_some_and(|accept| accept.contains("text/event-stream")) { Self::Events } else { Self::Lines }
    }

    fn write(self, json: &[u8]) -> Bytes {
        match self {
            Self::Lines => [json, b"\n"].concat().into(),
            Self::Events => [b"data: ", json, b"\n\n"].concat().into(),
        }
    }

    /// A stream that ends badly says so in its last message.
    fn write_end(self, status: &Status) -> Option<Bytes> {
        if status.code() == Code::Ok {
            return None;
        }
        let json = serde_json::json!({ "error": { "status": format!("{:?}", status.code()), "message": status.message() } }).to_string();
        Some(match self {
            Self::Lines => self.write(json.as_bytes()),
            Self::Events => [b"event: error\n", &self.write(json.as_bytes())[..]].concat().into(),
        })
    }
}

/// The response to a streaming RPC.
pub fn response(descriptor: MessageDescriptor, body: Body, accept: Option<&str>) -> Response<Body> {
    let form = Form::of(accept);
    let (to, from) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Status>>(16);
    tokio::spawn(async move {
        let mut body = body;
        let mut buffer = BytesMut::new();
        // A client that leaves closes the channel, which ends this and with it the call.
        while let Some(Ok(frame)) = body.frame().await {
            match frame.into_data() {
                Ok(data) => buffer.extend_from_slice(&data),
                Err(frame) => {
                    let ended = frame.trailers_ref().and_then(Status::from_header_map);
                    if let Some(end) = ended.and_then(|status| form.write_end(&status)) {
                        let _left = to.send(Ok(Frame::data(end))).await;
                    }
                    return;
                }
            }
            for message in upstream::messages(&mut buffer) {
                let json = DynamicMessage::decode(descriptor.clone(), message).ok().and_then(|message| transcode::to_json(&message).ok());
                let Some(json) = json else { return };
                if to.send(Ok(Frame::data(form.write(&json)))).await.is_err() {
                    return;
                }
            }
        }
    });
    let mut response = Response::new(Body::new(StreamBody::new(ReceiverStream::new(from))));
    let kind = match form {
        Form::Lines => "application/x-ndjson; charset=utf-8",
        Form::Events => "text/event-stream; charset=utf-8",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use drumtower_proto::identity::Unit;
    use prost::Message as _;

    async fn streamed(accept: Option<&str>) -> String {
        let framed = |name: &str| {
            let bytes = Unit { name: name.to_owned(), ..Unit::default() }.encode_to_vec();
            [&[0][..], &u32::try_from(bytes.len()).expect("short").to_be_bytes(), &bytes].concat()
        };
        let all: Vec<u8> = [framed("市监局"), framed("消防")].concat();
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("14"));
        let (to, from) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Status>>(100);
        for byte in all {
            to.send(Ok(Frame::data(Bytes::from(vec![byte])))).await.expect("sent");
        }
        to.send(Ok(Frame::trailers(trailers))).await.expect("sent");
        drop(to);
        let descriptor = drumtower_proto::POOL.get_message_by_name("drumtower.identity.v1.Unit").expect("in the contract");
        let body = Body::new(StreamBody::new(ReceiverStream::new(from)));
        let bytes = response(descriptor, body, accept).into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn a_stream_is_lines_or_events_and_says_how_it_ended() {
        let lines = streamed(None).await;
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].contains("市监局") && lines[1].contains("消防") && lines[2].contains("Unavailable"), "{lines:?}");
        let events = streamed(Some("text/event-stream")).await;
        assert_eq!(events.matches("data: ").count(), 3);
        assert!(events.contains("event: error\ndata: "));
    }
}
