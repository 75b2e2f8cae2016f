//! Calls to the services: one unary call over a shared channel, retried where it may be, and requests passed through untouched.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;
use tonic::{Code, Status, body::Body, transport::Channel};
use tower::{Service as _, ServiceExt as _};

use crate::retry::Budget;

/// Largest answer of a service.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
const ATTEMPTS: u32 = 3;

/// What an answer brought: one message, or for a stream the body that goes on.
#[derive(Debug)]
pub enum Answer {
    /// The message.
    One(Bytes),
    /// Messages to come.
    Many(Body),
}

/// A call to make.
#[derive(Debug)]
pub struct Call<'a> {
    /// Wire path.
    pub path: &'a str,
    /// Metadata.
    pub headers: HeaderMap,
    /// The request's message.
    pub message: Bytes,
    /// May be made again when the service was not reached or did not know.
    pub repeatable: bool,
    /// Answers with a stream.
    pub streams: bool,
    /// How long to wait in all.
    pub patience: Duration,
}

/// Makes a call, again when it may be: only UNAVAILABLE, at most three times, within the budget, after a random pause.
pub async fn call(channel: Channel, budget: &Budget, call: &Call<'_>) -> Result<Answer, Status> {
    let work = async {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let answer = once(channel.clone(), call).await;
            let Err(status) = &answer else {
                budget.succeeded();
                return answer;
            };
            let again = status.code() == Code::Unavailable && call.repeatable && attempt < ATTEMPTS && budget.may_retry();
            if !again {
                return answer;
            }
            tokio::time::sleep(pause(attempt)).await;
        }
    };
    tokio::time::timeout(call.patience, work).await.unwrap_or_else(|_| Err(late()))
}

fn late() -> Status {
    let (zh, en) = ("处理超时", "took too long");
    drumtower_runtime::fault::status(&drumtower_runtime::Refusal::new(drumtower_runtime::Kind::Deadline, "DEADLINE", zh, en))
}

/// Full jitter over 50, 100, … milliseconds.
fn pause(attempt: u32) -> Duration {
    let ceiling = 50u64 << attempt.min(4);
    let random = uuid_bits() % ceiling.max(1);
    Duration::from_millis(random)
}

/// Some random bits; a UUID is the nearest source.
fn uuid_bits() -> u64 {
    u64::from_be_bytes(uuid::Uuid::new_v4().as_bytes()[8..16].try_into().unwrap_or_default())
}

async fn once(mut channel: Channel, call: &Call<'_>) -> Result<Answer, Status> {
    let mut body = BytesMut::with_capacity(call.message.len() + 5);
    body.put_u8(0);
    body.put_u32(u32::try_from(call.message.len()).map_err(|_| Status::resource_exhausted("too large"))?);
    body.put_slice(&call.message);
    let mut request = Request::post(call.path)
        .body(Body::new(http_body_util::Full::new(body.freeze())))
        .map_err(|error| Status::internal(error.to_string()))?;
    *request.headers_mut() = call.headers.clone();
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
    let away = |_| unreachable();
    let response = channel.ready().await.map_err(away)?.call(request).await.map_err(away)?;
    if let Some(status) = Status::from_header_map(response.headers()) {
        return Err(status);
    }
    if call.streams {
        return Ok(Answer::Many(response.into_body()));
    }
    let body = http_body_util::Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|_| unreachable())?;
    let ended = body.trailers().and_then(Status::from_header_map);
    if let Some(status) = ended.filter(|status| status.code() != Code::Ok) {
        return Err(status);
    }
    let bytes = body.to_bytes();
    if bytes.len() < 5 {
        return Err(Status::internal("a service answered nothing"));
    }
    Ok(Answer::One(bytes.slice(5..)))
}

fn unreachable() -> Status {
    drumtower_runtime::fault::status(&drumtower_runtime::fault::unavailable())
}

/// Passes a gRPC request through to a service without reading its body.
pub async fn pass(mut channel: Channel, request: Request<Body>) -> Response<Body> {
    let answer = async { channel.ready().await?.call(request).await };
    answer.await.unwrap_or_else(|_: tonic::transport::Error| unreachable().into_http())
}

/// Cuts whole messages out of the bytes of a stream; what is left waits for more.
pub fn messages(buffer: &mut BytesMut) -> Vec<Bytes> {
    let mut found = Vec::new();
    while buffer.len() >= 5 {
        let length = u32::from_be_bytes([buffer[1], buffer[2], buffer[3], buffer[4]]) as usize;
        if buffer.len() < 5 + length {
            break;
        }
        let mut frame = buffer.split_to(5 + length);
        found.push(frame.split_off(5).freeze());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_wherever_the_bytes_break() {
        let whole: Vec<u8> = [&[0, 0, 0, 0, 2, b'a', b'b'][..], &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 1, b'c']].concat();
        for cut in 0..whole.len() {
            let mut buffer = BytesMut::from(&whole[..cut]);
            let mut found = messages(&mut buffer);
            buffer.extend_from_slice(&whole[cut..]);
            found.extend(messages(&mut buffer));
            assert_eq!(found, [&b"ab"[..], b"", b"c"], "cut at {cut}");
            assert!(buffer.is_empty());
        }
    }
}
