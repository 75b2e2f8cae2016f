//! The door from outside: over real connections, with services behind it that answer as told.

mod browsers;
mod pages;
mod street;

use std::time::{Duration, Instant};

use drumtower_proto::{
    POOL,
    ticketing::{GetTicketRequest, ListTicketsRequest, Ticket, ticket_service_client::TicketServiceClient},
};
use drumtower_runtime::{Clock, token};
use prost::Message as _;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;

use crate::street::{Street, framed};

const DISTRICT: &str = "/t/350102";

/// Status, headers and JSON of an answer.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    json: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn reason(&self) -> &str {
        self.json["error"]["details"][0]["reason"].as_str().unwrap_or_default()
    }
}

async fn ask(request: RequestBuilder) -> Answer {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.expect("text");
    Answer { status, headers, json: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

fn request(street: &Street, method: Method, path: &str) -> RequestBuilder {
    Client::new().request(method, street.url(path)).bearer_auth(street.token(7))
}

async fn get(street: &Street, path: &str) -> Answer {
    ask(request(street, Method::GET, path)).await
}

#[tokio::test]
async fn a_request_arrives_with_what_the_door_says_and_nothing_the_caller_made_up() {
    let street = Street::open().await;
    let answer = ask(request(&street, Method::GET, "/t/350102/v1/tickets/7")
        .header("drumtower-tenant", "8")
        .header("drumtower-caller", "forged")
        .header("drumtower-address", "6.6.6.6")
        .header("drumtower-anything", "x")
        .header("x-tenant-id", "8")
        .header("x-user-id", "somebody")
        .header("x-forwarded-for", "6.6.6.6")
        .header("cookie", "a=b")
        .header("accept-language", "en")
        .header("idempotency-key", "k1")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
    .await;
    assert_eq!((answer.status, answer.json["title"].as_str()), (200, Some("电梯故障")));
    assert_eq!(answer.header("x-request-id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    let seen = street.tickets_seen().pop().expect("a call");
    let gateway = token::Keys::default();
    gateway.replace([street.gateway_key.clone()]);
    let caller = gateway.service(seen.header("drumtower-caller"), "ticketing", Clock::system().now()).expect("the gateway's own token");
    assert_eq!(*caller, "gateway");
    assert_eq!((seen.header("drumtower-tenant"), seen.header("drumtower-address")), ("7", "127.0.0.1"));
    assert_eq!((seen.header("accept-language"), seen.header("idempotency-key")), ("en", "k1"));
    assert!(seen.header("traceparent").starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    assert_eq!(seen.header("grpc-timeout"), "9900m");
    assert!(seen.header("authorization").starts_with("Bearer "));
    let known = ["drumtower-caller", "drumtower-tenant", "drumtower-address"];
    let strays: Vec<&str> = seen.headers.keys().map(|name| name.as_str()).filter(|name| !known.contains(name)).collect();
    assert!(strays.iter().all(|name| !name.starts_with("drumtower-") && !name.starts_with("x-") && *name != "cookie"), "{strays:?}");
}

#[tokio::test]
async fn the_district_is_said_by_path_host_or_metadata_and_must_be_open() {
    let street = Street::open().await;
    for (path, status, reason) in [
        ("/v1/tickets/7", 404, "TENANT_REQUIRED"),
        ("/t/999999/v1/tickets/7", 404, "TENANT_UNKNOWN"),
        ("/t/..%2f/v1/tickets/7", 404, "TENANT_UNKNOWN"),
        ("/t/350104/v1/tickets/7", 403, "TENANT_BLOCKED"),
        ("/t/350103/v1/tickets/7", 401, "TENANT_MISMATCH"),
    ] {
        let answer = get(&street, path).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{path}");
    }
    let write = ask(request(&street, Method::POST, "/t/350103/v1/tickets").json(&serde_json::json!({}))).await;
    assert_eq!((write.status, write.reason()), (400, "TENANT_READ_ONLY"));
    for _ in 0..3 {
        get(&street, "/t/999999/v1/tickets/7").await;
    }
    assert_eq!(street.count("ResolveTenant"), 3, "two districts and one that is not: each asked about once");
    for prior_knowledge in [false, true] {
        let client = Client::builder().resolve("gulou.test", street.address);
        let client = if prior_knowledge { client.http2_prior_knowledge() } else { client }.build().expect("a client");
        let url = format!("http://gulou.test:{}/v1/tickets/7", street.address.port());
        let answer = ask(client.get(url).bearer_auth(street.token(7))).await;
        assert_eq!(answer.status, 200, "HTTP/2: {prior_knowledge}, {}", answer.json);
    }
}

#[tokio::test]
async fn who_is_not_signed_in_stays_outside() {
    let street = Street::open().await;
    let url = street.url("/t/350102/v1/tickets/7");
    let stranger = street::signer();
    let now = Clock::system().now();
    let forged = stranger.access(&token::claims(uuid::Uuid::now_v7(), 7, uuid::Uuid::now_v7(), now, None, None, 1, vec![], now));
    for bearer in [None, Some(""), Some("x.y.z"), Some(forged.as_str())] {
        let request = Client::new().get(&url);
        let answer = ask(if let Some(bearer) = bearer { request.bearer_auth(bearer) } else { request }).await;
        assert_eq!((answer.status, answer.reason()), (401, "SIGN_IN"), "{bearer:?}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        assert_eq!(answer.header("x-request-id").len(), 32);
        assert!(answer.json["error"]["details"].to_string().contains(answer.header("x-request-id")));
    }
    assert!(street.tickets_seen().is_empty());
    assert_eq!(ask(Client::new().get(street.url("/t/350102/v1/keys"))).await.status, 200, "what is public is open");
}

#[tokio::test]
async fn bad_requests_are_the_callers_fault_and_say_why() {
    let street = Street::open_with(|config| config.gateway.max_body = 1000).await;
    let post = |body: &str| request(&street, Method::POST, "/t/350102/v1/tickets").body(body.to_owned());
    let json = |body: &str| post(body).header("content-type", "application/json");
    let cases = [
        (request(&street, Method::GET, "/t/350102/v1/nothing"), 404, "UNKNOWN_PATH"),
        (request(&street, Method::DELETE, "/t/350102/v1/tickets"), 405, "METHOD_NOT_ALLOWED"),
        (request(&street, Method::POST, "/healthz"), 405, "METHOD_NOT_ALLOWED"),
        (json(r#"{"titel": "x"}"#), 400, "UNKNOWN_FIELD"),
        (json("{"), 400, "MALFORMED"),
        (json(&"x".repeat(1001)), 413, "BODY_TOO_LARGE"),
        (post("a=b").header("content-type", "application/x-www-form-urlencoded"), 415, "NOT_JSON"),
        (json("{}").header("content-encoding", "gzip"), 415, "NOT_JSON"),
        (json("{}").header("idempotency-key", "a b"), 400, "MALFORMED_KEY"),
        (json("{}").header("grpc-timeout", "soon"), 400, "MALFORMED_DEADLINE"),
        (json("{}").header("x-long", "x".repeat(17_000)), 431, "HEADERS_TOO_LARGE"),
    ];
    for (request, status, reason) in cases {
        let answer = ask(request).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{}", answer.json);
        assert_eq!(answer.json["error"]["code"], status);
    }
    assert_eq!(get(&street, "/t/350102/v1/tickets/7:sign").await.header("allow"), "POST");
    assert!(street.tickets_seen().is_empty());
}

#[tokio::test]
async fn what_a_service_says_is_passed_on_and_what_slips_out_of_it_is_not() {
    let street = Street::open().await;
    let none = get(&street, "/t/350102/v1/tickets/none").await;
    assert_eq!((none.status, none.reason(), none.json["error"]["status"].as_str()), (404, "NOT_FOUND", Some("NOT_FOUND")));
    assert_eq!(none.json["error"]["details"][1]["message"], "未找到该记录");
    let crash = get(&street, "/t/350102/v1/tickets/crash").await;
    assert_eq!((crash.status, crash.reason()), (500, "INTERNAL"));
    assert!(!crash.json.to_string().contains("password"));
}

#[tokio::test]
async fn only_what_may_be_repeated_is_repeated() {
    let street = Street::open().await;
    assert_eq!(get(&street, "/t/350102/v1/tickets/flaky").await.status, 200);
    assert_eq!(street.count("GetTicket"), 3);
    let down = get(&street, "/t/350102/v1/tickets/down").await;
    assert_eq!((down.status, down.header("retry-after")), (503, "1"));
    let create = || request(&street, Method::POST, "/t/350102/v1/tickets").json(&serde_json::json!({}));
    let before = street.count("CreateTicket");
    assert_eq!(ask(create()).await.status, 503);
    assert_eq!(street.count("CreateTicket") - before, 1, "a write without a key is not repeated");
    let fresh = Street::open().await;
    let keyed = request(&fresh, Method::POST, "/t/350102/v1/tickets").json(&serde_json::json!({})).header("idempotency-key", "k");
    assert_eq!(ask(keyed).await.status, 503);
    let seen = fresh.tickets_seen();
    assert_eq!(seen.len(), 3, "a keyed one is, with its key");
    assert!(seen.iter().all(|seen| seen.header("idempotency-key") == "k"));
}

#[tokio::test]
async fn nobody_waits_longer_than_they_said() {
    let street = Street::open().await;
    let started = Instant::now();
    let answer = ask(request(&street, Method::GET, "/t/350102/v1/tickets/slow").header("grpc-timeout", "200m")).await;
    assert_eq!((answer.status, answer.reason()), (504, "DEADLINE"));
    assert!(started.elapsed() < Duration::from_millis(900));
    assert_eq!(street.count("GetTicket"), 1, "a call that is late is not made again");
}

#[tokio::test]
async fn who_sends_too_much_is_told_when_to_come_back() {
    let street = Street::open_with(|config| config.gateway.user_rate = 1).await;
    let token = street.token(7);
    let call = || Client::new().get(street.url("/t/350102/v1/tickets/7")).bearer_auth(&token);
    let mut passed = 0;
    let refused = loop {
        let answer = ask(call()).await;
        if answer.status != 200 {
            break answer;
        }
        passed += 1;
        assert!(passed < 50, "never refused");
    };
    assert!((10..=12).contains(&passed), "{passed}");
    assert_eq!((refused.status, refused.reason(), refused.header("retry-after")), (429, "USER_QUOTA", "1"));
    assert_eq!(get(&street, "/t/350102/v1/tickets/7").await.status, 200, "somebody else is not concerned");
}

#[tokio::test]
async fn two_doors_share_one_quota_through_redis() {
    let redis = street::Redis::start().await;
    let settings = |config: &mut drumtower_runtime::Config| {
        config.gateway.user_rate = 1;
        config.redis = Some(redis.url.clone());
    };
    let streets = [Street::open_with(settings).await, Street::open_with(settings).await];
    let mut passed = 0;
    let refused = loop {
        // Who is not signed in is known by the address, which is the same at both.
        let answer = ask(Client::new().get(streets[passed % 2].url("/t/350102/v1/keys"))).await;
        if answer.status != 200 {
            break answer;
        }
        passed += 1;
        assert!(passed < 50, "never refused");
    };
    assert!((10..=12).contains(&passed), "{passed}: with a bucket each it were twenty");
    assert_eq!((refused.status, refused.reason(), refused.header("retry-after")), (429, "USER_QUOTA", "1"));
}

#[tokio::test]
async fn grpc_passes_through_and_internal_rpcs_are_not_there() {
    let street = Street::open().await;
    let channel = tonic::transport::Endpoint::from_shared(street.url("")).expect("an address").connect().await.expect("connected");
    let token = street.token(7);
    let mut client = TicketServiceClient::with_interceptor(channel.clone(), move |mut request: tonic::Request<()>| {
        request.metadata_mut().insert("drumtower-tenant-code", "350102".parse().expect("ASCII"));
        request.metadata_mut().insert("drumtower-tenant", "8".parse().expect("ASCII"));
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("ASCII"));
        Ok(request)
    });
    let answer = client.get_ticket(GetTicketRequest { ticket_id: "7".to_owned() }).await.expect("answered");
    assert_eq!(answer.metadata().get("x-request-id").map(|id| id.len()), Some(32));
    assert_eq!(answer.into_inner().title, "电梯故障");
    assert_eq!(street.tickets_seen()[0].header("drumtower-tenant"), "7");
    let none = client.get_ticket(GetTicketRequest { ticket_id: "none".to_owned() }).await.expect_err("refused");
    assert_eq!(none.code(), Code::NotFound);
    let mut slow = tonic::Request::new(GetTicketRequest { ticket_id: "slow".to_owned() });
    slow.set_timeout(Duration::from_millis(150));
    let late = client.get_ticket(slow).await.expect_err("refused");
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late}");
    client.list_tickets(ListTicketsRequest::default()).await.expect("answered");

    let mut unsigned = TicketServiceClient::new(channel.clone());
    let nowhere = unsigned.list_tickets(ListTicketsRequest::default()).await.expect_err("refused");
    assert_eq!((nowhere.code(), nowhere.message()), (Code::NotFound, "say the district by host or /t/{code}"));
    for path in ["/drumtower.identity.v1.TenantService/ResolveTenant", "/drumtower.log.v1.LogService/Read", "/drumtower.no.Such/Thing"] {
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.expect("ready");
        let codec = tonic_prost::ProstCodec::<GetTicketRequest, Ticket>::default();
        let request = tonic::Request::new(GetTicketRequest::default());
        let refused = grpc.unary(request, path.parse().expect("a path"), codec).await.expect_err("refused");
        assert_eq!(refused.code(), Code::Unimplemented, "{path}");
    }
    assert_eq!(street.count("Read"), 0);
}

#[tokio::test]
async fn a_browser_speaks_grpc_web() {
    let street = Street::open().await;
    let path = "/t/350102/drumtower.ticketing.v1.TicketService/GetTicket";
    let body = framed(&GetTicketRequest { ticket_id: "7".to_owned() }.encode_to_vec());
    let request = request(&street, Method::POST, path).header("content-type", "application/grpc-web+proto").body(body);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/grpc-web+proto");
    let bytes = answer.bytes().await.expect("a body");
    let length = u32::from_be_bytes(bytes[1..5].try_into().expect("four")) as usize;
    assert_eq!(Ticket::decode(&bytes[5..5 + length]).expect("decoded").title, "电梯故障");
    assert_eq!(bytes[5 + length], 0x80, "then the trailers");
}

#[tokio::test]
async fn the_doors_own_pages_are_there() {
    let street = Street::open().await;
    let url = |path: &str| Client::new().get(street.url(path));
    for (path, kind) in [
        ("/", "application/json"),
        ("/healthz", "text/plain"),
        ("/readyz", "application/json"),
        ("/openapi.json", "application/json"),
        ("/docs", "text/html"),
        ("/docs.js", "text/javascript"),
        ("/docs.css", "text/css"),
    ] {
        let answer = ask(url(path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").starts_with(kind), "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!((answer.header("x-content-type-options"), answer.header("x-request-id").len()), ("nosniff", 32), "{path}");
        assert_eq!((answer.header("access-control-allow-origin"), answer.header("strict-transport-security")), ("", ""), "{path}");
    }
    let head = Client::new().head(street.url("/healthz")).send().await.expect("an answer");
    assert_eq!((head.status().as_u16(), head.bytes().await.map(|bytes| bytes.len()).ok()), (200, Some(0)));
}

#[tokio::test]
async fn https_and_addresses_are_believed_from_trusted_proxies_only() {
    let street = Street::open_with(|config| config.gateway.trusted_proxies = vec!["127.0.0.1".to_owned()]).await;
    let call = request(&street, Method::GET, "/t/350102/v1/tickets/7");
    let answer = ask(call.header("x-forwarded-proto", "https").header("x-forwarded-for", "6.6.6.6, 7.7.7.7")).await;
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    assert_eq!(street.tickets_seen()[0].header("drumtower-address"), "7.7.7.7");
}

#[tokio::test]
async fn readiness_names_what_is_missing_and_redis_is_not_missed() {
    let street = Street::open_with(|config| config.redis = Some("redis://127.0.0.1:1".to_owned())).await;
    assert_eq!(get(&street, "/t/350102/v1/tickets/7").await.status, 200);
    let nobody_home = |config: &mut drumtower_runtime::Config| {
        config.services.insert("identity".to_owned(), "127.0.0.1:1".to_owned());
    };
    let street = Street::build(nobody_home).await;
    let answer = ask(Client::new().get(street.url("/readyz"))).await;
    let missing: Vec<&String> = answer.json["reasons"].as_object().expect("reasons").keys().collect();
    assert_eq!((answer.status, missing), (503, vec![&"identity".to_owned(), &"keys".to_owned()]));
    assert_eq!(ask(Client::new().get(street.url("/healthz"))).await.status, 200);
    let call = get(&street, "/t/350102/v1/tickets/7").await;
    assert_eq!((call.status, call.reason()), (503, "UNAVAILABLE"));
}

#[tokio::test]
async fn a_silent_connection_is_dropped() {
    let street = Street::open().await;
    let silent = ["", "P", "GET / HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"].map(async |said| {
        let mut socket = tokio::net::TcpStream::connect(street.address).await.expect("connected");
        socket.write_all(said.as_bytes()).await.expect("written");
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(8), socket.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "still open after {said:?}");
    });
    futures::future::join_all(silent).await;
}

#[tokio::test]
async fn a_door_that_closes_lets_those_inside_finish_and_nobody_keeps_it_open() {
    let mut street = Street::open().await;
    // Somebody who is connected and says no more.
    let idle = Client::builder().http2_prior_knowledge().build().expect("a client");
    ask(idle.get(street.url("/healthz"))).await;
    let inside = request(&street, Method::GET, "/t/350102/v1/tickets/slow");
    let inside = tokio::spawn(ask(inside));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    street.stop();
    assert_eq!(inside.await.expect("ended").status, 200);
    (&mut street.ended).await.expect("ended");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// Whatever RPC of the contract is called with rubbish, the answer is never a fault of the house.
#[tokio::test]
async fn no_route_of_the_contract_fails_on_rubbish() {
    let street = Street::open_with(|config| config.gateway.user_rate = 10_000).await;
    let document = ask(Client::new().get(street.url("/openapi.json"))).await.json;
    let paths = document["paths"].as_object().expect("paths").clone();
    assert!(paths.len() > 40 && POOL.services().len() > 5);
    let client = Client::new();
    let token = street.token(7);
    for (path, verbs) in &paths {
        for verb in verbs.as_object().expect("verbs").keys() {
            let method = verb.to_uppercase().parse::<Method>().expect("a method");
            for (query, body) in [("?x=1", ""), ("", "[1"), ("", "\u{0}"), ("?%ff", "{}"), ("", r#"{"a":{"b":[]}}"#)] {
                let url = street.url(&format!("{DISTRICT}{}{query}", path.replace(['{', '}'], "")));
                let call = client.request(method.clone(), url).bearer_auth(&token).header("content-type", "application/json");
                let answer = ask(call.body(body)).await;
                let is_mended = answer.status < 500 || answer.reason() == "UNAVAILABLE";
                assert!(is_mended, "{method} {path}{query} {body}: {} {}", answer.status, answer.json);
            }
        }
    }
}
