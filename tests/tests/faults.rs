//! Faults under load: a killed service, a dead or emptied Redis, a consumer that dies between effect and cursor, a row edited by hand.
//! What was acknowledged is there once; what was refused may be sent again; the chain tells.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use drumtower_tests::world::{DISTRICTS, Person, Wanted, World};
use serde_json::json;

/// One world, one fault at a time.
fn world() -> MutexGuard<'static, &'static World> {
    static WORLD: OnceLock<World> = OnceLock::new();
    static TURN: OnceLock<Mutex<&'static World>> = OnceLock::new();
    let world = WORLD.get_or_init(|| World::start(&Wanted { durable: true, ..Wanted::default() }));
    TURN.get_or_init(|| Mutex::new(world)).lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

const SUBMITS: usize = 1000;
const CLIENTS: usize = 8;

/// What became of each submission: the key, and the number that was acknowledged.
type Acknowledged = Arc<Mutex<BTreeMap<String, String>>>;

/// Submits until all are acknowledged, sending the same key again after every failure, as an honest client does.
async fn submit_all(people: Vec<Person>, acknowledged: Acknowledged, done: Arc<AtomicUsize>, odd: Arc<Mutex<Vec<String>>>) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let (person, next, acknowledged, done, odd) =
            (people[client % people.len()].clone(), next.clone(), acknowledged.clone(), done.clone(), odd.clone());
        clients.push(tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= SUBMITS {
                    return;
                }
                let key = uuid::Uuid::now_v7().to_string();
                let body = json!({ "title": format!("第{number}件"), "description": key, "kind": "HELP", "contact_name": "测试", "contact_phone": "19900001111" });
                loop {
                    let answer = person.try_send(reqwest::Method::POST, "/v1/tickets", Some(body.clone()), Some(&key)).await;
                    match answer {
                        Ok(answer) if answer.status == 200 => {
                            acknowledged.lock().expect("a map").insert(key, answer.body["number"].as_str().unwrap_or_default().to_owned());
                            done.fetch_add(1, Ordering::SeqCst);
                            break;
                        }
                        // Retriable: unavailable, too slow, too many, lost a race.
                        Ok(answer) if matches!(answer.status, 409 | 429 | 503 | 504) => {}
                        Ok(answer) => {
                            odd.lock().expect("a list").push(format!("{} {}", answer.status, answer.text));
                            return;
                        }
                        Err(_) => {}
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }));
    }
    for client in clients {
        client.await.expect("a client ended");
    }
}

/// Every acknowledged submission is there exactly once, with the number that was told; nothing else is.
async fn exactly_once(world: &World, acknowledged: &BTreeMap<String, String>) {
    let mut admin = world.admin().await;
    let keys: Vec<String> = acknowledged.keys().cloned().collect();
    let rows: Vec<(String, String)> =
        sqlx::query_as("select description, number from ticketing.ticket where tenant_id = 1 and description = any($1)")
            .bind(&keys)
            .fetch_all(&mut admin)
            .await
            .expect("asked");
    assert_eq!(rows.len(), acknowledged.len(), "each once");
    for (key, number) in rows {
        assert_eq!(acknowledged.get(&key), Some(&number));
    }
}

async fn under(world: &World, fault: impl AsyncFnOnce(Arc<AtomicUsize>)) -> BTreeMap<String, String> {
    let mut people = Vec::new();
    for _ in 0..2 {
        people.push(world.sign_in(DISTRICTS[0], "enterprise").await);
    }
    let (acknowledged, done, odd) = (Acknowledged::default(), Arc::new(AtomicUsize::new(0)), Arc::default());
    let work = tokio::spawn(submit_all(people, acknowledged.clone(), done.clone(), Arc::clone(&odd)));
    fault(done).await;
    work.await.expect("all submitted");
    let odd = odd.lock().expect("a list").clone();
    assert!(odd.is_empty(), "clients saw something that may not be retried: {odd:?}");
    let acknowledged = acknowledged.lock().expect("a map").clone();
    assert_eq!(acknowledged.len(), SUBMITS);
    acknowledged
}

async fn reach(done: &AtomicUsize, share: usize) {
    while done.load(Ordering::SeqCst) < share {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a consumer has read all there is.
async fn caught_up(world: &World) {
    let mut admin = world.admin().await;
    for _ in 0..300 {
        let (left,): (i64,) = sqlx::query_as(
            "select (select count(*) from ticketing.outbox) + (select sum(h.seq - coalesce(c.seq, 0)) from ticketing.log_head h
               left join identity.cursor c on c.tenant_id = h.tenant_id and c.consumer = 'notices of ticketing')::int8",
        )
        .fetch_one(&mut admin)
        .await
        .expect("asked");
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the inbox did not catch up within half a minute");
}

#[expect(clippy::await_holding_lock, reason = "one fault at a time is what the lock is for")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_service_loses_and_doubles_nothing() {
    let world = world();
    let acknowledged = under(&world, async |done| {
        for (share, role) in
            [(100, "ticketing"), (250, "enterprise"), (400, "identity"), (550, "gateway"), (700, "ticketing"), (850, "party")]
        {
            reach(&done, share).await;
            world.kill(role);
            tokio::time::sleep(Duration::from_millis(300)).await;
            world.serve(role);
        }
    })
    .await;
    exactly_once(&world, &acknowledged).await;
    caught_up(&world).await;
    told_once(&world, &acknowledged).await;
}

/// Each submission told the dispatchers once each.
async fn told_once(world: &World, acknowledged: &BTreeMap<String, String>) {
    let mut admin = world.admin().await;
    let keys: Vec<String> = acknowledged.keys().cloned().collect();
    let (wrong,): (i64,) = sqlx::query_as(
        "select count(*) from (select t.id, count(n.id) as told, (select count(distinct a.user_id) from identity.assignment a
              where a.tenant_id = 1 and a.role = 2 and a.valid_to is null) as wanted
            from ticketing.ticket t left join identity.notice n on n.tenant_id = 1 and n.subject = t.id::text and n.kind = 'ticket.submitted'
            where t.tenant_id = 1 and t.description = any($1) group by t.id) x where told <> wanted",
    )
    .bind(&keys)
    .fetch_one(&mut admin)
    .await
    .expect("asked");
    assert_eq!(wrong, 0, "requests whose dispatchers were not told exactly once each");
}

#[expect(clippy::await_holding_lock, reason = "one fault at a time is what the lock is for")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_or_emptied_redis_loses_no_event() {
    let world = world();
    let acknowledged = under(&world, async |done| {
        reach(&done, 200).await;
        empty_redis(&world).await;
        reach(&done, 400).await;
        world.redis.lock().expect("redis").stop();
        reach(&done, 800).await;
        let mut redis = world.redis.lock().expect("redis");
        *redis = world.restart_redis(&redis);
    })
    .await;
    in_use_again(&world).await;
    exactly_once(&world, &acknowledged).await;
    caught_up(&world).await;
    told_once(&world, &acknowledged).await;
}

#[expect(clippy::await_holding_lock, reason = "one fault at a time is what the lock is for")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_slept_hears_what_it_missed() {
    let world = world();
    let person = world.sign_in(DISTRICTS[0], "enterprise").await;
    caught_up(&world).await;
    world.redis.lock().expect("redis").stop();
    world.signal("identity", "STOP");
    let key = uuid::Uuid::now_v7().to_string();
    let body = json!({ "title": "寂静中", "description": key, "kind": "HELP", "contact_name": "测试", "contact_phone": "19900001111" });
    let sent = person.try_send(reqwest::Method::POST, "/v1/tickets", Some(body), Some(&key)).await.expect("an answer").ok();
    // Longer than any window into the past that a consumer may have thought enough.
    tokio::time::sleep(Duration::from_secs(15)).await;
    world.signal("identity", "CONT");
    {
        let mut redis = world.redis.lock().expect("redis");
        *redis = world.restart_redis(&redis);
    }
    caught_up(&world).await;
    told_once(&world, &BTreeMap::from([(key, sent["number"].as_str().unwrap_or_default().to_owned())])).await;
}

fn redis(world: &World) -> drumtower_runtime::redis::Redis {
    drumtower_runtime::redis::Redis::connect(world.config.redis.as_deref()).expect("a client")
}

async fn empty_redis(world: &World) {
    assert_eq!(redis(world).flush().await.as_deref(), Some("OK"));
}

/// The services found the new Redis by themselves: requests leave keys in it.
async fn in_use_again(world: &World) {
    let (person, redis) = (world.sign_in(DISTRICTS[0], "enterprise").await, redis(world));
    for _ in 0..100 {
        let _answer = person.try_send(reqwest::Method::GET, "/v1/tickets", None, None).await;
        if redis.keys().await.is_some_and(|keys| !keys.is_empty()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody used Redis within ten seconds of its return");
}

#[expect(clippy::await_holding_lock, reason = "one fault at a time is what the lock is for")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_dies_repeats_nothing() {
    let world = world();
    let acknowledged = under(&world, async |done| {
        // Identity, whose consumer writes the inbox, is killed again and again while events come in.
        for share in (50..950).step_by(150) {
            reach(&done, share).await;
            world.kill("identity");
            world.serve("identity");
        }
    })
    .await;
    exactly_once(&world, &acknowledged).await;
    caught_up(&world).await;
    told_once(&world, &acknowledged).await;
}

#[expect(clippy::await_holding_lock, reason = "one fault at a time is what the lock is for")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain_holds_and_an_edited_row_is_found() {
    let world = world();
    caught_up(&world).await;
    let mut admin = world.admin().await;
    for service in drumtower_runtime::config::SERVICES {
        let verdict = drumtower_runtime::log::verify(&mut admin, service, &[]).await.expect("read");
        assert!(verdict.problems.is_empty(), "{service}: {:?}", verdict.problems);
        assert!(verdict.events > 0, "{service}");
    }
    let edit = "update identity.log set actor = 'somebody-else' where tenant_id = 1 and seq = 5";
    sqlx::raw_sql(edit).execute(&mut admin).await.expect("edited");
    let verify = || {
        std::process::Command::new(drumtower_tests::world::program())
            .args(["--config"])
            .arg(world.dir.join("drumtower.toml"))
            .args(["audit", "verify"])
            .output()
            .expect("it ran")
    };
    let found = verify();
    let said = String::from_utf8_lossy(&found.stdout).into_owned() + &String::from_utf8_lossy(&found.stderr);
    assert!(!found.status.success() && said.contains("identity") && said.contains('5'), "{said}");
    sqlx::raw_sql("delete from identity.log where tenant_id = 1 and seq = 7").execute(&mut admin).await.expect("deleted");
    let said = drumtower_runtime::log::verify(&mut admin, "identity", &[]).await.expect("read").problems.join("; ");
    assert!(said.contains("event 5: was changed") && said.contains("event 8: follows 6"), "{said}");
}

/// Very many clocks that run out at once, two workers, one killed midway: each speaks exactly once.
#[test]
fn a_storm_of_clocks_fires_each_once() {
    let world = world();
    let outcome = drumtower_tests::storm::run(&world, 2000, Duration::from_secs(60));
    assert_eq!((outcome.fired, outcome.events), (2000, 2000), "{outcome:?}");
    let (waited, of_storm) = outcome.single.expect("the single clock of another district spoke");
    assert!(of_storm < 2000 && waited < Duration::from_secs(5), "a district waits for no storm of another: {outcome:?}");
}
