//! The trace of a request: its id is the request id that people are told, and every call behind the door is part of it.

use drumtower_runtime::{surface::Method, telemetry};
use http::{HeaderMap, HeaderValue};
use tonic::Code;
use tracing::{Span, field};
use uuid::Uuid;

/// The trace that a request belongs to.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Trace id, 32 hexadecimal digits: the request id.
    pub id: String,
    /// What is handed on when no span is recorded, so that a log filter never cuts a trace in two.
    fallback: String,
}

impl Trace {
    /// Continues the caller's trace; without one, or with a malformed one, begins a new one.
    pub fn of(span: &Span, inbound: Option<&str>) -> Self {
        let inbound = inbound.filter(|traceparent| is_traceparent(traceparent));
        if let Some(traceparent) = inbound {
            telemetry::continue_from(span, traceparent);
        }
        let recorded = telemetry::trace_id(span);
        let id = match (recorded.is_empty(), inbound) {
            (false, _) => recorded,
            (true, Some(traceparent)) => traceparent[3..35].to_owned(),
            (true, None) => Uuid::new_v4().simple().to_string(),
        };
        let fallback = match inbound {
            Some(traceparent) => traceparent.to_owned(),
            None => format!("00-{id}-{}-01", &Uuid::new_v4().simple().to_string()[16..]),
        };
        Self { id, fallback }
    }

    /// Puts the span now in force into the metadata of a call.
    pub fn hand_on(&self, headers: &mut HeaderMap) {
        let traceparent = telemetry::current_traceparent().unwrap_or_else(|| self.fallback.clone());
        if let Ok(value) = HeaderValue::try_from(traceparent) {
            headers.insert("traceparent", value);
        }
    }
}

/// Whether a text is a W3C trace context that may be continued: version 00, ids of lower-case hexadecimal digits that are not all zero.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else { return false };
    let hex =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let some = |part: &str| part.bytes().any(|byte| byte != b'0');
    version == "00" && hex(trace, 32) && some(trace) && hex(parent, 16) && some(parent) && hex(flags, 2)
}

/// The span of a request at the door, named after method and template.
pub fn server(name: &str, method: &str, path: &str) -> Span {
    tracing::info_span!(
        "request",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = field::Empty,
        http.response.status_code = field::Empty,
        url.path = path,
        tenant.id = field::Empty,
    )
}

/// The span of the call to a service.
pub fn client(method: &Method) -> Span {
    let name = method.path.trim_start_matches('/');
    tracing::info_span!(
        "call",
        otel.name = name,
        otel.kind = "client",
        otel.status_code = field::Empty,
        rpc.system.name = "grpc",
        rpc.method = name,
        rpc.response.status_code = field::Empty,
        server.address = method.service.as_str(),
    )
}

/// How a call to a service ended.
pub fn called(span: &Span, code: Code) {
    span.record("rpc.response.status_code", format!("{code:?}"));
    if code != Code::Ok {
        span.record("otel.status_code", "ERROR");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn without_a_subscriber_the_callers_trace_is_continued_all_the_same() {
        let trace = Trace::of(&Span::none(), Some(PARENT));
        assert_eq!(trace.id, "4bf92f3577b34da6a3ce929d0e0e4736");
        let mut headers = HeaderMap::new();
        trace.hand_on(&mut headers);
        assert_eq!(headers["traceparent"], PARENT);
    }

    #[test]
    fn a_malformed_context_begins_a_new_trace() {
        let bent = [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ];
        for text in bent {
            let trace = Trace::of(&Span::none(), Some(text));
            assert!(trace.id.len() == 32 && !text.contains(&trace.id), "{text}");
            assert!(is_traceparent(&trace.fallback), "{}", trace.fallback);
        }
    }
}
