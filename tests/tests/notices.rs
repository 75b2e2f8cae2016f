//! People are told beside the inbox: by WeChat, short message and e-mail, each as they wish; and they write to the district by WeChat.
//! WeChat is played by the library that others write their accounts with, mail is taken by a server that others wrote.

use std::{sync::OnceLock, time::Duration};

use drumtower_runtime::web;
use drumtower_tests::{
    clients::{self, Server},
    heard::Heard,
    world::{DISTRICTS, Person, Wanted, World},
};
use serde_json::{Value, json};

const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const SMS_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

async fn person(login: &str) -> Person {
    of(0, login).await
}

async fn of(district: usize, login: &str) -> Person {
    world().sign_in(DISTRICTS[district], login).await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text in {value}"))
}

async fn set(sysadmin: &Person, means: &str, settings: Value, secrets: Value) {
    let body = json!({ "means": means, "settings": settings.to_string(), "secrets": secrets.to_string(), "open": true });
    sysadmin.post("/v1/senders", body).await.ok();
}

/// Awake all day: tests run at any hour.
async fn wish(person: &Person, more: Value) {
    let mut preference = json!({ "quiet_from": "00:00", "quiet_to": "00:00", "digest_at": "09:00" });
    preference.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    person.send(reqwest::Method::PUT, "/v1/users/me/preference", Some(preference), None).await.ok();
}

fn code_in(text: &str) -> String {
    text.split("验证码 ").nth(1).map(|rest| rest.chars().take(8).collect()).unwrap_or_else(|| panic!("no code in {text}"))
}

async fn submit(enterprise: &Person, more: Value) -> Value {
    let mut ticket = json!({ "title": "路灯不亮", "description": "夜间无照明", "kind": "HELP" });
    ticket.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    enterprise.post("/v1/tickets", ticket).await.ok()
}

async fn accept(dispatcher: &Person, ticket: &Value) {
    dispatcher.post(&format!("/v1/tickets/{}:accept", text(&ticket["id"])), json!({ "urgency": "NORMAL" })).await.ok();
}

/// One test for all that share the one person of the demonstration district who asks for help.
#[tokio::test]
async fn a_person_is_told_by_the_means_they_proved_and_as_they_wish() {
    let [_, sms_address, mail_address] = &world().config.outgoing.inside[..] else { panic!("three addresses") };
    let gateway = Heard::listen(sms_address).await;
    let [enterprise, sysadmin, dispatcher] = [person("enterprise").await, person("sysadmin").await, person("dispatcher").await];
    // Without a sender nothing is begun; with one a code is sent, wrong ones are counted, the right one proves the number.
    let begin = json!({ "means": "SMS", "address": "13800001234" });
    assert_eq!(enterprise.post("/v1/users/me/reaches:begin", begin.clone()).await.reason(), "NO_SENDER");
    set(&sysadmin, "SMS", json!({ "url": format!("http://{sms_address}/sms"), "signature": "软件园" }), json!({ "secret": SMS_SECRET }))
        .await;
    enterprise.post("/v1/users/me/reaches:begin", begin.clone()).await.ok();
    let sent = gateway.wait_for("/sms", 1).await.remove(0);
    let (id, at, signature) = (sent.header("webhook-id"), sent.header("webhook-timestamp"), sent.header("webhook-signature"));
    assert!(web::signed(&web::secret_bytes(SMS_SECRET), &id, &at, sent.body.as_bytes(), &signature));
    let body: Value = serde_json::from_str(&sent.body).expect("JSON");
    assert!(text(&body["text"]).starts_with("【软件园】验证码 ") && body["to"] == "13800001234", "{body}");
    let confirm = |code: String| {
        let enterprise = enterprise.clone();
        async move { enterprise.post("/v1/users/me/reaches:confirm", json!({ "means": "SMS", "code": code })).await }
    };
    for _ in 0..5 {
        assert_eq!(confirm("22222222".to_owned()).await.reason(), "CODE");
    }
    assert_eq!(confirm(code_in(text(&body["text"]))).await.reason(), "CODE", "after five wrong ones the right one is too late");
    assert_eq!(enterprise.post("/v1/users/me/reaches:begin", begin.clone()).await.reason(), "TOO_SOON");
    let mut admin = world().admin().await;
    sqlx::query("update identity.reach_code set expires_at = expires_at - interval '1 minute'")
        .execute(&mut admin)
        .await
        .expect("a minute passes");
    enterprise.post("/v1/users/me/reaches:begin", begin).await.ok();
    let sent = gateway.wait_for("/sms", 2).await.remove(1);
    let body: Value = serde_json::from_str(&sent.body).expect("JSON");
    assert_eq!(confirm(code_in(text(&body["text"])).to_lowercase()).await.ok()["hint"], "138****1234");

    // What happens to a request is told, while the gateway is down it waits, and nothing comes twice.
    wish(&enterprise, json!({})).await;
    gateway.set_down(true);
    let ticket = submit(&enterprise, json!({})).await;
    accept(&dispatcher, &ticket).await;
    let mut waiting = Value::Null;
    for _ in 0..100 {
        waiting = sysadmin.get("/v1/senders/sent").await.ok()["sent"][0].clone();
        if waiting["error"].as_str().is_some_and(|error| error.contains("503")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!((text(&waiting["state"]), text(&waiting["means"])), ("QUEUED", "SMS"), "{waiting}");
    gateway.set_down(false);
    let told = gateway.wait_for("/sms", 3).await.remove(2);
    assert!(told.body.contains(text(&ticket["number"])) && told.body.contains("已受理"), "{}", told.body);
    assert!(!told.body.contains("冯旭"), "nobody's name is told");

    // By mail too, from then on; a person may decline one of both, and mute what they like.
    let mut mails = Server::start("mail.py", &[mail_address.rsplit(':').next().unwrap_or_default()]).await;
    assert_eq!(mails.next().await, "ready");
    let (host, port) = mail_address.split_once(':').expect("host and port");
    let mail =
        json!({ "host": host, "port": port.parse::<u16>().expect("a port"), "security": "NONE", "from": "软件园 <park@example.com>" });
    set(&sysadmin, "EMAIL", mail, json!({})).await;
    enterprise.post("/v1/users/me/reaches:begin", json!({ "means": "EMAIL", "address": "Feng@Example.com" })).await.ok();
    let code = mails.next().await;
    assert_eq!((text(&code["from"]), &code["to"]), ("park@example.com", &json!(["feng@example.com"])));
    let proof = json!({ "means": "EMAIL", "code": code_in(text(&code["text"])) });
    enterprise.post("/v1/users/me/reaches:confirm", proof).await.ok();
    wish(&enterprise, json!({ "declined": ["SMS"] })).await;
    accept(&dispatcher, &submit(&enterprise, json!({ "title": "停车位不足" })).await).await;
    assert!(text(&mails.next().await["text"]).contains("已受理"));
    wish(&enterprise, json!({ "muted": ["ticket."] })).await;
    accept(&dispatcher, &submit(&enterprise, json!({})).await).await;
    // Danger is told all the same; it comes next, so what was muted did not.
    let danger = submit(&enterprise, json!({ "danger": true })).await;
    accept(&dispatcher, &danger).await;
    assert!(text(&mails.next().await["text"]).contains(text(&danger["number"])));
    gateway.wait_for("/sms", 4).await;
    assert_eq!(gateway.so_far("/sms").len(), 4, "two codes, one acceptance, one danger");

    // Whoever proves an address has it; who gives it up is left alone.
    let reaches = enterprise.get("/v1/users/me/reaches").await.ok();
    assert_eq!(reaches["reaches"].as_array().map(Vec::len), Some(2));
    enterprise.post("/v1/users/me/reaches:drop", json!({ "means": "EMAIL" })).await.ok();
    enterprise.post("/v1/users/me/reaches:drop", json!({ "means": "SMS" })).await.ok();
    assert_eq!(enterprise.get("/v1/users/me/reaches").await.ok()["reaches"], json!([]));
    for (means, bad) in [("EMAIL", "a@b"), ("SMS", "110"), ("WECHAT", "openid")] {
        let begun = enterprise.post("/v1/users/me/reaches:begin", json!({ "means": means, "address": bad })).await;
        assert_eq!(begun.reason(), "ADDRESS", "{bad}");
    }
}

#[tokio::test]
async fn senders_lead_out_of_the_house_and_show_no_secret() {
    let sysadmin = person("sysadmin").await;
    let post = |means: &'static str, settings: Value| {
        let sysadmin = sysadmin.clone();
        async move { sysadmin.post("/v1/senders", json!({ "means": means, "settings": settings.to_string(), "open": false })).await }
    };
    for (means, settings) in [
        ("SMS", json!({ "url": "https://127.0.0.1/x", "signature": "软件园" })),
        ("SMS", json!({ "url": "http://sms.example/x", "signature": "软件园" })),
        ("EMAIL", json!({ "host": "localhost", "port": 5432, "security": "TLS", "from": "a@b.example" })),
        ("EMAIL", json!({ "host": "mail.example", "port": 25, "security": "NONE", "from": "a@b.example" })),
        ("WECHAT", json!({ "app_id": "wx1", "base_url": "https://[::1]" })),
    ] {
        assert_eq!(post(means, settings.clone()).await.reason(), "ADDRESS", "{settings}");
    }
    assert_eq!(person("dispatcher").await.get("/v1/senders").await.status, 403);
    assert!(!sysadmin.get("/v1/senders").await.text.contains("MfKQ9r8"));
}

#[tokio::test]
async fn people_bind_ask_and_look_by_wechat_and_are_told_there() {
    let api = world().config.outgoing.inside[0].clone();
    let wechat = Heard::listen(&api).await;
    wechat.answer("/cgi-bin/stable_token", r#"{"access_token":"T-1","expires_in":7200}"#);
    wechat.answer("/cgi-bin/message/template/send", r#"{"errcode":0,"errmsg":"ok"}"#);
    let settings =
        json!({ "app_id": "wx1", "template_id": "tpl", "base_url": format!("http://{api}"), "page_url": "https://park.example/m" });
    set(&of(1, "sysadmin").await, "WECHAT", settings.clone(), json!({ "app_secret": "s", "token": "tok", "aes_key": AES_KEY })).await;
    // Another district than the one whose people are reached otherwise.
    let enterprise = of(1, "enterprise").await;
    let address = format!("{}/v1/wechat", enterprise.base);
    let write = |who: &'static str, id: &'static str, words: String| {
        let address = address.clone();
        async move { clients::run("wechat.py", &[&address, "tok", AES_KEY, "wx1", who, id, &words]).await }
    };
    assert!(write("o-1", "1", "你好".to_owned()).await.contains("绑定"));
    assert!(write("o-1", "2", "诉求 路灯不亮".to_owned()).await.contains("请先绑定"));
    let begun = enterprise.post("/v1/users/me/reaches:begin", json!({ "means": "WECHAT" })).await.ok();
    assert!(write("o-1", "3", "绑定 22222222".to_owned()).await.contains("不正确"));
    let code = text(&begun["code"]).to_owned();
    assert!(write("o-1", "4", format!("绑定 {code}")).await.contains("绑定成功"));
    assert!(write("o-2", "5", format!("绑定 {code}")).await.contains("不正确"), "a code is good once");
    // The same message three times, twice at once: one request, and the same reply.
    let first = write("o-1", "6", "投诉：电梯停运三天".to_owned()).await;
    let (again, too) = tokio::join!(write("o-1", "6", "投诉：电梯停运三天".to_owned()), write("o-1", "6", "投诉：电梯停运三天".to_owned()));
    assert!(first.contains("已收到，编号 ") && again == first && too == first, "{first} {again} {too}");
    let number = first.split("编号 ").nth(1).and_then(|rest| rest.split('。').next()).expect("a number");
    let found = enterprise.get("/v1/tickets?filter=source+%3D+WECHAT").await.ok();
    assert_eq!(found["tickets"].as_array().map(Vec::len), Some(1));
    assert_eq!((text(&found["tickets"][0]["number"]), text(&found["tickets"][0]["kind"])), (number, "COMPLAINT"));
    assert!(write("o-1", "7", "进度".to_owned()).await.contains(&format!("{number} 待受理")));
    // What happens is told there; an old token is renewed.
    wish(&enterprise, json!({ "declined": ["SMS", "EMAIL"] })).await;
    accept(&of(1, "dispatcher").await, &found["tickets"][0]).await;
    let told = wechat.wait_for("/cgi-bin/message/template/send", 1).await.remove(0);
    let body: Value = serde_json::from_str(&told.body).expect("JSON");
    assert!(told.path.ends_with("access_token=T-1") && body["touser"] == "o-1" && body["template_id"] == "tpl", "{body}");
    assert!(text(&body["data"]["thing1"]["value"]).chars().count() <= 20);
    // Not WeChat: a wrong token, another account, plain where it must be encrypted, none at all.
    for (token, key, app) in [("wrong", AES_KEY, "wx1"), ("tok", AES_KEY, "wx2"), ("tok", "", "wx1")] {
        let said = clients::run("wechat.py", &[&address, token, key, app, "o-1", "8", "进度"]).await;
        assert!(said.starts_with("403"), "{token} {key} {app}: {said}");
    }
    let elsewhere = address.replace(DISTRICTS[1], DISTRICTS[0]);
    let said = clients::run("wechat.py", &[&elsewhere, "tok", AES_KEY, "wx1", "o-1", "9", "进度"]).await;
    assert!(said.starts_with("403"), "another district's account is none here: {said}");
    // The question by which WeChat knows its server.
    let now = drumtower_tests::hotline::now().to_string();
    let ask = |signature: String| {
        let url = format!("{address}?signature={signature}&timestamp={now}&nonce=n&echostr=12345");
        let http = enterprise.http.clone();
        async move {
            let answer = http.get(url).send().await.expect("an answer");
            (answer.status().as_u16(), answer.text().await.expect("a body"))
        }
    };
    let mut words = ["tok", &now, "n"];
    words.sort_unstable();
    let right: String = ring_sha1(&words.concat());
    assert_eq!(ask(right).await, (200, "12345".to_owned()));
    assert_eq!(ask("0".repeat(40)).await.0, 403);
}

fn ring_sha1(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    hex::encode(digest)
}
