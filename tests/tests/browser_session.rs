//! A browser's session in a whole installation: signed in by a page, kept by a cookie that no script reads, ended with everything else.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use drumtower_proto::identity::{GetMeRequest, User};
use drumtower_tests::world::{ALONE, Answer, DISTRICTS, PASSWORD, Wanted, World};
use prost::Message as _;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

/// A page in a browser: it holds a cookie and sends it by itself.
#[derive(Clone)]
struct Page {
    base: String,
    cookie: String,
    me: Value,
}

/// An answer, with the cookie that it sets.
struct Heard {
    answer: Answer,
    cookie: String,
}

async fn heard(request: RequestBuilder) -> Heard {
    let answer = request.send().await.expect("an answer");
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (status, cookie, request_id) = (answer.status().as_u16(), header("set-cookie"), header("x-request-id"));
    let text = answer.text().await.expect("text");
    Heard { answer: Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text, request_id }, cookie }
}

impl Page {
    async fn sign_in(district: &str, login: &str) -> Self {
        let page = Self { base: format!("{}/t/{district}", world().url()), cookie: String::new(), me: Value::Null };
        page.sign_in_again(login).await
    }

    async fn sign_in_again(&self, login: &str) -> Self {
        let request = self.asks(Method::POST, "/v1/sessions").header("drumtower-session", "cookie");
        let entry = heard(request.json(&json!({ "login": login, "password": PASSWORD }))).await;
        let session = entry.answer.ok();
        assert_eq!((session["access_token"].as_str(), session["refresh_token"].as_str()), (Some(""), Some("")));
        let cookie = entry.cookie.split(';').next().unwrap_or_default().to_owned();
        Self { base: self.base.clone(), cookie, me: session["user"].clone() }
    }

    fn asks(&self, method: Method, path: &str) -> RequestBuilder {
        let request = Client::new().request(method, format!("{}{path}", self.base)).header("sec-fetch-site", "same-origin");
        if self.cookie.is_empty() { request } else { request.header("cookie", &self.cookie) }
    }

    async fn get(&self, path: &str) -> Heard {
        heard(self.asks(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Heard {
        heard(self.asks(Method::POST, path).json(&body)).await
    }

    /// Who it is, by gRPC-Web.
    async fn me_by_grpc_web(&self) -> User {
        let path = "/drumtower.identity.v1.UserService/GetMe";
        let message = GetMeRequest {}.encode_to_vec();
        let length = u32::try_from(message.len()).expect("short").to_be_bytes();
        let request = self.asks(Method::POST, path).header("content-type", "application/grpc-web+proto");
        let answer = request.body([&[0][..], &length, &message].concat()).send().await.expect("an answer");
        let bytes = answer.bytes().await.expect("a body");
        let length = u32::from_be_bytes(bytes[1..5].try_into().expect("four")) as usize;
        assert_eq!(bytes.get(5 + length), Some(&0x80), "then the trailers");
        User::decode(&bytes[5..5 + length]).expect("decoded")
    }

    /// Waits until its session is nobody's; how long that took.
    async fn until_over(&self) -> Duration {
        let began = Instant::now();
        loop {
            let looked = self.get("/v1/users/me").await;
            if looked.answer.status == 401 {
                assert_eq!(looked.answer.reason(), "SIGN_IN");
                assert!(looked.cookie.contains("=; Path=/; Max-Age=0"), "its cookie is taken away: {}", looked.cookie);
                return began.elapsed();
            }
            assert!(began.elapsed() < Duration::from_secs(10), "still in: {}", looked.answer.text);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Somebody new, who may not do much.
async fn newcomer() -> (String, Value) {
    let sysadmin = world().sign_in(DISTRICTS[0], "sysadmin").await;
    let login = format!("b{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
    let user = sysadmin.post("/v1/users", json!({ "login": login, "name": "林晓云", "password": PASSWORD })).await.ok();
    (login, user["id"].clone())
}

#[tokio::test]
async fn a_page_acts_by_its_cookie_in_every_way_and_another_site_in_none() {
    let _alone = ALONE.lock().await;
    let page = Page::sign_in(DISTRICTS[0], "enterprise").await;
    let me = page.get("/v1/users/me").await.answer.ok();
    assert_eq!((me["login"].as_str(), &me), (Some("enterprise"), &page.me));
    assert_eq!(page.me_by_grpc_web().await.login, "enterprise");
    let watched = page.get("/v1/tickets:watch?seconds=1").await.answer;
    assert!(watched.status == 200 && watched.text.contains("cursor"), "{}", watched.text);
    let wanted = json!({ "title": "路灯不亮", "description": "东门", "kind": "HELP" });
    page.post("/v1/tickets", wanted.clone()).await.answer.ok();
    let elsewhere = Client::new().post(format!("{}/v1/tickets", page.base)).header("cookie", &page.cookie);
    let refused = heard(elsewhere.header("sec-fetch-site", "cross-site").json(&wanted)).await.answer;
    assert_eq!((refused.status, refused.reason()), (403, "CROSS_SITE"));

    // Of the secret the database has a hash, and the log nothing.
    let secret = page.cookie.split('=').next_back().unwrap_or_default();
    assert_eq!(secret.len(), 43);
    let mut admin = world().admin().await;
    let hash: i64 = sqlx::query_scalar("select count(*) from identity.session where secret_hash = sha256($1::bytea) and ended_at is null")
        .bind(secret.as_bytes())
        .fetch_one(&mut admin)
        .await
        .expect("asked");
    assert_eq!(hash, 1);
    for log in drumtower_tests::sources::files(&world().dir, ".log") {
        assert!(!std::fs::read_to_string(&log).unwrap_or_default().contains(secret), "{}", log.display());
    }

    // In another district it is nobody, under its own name and under that one's.
    let other = format!("{}/t/{}/v1/users/me", world().url(), DISTRICTS[1]);
    for cookie in [page.cookie.clone(), page.cookie.replace(DISTRICTS[0], DISTRICTS[1])] {
        let answer = heard(Client::new().get(&other).header("cookie", cookie)).await.answer;
        assert_eq!((answer.status, answer.reason()), (401, "SIGN_IN"));
    }
    assert_eq!(page.get("/v1/users/me").await.answer.status, 200, "where it belongs it is good all the same");
}

#[tokio::test]
async fn a_session_ends_with_its_sign_out_and_with_its_person() {
    let _alone = ALONE.lock().await;
    let page = Page::sign_in(DISTRICTS[0], "leader").await;
    let out = heard(page.asks(Method::DELETE, "/v1/sessions/current")).await;
    assert_eq!((out.answer.status, out.cookie.contains("Max-Age=0")), (200, true), "{}", out.answer.text);
    assert!(page.until_over().await < Duration::from_millis(500), "the door that let it out knows at once");
    let out = heard(page.asks(Method::DELETE, "/v1/sessions/current")).await;
    assert_eq!(out.answer.status, 401, "who is out is told that nobody is in");

    let (login, id) = newcomer().await;
    let page = Page::sign_in(DISTRICTS[0], &login).await;
    assert_eq!(page.get("/v1/users/me").await.answer.status, 200);
    let sysadmin = world().sign_in(DISTRICTS[0], "sysadmin").await;
    let disable = format!("/v1/users/{}:disable", id.as_str().unwrap_or_default());
    sysadmin.post(&disable, json!({ "reason": "离职" })).await.ok();
    let took = page.until_over().await;
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn a_new_sign_in_lets_the_session_before_it_run_out_and_loses_no_call() {
    let _alone = ALONE.lock().await;
    let page = Page::sign_in(DISTRICTS[0], "approver").await;
    let again = page.sign_in_again("approver").await;
    assert_ne!(page.cookie, again.cookie);
    for page in [&page, &again] {
        assert_eq!(page.get("/v1/users/me").await.answer.status, 200);
    }
    let left: Vec<(bool,)> = sqlx::query_as(
        "select s.expires_at < now() + interval '2 minutes' from identity.session s join identity.user_account u
         on u.tenant_id = s.tenant_id and u.id = s.user_id where s.tenant_id = 1 and u.login = 'approver' and s.secret_hash is not null
         order by s.id",
    )
    .fetch_all(&mut world().admin().await)
    .await
    .expect("asked");
    assert_eq!(left, [(true,), (false,)]);
}

#[tokio::test]
async fn new_roles_and_a_new_gateway_cost_twenty_tabs_nothing() {
    let _alone = ALONE.lock().await;
    let (login, id) = newcomer().await;
    let page = Page::sign_in(DISTRICTS[0], &login).await;
    assert_eq!(page.get("/v1/users?page_size=1").await.answer.status, 403);
    let tabs = async || {
        let mut asked = tokio::task::JoinSet::new();
        for page in vec![page.clone(); 20] {
            asked.spawn(async move { page.get("/v1/users/me").await.answer.status });
        }
        asked.join_all().await.into_iter().filter(|status| *status == 200).count()
    };
    let secadmin = world().sign_in(DISTRICTS[0], "secadmin").await;
    secadmin.post("/v1/assignments", json!({ "user_id": id, "role": "LEADER" })).await.ok();
    // The services refuse the token of before within a second; the page does not notice, and has its new roles.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(tabs().await, 20);
    }
    let roles = page.get("/v1/users/me").await.answer.ok()["assignments"].clone();
    assert!(roles.to_string().contains("LEADER"), "{roles}");
    assert_eq!(page.get("/v1/tickets?page_size=1").await.answer.status, 200);
    world().kill("gateway");
    world().serve("gateway");
    world().wait_ready();
    assert_eq!(tabs().await, 20);
}
