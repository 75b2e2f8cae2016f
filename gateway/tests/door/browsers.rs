//! Browsers at the door: a cookie in place of tokens.

use std::time::Duration;

use drumtower_proto::{
    identity::{CreateSessionRequest, Session},
    ticketing::{GetTicketRequest, Ticket},
};
use prost::Message as _;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;
use tonic::Code;

use crate::{
    Answer, ask,
    street::{Street, framed, secret},
};

const TICKET: &str = "/t/350102/v1/tickets/7";
const SIGN_IN: &str = "/t/350102/v1/sessions";
const BY_GRPC: &str = "/t/350102/drumtower.ticketing.v1.TicketService/GetTicket";

/// The cookie of the leader, as a browser sends it.
fn cookie() -> String {
    format!("theme=dark; __Host-dt-350102={}", secret("leader"))
}

fn with_cookie(street: &Street, method: Method, path: &str) -> RequestBuilder {
    Client::new().request(method, street.url(path)).header("cookie", cookie())
}

fn sign_in(street: &Street, password: &str) -> RequestBuilder {
    let body = json!({ "login": "leader", "password": password });
    let request = Client::new().post(street.url(SIGN_IN)).header("sec-fetch-site", "same-origin");
    request.header("drumtower-session", "cookie").json(&body)
}

/// Status and message of a call by gRPC-Web, with the header that sets a cookie.
async fn by_grpc_web(request: RequestBuilder, message: &impl prost::Message) -> (Code, Vec<u8>, String) {
    let request = request.header("content-type", "application/grpc-web+proto").body(framed(&message.encode_to_vec()));
    let answer = request.send().await.expect("an answer");
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (status, cookie) = (header("grpc-status"), header("set-cookie"));
    let bytes = answer.bytes().await.expect("a body");
    if !status.is_empty() && status != "0" {
        return (Code::from_bytes(status.as_bytes()), Vec::new(), cookie);
    }
    let trailers = String::from_utf8_lossy(&bytes);
    if !trailers.contains("grpc-status:0") {
        return (Code::Unknown, Vec::new(), cookie);
    }
    let length = u32::from_be_bytes(bytes[1..5].try_into().expect("four")) as usize;
    (Code::Ok, bytes[5..5 + length].to_vec(), cookie)
}

fn taken_away(answer: &Answer) -> bool {
    answer.header("set-cookie").starts_with("__Host-dt-350102=; Path=/; Max-Age=0;")
}

#[tokio::test]
async fn a_page_signs_in_and_the_tokens_stay_at_the_door() {
    let street = Street::open().await;
    let answer = ask(sign_in(&street, "right").header("x-forwarded-for", "6.6.6.6")).await;
    assert_eq!((answer.status, answer.json["user"]["login"].as_str()), (200, Some("leader")), "{}", answer.json);
    assert_eq!((answer.json["access_token"].as_str(), answer.json["refresh_token"].as_str()), (Some(""), Some("")));
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with(&format!("__Host-dt-350102={}; Path=/; Max-Age=43", secret("leader"))), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    assert_eq!(street.seen("OpenBrowserSession").header("drumtower-address"), "127.0.0.1");
    assert!(!answer.json.to_string().contains(&secret("leader")));

    let ticket = ask(with_cookie(&street, Method::GET, TICKET)).await;
    assert_eq!((ticket.status, ticket.json["title"].as_str()), (200, Some("电梯故障")));
    let seen = street.tickets_seen().pop().expect("a call");
    assert!(seen.header("authorization").starts_with("Bearer ey"));
    assert!(!seen.headers.contains_key("cookie"), "{:?}", seen.headers);
    assert_eq!(street.count("ExchangeBrowserSession"), 0, "the first token came with the session");

    let guarded = ask(with_cookie(&street, Method::GET, TICKET).basic_auth("staging", Some("password"))).await;
    assert_eq!(guarded.status, 200, "what a proxy before the door asks for is no token");
    assert!(street.tickets_seen().pop().expect("a call").header("authorization").starts_with("Bearer ey"));

    let wrong = ask(sign_in(&street, "wrong").header("cookie", &cookie)).await;
    assert_eq!((wrong.status, wrong.reason(), wrong.header("set-cookie")), (401, "SIGN_IN_FAILED", ""));
    let former = street.sessions.lock().expect("sessions").former.clone();
    assert_eq!(former, ["".to_owned(), secret("leader")], "a browser that signs in anew gives its session up");
    let tokens = ask(Client::new().post(street.url(SIGN_IN)).json(&json!({ "login": "leader", "password": "right" }))).await;
    assert_eq!((tokens.status, tokens.header("set-cookie")), (200, ""), "a program asks for tokens and gets them");
    assert_eq!(street.count("CreateSession"), 1);
}

#[tokio::test]
async fn it_is_the_same_by_grpc_web() {
    let street = Street::open().await;
    let path = "/t/350102/drumtower.identity.v1.SessionService/CreateSession";
    let page = || Client::new().post(street.url(path)).header("sec-fetch-site", "same-origin").header("drumtower-session", "cookie");
    let ask = CreateSessionRequest { login: "leader".to_owned(), password: "right".to_owned() };
    let (code, bytes, cookie) = by_grpc_web(page(), &ask).await;
    let session = Session::decode(bytes.as_slice()).expect("decoded");
    assert_eq!((code, session.access_token.as_str(), session.user.map(|user| user.login)), (Code::Ok, "", Some("leader".to_owned())));
    assert!(cookie.starts_with("__Host-dt-350102=leader_"), "{cookie}");
    let (code, _, cookie) = by_grpc_web(page(), &CreateSessionRequest { password: "wrong".to_owned(), ..ask }).await;
    assert_eq!((code, cookie.as_str()), (Code::Unauthenticated, ""));
    let get = with_cookie(&street, Method::POST, BY_GRPC).header("sec-fetch-site", "same-origin");
    let (code, bytes, _) = by_grpc_web(get, &GetTicketRequest { ticket_id: "7".to_owned() }).await;
    assert_eq!((code, Ticket::decode(bytes.as_slice()).expect("decoded").title.as_str()), (Code::Ok, "电梯故障"));
    let bent = page().header("content-type", "application/grpc-web+proto").body(vec![0, 0, 0, 0, 9, 1]).send().await.expect("an answer");
    assert_ne!(bent.headers()["grpc-status"], "0");
}

#[tokio::test]
async fn another_sites_page_does_nothing_in_a_persons_name() {
    let street = Street::open().await;
    let create = || with_cookie(&street, Method::POST, "/t/350102/v1/tickets").json(&json!({}));
    let own = street.url("");
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.test"), ("x-none", "")]
    {
        let answer = ask(create().header(name, value)).await;
        assert_eq!((answer.status, answer.reason()), (403, "CROSS_SITE"), "{name}: {value}");
        let get = with_cookie(&street, Method::POST, BY_GRPC).header(name, value);
        assert_eq!(by_grpc_web(get, &GetTicketRequest { ticket_id: "7".to_owned() }).await.0, Code::PermissionDenied);
        let body = json!({ "login": "leader", "password": "right" });
        let entry = Client::new().post(street.url(SIGN_IN)).header("drumtower-session", "cookie").header(name, value).json(&body);
        assert_eq!(ask(entry).await.reason(), "CROSS_SITE", "nor signs somebody in");
    }
    assert!(street.tickets_seen().is_empty());
    for (name, value) in [("sec-fetch-site", "same-origin"), ("origin", own.as_str())] {
        assert_eq!(ask(create().header(name, value)).await.status, 503, "it arrives, and ticketing is busy");
    }
    // What only looks may be followed from elsewhere: the answer is shown to nobody but the person.
    let link = ask(with_cookie(&street, Method::GET, TICKET).header("sec-fetch-site", "cross-site")).await;
    assert_eq!((link.status, link.header("cross-origin-resource-policy")), (200, "same-origin"));
    let program = create().header("sec-fetch-site", "cross-site").bearer_auth(street.token(7));
    assert_eq!(ask(program).await.status, 503, "a token is not sent by itself");
}

/// Twenty tabs ask at once; how many were answered so.
async fn tabs(street: &Street, status: u16) -> usize {
    let asked = (0..20).map(|tab| async move {
        if tab % 2 == 0 {
            return ask(with_cookie(street, Method::GET, TICKET)).await.status;
        }
        let get = with_cookie(street, Method::POST, BY_GRPC).header("sec-fetch-site", "same-origin");
        match by_grpc_web(get, &GetTicketRequest { ticket_id: "7".to_owned() }).await.0 {
            Code::Ok => 200,
            Code::Unauthenticated => 401,
            _ => 0,
        }
    });
    futures::future::join_all(asked).await.into_iter().filter(|answered| *answered == status).count()
}

#[tokio::test]
async fn many_tabs_are_one_exchange() {
    let street = Street::open().await;
    street.sessions.lock().expect("sessions").lasts = 31;
    assert_eq!((tabs(&street, 200).await, street.count("ExchangeBrowserSession")), (20, 1));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!((tabs(&street, 200).await, street.count("ExchangeBrowserSession")), (20, 2), "half a minute before its end");
    // A service takes the token no more: the person's roles changed.
    let used = street.tickets_seen().pop().expect("a call").header("authorization").trim_start_matches("Bearer ").to_owned();
    street.sessions.lock().expect("sessions").lasts = 300;
    street.sessions.lock().expect("sessions").revoked.push(used);
    assert_eq!((tabs(&street, 200).await, street.count("ExchangeBrowserSession")), (20, 3));
}

#[tokio::test]
async fn a_session_that_is_over_is_nobodys_and_its_cookie_is_taken_away() {
    let street = Street::open().await;
    assert_eq!(ask(with_cookie(&street, Method::GET, TICKET)).await.status, 200);
    let used = street.tickets_seen().pop().expect("a call").header("authorization").trim_start_matches("Bearer ").to_owned();
    {
        let mut sessions = street.sessions.lock().expect("sessions");
        sessions.over = true;
        sessions.revoked.push(used);
    }
    let ended = ask(with_cookie(&street, Method::GET, TICKET)).await;
    assert_eq!((ended.status, ended.reason(), taken_away(&ended)), (401, "SIGN_IN", true));
    let asked = street.count("ExchangeBrowserSession");
    assert_eq!(tabs(&street, 401).await, 20);
    assert_eq!(street.count("ExchangeBrowserSession"), asked, "it is not asked about again at once");
    let get = with_cookie(&street, Method::POST, BY_GRPC).header("sec-fetch-site", "same-origin");
    assert!(by_grpc_web(get, &GetTicketRequest::default()).await.2.starts_with("__Host-dt-350102=; "));
    // What is public needs no session, and a cookie of another district or form is none.
    assert_eq!(ask(with_cookie(&street, Method::GET, "/t/350102/v1/keys")).await.status, 200);
    for other in
        [format!("__Host-dt-350103={}", secret("leader")), format!("dt-350102={}", secret("leader")), "__Host-dt-350102=x".to_owned()]
    {
        let answer = ask(Client::new().get(street.url(TICKET)).header("cookie", other)).await;
        assert_eq!((answer.status, answer.reason(), answer.header("set-cookie")), (401, "SIGN_IN", ""));
    }
}

#[tokio::test]
async fn who_signs_out_is_left_no_cookie() {
    let street = Street::open().await;
    let delete = with_cookie(&street, Method::DELETE, "/t/350102/v1/sessions/current");
    assert_eq!(ask(delete.header("sec-fetch-site", "cross-site")).await.reason(), "CROSS_SITE");
    let delete = with_cookie(&street, Method::DELETE, "/t/350102/v1/sessions/current");
    let out = ask(delete.header("sec-fetch-site", "same-origin")).await;
    assert_eq!((out.status, taken_away(&out)), (200, true));
    assert!(street.seen("DeleteSession").header("authorization").starts_with("Bearer "));
    street.sessions.lock().expect("sessions").over = true;
    let after = ask(with_cookie(&street, Method::GET, TICKET)).await;
    assert_eq!((after.status, taken_away(&after)), (401, true), "the kept token is forgotten");
    let path = "/t/350102/drumtower.identity.v1.SessionService/DeleteSession";
    let again = with_cookie(&street, Method::POST, path).header("sec-fetch-site", "same-origin");
    let (code, _, cookie) = by_grpc_web(again, &drumtower_proto::identity::DeleteSessionRequest {}).await;
    assert_eq!((code, cookie.starts_with("__Host-dt-350102=; ")), (Code::Unauthenticated, true));
}

#[tokio::test]
async fn an_installation_without_https_says_so_and_its_cookies_are_plain() {
    let street = Street::open_with(|config| config.gateway.plain_cookies = true).await;
    let entry = ask(sign_in(&street, "right")).await;
    let cookie = entry.header("set-cookie");
    assert!(cookie.starts_with("dt-350102=leader_") && cookie.ends_with("; HttpOnly; SameSite=Lax"), "{cookie}");
    let get = Client::new().get(street.url(TICKET)).header("cookie", format!("dt-350102={}", secret("leader")));
    assert_eq!(ask(get).await.status, 200);
    assert_eq!(ask(with_cookie(&street, Method::GET, TICKET)).await.status, 401);
}
