//! One request, one trace: the submission of a request is followed from the gateway through ticketing, its look-ups, the database, the log
//! and the consumer in identity, as a real OTLP receiver gets it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use drumtower_tests::world::{DISTRICTS, PASSWORD, Wanted, World};
use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use serde_json::json;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A span as far as the test looks at it.
#[derive(Debug, Clone)]
struct Seen {
    service: String,
    name: String,
    trace: String,
    id: Vec<u8>,
    parent: Vec<u8>,
    attributes: String,
}

#[derive(Debug, Clone, Default)]
struct Receiver {
    spans: Arc<Mutex<Vec<Seen>>>,
    metrics: Arc<Mutex<BTreeSet<String>>>,
    logs: Arc<Mutex<usize>>,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.spans.lock().expect("spans");
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
            let service = attributes.into_iter().find(|attribute| attribute.key == "service.name").and_then(|attribute| attribute.value);
            let service = format!("{:?}", service.and_then(|value| value.value));
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(Seen {
                    service: service.clone(),
                    trace: span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect(),
                    id: span.span_id,
                    parent: span.parent_span_id,
                    attributes: format!("{:?}", span.attributes),
                    name: span.name,
                });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(&self, request: Request<ExportMetricsServiceRequest>) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let names = request.into_inner().resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        self.metrics.lock().expect("metrics").extend(names.flat_map(|scope| scope.metrics).map(|metric| metric.name));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(&self, _: Request<ExportLogsServiceRequest>) -> Result<Response<ExportLogsServiceResponse>, Status> {
        *self.logs.lock().expect("logs") += 1;
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_is_one_trace_from_the_door_to_the_inbox() {
    let receiver = Receiver::default();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
    let address = incoming.local_addr().expect("an address");
    let serving = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(receiver.clone()))
        .add_service(MetricsServiceServer::new(receiver.clone()))
        .add_service(LogsServiceServer::new(receiver.clone()))
        .serve_with_incoming(incoming);
    tokio::spawn(serving);
    let world = tokio::task::spawn_blocking(move || World::start(&Wanted { otlp: Some(format!("http://{address}")), ..Wanted::default() }));
    let world = world.await.expect("a world");
    let enterprise = world.sign_in(DISTRICTS[0], "enterprise").await;
    let body =
        json!({ "title": "电梯故障", "description": "客梯停运", "kind": "HELP", "contact_name": "林晓云", "contact_phone": "19900009999" });
    let body_with_lookup = json!({ "title": "电梯故障", "description": "客梯停运", "kind": "HELP" });
    enterprise.post("/v1/tickets", body).await.ok();
    let key = uuid::Uuid::now_v7().to_string();
    let answer = enterprise.post_keyed("/v1/tickets", body_with_lookup, &key).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let trace = answer.request_id;
    assert_eq!(trace.len(), 32, "the request id is the trace id");

    let wanted = [
        ("gateway", "POST /v1/tickets"),
        ("ticketing", "drumtower.ticketing.v1.TicketService/CreateTicket"),
        ("identity", "drumtower.identity.v1.UserService/LookupUser"),
        ("ticketing", "db.begin"),
        ("ticketing", "db.ticket.insert"),
        ("ticketing", "db.commit"),
        ("identity", "notices of ticketing ticket.submitted"),
        ("identity", "db.notice.insert"),
    ];
    let mut missing = Vec::new();
    for _ in 0..150 {
        let spans = receiver.spans.lock().expect("spans").clone();
        let of_trace: Vec<&Seen> = spans.iter().filter(|span| span.trace == trace).collect();
        missing = wanted
            .into_iter()
            .filter(|(service, name)| !of_trace.iter().any(|span| span.service.contains(service) && span.name == *name))
            .collect();
        if missing.is_empty() {
            let ids: BTreeSet<&[u8]> = of_trace.iter().map(|span| span.id.as_slice()).collect();
            let roots = of_trace.iter().filter(|span| !ids.contains(span.parent.as_slice())).count();
            assert_eq!(roots, 1, "one root, everything below it: {of_trace:#?}");
            assert!(of_trace.iter().any(|span| span.attributes.contains("tenant.id")));
            for personal in ["林晓云", "19900009999", PASSWORD] {
                assert!(
                    !spans.iter().any(|span| span.attributes.contains(personal) || span.name.contains(personal)),
                    "{personal} in a span"
                );
            }
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let spans = receiver.spans.lock().expect("spans").clone();
    let seen: Vec<(String, String)> = spans.into_iter().filter(|span| span.trace == trace).map(|span| (span.service, span.name)).collect();
    panic!("not in the trace {trace} within 30 seconds: {missing:?}; seen: {seen:?}");
}
