//! Calls to the services: one unary call over a shared channel, retried where it may be, and requests passed through untouched.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use drumtower_runtime::{Fault, Kind, Refusal, fault};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::{Code, Status, body::Body, transport::Channel};
use tonic_types::StatusExt as _;
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
            let answer = once(channel.clone(), call).await.map_err(shown);
            let Err(status) = &answer else {
                budget.succeeded();
                return answer;
            };
            let worth_it = status.code() == Code::Unavailable && budget.may_retry();
            if !worth_it || !call.repeatable || attempt >= ATTEMPTS {
                return answer;
            }
            tokio::time::sleep(pause(attempt)).await;
        }
    };
    tokio::time::timeout(call.patience, work).await.unwrap_or_else(|_| Err(late()))
}

/// The caller's time is over.
pub fn late() -> Status {
    fault::status(&Refusal::new(Kind::Deadline, "DEADLINE", "处理超时", "took too long"))
}

/// What a service did not word itself (a crash, a library) is logged here and not shown.
pub fn shown(status: Status) -> Status {
    let is_ours = status.get_details_error_info().is_some();
    match status.code() {
        Code::Internal | Code::Unknown | Code::DataLoss if !is_ours => Fault::broken(format!("a service answered {status}")).into(),
        Code::Unavailable | Code::Cancelled if !is_ours => unreachable(),
        _ => status,
    }
}

/// Full jitter over 50, 100, … milliseconds.
fn pause(attempt: u32) -> Duration {
    let ceiling = 50u64 << attempt.min(4);
    // A random UUID is the nearest source of random bits; the low ones are random all.
    let (_, random) = uuid::Uuid::new_v4().as_u64_pair();
    Duration::from_millis(random % ceiling)
}

async fn once(mut channel: Channel, call: &Call<'_>) -> Result<Answer, Status> {
    let response = channel.ready().await.map_err(away)?.call(framed(call)?).await.map_err(away)?;
    check_head(&response)?;
    if call.streams {
        return Ok(Answer::Many(response.into_body()));
    }
    let body = http_body_util::Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|_| unreachable())?;
    // Without its end an answer was cut off: whether anything was done is not known.
    let ended = body.trailers().and_then(Status::from_header_map).ok_or_else(unreachable)?;
    if ended.code() != Code::Ok {
        return Err(ended);
    }
    message(body.to_bytes()).map(Answer::One)
}

/// A message behind the five bytes that say how long it is.
fn frame(message: &[u8]) -> Result<Bytes, Status> {
    let length = u32::try_from(message.len()).map_err(|error| Fault::broken(error.to_string()))?;
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);
    Ok(framed.freeze())
}

/// The request of a call.
fn framed(call: &Call<'_>) -> Result<Request<Body>, Status> {
    let broken = |error: &dyn std::fmt::Display| Status::from(Fault::broken(error.to_string()));
    let body = Body::new(http_body_util::Full::new(frame(&call.message)?));
    let mut request = Request::post(call.path).body(body).map_err(|error| broken(&error))?;
    *request.headers_mut() = call.headers.clone();
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
    Ok(request)
}

/// A status may stand at the head already; an answer that is not gRPC at all comes from something in between.
fn check_head(response: &Response<Body>) -> Result<(), Status> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => Err(status),
        Some(_) => Ok(()),
        None if response.status().is_success() => Ok(()),
        None => Err(unreachable()),
    }
}

/// The one message of a unary answer.
fn message(bytes: Bytes) -> Result<Bytes, Status> {
    unframed(&bytes).ok_or_else(|| Fault::broken("a service did not answer with one message").into())
}

/// The one message of a unary request that came to the door.
pub fn message_of(bytes: &Bytes) -> Result<Bytes, Refusal> {
    unframed(bytes).ok_or_else(|| Refusal::new(Kind::Invalid, "MALFORMED", "请求格式不正确", "one message, not compressed, is wanted"))
}

fn unframed(bytes: &Bytes) -> Option<Bytes> {
    let length = bytes.get(1..5).map(|length| u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize)?;
    (bytes[0] == 0 && length == bytes.len() - 5).then(|| bytes.slice(5..))
}

/// A unary answer of the door's own.
pub fn answered(message: &[u8]) -> Result<Response<Body>, Status> {
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let frames = [Frame::data(frame(message)?), Frame::trailers(trailers)].map(Ok::<_, std::convert::Infallible>);
    let mut response = Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// A service could not be reached, or went away.
pub fn unreachable() -> Status {
    fault::status(&fault::unavailable())
}

/// A call that found no service. The channel keeps the deadline it was told, too, and that is no reason to call again.
fn away(error: tonic::transport::Error) -> Status {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = source {
        if error.is::<tonic::TimeoutExpired>() {
            return late();
        }
        source = error.source();
    }
    unreachable()
}

/// Passes a gRPC request through to a service without reading its body.
pub async fn pass(mut channel: Channel, request: Request<Body>) -> Response<Body> {
    let answer = async { channel.ready().await?.call(request).await };
    answer.await.unwrap_or_else(|error| away(error).into_http())
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
