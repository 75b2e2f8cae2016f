//! Evidence through the gateway: uploads that break off and go on, what is not what it is said to be, who sees what, links, the quota, the
//! scanner, and what a check-in, a return, a report and a rating rest on.

use std::{sync::OnceLock, time::Duration};

use drumtower_tests::world::{Answer, DISTRICTS, Person, Wanted, World};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted { quota_bytes: Some(QUOTA), ..Wanted::default() }))
}

/// Of a district in this test: 200 MiB.
const QUOTA: i64 = 200 << 20;

async fn people<const N: usize>(logins: [&str; N]) -> [Person; N] {
    let mut people = Vec::with_capacity(N);
    for login in logins {
        people.push(world().sign_in(DISTRICTS[0], login).await);
    }
    people.try_into().unwrap_or_else(|_| unreachable!("as many as were asked for"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text in {value}"))
}

async fn verb(person: &Person, ticket: &Value, verb: &str, body: Value) -> Answer {
    person.post(&format!("/v1/tickets/{}:{verb}", text(&ticket["id"])), body).await
}

async fn unit(person: &Person, code: &str) -> String {
    let units = person.get("/v1/units").await.ok();
    let found = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == code).cloned();
    text(&found.unwrap_or_else(|| panic!("no unit {code}"))["id"]).to_owned()
}

/// A request that its lead unit has signed.
async fn handling(enterprise: &Person, dispatcher: &Person, liaison: &Person, more: Value) -> Value {
    let mut body = json!({ "title": "三楼走廊漏水", "description": "持续滴水", "kind": "HELP" });
    body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let ticket = enterprise.post("/v1/tickets", body).await.ok();
    verb(dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    verb(dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": unit(dispatcher, "market").await })).await.ok();
    verb(liaison, &ticket, "sign", json!({})).await.ok()
}

/// A picture that does not compress well: some hundred kilobytes, with a place written beside it.
fn photo() -> Vec<u8> {
    let noise = |x: u32, y: u32, salt: u32| {
        ((x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503) ^ salt).wrapping_mul(2_246_822_519) >> 24) as u8
    };
    let picture = image::RgbImage::from_fn(640, 480, |x, y| image::Rgb([noise(x, y, 1), noise(x, y, 2), noise(x, y, 3)]));
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).expect("encoded");
    let jpeg = jpeg.into_inner();
    let beside = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0\0\0\0\0 26N 119E TAKEN-AT-HOME";
    let length = u16::try_from(beside.len() + 2).expect("short").to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, beside, &jpeg[2..]].concat()
}

fn pdf() -> Vec<u8> {
    b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n".to_vec()
}

async fn announce(person: &Person, ticket: &Value, kind: &str, size: usize) -> Answer {
    let body = json!({ "ticket_id": ticket["id"], "name": "现场.jpg", "kind": kind, "size_bytes": size.to_string() });
    person.post("/v1/attachments", body).await
}

async fn append(person: &Person, attachment: &Value, offset: usize, piece: &[u8]) -> Answer {
    let url = format!("{}/v1/attachments/{}/content?offset={offset}", person.base, text(&attachment["id"]));
    let sent = person.http.put(url).bearer_auth(&person.token).header("content-type", "image/jpeg").body(piece.to_vec()).send().await;
    let answer = sent.expect("answered");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text, request_id: String::new() }
}

async fn finish(person: &Person, attachment: &Value) -> Answer {
    person.post(&format!("/v1/attachments/{}:finish", text(&attachment["id"])), json!({})).await
}

/// An attachment once it was looked at.
async fn ready(person: &Person, attachment: &Value) -> Value {
    for _ in 0..200 {
        let now = person.get(&format!("/v1/attachments/{}", text(&attachment["id"]))).await.ok();
        if now["state"] == "READY" {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{attachment} never became ready");
}

/// Sends something whole; what came of it.
async fn send(person: &Person, ticket: &Value, kind: &str, bytes: &[u8]) -> Answer {
    let attachment = announce(person, ticket, kind, bytes.len()).await.ok();
    append(person, &attachment, 0, bytes).await.ok();
    finish(person, &attachment).await
}

async fn link(person: &Person, attachment: &Value, thumbnail: bool) -> Answer {
    person.get(&format!("/v1/attachments/{}/link?thumbnail={thumbnail}", text(&attachment["id"]))).await
}

/// What a link gives to somebody who has nothing else: the status, the kind, the bytes.
async fn download(district: &str, path: &str) -> (u16, String, Vec<u8>) {
    let answer = reqwest::get(format!("{}/t/{district}{path}", world().url())).await.expect("answered");
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (status, kind) = (answer.status().as_u16(), header("content-type"));
    (status, kind, answer.bytes().await.expect("a body").to_vec())
}

async fn reason_of(district: &str, path: &str) -> String {
    let (status, _, bytes) = download(district, path).await;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status, body, text: String::new(), request_id: String::new() }.reason().to_owned()
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Files of a world's store below a folder.
fn objects(world: &World, below: &str) -> Vec<std::path::PathBuf> {
    drumtower_tests::sources::files(&world.dir.join("store").join(below), "")
}

/// Waits until a folder of the store is empty.
async fn nothing_in(world: &World, below: &str) {
    for _ in 0..200 {
        if objects(world, below).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("objects stay in {below}: {:?}", objects(world, below));
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_and_the_photo_is_rid_of_where_it_was_taken() {
    let [enterprise, dispatcher, liaison] = people(["enterprise", "dispatcher", "liaison"]).await;
    let ticket = handling(&enterprise, &dispatcher, &liaison, json!({})).await;
    let bytes = photo();
    assert!(bytes.len() > 200_000 && holds(&bytes, b"TAKEN-AT-HOME"), "{}", bytes.len());
    let half = 100_000;
    let upload = announce(&enterprise, &ticket, "PHOTO", bytes.len()).await.ok();
    assert_eq!(upload["state"], "UPLOADING");
    append(&enterprise, &upload, 0, &bytes[..half]).await.ok();
    // The next piece breaks off in the middle: half of it is on its way when the connection dies.
    let url = format!("{}/v1/attachments/{}/content?offset={half}", enterprise.base, text(&upload["id"]));
    let broken = enterprise.http.put(url).bearer_auth(&enterprise.token).header("content-length", (bytes.len() - half).to_string());
    let _broken = tokio::time::timeout(Duration::from_millis(300), broken.body(bytes[half..half + 1000].to_vec()).send()).await;
    let path = format!("/v1/attachments/{}", text(&upload["id"]));
    assert_eq!(enterprise.get(&path).await.ok()["stored_bytes"], half.to_string());
    // Somebody who does not know whether a piece came sends it again.
    assert_eq!(append(&enterprise, &upload, 0, &bytes[..half]).await.ok()["stored_bytes"], half.to_string());
    for wrong in [half - 1, half + 1] {
        let refused = append(&enterprise, &upload, wrong, &bytes[half..2 * half]).await;
        assert_eq!((refused.status, refused.reason()), (400, "WRONG_OFFSET"));
        assert!(refused.text.contains(&format!("\"{half}\"")), "it says where to go on: {}", refused.text);
    }
    assert_eq!(append(&dispatcher, &upload, half, &bytes[half..]).await.reason(), "NOT_THE_UPLOADER");
    assert_eq!(finish(&enterprise, &upload).await.reason(), "INCOMPLETE");
    // The same piece twice at once counts once.
    let (one, other) = tokio::join!(append(&enterprise, &upload, half, &bytes[half..]), append(&enterprise, &upload, half, &bytes[half..]));
    assert_eq!(
        (one.ok()["stored_bytes"].clone(), other.ok()["stored_bytes"].clone()),
        (json!(bytes.len().to_string()), json!(bytes.len().to_string()))
    );
    assert_eq!(append(&enterprise, &upload, bytes.len(), b"x").await.reason(), "MORE_THAN_ANNOUNCED");
    let long = announce(&enterprise, &ticket, "DOCUMENT", 9 << 20).await.ok();
    assert_eq!(append(&enterprise, &long, 0, &vec![0; (4 << 20) + 1]).await.reason(), "PIECE_TOO_LARGE");
    assert_eq!(append(&enterprise, &long, 0, &vec![0; 9 << 20]).await.reason(), "PIECE_TOO_LARGE");
    assert_eq!(append(&enterprise, &long, 0, &vec![0; 4 << 20]).await.ok()["stored_bytes"], (4 << 20).to_string());
    assert_eq!(append(&enterprise, &long, 4 << 20, b"little").await.reason(), "PIECE_TOO_SMALL");
    let of_ticket = format!("/v1/tickets/{}/attachments", text(&ticket["id"]));
    assert_eq!(
        dispatcher.get(&of_ticket).await.ok()["attachments"].as_array().map(Vec::len),
        Some(0),
        "what is not ready shows to nobody else"
    );
    let (one, other) = tokio::join!(finish(&enterprise, &upload), finish(&enterprise, &upload));
    assert!(["SCANNING", "READY"].contains(&text(&one.ok()["state"])) && ["SCANNING", "READY"].contains(&text(&other.ok()["state"])));
    let ready = ready(&enterprise, &upload).await;
    assert_eq!(
        (&ready["state"], &ready["content_type"], &ready["has_thumbnail"], &ready["scanned"]),
        (&json!("READY"), &json!("image/jpeg"), &json!(true), &json!(false))
    );
    assert_eq!(finish(&enterprise, &upload).await.ok()["sha256"], ready["sha256"], "ended twice is ended once");
    let given = link(&dispatcher, &upload, false).await.ok();
    let (status, kind, kept) = download(DISTRICTS[0], text(&given["path"])).await;
    assert_eq!((status, kind.as_str(), kept.len().to_string()), (200, "image/jpeg", text(&ready["size_bytes"]).to_owned()));
    assert!(!holds(&kept, b"TAKEN-AT-HOME") && !holds(&kept, b"Exif"));
    assert_eq!(image::load_from_memory(&kept).expect("a picture").width(), 640);
    let small = link(&liaison, &upload, true).await.ok();
    let (_, _, small) = download(DISTRICTS[0], text(&small["path"])).await;
    assert_eq!(image::load_from_memory(&small).expect("a picture").width(), 320);
    // What lies in the store says nothing to who reads it, and the pieces go.
    for file in objects(world(), "1/attachment") {
        let sealed = std::fs::read(&file).expect("read");
        assert!(!holds(&sealed, &[0xff, 0xd8, 0xff, 0xe0]) && !holds(&sealed, b"JFIF"), "{}", file.display());
    }
    nothing_in(world(), &format!("1/upload/{}", text(&upload["id"]))).await;
}

#[tokio::test]
async fn what_is_not_what_it_is_said_to_be_is_refused_and_gone() {
    let [enterprise, dispatcher, liaison] = people(["enterprise", "dispatcher", "liaison"]).await;
    let ticket = handling(&enterprise, &dispatcher, &liaison, json!({})).await;
    let lie = announce(&enterprise, &ticket, "PHOTO", 21).await.ok();
    append(&enterprise, &lie, 0, b"this is a text, really"[..21].as_ref()).await.ok();
    for _ in 0..2 {
        let refused = finish(&enterprise, &lie).await;
        assert_eq!((refused.status, refused.reason()), (400, "NOT_A_PHOTO"), "and again when asked again");
    }
    assert_eq!(send(&enterprise, &ticket, "PHOTO", &pdf()).await.reason(), "NOT_A_PHOTO");
    assert_eq!(send(&enterprise, &ticket, "AUDIO", &photo()).await.reason(), "TYPE_REFUSED");
    assert_eq!(send(&enterprise, &ticket, "DOCUMENT", b"MZ\x90\0 a program").await.reason(), "TYPE_REFUSED");
    assert_eq!(send(&enterprise, &ticket, "PHOTO", &photo()[..300]).await.reason(), "UNREADABLE");
    let other = json!({ "ticket_id": ticket["id"], "name": "a.pdf", "kind": "DOCUMENT", "size_bytes": "69", "sha256": "0".repeat(64) });
    let other = enterprise.post("/v1/attachments", other).await.ok();
    append(&enterprise, &other, 0, &pdf()[..69]).await.ok();
    assert_eq!(finish(&enterprise, &other).await.reason(), "HASH_MISMATCH");
    assert_eq!(announce(&enterprise, &ticket, "DOCUMENT", 2 << 30).await.reason(), "TOO_LARGE", "two gigabytes, before a byte is sent");
    let bad = json!({ "ticket_id": ticket["id"], "name": "../../etc/passwd", "kind": "PHOTO", "size_bytes": "1" });
    assert_eq!(enterprise.post("/v1/attachments", bad).await.reason(), "BAD_NAME");
    assert_eq!(link(&enterprise, &lie, false).await.reason(), "NOT_READY");
    let listed = enterprise.get(&format!("/v1/tickets/{}/attachments", text(&ticket["id"]))).await.ok();
    let states: Vec<&str> = listed["attachments"].as_array().into_iter().flatten().map(|one| text(&one["state"])).collect();
    assert_eq!(states, ["REJECTED"; 6]);
    for one in listed["attachments"].as_array().into_iter().flatten() {
        nothing_in(world(), &format!("1/upload/{}", text(&one["id"]))).await;
    }
}

#[tokio::test]
async fn units_keep_among_themselves_what_they_say_and_links_are_nobody_elses() {
    let [enterprise, dispatcher, liaison, handler] = people(["enterprise", "dispatcher", "liaison", "handler"]).await;
    let ticket = handling(&enterprise, &dispatcher, &liaison, json!({})).await;
    let internal = |ticket: &Value| json!({ "ticket_id": ticket["id"], "name": "内部.pdf", "kind": "DOCUMENT", "size_bytes": pdf().len().to_string(), "visibility": "INTERNAL" });
    assert_eq!(enterprise.post("/v1/attachments", internal(&ticket)).await.reason(), "NOT_INSIDE");
    let kept = handler.post("/v1/attachments", internal(&ticket)).await.ok();
    append(&handler, &kept, 0, &pdf()).await.ok();
    let kept = finish(&handler, &kept).await.ok();
    assert_eq!((text(&kept["state"]), text(&kept["unit_id"])), ("READY", unit(&dispatcher, "market").await.as_str()));
    let path = format!("/v1/attachments/{}", text(&kept["id"]));
    let all = format!("/v1/tickets/{}/attachments", text(&ticket["id"]));
    assert_eq!(dispatcher.get(&all).await.ok()["attachments"].as_array().map(Vec::len), Some(1));
    assert_eq!(enterprise.get(&all).await.ok()["attachments"].as_array().map(Vec::len), Some(0));
    assert_eq!((enterprise.get(&path).await.status, link(&enterprise, &kept, false).await.status), (404, 404));
    assert_eq!(link(&handler, &kept, true).await.reason(), "NO_THUMBNAIL");

    let given = link(&dispatcher, &kept, false).await.ok();
    let given = text(&given["path"]);
    assert_eq!(download(DISTRICTS[0], given).await, (200, "application/pdf".to_owned(), pdf()));
    assert_eq!(reason_of(DISTRICTS[1], given).await, "BAD_LINK", "another district");
    let (head, token) = given.split_once('=').expect("a token");
    let mut bent = token.to_owned().into_bytes();
    bent[30] = if bent[30] == b'A' { b'B' } else { b'A' };
    assert_eq!(reason_of(DISTRICTS[0], &format!("{head}={}", String::from_utf8(bent).expect("text"))).await, "BAD_LINK", "tampered with");
    assert_eq!(reason_of(DISTRICTS[0], &format!("{head}={}", "A".repeat(72))).await, "BAD_LINK");
    // A link of six minutes ago, made as the service makes one.
    let sealer = sealer_of(1).await;
    let place = drumtower_runtime::seal::Place { table: "attachment", column: "link", row: "" };
    let made = |ago: i64| {
        let id = uuid::Uuid::try_parse(text(&kept["id"])).expect("an id");
        let until = drumtower_runtime::Clock::system().now().as_second() - ago;
        let sealed = sealer.seal_bytes(place, &[&id.as_bytes()[..], &[0], &until.to_be_bytes()].concat()).expect("sealed");
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, sealed)
    };
    assert_eq!(reason_of(DISTRICTS[0], &format!("{head}={}", made(60))).await, "LINK_EXPIRED");
    assert_eq!(download(DISTRICTS[0], &format!("{head}={}", made(-60))).await.0, 200, "the same, not yet over");

    assert_eq!(dispatcher.send(reqwest::Method::DELETE, &path, None, None).await.reason(), "NOT_THE_UPLOADER");
    assert_eq!(handler.send(reqwest::Method::DELETE, &path, None, None).await.status, 200);
    assert_eq!(reason_of(DISTRICTS[0], given).await, "BAD_LINK", "taken back");
    assert_eq!(handler.get(&path).await.status, 404);
}

async fn sealer_of(tenant: i32) -> drumtower_runtime::seal::Sealer {
    let salt: (Vec<u8>,) = sqlx::query_as("select salt from ticketing.data_key where tenant_id = $1")
        .bind(tenant)
        .fetch_one(&mut world().admin().await)
        .await
        .expect("a salt");
    let kek = drumtower_runtime::seal::Kek::new(world().config.secret("kek").expect("a secret")).expect("a key");
    kek.of_tenant(tenant, &salt.0).expect("derived")
}

#[tokio::test]
async fn what_is_done_rests_on_evidence_of_the_same_request() {
    let [enterprise, dispatcher, liaison, handler, lead, registrar] =
        people(["enterprise", "dispatcher", "liaison", "handler", "lead", "registrar"]).await;
    // Photos in the submission's form: sent first, claimed with it, and only once.
    let before = send(&enterprise, &Value::Null, "PHOTO", &photo()).await.ok();
    assert_eq!(text(&before["ticket_id"]), "");
    let submit = |ids: Value| json!({ "title": "三楼走廊漏水", "description": "持续滴水", "kind": "HELP", "attachment_ids": ids });
    assert_eq!(dispatcher.get(&format!("/v1/attachments/{}", text(&before["id"]))).await.status, 404, "nobody else's");
    let open = announce(&enterprise, &Value::Null, "PHOTO", 1000).await.ok();
    assert_eq!(enterprise.post("/v1/tickets", submit(json!([before["id"], open["id"]]))).await.reason(), "NOT_READY");
    let buildings = registrar.get("/v1/buildings?page_size=1").await.ok();
    let more = json!({ "attachment_ids": [before["id"]], "building_id": buildings["buildings"][0]["id"] });
    let ticket = handling(&enterprise, &dispatcher, &liaison, more).await;
    let listed = liaison.get(&format!("/v1/tickets/{}/attachments", text(&ticket["id"]))).await.ok();
    assert_eq!((&listed["attachments"][0]["id"], &listed["attachments"][0]["used"]), (&before["id"], &json!(true)));
    assert_eq!(enterprise.post("/v1/tickets", submit(json!([before["id"]]))).await.reason(), "OF_ANOTHER_TICKET");
    let away = enterprise.send(reqwest::Method::DELETE, &format!("/v1/attachments/{}", text(&before["id"])), None, None).await;
    assert_eq!(away.reason(), "IN_USE");

    // An arrival that nothing proves needs a photo of who arrived.
    verb(&handler, &ticket, "visit", json!({})).await.ok();
    let arrive = |photo: &Value| json!({ "latitude": 25.0, "longitude": 118.0, "override_reason": "地下室无信号", "photo_id": photo });
    assert_eq!(verb(&handler, &ticket, "checkIn", arrive(&json!(""))).await.reason(), "PHOTO_NEEDED");
    assert_eq!(verb(&handler, &ticket, "checkIn", arrive(&before["id"])).await.reason(), "NOT_THE_UPLOADER");
    let document = send(&handler, &ticket, "DOCUMENT", &pdf()).await.ok();
    assert_eq!(verb(&handler, &ticket, "checkIn", arrive(&document["id"])).await.reason(), "NOT_A_PHOTO");
    let site = send(&handler, &ticket, "PHOTO", &photo()).await.ok();
    assert_eq!(verb(&handler, &ticket, "checkIn", arrive(&site["id"])).await.ok()["assignments"][0]["state"], "ARRIVED");
    let history = dispatcher.get(&format!("/v1/tickets/{}/events", text(&ticket["id"]))).await.ok();
    assert!(history.to_string().contains(text(&site["id"])), "the history says which photo");

    verb(&handler, &ticket, "reportDone", json!({ "result": "RESOLVED", "text": "已修复" })).await.ok();
    let taken_back = handler.send(reqwest::Method::DELETE, &format!("/v1/attachments/{}", text(&document["id"])), None, None).await;
    assert_eq!(taken_back.reason(), "IN_USE", "the report rests on it");
    verb(&lead, &ticket, "signOff", json!({})).await.ok();
    let shown = send(&enterprise, &ticket, "PHOTO", &photo()).await.ok();
    let rate = |id: &Value| json!({ "score": 5, "attachment_ids": [id] });
    assert_eq!(verb(&enterprise, &ticket, "rate", rate(&before["id"])).await.reason(), "IN_USE");
    verb(&enterprise, &ticket, "rate", rate(&shown["id"])).await.ok();

    let returned = handling_not_signed(&enterprise, &dispatcher).await;
    let clause = send(&liaison, &returned, "DOCUMENT", &pdf()).await.ok();
    let give_back =
        |id: &Value, suggested: &str| json!({ "clause": "职责清单第三条", "suggested_unit_id": suggested, "attachment_ids": [id] });
    let fire = unit(&dispatcher, "fire").await;
    assert_eq!(verb(&liaison, &returned, "return", give_back(&document["id"], &fire)).await.reason(), "OF_ANOTHER_TICKET");
    assert_eq!(verb(&liaison, &returned, "return", give_back(&clause["id"], &fire)).await.ok()["state"], "ACCEPTED");
}

async fn handling_not_signed(enterprise: &Person, dispatcher: &Person) -> Value {
    let ticket = enterprise.post("/v1/tickets", json!({ "title": "占道经营", "description": "门口占道", "kind": "HELP" })).await.ok();
    verb(dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    verb(dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": unit(dispatcher, "market").await })).await.ok()
}

/// In the other district, for what is published, and what is used up, holds for everybody there.
#[tokio::test]
async fn a_district_asks_for_evidence_and_keeps_within_its_quota() {
    let mut people = Vec::new();
    for login in ["sysadmin", "enterprise", "dispatcher", "liaison", "handler"] {
        people.push(world().sign_in(DISTRICTS[1], login).await);
    }
    let [sysadmin, enterprise, dispatcher, liaison, handler] = <[Person; 5]>::try_from(people).unwrap_or_else(|_| unreachable!("five"));
    let machine = json!({ "limits": { "evidence": { "resolved": 1 } } }).to_string();
    sysadmin.post("/v1/settings", json!({ "kind": "MACHINE", "content": machine })).await.ok();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let ticket = handling(&enterprise, &dispatcher, &liaison, json!({})).await;
    let done = json!({ "result": "RESOLVED", "text": "已修复" });
    send(&enterprise, &ticket, "PHOTO", &photo()).await.ok();
    assert_eq!(
        verb(&handler, &ticket, "reportDone", done.clone()).await.reason(),
        "EVIDENCE_NEEDED",
        "the company's own photo is none of the unit's"
    );
    send(&handler, &ticket, "PHOTO", &photo()).await.ok();
    assert_eq!(verb(&handler, &ticket, "reportDone", done).await.ok()["state"], "REVIEW");

    let fifty = 50 << 20;
    let mut uploads = Vec::new();
    for _ in 0..3 {
        uploads.push(announce(&enterprise, &ticket, "DOCUMENT", fifty).await.ok());
    }
    let full = announce(&enterprise, &ticket, "DOCUMENT", fifty).await;
    assert_eq!((full.status, full.reason()), (429, "QUOTA_FULL"));
    announce(&enterprise, &ticket, "PHOTO", 1 << 20).await.ok();
    let (here, there) = (world().sign_in(DISTRICTS[0], "enterprise").await, Value::Null);
    announce(&here, &there, "DOCUMENT", fifty).await.ok();
}

/// A world of its own: its scanner finds a virus, is away, and comes back.
#[tokio::test]
async fn what_a_scanner_finds_goes_and_what_it_did_not_see_waits_for_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let wanted = Wanted { scanner: Some(address.to_string()), ..Wanted::default() };
    let world = tokio::task::spawn_blocking(move || World::start(&wanted)).await.expect("a world");
    let scanner = tokio::spawn(clamd(listener));
    let enterprise = world.sign_in(DISTRICTS[0], "enterprise").await;
    let clean = send(&enterprise, &Value::Null, "DOCUMENT", &pdf()).await.ok();
    assert_eq!((text(&clean["state"]), clean["scanned"].as_bool()), ("READY", Some(true)));
    let ill = [pdf(), b"EICAR".to_vec()].concat();
    let found = send(&enterprise, &Value::Null, "DOCUMENT", &ill).await;
    assert_eq!((found.status, found.reason()), (400, "INFECTED"));
    scanner.abort();
    let _ended = scanner.await;
    let waits = send(&enterprise, &Value::Null, "DOCUMENT", &pdf()).await.ok();
    assert_eq!(waits["state"], "SCANNING", "nothing that was not scanned is shown");
    assert_eq!(link(&enterprise, &waits, false).await.reason(), "NOT_READY");
    let listener = tokio::net::TcpListener::bind(address).await.expect("the same port");
    let _scanner = tokio::spawn(clamd(listener));
    assert_eq!(ready(&enterprise, &waits).await["scanned"], true);
    // Only what is kept is left: the one with the virus has no object at all.
    nothing_in(&world, "1/upload").await;
    assert_eq!(objects(&world, "1/attachment").len(), 2, "clean and late");
}

/// Speaks clamd's INSTREAM: what says EICAR is ill.
async fn clamd(listener: tokio::net::TcpListener) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        let mut command = [0; 10];
        stream.read_exact(&mut command).await.expect("a command");
        assert_eq!(&command, b"zINSTREAM\0");
        let mut bytes = Vec::new();
        while let length @ 1.. = stream.read_u32().await.expect("a length") {
            let mut chunk = vec![0; length as usize];
            stream.read_exact(&mut chunk).await.expect("a chunk");
            bytes.extend(chunk);
        }
        let verdict: &[u8] = if holds(&bytes, b"EICAR") { b"stream: Eicar-Test-Signature FOUND\0" } else { b"stream: OK\0" };
        stream.write_all(verdict).await.expect("told");
    }
}

/// Runs a statement about one attachment of the first district as the administrator: time passes, or a process dies, at once.
async fn happens(statement: &'static str, attachment: &Value) {
    let id = uuid::Uuid::try_parse(text(&attachment["id"])).expect("an id");
    let changed = sqlx::query(statement).bind(id).execute(&mut world().admin().await).await.expect("done");
    assert_eq!(changed.rows_affected(), 1, "{statement}");
}

const A_DAY_PASSES: &str =
    "update ticketing.attachment set created_at = created_at - interval '25 hours', due_at = now() - interval '1 hour' where id = $1";
const A_MINUTE_PASSES: &str = "update ticketing.attachment set due_at = now() where id = $1 and state = 5";

async fn held(tenant: i32) -> i64 {
    let held = sqlx::query_scalar("select bytes from ticketing.attachment_quota where tenant_id = $1");
    held.bind(tenant).fetch_one(&mut world().admin().await).await.expect("a quota")
}

/// The quota's number is what the rows hold, whatever happened to them.
async fn quota_adds_up() {
    let wrong: Vec<(i32, i64, i64)> = sqlx::query_as(
        "select q.tenant_id, q.bytes, coalesce(sum(a.held_bytes), 0)::int8 from ticketing.attachment_quota q
         left join ticketing.attachment a on a.tenant_id = q.tenant_id group by q.tenant_id, q.bytes having q.bytes <> coalesce(sum(a.held_bytes), 0)",
    )
    .fetch_all(&mut world().admin().await)
    .await
    .expect("asked");
    assert_eq!(wrong, []);
}

async fn rows_of(attachment: &Value) -> i64 {
    let id = uuid::Uuid::try_parse(text(&attachment["id"])).expect("an id");
    let rows = sqlx::query_scalar(
        "select (select count(*) from ticketing.attachment where id = $1) + (select count(*) from ticketing.attachment_piece where attachment_id = $1)",
    );
    rows.bind(id).fetch_one(&mut world().admin().await).await.expect("counted")
}

#[tokio::test]
async fn what_nobody_wants_goes_after_a_day_and_what_a_process_left_is_ended_by_another() {
    let [enterprise] = people(["enterprise"]).await;
    let bytes = photo();
    let broken = announce(&enterprise, &Value::Null, "PHOTO", bytes.len()).await.ok();
    append(&enterprise, &broken, 0, &bytes[..100_000]).await.ok();
    let unclaimed = send(&enterprise, &Value::Null, "PHOTO", &bytes).await.ok();
    let rejected = announce(&enterprise, &Value::Null, "PHOTO", 8).await.ok();
    append(&enterprise, &rejected, 0, b"a text..").await.ok();
    assert_eq!(finish(&enterprise, &rejected).await.reason(), "NOT_A_PHOTO");
    let claimed = send(&enterprise, &Value::Null, "PHOTO", &bytes).await.ok();
    let submit = json!({ "title": "占道经营", "description": "门口占道", "kind": "HELP", "attachment_ids": [claimed["id"]] });
    // The same photo in two submissions at once: one of them has it, and of the other nothing stays.
    let (one, other) = tokio::join!(enterprise.post("/v1/tickets", submit.clone()), enterprise.post("/v1/tickets", submit));
    let mut came: Vec<u16> = vec![one.status, other.status];
    came.sort_unstable();
    assert_eq!(came, [200, 400], "{} {}", one.text, other.text);

    for attachment in [&broken, &unclaimed, &rejected, &claimed] {
        happens(A_DAY_PASSES, attachment).await;
    }
    for attachment in [&broken, &unclaimed, &rejected] {
        for _ in 0..100 {
            if enterprise.get(&format!("/v1/attachments/{}", text(&attachment["id"]))).await.status == 404 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(rows_of(attachment).await > 0, "its row goes after its objects");
        happens(A_MINUTE_PASSES, attachment).await;
        for _ in 0..100 {
            if rows_of(attachment).await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(rows_of(attachment).await, 0);
        for folder in ["upload", "attachment"] {
            let left = objects(world(), &format!("1/{folder}/{}", text(&attachment["id"])));
            assert!(left.is_empty(), "{left:?}");
        }
    }
    let path = link(&enterprise, &claimed, false).await.ok();
    assert_eq!(download(DISTRICTS[0], text(&path["path"])).await.0, 200, "what a request was submitted with stays");
    assert!(held(1).await > 0);
    quota_adds_up().await;

    // A process that died while it looked at one: its lease runs out, and the watch looks again.
    let left = announce(&enterprise, &Value::Null, "PHOTO", bytes.len()).await.ok();
    append(&enterprise, &left, 0, &bytes).await.ok();
    happens("update ticketing.attachment set state = 2, attempts = 1, due_at = now() where id = $1", &left).await;
    ready(&enterprise, &left).await;
    // One that processes die of again and again is not looked at for ever.
    let deadly = announce(&enterprise, &Value::Null, "PHOTO", bytes.len()).await.ok();
    append(&enterprise, &deadly, 0, &bytes).await.ok();
    happens("update ticketing.attachment set state = 2, attempts = 5, due_at = now() where id = $1", &deadly).await;
    for _ in 0..100 {
        if enterprise.get(&format!("/v1/attachments/{}", text(&deadly["id"]))).await.ok()["state"] == "REJECTED" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(finish(&enterprise, &deadly).await.reason(), "UNREADABLE");
    nothing_in(world(), &format!("1/upload/{}", text(&deadly["id"]))).await;
    quota_adds_up().await;
}
