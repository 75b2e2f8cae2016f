//! The guard: the one layer in front of every handler of every service. In order: deadline, who calls, who the person is, may they, is
//! the request well-formed; then the handler runs in a task of the service's own, so that a client that leaves cannot cut it between
//! COMMIT and answer; then masking. A method that the contract does not know, or a rule that does not fit, is refused.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};
use tracing::{Instrument as _, Span};

use crate::{
    call::{Actor, Call, Key},
    clock::Clock,
    db::Db,
    fault::{Fault, REPEATED, status, unavailable},
    log::NewEvent,
    mask,
    refusal::{Kind, Refusal},
    revocation::Revocations,
    surface::{Method, SURFACE, Who},
    telemetry, token, wellformed,
};

/// Largest message a service takes.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
const DEFAULT_DEADLINE: Duration = Duration::from_millis(2500);
const MAX_DEADLINE: Duration = Duration::from_secs(30);
/// How old a sign-in may be for an RPC that asks for a recent one.
const STEP_UP_SECONDS: i64 = 15 * 60;

/// What the guard needs to decide.
#[derive(Clone)]
pub struct Guard {
    /// The service it stands in front of.
    pub service: &'static str,
    /// Keys of services.
    pub services: Arc<token::Keys>,
    /// Keys of people's tokens.
    pub people: Arc<token::Keys>,
    /// Fetches people's keys anew when a token names an unknown one.
    pub refetch: Arc<dyn Fn() + Send + Sync>,
    /// What was revoked before it ended.
    pub revocations: Revocations,
    /// The database, for repeated calls and denials.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Calls at work at once; more are refused at once rather than queued for long.
    pub room: Arc<tokio::sync::Semaphore>,
}

/// The layer.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let path = request.uri().path().to_owned();
    let span = telemetry::span_of_rpc(&path);
    if let Some(traceparent) = text(request.headers(), "traceparent") {
        telemetry::continue_from(&span, traceparent);
    }
    let method = SURFACE.method(&path).filter(|method| serves(guard.service, method));
    let answer = match method {
        None => Err(Refusal::new(Kind::Unimplemented, "UNKNOWN_METHOD", "未知接口", "no such method").into()),
        Some(method) => guard.pass(method, request, next, started).instrument(span.clone()).await,
    };
    let response = answer.unwrap_or_else(|fault| span.in_scope(|| refuse(&path, fault)));
    let code = code_of(&response);
    telemetry::served(&path, code, started.elapsed().as_secs_f64());
    span.record("rpc.response.status_code", format!("{code:?}"));
    if matches!(code, Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable | Code::DeadlineExceeded) {
        span.record("otel.status_code", "ERROR");
    }
    response
}

/// The log is served by every service, everything else by the one that the contract's package names.
fn serves(service: &str, method: &Method) -> bool {
    method.service == service || method.service == "log"
}

fn refuse(path: &str, fault: Fault) -> Response {
    let status = Status::from(fault);
    tracing::info!(path, code = ?status.code(), reason = status.message(), "refused");
    status.into_http()
}

impl Guard {
    async fn pass(&self, method: &'static Method, request: Request, next: Next, started: Instant) -> Result<Response, Fault> {
        let Ok(_place) = self.room.clone().try_acquire_owned() else {
            return Err(Refusal::new(Kind::Exhausted, "OVERLOADED", "系统繁忙，请稍后重试", "too busy; try again shortly").into());
        };
        let (mut parts, body) = request.into_parts();
        let deadline = started + deadline(&parts.headers)?;
        let mut call = self.identify(method, &parts.headers, deadline)?;
        Span::current().record("tenant.id", call.tenant).record("caller", call.caller.as_str());
        if let Err(refusal) = self.may(method, &call) {
            self.note_denial(method, &call);
            return Err(refusal.into());
        }
        let bytes = message(body, deadline).await?;
        wellformed::check(&method.descriptor.input(), &bytes[5..])?;
        call.key = key(method, &parts.headers, &bytes)?;
        let call = Arc::new(call);
        parts.extensions.insert(Arc::clone(&call));
        let request = Request::from_parts(parts, Body::from(bytes));
        let answer = self.handle(&call, request, next).await?;
        let answer = self.replayed(&call, answer).await?;
        if method.answers_personal { masked(method, &call, answer).await } else { Ok(answer) }
    }

    /// Who calls, for which district, in whose name.
    fn identify(&self, method: &Method, headers: &HeaderMap, deadline: Instant) -> Result<Call, Refusal> {
        let now = self.clock.now();
        let proof = text(headers, "drumtower-caller").ok_or_else(|| unknown_caller("no caller"))?;
        let caller = self.services.service(proof, self.service, now).map_err(|distrust| unknown_caller(&distrust.to_string()))?;
        let traceparent = telemetry::current_traceparent().unwrap_or_default();
        let said_tenant = text(headers, "drumtower-tenant").and_then(|tenant| tenant.parse::<i32>().ok()).unwrap_or(0);
        let mut call = Call {
            tenant: said_tenant,
            actor: Actor::Nobody,
            caller: caller.to_string(),
            now,
            deadline,
            key: None,
            request_id: telemetry::trace_id(&Span::current()),
            traceparent,
            address: text(headers, "drumtower-address").unwrap_or_default().to_owned(),
            english: text(headers, "accept-language").is_some_and(prefers_english),
            path: SURFACE.method(&method.path).map_or("", |method| method.path.as_str()),
            bearer: None,
        };
        let may_call = match method.who {
            Who::Internal => method.callers.contains(&call.caller),
            _ => call.caller == "gateway" || method.callers.contains(&call.caller),
        };
        if !may_call {
            return Err(Refusal::denied(format!("callers of {}", method.path)));
        }
        match method.who {
            Who::Internal => call.actor = Actor::Service(call.caller.clone()),
            Who::Public => {}
            Who::Authenticated | Who::Permission(_) => self.person(&mut call, headers, said_tenant)?,
        }
        Ok(call)
    }

    fn person(&self, call: &mut Call, headers: &HeaderMap, said_tenant: i32) -> Result<(), Refusal> {
        let bearer = text(headers, "authorization").and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(sign_in)?;
        if !self.people.any() {
            // A process that has just started does not know the keys yet: that is its own affair, not a bad token.
            return Err(unavailable());
        }
        if !self.people.knows(bearer) {
            (self.refetch)();
        }
        let claims = self.people.access(bearer, call.now).map_err(|distrust| {
            tracing::debug!(%distrust, "token not believed");
            sign_in()
        })?;
        if said_tenant != 0 && said_tenant != claims.tid {
            return Err(Refusal::new(Kind::Unauthenticated, "TENANT_MISMATCH", "登录不属于该区", "signed in to another district"));
        }
        if self.revocations.revoked(&claims) {
            return Err(sign_in());
        }
        call.tenant = claims.tid;
        call.bearer = Some(bearer.to_owned());
        call.actor = Actor::Person(claims);
        Ok(())
    }

    fn may(&self, method: &Method, call: &Call) -> Result<(), Refusal> {
        if let Who::Permission(permission) = &method.who
            && !call.may(permission)
        {
            return Err(Refusal::denied(permission));
        }
        if !method.step_up {
            return Ok(());
        }
        if !self.revocations.fresh() {
            return Err(unavailable());
        }
        let claims = call.person()?;
        if call.now.as_second() - claims.auth_time > STEP_UP_SECONDS {
            let (zh, en) = ("请重新登录后再操作", "sign in again for this");
            return Err(Refusal::new(Kind::Unauthenticated, "STEP_UP", zh, en));
        }
        Ok(())
    }

    /// A denial is a fact worth keeping; it does not make the caller wait.
    fn note_denial(&self, method: &'static Method, call: &Call) {
        let Actor::Person(claims) = &call.actor else { return };
        let (db, call, person) = (self.db.clone(), call.clone(), claims.sub);
        tokio::spawn(async move {
            let noted = async {
                let mut tx = db.write(&call).await?;
                tx.emit(NewEvent::new("access.denied", person, 0).facts(serde_json::json!({ "method": method.path })));
                tx.done().await
            };
            if let Err(error) = noted.await {
                tracing::warn!(?error, "a denial could not be noted");
            }
        });
    }

    /// Runs the handler in a task of its own, to its deadline. A panic costs this one answer.
    async fn handle(&self, call: &Call, request: Request, next: Next) -> Result<Response, Fault> {
        let grace = call.remaining() + Duration::from_millis(100);
        let task = tokio::spawn(async move { tokio::time::timeout(grace, next.run(request)).await }.in_current_span());
        match task.await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) => Err(Refusal::new(Kind::Deadline, "DEADLINE", "处理超时", "took too long").into()),
            Err(error) => Err(Fault::broken(format!("a handler panicked: {error}"))),
        }
    }

    /// A keyed call that did not succeed may have succeeded before: then the first answer is given again.
    async fn replayed(&self, call: &Call, response: Response) -> Result<Response, Fault> {
        let Some(key) = &call.key else { return Ok(response) };
        if code_of(&response) == Code::Ok {
            return Ok(response);
        }
        let repeated = response.headers().contains_key(REPEATED);
        match self.db.answer_of(call).await {
            Ok(Some((hash, answer))) if hash == key.hash => Ok(framed(&answer)),
            Ok(Some(_)) => {
                let (zh, en) = ("幂等键已用于另一请求", "this idempotency key was used for another request");
                Err(Refusal::new(Kind::Exists, "IDEMPOTENCY_KEY_REUSED", zh, en).into())
            }
            Ok(None) if repeated => Err(unavailable().into()),
            Ok(None) => Ok(response),
            Err(fault) if repeated => Err(fault),
            Err(_) => Ok(response),
        }
    }
}

fn unknown_caller(why: &str) -> Refusal {
    tracing::debug!(why, "caller not believed");
    Refusal::new(Kind::Unauthenticated, "UNKNOWN_CALLER", "未知调用方", "unknown caller")
}

fn sign_in() -> Refusal {
    Refusal::new(Kind::Unauthenticated, "SIGN_IN", "请先登录", "sign in first")
}

fn prefers_english(languages: &str) -> bool {
    languages.trim_start().to_ascii_lowercase().starts_with("en")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The caller's `grpc-timeout`; a malformed one is refused, for it would be ignored otherwise.
fn deadline(headers: &HeaderMap) -> Result<Duration, Refusal> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(DEFAULT_DEADLINE) };
    let malformed = || Refusal::invalid("grpc-timeout", "MALFORMED_DEADLINE", "超时格式不正确", "malformed grpc-timeout");
    let value = value.to_str().map_err(|_| malformed())?;
    let (digits, unit) = value.split_at_checked(value.len().saturating_sub(1)).ok_or_else(malformed)?;
    if digits.is_empty() || digits.len() > 8 {
        return Err(malformed());
    }
    let amount: u64 = digits.parse().map_err(|_| malformed())?;
    let deadline = match unit {
        "H" => Duration::from_secs(amount.saturating_mul(3600)),
        "M" => Duration::from_secs(amount.saturating_mul(60)),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return Err(malformed()),
    };
    Ok(deadline.min(MAX_DEADLINE))
}

/// Reads the one message of a unary call, with its five-byte frame.
async fn message(body: Body, deadline: Instant) -> Result<Bytes, Refusal> {
    let malformed = |en: &str| Refusal::new(Kind::Invalid, "MALFORMED", "请求格式不正确", en);
    let limited = http_body_util::Limited::new(body, MAX_MESSAGE);
    let collected = tokio::time::timeout_at(deadline.into(), limited.collect()).await;
    let bytes = match collected {
        Err(_) => return Err(Refusal::new(Kind::Deadline, "DEADLINE", "处理超时", "the request did not arrive in time")),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Refusal::new(Kind::Exhausted, "TOO_LARGE", "请求过大", "the request is too large"));
        }
        Ok(Err(_)) => return Err(malformed("the request broke off")),
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    let Some((frame, rest)) = bytes.split_at_checked(5) else { return Err(malformed("no message")) };
    if frame[0] != 0 {
        return Err(malformed("compressed messages are not taken"));
    }
    let length = u32::from_be_bytes([frame[1], frame[2], frame[3], frame[4]]) as usize;
    if length != rest.len() {
        return Err(malformed("the frame says another length"));
    }
    Ok(bytes)
}

/// The idempotency key of a call that changes something, with the hash of what it is used for.
fn key(method: &Method, headers: &HeaderMap, bytes: &[u8]) -> Result<Option<Key>, Refusal> {
    let Some(value) = headers.get("idempotency-key").filter(|_| !method.reads && method.who != Who::Internal) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    let key =
        key.ok_or_else(|| Refusal::invalid("idempotency-key", "MALFORMED_KEY", "幂等键格式不正确", "1 to 128 visible ASCII characters"))?;
    let mut hash = Sha256::new();
    hash.update(method.path.as_bytes());
    hash.update(&bytes[5..]);
    Ok(Some(Key { key: key.to_owned(), hash: hash.finalize().into() }))
}

fn code_of(response: &Response) -> Code {
    response.headers().get("grpc-status").map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

/// A message as the body of a successful answer.
fn framed(message: &[u8]) -> Response {
    let mut body = BytesMut::with_capacity(message.len() + 5);
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    body.put_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let body = http_body_util::Full::new(body.freeze()).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/grpc"));
    response
}

/// Masks what the caller may not see.
async fn masked(method: &Method, call: &Call, response: Response) -> Result<Response, Fault> {
    if code_of(&response) != Code::Ok {
        return Ok(response);
    }
    let body = response.into_body().collect().await.map_err(|error| Fault::broken(error.to_string()))?;
    let status =
        body.trailers().and_then(|trailers| trailers.get("grpc-status")).map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()));
    if status != Code::Ok {
        return Ok(status_of(status));
    }
    let bytes = body.to_bytes();
    let message = bytes.get(5..).ok_or_else(|| Fault::broken("a handler answered nothing"))?;
    let masked = mask::answer(method, message, call).ok_or_else(|| Fault::broken("an answer could not be masked"))?;
    Ok(framed(&masked))
}

fn status_of(code: Code) -> Response {
    let refusal = Refusal::new(Kind::Unavailable, "UNAVAILABLE", "服务暂时不可用", "the answer broke off");
    let status = status(&refusal);
    Status::new(code, status.message()).into_http()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_and_malformed_ones_refused() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", http::HeaderValue::from_static(value));
            deadline(&headers)
        };
        assert_eq!(with("250m"), Ok(Duration::from_millis(250)));
        assert_eq!(with("99999999H"), Ok(MAX_DEADLINE));
        for bad in ["", "S", "1", "1x", "-1S", "999999999S", "１S"] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", http::HeaderValue::from_bytes(bad.as_bytes()).expect("a header"));
            assert!(deadline(&headers).is_err(), "{bad:?}");
        }
        assert_eq!(deadline(&HeaderMap::new()), Ok(DEFAULT_DEADLINE));
    }

    #[tokio::test]
    async fn frames_that_lie_are_refused() {
        let soon = Instant::now() + Duration::from_secs(1);
        for bad in [&[][..], &[0, 0, 0, 0], &[1, 0, 0, 0, 0], &[0, 0xff, 0xff, 0xff, 0xff], &[0, 0, 0, 0, 2, 1]] {
            assert!(message(Body::from(bad.to_vec()), soon).await.is_err(), "{bad:?}");
        }
        assert!(message(Body::from(vec![0, 0, 0, 0, 0]), soon).await.is_ok());
    }
}
