//! What goes out of the house: a receiver that hangs keeps nobody else waiting, what a worker had when it died is carried by another,
//! nothing is lost, and what never arrives is given up where it is seen.

use std::{sync::OnceLock, time::Duration};

use drumtower_tests::{
    heard::Heard,
    hotline::send,
    world::{ALONE, DISTRICTS, Person, Wanted, World},
};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text in {value}"))
}

/// A district with a hotline that is told at an address.
struct Exchange {
    sysadmin: Person,
    dispatcher: Person,
    channel: String,
    secret: String,
}

impl Exchange {
    async fn open(district: usize, url: &str) -> Self {
        let sysadmin = world().sign_in(DISTRICTS[district], "sysadmin").await;
        let dispatcher = world().sign_in(DISTRICTS[district], "dispatcher").await;
        let unique = uuid::Uuid::now_v7().simple().to_string()[20..].to_owned();
        let units = sysadmin.get("/v1/units").await.ok();
        let user =
            json!({ "login": format!("h{unique}"), "name": "热线", "password": "Drumtower-2026!", "unit_id": units["units"][0]["id"] });
        let account = sysadmin.post("/v1/users", user).await.ok();
        let settings = json!({ "url": url }).to_string();
        let body = json!({ "kind": "HOTLINE", "name": "12345", "account_id": account["id"], "settings": settings });
        let opened = sysadmin.post("/v1/channels", body).await.ok();
        let (channel, secret) = (text(&opened["channel"]["id"]).to_owned(), text(&opened["secret"]).to_owned());
        Self { sysadmin, dispatcher, channel, secret }
    }

    /// A request that is accepted, of which the hotline is told.
    async fn accepted(&self, id: &str) {
        let data = json!({ "request_id": id, "content": "路灯不亮", "kind": "求助", "contact_phone": "" });
        let message = json!({ "type": "request.created", "data": data });
        let taken = send(&self.sysadmin, &self.channel, &self.secret, id, &message).await.ok();
        let path = format!("/v1/tickets/{}:accept", text(&taken["ticket_id"]));
        self.dispatcher.post(&path, json!({ "urgency": "NORMAL" })).await.ok();
    }

    async fn deliveries(&self) -> Vec<Value> {
        let all = self.sysadmin.get(&format!("/v1/channels/{}/deliveries", self.channel)).await.ok();
        all["deliveries"].as_array().cloned().unwrap_or_default()
    }
}

/// Takes connections and never answers.
async fn hang(address: &str) {
    let listener = tokio::net::TcpListener::bind(address).await.expect("its port");
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
}

#[tokio::test]
async fn a_receiver_that_hangs_keeps_no_other_district_waiting_and_a_dead_worker_loses_nothing() {
    let _alone = ALONE.lock().await;
    let [hanging, working, _] = &world().config.outgoing.inside[..] else { panic!("three addresses") };
    hang(hanging).await;
    let heard = Heard::listen(working).await;
    let slow = Exchange::open(0, &format!("http://{hanging}/x")).await;
    let quick = Exchange::open(1, &format!("http://{working}/updates")).await;
    for number in 0..4 {
        slow.accepted(&format!("s-{number}")).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    // The worker hangs with the first of them by now, for ten seconds each.
    let began = std::time::Instant::now();
    quick.accepted("q-1").await;
    heard.wait_for("/updates", 1).await;
    assert!(began.elapsed() < Duration::from_secs(8), "it waited {:?} for another district", began.elapsed());

    // The process dies with a parcel in its hand: it is taken, and its receiver has not answered.
    heard.hang(true);
    quick.accepted("q-2").await;
    let mut admin = world().admin().await;
    let in_hand = "select count(*) from ticketing.delivery where tenant_id = 2 and state = 1 and due_at > now() + interval '2 minutes'";
    for _ in 0..100 {
        let taken: i64 = sqlx::query_scalar(in_hand).fetch_one(&mut admin).await.expect("counted");
        if taken == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world().kill("ticketing");
    let left: i64 = sqlx::query_scalar(in_hand).fetch_one(&mut admin).await.expect("counted");
    assert_eq!(left, 1, "nobody noted what became of it");
    heard.hang(false);
    world().serve("ticketing");
    world().wait_ready();
    // Whoever had it is believed to be at it for five minutes: they pass.
    let passed = "update ticketing.delivery set due_at = now() where state = 1 and tenant_id = 2";
    sqlx::query(passed).execute(&mut admin).await.expect("five minutes pass");
    let all = heard.wait_for("/updates", 2).await;
    let body: Value = serde_json::from_str(&all[1].body).expect("JSON");
    assert_eq!(body["data"]["request_id"], "q-2");
    let mut sent = 0;
    for _ in 0..100 {
        sent = quick.deliveries().await.iter().filter(|one| one["state"] == "SENT").count();
        if sent == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(sent, 2);
    assert!(slow.deliveries().await.iter().all(|one| one["state"] == "QUEUED"), "nothing of the other is lost");
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_where_it_is_seen_and_sent_again_when_asked() {
    let _alone = ALONE.lock().await;
    let address = &world().config.outgoing.inside[2];
    let exchange = Exchange::open(0, &format!("http://{address}/refusing")).await;
    let heard = Heard::listen(address).await;
    heard.refuse(true);
    exchange.accepted("r-1").await;
    let mut given_up = Value::Null;
    for _ in 0..600 {
        given_up = exchange.deliveries().await.first().cloned().unwrap_or_default();
        if given_up["state"] == "GIVEN_UP" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(given_up["state"] == "GIVEN_UP" && text(&given_up["error"]).contains("422"), "{given_up}");
    heard.refuse(false);
    let again = format!("/v1/channels/{}/deliveries/{}:retry", exchange.channel, text(&given_up["id"]));
    exchange.sysadmin.post(&again, json!({})).await.ok();
    heard.wait_for("/refusing", 1).await;
    assert_eq!(exchange.sysadmin.post(&again, json!({})).await.reason(), "NOT_GIVEN_UP");
}
