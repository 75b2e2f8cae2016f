//! Traces, metrics and logs: JSON lines on standard output with the trace id, and OTLP to any collector. The tenant is an attribute;
//! personal data never is.

use std::sync::LazyLock;

use drumtower_proto::log::Event;
use opentelemetry::{
    KeyValue, global,
    metrics::Histogram,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{SpanContext, TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    metrics::SdkMeterProvider,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    Layer,
    field::RecordFields,
    filter::Targets,
    fmt::{FormatFields, format::Writer},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::{config::Telemetry, fault::Fault};

/// Keeps the exporters; shut down at the end, so that nothing is lost.
#[derive(Debug, Default)]
pub struct Exporters {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    logs: Option<SdkLoggerProvider>,
}

/// Starts telemetry for a process. Call inside the runtime.
pub fn start(settings: &Telemetry, service: &str) -> Result<Exporters, Fault> {
    let broken = |error: &dyn std::fmt::Display| Fault::broken(format!("telemetry: {error}"));
    global::set_text_map_propagator(TraceContextPropagator::new());
    let filter: Targets = settings.log.parse().map_err(|error| broken(&error))?;
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let registry = tracing_subscriber::registry().with(filter).with(lines.fmt_fields(Nothing));
    let resource =
        Resource::builder().with_service_name(service.to_owned()).with_attribute(KeyValue::new("service.namespace", "drumtower")).build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample)));
    let traces = SdkTracerProvider::builder().with_resource(resource.clone()).with_sampler(sampler);
    let Some(endpoint) = &settings.otlp else {
        // Without a collector nothing is recorded; spans still carry trace ids, for request ids and the other services.
        let traces = traces.with_sampler(Sampler::AlwaysOff).build();
        let layer = spans(&traces);
        registry.with(layer).try_init().map_err(|error| broken(&error))?;
        return Ok(Exporters { traces: Some(traces), ..Exporters::default() });
    };
    let exporter =
        opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build().map_err(|error| broken(&error))?;
    let traces = traces.with_batch_exporter(exporter).build();
    let exporter =
        opentelemetry_otlp::MetricExporter::builder().with_tonic().with_endpoint(endpoint).build().map_err(|error| broken(&error))?;
    let metrics = SdkMeterProvider::builder().with_resource(resource.clone()).with_periodic_exporter(exporter).build();
    global::set_meter_provider(metrics.clone());
    let exporter =
        opentelemetry_otlp::LogExporter::builder().with_tonic().with_endpoint(endpoint).build().map_err(|error| broken(&error))?;
    let logs = SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
    let bridge = opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge::new(&logs);
    let layer = spans(&traces);
    registry.with(layer).with(bridge).try_init().map_err(|error| broken(&error))?;
    Ok(Exporters { traces: Some(traces), metrics: Some(metrics), logs: Some(logs) })
}

/// Spans of a provider, with what we say of them and nothing else.
fn spans<S>(traces: &SdkTracerProvider) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer("drumtower"));
    layer.with_tracked_inactivity(false).with_threads(false).with_location(false)
}

/// Lines say nothing of spans: their fields are not written down for them either.
struct Nothing;

impl<'writer> FormatFields<'writer> for Nothing {
    fn format_fields<R: RecordFields>(&self, _: Writer<'writer>, _: R) -> std::fmt::Result {
        Ok(())
    }

    fn add_fields(
        &self,
        _: &'writer mut tracing_subscriber::fmt::FormattedFields<Self>,
        _: &tracing::span::Record<'_>,
    ) -> std::fmt::Result {
        Ok(())
    }
}

impl Exporters {
    /// Sends what is left, within three seconds.
    pub async fn stop(self) {
        let flush = tokio::task::spawn_blocking(move || {
            if let Some(traces) = self.traces {
                let _ended = traces.shutdown();
            }
            if let Some(metrics) = self.metrics {
                let _ended = metrics.shutdown();
            }
            if let Some(logs) = self.logs {
                let _ended = logs.shutdown();
            }
        });
        let _in_time = tokio::time::timeout(std::time::Duration::from_secs(3), flush).await;
    }
}

/// The trace context now in force, as W3C text.
pub fn current_traceparent() -> Option<String> {
    let mut carrier = One(None);
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.0
}

/// Makes a span a child of the trace context of a request.
pub fn continue_from(span: &Span, traceparent: &str) {
    let context = TraceContextPropagator::new().extract(&One(Some(traceparent.to_owned())));
    let _disabled = span.set_parent(context);
}

/// The trace id of a span, 32 hexadecimal digits; empty when nothing traces.
pub fn trace_id(span: &Span) -> String {
    let context = span.context();
    let span_context: SpanContext = context.span().span_context().clone();
    if span_context.is_valid() { span_context.trace_id().to_string() } else { String::new() }
}

/// A consumer's span: within the trace of the request that caused the event, so that one trace shows the whole way.
pub fn span_of_event(consumer: &str, event: &Event, tenant: i32) -> Span {
    let span = tracing::info_span!(
        "consume",
        otel.name = format!("{consumer} {}", event.r#type),
        otel.kind = "consumer",
        messaging.operation.name = "process",
        messaging.destination.name = consumer,
        tenant.id = tenant,
        log.seq = event.seq,
    );
    if !event.traceparent.is_empty() {
        continue_from(&span, &event.traceparent);
    }
    span
}

/// A server's span for an RPC.
pub fn span_of_rpc(path: &str) -> Span {
    tracing::info_span!(
        "rpc",
        otel.name = path.trim_start_matches('/'),
        otel.kind = "server",
        otel.status_code = field::Empty,
        rpc.system.name = "grpc",
        rpc.method = path.trim_start_matches('/'),
        rpc.response.status_code = field::Empty,
        tenant.id = field::Empty,
        caller = field::Empty,
    )
}

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("drumtower")
        .f64_histogram("rpc.server.call.duration")
        .with_unit("s")
        .with_boundaries(vec![0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0])
        .build()
});

/// Counts a call served, by method and outcome; tenants are not a label, for there are thousands.
pub fn served(path: &str, code: tonic::Code, seconds: f64) {
    DURATION.record(
        seconds,
        &[
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", path.trim_start_matches('/').to_owned()),
            KeyValue::new("rpc.response.status_code", format!("{code:?}")),
        ],
    );
}

/// A carrier of the one header.
struct One(Option<String>);

impl Injector for One {
    fn set(&mut self, key: &str, value: String) {
        if key == "traceparent" {
            self.0 = Some(value);
        }
    }
}

impl Extractor for One {
    fn get(&self, key: &str) -> Option<&str> {
        if key == "traceparent" { self.0.as_deref() } else { None }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}
