//! Channels through the gateway: the hotline both ways, cameras, Open311 by clients that others wrote, who takes a call, and dispatch by
//! rule alone.

use std::{collections::BTreeSet, sync::OnceLock, time::Duration};

use drumtower_runtime::web;
use drumtower_tests::{
    clients,
    heard::Heard,
    hotline::{self, now, post, send, sign},
    world::{DISTRICTS, Person, Wanted, World},
};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

async fn person(login: &str) -> Person {
    world().sign_in(DISTRICTS[0], login).await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text in {value}"))
}

/// An account in whose name a channel submits.
async fn account(sysadmin: &Person) -> String {
    let unique = uuid::Uuid::now_v7().simple().to_string()[20..].to_owned();
    let units = sysadmin.get("/v1/units").await.ok();
    let body =
        json!({ "login": format!("c{unique}"), "name": "12345热线", "password": "Drumtower-2026!", "unit_id": units["units"][0]["id"] });
    text(&sysadmin.post("/v1/users", body).await.ok()["id"]).to_owned()
}

async fn open(kind: &str, settings: Value) -> (String, String) {
    let sysadmin = person("sysadmin").await;
    let account = account(&sysadmin).await;
    let body = json!({ "kind": kind, "name": "渠道", "account_id": account, "settings": settings.to_string() });
    let opened = sysadmin.post("/v1/channels", body).await.ok();
    (text(&opened["channel"]["id"]).to_owned(), text(&opened["secret"]).to_owned())
}

fn new_request(id: &str) -> Value {
    let data =
        json!({ "request_id": id, "title": "电梯停运", "content": "三号楼电梯停运", "kind": "投诉", "contact_phone": "0591-87654321" });
    json!({ "type": "request.created", "data": data })
}

#[tokio::test]
async fn the_hotlines_requests_come_in_once_and_their_course_goes_back() {
    let inside = world().config.outgoing.inside[0].clone();
    let heard = Heard::listen(&inside).await;
    heard.set_down(true);
    let (channel, secret) = open("HOTLINE", json!({ "url": format!("http://{inside}/updates") })).await;
    let [sysadmin, dispatcher] = [person("sysadmin").await, person("dispatcher").await];
    let first = send(&sysadmin, &channel, &secret, "m-1", &new_request("H-1")).await.ok();
    assert_eq!((text(&first["outcome"]), &first["repeated"]), ("CREATED", &json!(false)));
    // The same message again, twice at once, and the same request under another message.
    let message = new_request("H-1");
    let (again, too) =
        tokio::join!(send(&sysadmin, &channel, &secret, "m-1", &message), send(&sysadmin, &channel, &secret, "m-2", &message));
    let (again, too) = (again.ok(), too.ok());
    assert_eq!((&again["ticket_id"], &again["repeated"]), (&first["ticket_id"], &json!(true)));
    assert_eq!((&too["ticket_id"], text(&too["outcome"])), (&first["ticket_id"], "JOINED"));
    let ticket = dispatcher.get(&format!("/v1/tickets/{}", text(&first["ticket_id"]))).await.ok();
    assert_eq!((text(&ticket["source"]), text(&ticket["kind"]), text(&ticket["enterprise_id"])), ("HOTLINE", "COMPLAINT", ""));
    let path = |verb: &str| format!("/v1/tickets/{}:{verb}", text(&first["ticket_id"]));
    dispatcher.post(&path("accept"), json!({ "urgency": "NORMAL" })).await.ok();
    let refused = send(&sysadmin, &channel, &secret, "m-3", &json!({ "type": "request.urged", "data": { "request_id": "H-9" } })).await;
    assert_eq!(refused.reason(), "UNKNOWN_REQUEST");
    let urged = json!({ "type": "request.urged", "data": { "request_id": "H-1", "text": "请尽快" } });
    assert_eq!(send(&sysadmin, &channel, &secret, "m-4", &urged).await.ok()["outcome"], "DONE");
    // It may urge once a day, as its caller may.
    assert_eq!(send(&sysadmin, &channel, &secret, "m-5", &urged).await.reason(), "URGED_LATELY");
    // While the hotline is down everything waits, visibly; then it arrives, signed, each once and in order.
    let deliveries = |state: &'static str| {
        let (sysadmin, channel) = (sysadmin.clone(), channel.clone());
        async move {
            let all = sysadmin.get(&format!("/v1/channels/{channel}/deliveries")).await.ok();
            let of_state = |one: &&Value| one["state"] == state;
            all["deliveries"].as_array().into_iter().flatten().filter(of_state).cloned().collect::<Vec<_>>()
        }
    };
    let mut waiting = Vec::new();
    for _ in 0..100 {
        waiting = deliveries("QUEUED").await;
        if waiting.len() == 2 && waiting.iter().any(|one| text(&one["error"]).contains("503")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    heard.set_down(false);
    let got = heard.wait_for("/updates", 2).await;
    for one in &got {
        let (id, at, signature) = (one.header("webhook-id"), one.header("webhook-timestamp"), one.header("webhook-signature"));
        assert!(web::signed(&web::secret_bytes(&secret), &id, &at, one.body.as_bytes(), &signature));
    }
    let told: Vec<Value> = got.iter().map(|one| serde_json::from_str(&one.body).expect("JSON")).collect();
    assert_eq!((text(&told[0]["data"]["event"]), text(&told[1]["data"]["event"])), ("accept", "urge"));
    assert!(told[0]["data"]["version"].as_i64() < told[1]["data"]["version"].as_i64(), "{told:?}");
    assert!(told.iter().all(|one| one["data"]["request_id"] == "H-1" && !one.to_string().contains("8765")), "{told:?}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let all = heard.so_far("/updates");
    let ids: BTreeSet<String> = all.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!(ids.len(), all.len(), "one came twice");
}

#[tokio::test]
async fn who_is_not_the_hotline_or_is_late_is_refused_and_nothing_happens() {
    let (channel, secret) = open("HOTLINE", json!({})).await;
    let sysadmin = person("sysadmin").await;
    let body = new_request("F-1").to_string();
    let good = sign(&secret, "f-1", now(), &body);
    let with = |change: fn(&mut hotline::Headers)| {
        let mut headers = good.clone();
        change(&mut headers);
        headers
    };
    let forged = sign("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "f-1", now(), &body);
    for (headers, body, reason) in [
        (forged, body.clone(), "BAD_SIGNATURE"),
        (with(|headers| headers.id = "f-2".to_owned()), body.clone(), "BAD_SIGNATURE"),
        (with(|headers| headers.at += 1), body.clone(), "BAD_SIGNATURE"),
        (good.clone(), body.replace("F-1", "F-2"), "BAD_SIGNATURE"),
        (sign(&secret, "f-1", now() - 301, &body), body.clone(), "TOO_OLD"),
        (sign(&secret, "f-1", now() + 400, &body), body.clone(), "TOO_OLD"),
        (with(|headers| headers.signature = String::new()), body.clone(), "UNSIGNED"),
        (sign(&secret, "f-1", now(), "{"), "{".to_owned(), "MALFORMED"),
    ] {
        assert_eq!(post(&sysadmin, &channel, &headers, &body).await.reason(), reason);
    }
    let elsewhere = Person { base: sysadmin.base.replace(DISTRICTS[0], DISTRICTS[1]), ..sysadmin.clone() };
    assert_eq!(post(&elsewhere, &channel, &good, &body).await.status, 404, "another district has no such channel");
    let messages = sysadmin.get(&format!("/v1/channels/{channel}/messages")).await.ok();
    assert_eq!(messages["messages"], json!([]), "nothing was taken");
    assert_eq!(post(&sysadmin, &channel, &good, &body).await.ok()["outcome"], "CREATED");
    let other = new_request("F-3").to_string();
    assert_eq!(post(&sysadmin, &channel, &sign(&secret, "f-1", now(), &other), &other).await.reason(), "ID_REUSED");
    // A new secret, and a closed channel.
    let renewed = sysadmin.post(&format!("/v1/channels/{channel}:rotateSecret"), json!({})).await.ok();
    assert_eq!(send(&sysadmin, &channel, &secret, "f-4", &new_request("F-4")).await.reason(), "BAD_SIGNATURE");
    let secret = text(&renewed["secret"]).to_owned();
    assert_eq!(send(&sysadmin, &channel, &secret, "f-4", &new_request("F-4")).await.ok()["outcome"], "CREATED");
    let settings = text(&renewed["channel"]["settings"]).to_owned();
    let closing = json!({ "name": "渠道", "settings": settings, "open": false });
    sysadmin.post(&format!("/v1/channels/{channel}:update"), closing).await.ok();
    assert_eq!(send(&sysadmin, &channel, &secret, "f-5", &new_request("F-5")).await.status, 404);
    // No way into the house by an address.
    for url in ["http://127.0.0.1:1/x", "https://127.0.0.1/x", "https://[::1]/x", "https://10.0.0.1/x"] {
        let change = json!({ "name": "渠道", "settings": json!({ "url": url }).to_string(), "open": true });
        assert_eq!(sysadmin.post(&format!("/v1/channels/{channel}:update"), change).await.reason(), "ADDRESS", "{url}");
    }
    assert_eq!(person("dispatcher").await.post("/v1/channels", json!({})).await.status, 403);
}

#[tokio::test]
async fn the_reference_library_signs_messages_that_we_believe() {
    let (channel, secret) = open("HOTLINE", json!({})).await;
    let sysadmin = person("sysadmin").await;
    let address = format!("{}/v1/channels/{channel}:receive", sysadmin.base);
    let body = new_request("S-1").to_string();
    let said = clients::run("webhook.py", &[&address, &secret, "s-1", &body]).await;
    assert!(said.starts_with("200") && said.contains("CREATED"), "{said}");
    let wrong = clients::run("webhook.py", &[&address, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "s-2", &body]).await;
    assert!(wrong.starts_with("401") && wrong.contains("BAD_SIGNATURE"), "{wrong}");
}

fn seen(what: &str, confidence: f64, latitude: f64) -> Value {
    let seen_at = jiff::Timestamp::from_second(now()).expect("a time").to_string();
    let data =
        json!({ "type": what, "confidence": confidence, "latitude": latitude, "longitude": 119.3, "seen_at": seen_at, "place": "二号路" });
    json!({ "type": "event.seen", "data": data })
}

#[tokio::test]
async fn what_cameras_see_is_one_matter_and_danger_goes_straight_to_dispatch() {
    let (channel, secret) = open("VISION", json!({})).await;
    let [sysadmin, dispatcher] = [person("sysadmin").await, person("dispatcher").await];
    let unsure = send(&sysadmin, &channel, &secret, "v-1", &seen("waterlogging", 0.5, 26.1)).await.ok();
    assert_eq!((text(&unsure["outcome"]), text(&unsure["ticket_id"])), ("BELOW_THRESHOLD", ""));
    let sure = send(&sysadmin, &channel, &secret, "v-2", &seen("waterlogging", 0.9, 26.1)).await.ok();
    assert_eq!(sure["outcome"], "CREATED");
    let near = send(&sysadmin, &channel, &secret, "v-3", &seen("waterlogging", 0.95, 26.1003)).await.ok();
    assert_eq!((&near["ticket_id"], text(&near["outcome"])), (&sure["ticket_id"], "JOINED"));
    let far = send(&sysadmin, &channel, &secret, "v-4", &seen("waterlogging", 0.95, 26.2)).await.ok();
    assert_eq!(far["outcome"], "CREATED");
    let calm = dispatcher.get(&format!("/v1/tickets/{}", text(&sure["ticket_id"]))).await.ok();
    assert_eq!((text(&calm["state"]), text(&calm["source"])), ("SUBMITTED", "VISION"));
    // Two cameras see smoke at the same moment.
    let smoke = seen("smoke", 0.9, 26.3);
    let (one, other) = tokio::join!(send(&sysadmin, &channel, &secret, "v-5", &smoke), send(&sysadmin, &channel, &secret, "v-6", &smoke));
    let (one, other) = (one.ok(), other.ok());
    assert_eq!(one["ticket_id"], other["ticket_id"]);
    let danger = dispatcher.get(&format!("/v1/tickets/{}", text(&one["ticket_id"]))).await.ok();
    assert_eq!((text(&danger["state"]), text(&danger["urgency"]), &danger["danger"]), ("ACCEPTED", "EMERGENCY", &json!(true)));
    assert_eq!(send(&sysadmin, &channel, &secret, "v-7", &seen("ufo", 0.9, 26.1)).await.reason(), "TYPE");
    assert_eq!(send(&sysadmin, &channel, &secret, "v-8", &seen("smoke", 0.9, 99.0)).await.reason(), "POSITION");
}

/// A small picture, of one colour.
fn picture(blue: u8) -> String {
    use base64::Engine as _;
    let mut png = std::io::Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_pixel(40, 30, image::Rgb([200, 30, blue]));
    pixels.write_to(&mut png, image::ImageFormat::Png).expect("encoded");
    base64::engine::general_purpose::STANDARD.encode(png.into_inner())
}

#[tokio::test]
async fn the_picture_of_what_a_camera_saw_is_kept_for_units_alone() {
    let (channel, secret) = open("VISION", json!({})).await;
    let [sysadmin, dispatcher] = [person("sysadmin").await, person("dispatcher").await];
    let with = |confidence: f64, picture: &str| {
        let mut message = seen("garbage", confidence, 26.5);
        message["data"]["picture"] = picture.into();
        message
    };
    let all = "select count(*) from ticketing.attachment where name = '摄像头画面'";
    let count = async || -> i64 { sqlx::query_scalar(all).fetch_one(&mut world().admin().await).await.expect("a number") };
    // What is no picture is refused before anything happens; put right, the same message is taken.
    for none in ["!!", "aGVsbG8="] {
        assert_eq!(send(&sysadmin, &channel, &secret, "p-1", &with(0.9, none)).await.reason(), "NOT_A_PHOTO");
    }
    let broken = send(&sysadmin, &channel, &secret, "p-1", &with(0.9, "iVBORw0KGgoAAAA=")).await;
    assert_eq!(broken.reason(), "UNREADABLE", "a picture only by its first bytes");
    let messages = sysadmin.get(&format!("/v1/channels/{channel}/messages")).await.ok();
    assert_eq!(messages["messages"], json!([]));
    let before = count().await;
    assert_eq!(send(&sysadmin, &channel, &secret, "p-0", &with(0.1, &picture(0))).await.ok()["outcome"], "BELOW_THRESHOLD");
    assert_eq!(count().await, before, "what is no request keeps no picture");

    let made = send(&sysadmin, &channel, &secret, "p-1", &with(0.9, &picture(1))).await.ok();
    assert_eq!(made["outcome"], "CREATED");
    let joined = with(0.95, &picture(2));
    assert_eq!(send(&sysadmin, &channel, &secret, "p-2", &joined).await.ok()["outcome"], "JOINED");
    assert_eq!(send(&sysadmin, &channel, &secret, "p-2", &joined).await.ok()["repeated"], true);
    let path = format!("/v1/tickets/{}/attachments", text(&made["ticket_id"]));
    let kept = dispatcher.get(&path).await.ok()["attachments"].as_array().cloned().unwrap_or_default();
    assert_eq!(kept.len(), 2, "one a message: {kept:?}");
    for one in &kept {
        let said = (text(&one["state"]), text(&one["visibility"]), text(&one["kind"]), text(&one["content_type"]), &one["used"]);
        assert_eq!(said, ("READY", "INTERNAL", "PHOTO", "image/png", &json!(true)));
    }
    let link = dispatcher.get(&format!("/v1/attachments/{}/link", text(&kept[0]["id"]))).await.ok();
    let bytes = dispatcher.http.get(format!("{}{}", dispatcher.base, text(&link["path"]))).send().await.expect("an answer");
    let shown = image::load_from_memory(&bytes.bytes().await.expect("bytes")).expect("a picture").to_rgb8();
    assert_eq!((shown.dimensions(), shown.get_pixel(3, 3).0), ((40, 30), [200, 30, 1]));
    // Enough is enough: the eleventh goes again, and the message is taken all the same.
    for number in 3..=11 {
        assert_eq!(
            send(&sysadmin, &channel, &secret, &format!("p-{number}"), &with(0.9, &picture(number))).await.ok()["outcome"],
            "JOINED"
        );
    }
    assert_eq!(dispatcher.get(&path).await.ok()["attachments"].as_array().map(Vec::len), Some(10));
}

#[tokio::test]
async fn open311_clients_of_others_submit_and_follow() {
    let attribute = json!({ "code": "KIND", "description": "灯的种类", "datatype": "singlevaluelist", "required": true,
        "values": [{ "key": "1", "name": "路灯" }, { "key": "2", "name": "景观灯" }] });
    let services = json!([
        { "code": "lamp", "name": "照明", "kind": "HELP", "keywords": ["路灯", "照明"], "attributes": [attribute] },
        { "code": "other", "name": "其他", "kind": "CONSULT" },
    ]);
    let (channel, key) = open("OPEN311", json!({ "services": services, "public": true })).await;
    let [sysadmin, dispatcher] = [person("sysadmin").await, person("dispatcher").await];
    let endpoint = format!("{}/open311/v2", sysadmin.base);
    let number = clients::run("open311.py", &[&endpoint, &key, "submit"]).await;
    clients::run("open311.py", &[&endpoint, &key, "follow", &number, "open"]).await;
    let messages = sysadmin.get(&format!("/v1/channels/{channel}/messages")).await.ok();
    assert_eq!(messages["messages"].as_array().map(Vec::len), Some(1), "one form, one request");
    let ticket = text(&messages["messages"][0]["ticket_id"]).to_owned();
    let shown = dispatcher.get(&format!("/v1/tickets/{ticket}")).await.ok();
    assert_eq!((text(&shown["source"]), text(&shown["contact_name"])), ("OPEN311", "Zoe Chen"));
    assert!(text(&shown["description"]).contains("灯的种类：路灯"));
    dispatcher.post(&format!("/v1/tickets/{ticket}:refuse"), json!({ "reason": "OUT_OF_SCOPE", "text": "不属本区" })).await.ok();
    clients::run("open311.py", &[&endpoint, &key, "follow", &number, "closed"]).await;
    // Bad questions, in Open311's own form.
    let ask = |path: &str| {
        let (http, url) = (sysadmin.http.clone(), format!("{endpoint}/{path}"));
        async move {
            let answer = http.get(url).send().await.expect("an answer");
            let header = |name: &str| answer.headers()[name].to_str().unwrap_or_default().to_owned();
            assert_eq!(header("content-security-policy"), "default-src 'none'; sandbox", "what people sent in never runs here");
            let kind = header("content-type");
            (answer.status().as_u16(), kind, answer.text().await.expect("a body"))
        }
    };
    let (status, kind, body) = ask("requests/nonsense.xml").await;
    assert_eq!((status, kind.as_str()), (404, "text/xml; charset=utf-8"));
    assert!(body.contains("<errors><error><code>404</code>"), "{body}");
    assert_eq!(ask("requests.json?start_date=2026-01-01T00:00:00Z&end_date=2026-06-01T00:00:00Z").await.0, 400);
    assert_eq!(ask("requests.json?status=done").await.0, 400);
    assert_eq!(ask("requests.json?api_key=nonsense").await.0, 403);
    assert_eq!(ask("services/lamp.json").await.0, 200);
    assert_eq!(ask("nonsense.json").await.0, 404);
    assert_eq!(ask(&format!("tokens/{ticket}.json")).await.2, format!(r#"[{{"service_request_id":"{number}","token":"{ticket}"}}]"#));
    // A client that does not show its requests shows them to itself only.
    let hidden = json!({ "services": services, "public": false }).to_string();
    sysadmin.post(&format!("/v1/channels/{channel}:update"), json!({ "name": "渠道", "settings": hidden, "open": true })).await.ok();
    assert_eq!(ask(&format!("requests/{number}.json")).await.0, 403);
    assert_eq!(ask(&format!("requests/{number}.json?api_key={key}")).await.0, 200);
}

#[tokio::test]
async fn who_takes_a_call_sees_earlier_ones_and_submits_for_nobodys_company() {
    let [dispatcher, enterprise] = [person("dispatcher").await, person("enterprise").await];
    let call = json!({ "title": "路面塌陷", "description": "路口塌陷", "kind": "HELP", "source": "PHONE",
        "contact_name": "来电人", "contact_phone": "139-5555-0001" });
    let ticket = dispatcher.post("/v1/tickets", call.clone()).await.ok();
    assert_eq!((text(&ticket["source"]), text(&ticket["enterprise_id"])), ("PHONE", ""));
    let found = dispatcher.post("/v1/callers:find", json!({ "phone": "13955550001" })).await.ok();
    assert_eq!(found["tickets"][0]["ticket_id"], ticket["id"]);
    assert_eq!(dispatcher.post("/v1/callers:find", json!({ "phone": "13955550002" })).await.ok()["tickets"], json!([]));
    assert_eq!(enterprise.post("/v1/callers:find", json!({ "phone": "13955550001" })).await.status, 403);
    assert_eq!(enterprise.post("/v1/tickets", call).await.reason(), "NOT_YOUR_CHANNEL");
    let phone = dispatcher.get("/v1/tickets?filter=source+%3D+PHONE").await.ok();
    assert!(phone["tickets"].as_array().is_some_and(|tickets| tickets.iter().all(|one| one["source"] == "PHONE")));
    assert_eq!(enterprise.get(&format!("/v1/tickets/{}", text(&ticket["id"]))).await.status, 404, "nobody's company is not theirs");
}

#[tokio::test]
async fn a_rule_that_needs_no_dispatcher_sends_on_what_it_fits() {
    let [sysadmin, dispatcher, enterprise] = [person("sysadmin").await, person("dispatcher").await, person("enterprise").await];
    let units = dispatcher.get("/v1/units").await.ok();
    let market = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == "market").cloned().unwrap_or_default();
    let rule = json!({ "name": "商标异议", "clause": "职责清单 3.2", "words": ["商标异议"], "lead_unit_id": market["id"], "auto": true });
    let content = json!({ "rules": [rule] }).to_string();
    sysadmin.post("/v1/settings", json!({ "kind": "DISPATCH_RULES", "content": content })).await.ok();
    let submit = |title: &'static str| {
        let enterprise = enterprise.clone();
        async move { enterprise.post("/v1/tickets", json!({ "title": title, "description": "请协助", "kind": "HELP" })).await.ok() }
    };
    let accept = |ticket: Value| {
        let dispatcher = dispatcher.clone();
        async move { dispatcher.post(&format!("/v1/tickets/{}:accept", text(&ticket["id"])), json!({ "urgency": "NORMAL" })).await.ok() }
    };
    let sent = accept(submit("商标异议答复").await).await;
    assert_eq!((text(&sent["state"]), &sent["lead_unit_id"]), ("DISPATCHED", &market["id"]));
    let events = dispatcher.get(&format!("/v1/tickets/{}/events", text(&sent["id"]))).await.ok();
    let last = events["events"].as_array().and_then(|events| events.last()).cloned().unwrap_or_default();
    assert_eq!((text(&last["verb"]), text(&last["actor_id"]), text(&last["text"])), ("dispatch", "", "商标异议：职责清单 3.2"));
    assert_eq!(text(&accept(submit("其他事项").await).await["state"]), "ACCEPTED");
}
