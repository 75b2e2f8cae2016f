//! The isolation suite: every RPC of the contract, read from the descriptors, called by the people of one district with the ids of
//! another. What belongs to another district answers exactly like what does not exist; nothing of it shows; nothing of it changes.
//! A new RPC, or a new kind of row, without a fixture fails here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
    time::Duration,
};

use drumtower_runtime::{
    server::signer,
    surface::{Method, SURFACE, Who},
    token,
};
use drumtower_tests::{
    hotline,
    surface::{call, fabricate, references, set},
    world::{DISTRICTS, Person, Wanted, World},
};
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tonic::{Code, Status, transport::Channel};

const CANARY: &str = "金丝雀-canary-of-b";

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

/// People of a district who between them hold every permission.
const LOGINS: [&str; 20] = [
    "dispatcher",
    "liaison",
    "handler",
    "lead",
    "callback",
    "enterprise",
    "supervisor",
    "registrar",
    "arbiter",
    "approver",
    "rating",
    "subcentre",
    "leader",
    "clerk",
    "committee",
    "secretary",
    "member",
    "sysadmin",
    "secadmin",
    "auditadmin",
];

struct District {
    people: BTreeMap<&'static str, Person>,
    ids: BTreeMap<&'static str, String>,
}

async fn district(code: &str, mark: &str) -> District {
    let world = world();
    let mut people = BTreeMap::new();
    for login in LOGINS {
        people.insert(login, world.sign_in(code, login).await);
    }
    let ids = ids(&people, mark).await;
    District { people, ids }
}

/// One row of every kind, made or found by the people who may.
async fn ids(people: &BTreeMap<&'static str, Person>, mark: &str) -> BTreeMap<&'static str, String> {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned();
    let p = |login: &str| &people[login];
    let unique = uuid::Uuid::now_v7().simple().to_string()[20..].to_owned();
    let units = p("dispatcher").get("/v1/units").await.ok();
    let unit = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == "market").cloned().unwrap_or_default();
    let zone = p("registrar").post("/v1/zones", json!({ "code": format!("Z-{unique}"), "name": mark })).await.ok();
    let building = json!({ "code": format!("B-{unique}"), "zone_id": zone["id"], "name": mark, "gross_m2": 10, "leasable_m2": 5 });
    let building = p("registrar").post("/v1/buildings", building).await.ok();
    let own = p("enterprise").me["enterprise_id"].clone();
    let since = json!({ "building_id": building["id"], "kind": "REGISTERED", "since": "2026-01-01" });
    let presence = p("registrar").post(&format!("/v1/enterprises/{}/presences", text(&own)), since).await.ok();
    let certificate = json!({ "kind": "GAZELLE", "level": unique, "basis": "OFFICIAL", "valid_from": "2026-01-01", "issuer": mark });
    let qualification = p("registrar").post(&format!("/v1/enterprises/{}/qualifications", text(&own)), certificate).await.ok();
    let submit =
        json!({ "title": mark, "description": mark, "kind": "HELP", "place": mark, "contact_name": mark, "contact_phone": "19900007777" });
    let ticket = p("enterprise").post("/v1/tickets", submit).await.ok();
    let verb = |name: &str| format!("/v1/tickets/{}:{name}", text(&ticket["id"]));
    p("dispatcher").post(&verb("accept"), json!({ "urgency": "NORMAL" })).await.ok();
    p("dispatcher").post(&verb("dispatch"), json!({ "lead_unit_id": unit["id"], "text": mark })).await.ok();
    p("liaison").post(&verb("sign"), json!({})).await.ok();
    let attachment = attached(p("enterprise"), &ticket["id"], mark).await;
    let body = json!({ "login": format!("t{unique}"), "name": mark, "password": "Drumtower-2026!", "unit_id": unit["id"] });
    let user = p("sysadmin").post("/v1/users", body).await.ok();
    let assignment =
        p("secadmin").post("/v1/assignments", json!({ "user_id": user["id"], "role": "HANDLER", "node_id": unit["id"] })).await.ok();
    let organisations = p("committee").get("/v1/organisations").await.ok();
    let of_secretary = p("secretary").me["assignments"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|held| held["node_id"].clone())
        .find(|node| organisations["organisations"].as_array().into_iter().flatten().any(|organisation| organisation["id"] == *node));
    let organisation = of_secretary.unwrap_or_else(|| organisations["organisations"][0]["id"].clone());
    let members = p("committee").get(&format!("/v1/organisations/{}/members", text(&organisation))).await.ok();
    let meetings = p("committee").get(&format!("/v1/organisations/{}/meetings", text(&organisation))).await.ok();
    p("committee").post("/v1/obligations:evaluate", json!({})).await.ok();
    let obligations = p("committee").get("/v1/obligations").await.ok();
    let outreach = outreach(people, mark, &own, &unit["id"], &user["id"]).await;
    let items = p("clerk").get("/v1/items?page_size=1").await.ok();
    let windows = p("clerk").get("/v1/windows").await.ok();
    let mut notice = Value::Null;
    for _ in 0..100 {
        notice = p("dispatcher").get("/v1/users/me/notices").await.ok()["notices"][0]["id"].clone();
        if notice.is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Called as the contract's rules make a name.
    p("sysadmin").send(reqwest::Method::PUT, "/v1/rootTexts/identity", Some(json!({ "text": mark })), Some(&unique)).await.ok();
    let (channel, delivery) = channel(people, &text(&user["id"]), &unique).await;
    let mut ids = BTreeMap::from([
        ("channel", channel),
        ("delivery", delivery),
        ("unit", text(&unit["id"])),
        ("node", text(&unit["id"])),
        ("zone", text(&zone["id"])),
        ("building", text(&building["id"])),
        ("enterprise", text(&own)),
        ("presence", text(&presence["id"])),
        ("qualification", text(&qualification["id"])),
        ("ticket", text(&ticket["id"])),
        ("attachment", text(&attachment)),
        ("user", text(&user["id"])),
        ("assignment", text(&assignment["id"])),
        ("organisation", text(&organisation)),
        ("member", text(&members["members"][0]["id"])),
        ("meeting", text(&meetings["meetings"][0]["id"])),
        ("obligation", text(&obligations["obligations"][0]["id"])),
        ("item", text(&items["items"][0]["id"])),
        ("window", text(&windows["windows"][0]["id"])),
        ("notice", text(&notice)),
    ]);
    ids.extend(outreach);
    ids.insert("export", exported(p("dispatcher"), &text(&ticket["number"])).await);
    ids
}

/// An export of one request, ready.
async fn exported(dispatcher: &Person, number: &str) -> String {
    let body = json!({ "what": "TICKETS", "filter": format!("number = \"{number}\""), "purpose": "核对" });
    let export = dispatcher.post("/v1/exports", body).await.ok();
    let id = export["id"].as_str().expect("an id").to_owned();
    for _ in 0..100 {
        if dispatcher.get(&format!("/v1/exports/{id}")).await.ok()["state"] == "READY" {
            return id;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the export does not end");
}

/// A direct call, a published service day to come and a discussion, all with texts that show whose they are.
async fn outreach(
    people: &BTreeMap<&'static str, Person>,
    mark: &str,
    company: &Value,
    unit: &Value,
    contact: &Value,
) -> [(&'static str, String); 3] {
    let id = |value: &Value| value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned();
    let (enterprise, dispatcher) = (&people["enterprise"], &people["dispatcher"]);
    let line = json!({ "enterprise_id": company, "contact_id": contact });
    dispatcher.post("/v1/directLines", line).await.ok();
    let call = enterprise.post("/v1/directCalls", json!({ "text": mark })).await.ok();
    let at = |hours: i64| (drumtower_runtime::Clock::system().now() + jiff::SignedDuration::from_hours(hours)).to_string();
    let date = drumtower_runtime::calendar::today(at(72).parse().expect("a time"));
    let day = json!({
        "title": mark, "place": mark, "desks": [{ "unit_id": unit, "covers": mark }],
        "starts_at": format!("{date}T09:00:00+08:00"), "ends_at": format!("{date}T17:00:00+08:00"),
    });
    let day = dispatcher.post("/v1/serviceDays", day).await.ok();
    dispatcher.post(&format!("/v1/serviceDays/{}:invite", id(&day)), json!({ "enterprise_ids": [company] })).await.ok();
    dispatcher.post(&format!("/v1/serviceDays/{}:publish", id(&day)), json!({})).await.ok();
    let units = dispatcher.get("/v1/units").await.ok();
    let other = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == "fire").cloned().unwrap_or_default();
    let discussion = json!({
        "enterprise_id": company, "topic": mark, "convener_unit_id": other["id"], "unit_ids": [unit], "meets_at": at(48), "place": mark,
    });
    let discussion = dispatcher.post("/v1/discussions", discussion).await.ok();
    [("direct_call", id(&call)), ("service_day", id(&day)), ("discussion", id(&discussion))]
}

/// A channel with something that waits to go out by it.
async fn channel(people: &BTreeMap<&'static str, Person>, account: &str, unique: &str) -> (String, String) {
    let settings = json!({ "url": "https://hotline.invalid/updates" }).to_string();
    let body = json!({ "kind": "HOTLINE", "name": "12345", "account_id": account, "settings": settings });
    let opened = people["sysadmin"].post("/v1/channels", body).await.ok();
    let id = opened["channel"]["id"].as_str().expect("an id").to_owned();
    let data = json!({ "request_id": unique, "content": "路灯不亮", "kind": "求助", "contact_phone": "" });
    let message = json!({ "type": "request.created", "data": data });
    let secret = opened["secret"].as_str().expect("a secret");
    let taken = hotline::send(&people["sysadmin"], &id, secret, unique, &message).await.ok();
    let ticket = taken["ticket_id"].as_str().expect("a request");
    people["dispatcher"].post(&format!("/v1/tickets/{ticket}:accept"), json!({ "urgency": "NORMAL" })).await.ok();
    for _ in 0..100 {
        let deliveries = people["sysadmin"].get(&format!("/v1/channels/{id}/deliveries")).await.ok();
        if let Some(delivery) = deliveries["deliveries"][0]["id"].as_str() {
            return (id, delivery.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing goes out by the channel");
}

/// An attachment of a request, ready.
async fn attached(person: &Person, ticket: &Value, mark: &str) -> Value {
    let bytes = b"%PDF-1.4\n%%EOF\n";
    let announced = json!({ "ticket_id": ticket, "name": mark, "kind": "DOCUMENT", "size_bytes": bytes.len().to_string() });
    let id = person.post("/v1/attachments", announced).await.ok()["id"].clone();
    let path = format!("/v1/attachments/{}", id.as_str().unwrap_or_default());
    let piece = person.http.put(format!("{}{path}/content?offset=0", person.base)).bearer_auth(&person.token).body(bytes.to_vec());
    assert!(piece.send().await.expect("answered").status().is_success());
    assert_eq!(person.post(&format!("{path}:finish"), json!({})).await.ok()["state"], "READY");
    id
}

/// Somebody of the district who may call a method; for the inbox, the one whose notice is the fixture.
fn who<'a>(district: &'a District, method: &Method) -> &'a Person {
    let allowed = |login: &str| match &method.who {
        Who::Permission(permission) => {
            let held = district.people[login].me["assignments"].as_array().cloned().unwrap_or_default();
            held.iter().any(|held| {
                let role = drumtower_proto::options::Role::from_str_name(held["role"].as_str().unwrap_or_default()).unwrap_or_default();
                SURFACE.role(role as i32).is_some_and(|rule| rule.grants.contains(permission))
            })
        }
        _ => true,
    };
    let login = LOGINS.iter().find(|login| allowed(login)).unwrap_or_else(|| panic!("nobody may call {}", method.path));
    &district.people[*login]
}

fn metadata(person: &Person, code: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {}", person.token)), ("drumtower-tenant-code", code.to_owned())]
}

async fn gateway() -> Channel {
    Channel::from_shared(world().url()).expect("a URL").connect().await.expect("connected")
}

/// Methods of people, in a steady order.
fn methods() -> Vec<&'static Method> {
    let mut methods: Vec<&Method> = SURFACE.methods().filter(|method| method.who != Who::Internal).collect();
    // What takes something away, ends a session or shuts somebody out comes last.
    methods.sort_by_key(|method| {
        (method.path.contains("Disable") || method.path.contains("End") || method.path.contains("Delete"), method.path.clone())
    });
    methods
}

fn told(status: &Status) -> (Code, String, Vec<u8>) {
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

/// A digest of everything that a district owns, but for what its own workers write.
async fn digest(number: i32) -> BTreeMap<String, String> {
    let mut admin = world().admin().await;
    let tables: Vec<(String,)> = sqlx::query_as(
        "select a.attrelid::regclass::text from pg_attribute a join pg_class c on c.oid = a.attrelid
         join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing') and a.attname = 'tenant_id' and c.relkind in ('r', 'p')
           and not c.relispartition and c.relname not in ('outbox', 'log', 'log_head', 'cursor', 'request_key', 'evaluation')",
    )
    .fetch_all(&mut admin)
    .await
    .expect("tables");
    let mut found = BTreeMap::new();
    for (table,) in tables {
        // What waits to go out is tried again by its worker; what it is and where it goes stays.
        let row = if table == "ticketing.delivery" { "concat_ws(' ', t.id, t.route, t.body)" } else { "t::text" };
        let text = format!("select coalesce(md5(string_agg({row}, '|' order by {row})), '') from {table} t where tenant_id = $1");
        let (hash,): (String,) = sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(number).fetch_one(&mut admin).await.expect("a digest");
        found.insert(table, hash);
    }
    found
}

#[tokio::test]
async fn nothing_of_another_district_is_seen_or_changed() {
    let a = district(DISTRICTS[0], "甲区-mark-of-a").await;
    let b = district(DISTRICTS[1], CANARY).await;
    // The workers of b are given time to come to rest before its digest is taken.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let before = digest(2).await;
    let channel = gateway().await;
    let random = uuid::Uuid::now_v7().to_string();
    let b_ids: BTreeSet<&String> = b.ids.values().collect();
    let mut problems = Vec::new();
    let mut checked = 0;
    for method in methods().into_iter().filter(|method| !method.platform) {
        let input = method.descriptor.input();
        let named = references(&input);
        let person = who(&a, method);
        let own_session = method.path.ends_with("DeleteSession");
        let person = if own_session { &world().sign_in(DISTRICTS[0], "leader").await } else { person };
        let metadata = metadata(person, DISTRICTS[0]);
        let with = |wrong: Option<(usize, &str)>| -> DynamicMessage {
            let mut message = fabricate(&input);
            for (place, reference) in named.iter().enumerate() {
                let own = a.ids.get(reference.kind.as_str()).unwrap_or_else(|| panic!("{}: no fixture of {}", method.path, reference.kind));
                // A person belongs to a unit or to a company: the two are tried one by one.
                let one_of_two = method.path.ends_with("/CreateUser") && wrong.is_none_or(|(wrong, _)| wrong != place);
                let id = wrong.filter(|(wrong, _)| *wrong == place).map_or(own.as_str(), |(_, id)| id);
                if !one_of_two {
                    set(&mut message, &reference.path, id);
                }
            }
            message
        };
        let mut shown = Vec::new();
        let mut seen = |what: &str, answer: &Result<prost::bytes::Bytes, Status>| {
            let text = match answer {
                Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Err(status) => format!("{} {}", status.message(), String::from_utf8_lossy(status.details())),
            };
            if text.contains(CANARY) || b_ids.iter().any(|id| text.contains(id.as_str())) && what != "b's id" {
                shown.push(format!("{}: {what}: shows something of the other district", method.path));
            }
        };
        for (place, reference) in named.iter().enumerate() {
            let b_id = &b.ids[reference.kind.as_str()];
            let of_b = call(&channel, method, &with(Some((place, b_id))), &metadata).await;
            let of_nobody = call(&channel, method, &with(Some((place, &random))), &metadata).await;
            seen("b's id", &of_b);
            checked += 1;
            match (&of_b, &of_nobody) {
                (Err(of_b), Err(of_nobody)) => {
                    let same = told(of_b) == told(of_nobody)
                        || told(of_b).0 == told(of_nobody).0
                            && String::from_utf8_lossy(of_b.details()).replace(b_id.as_str(), "")
                                == String::from_utf8_lossy(of_nobody.details()).replace(random.as_str(), "");
                    if !same {
                        problems.push(format!("{} {}: b's id: {:?}; a random id: {:?}", method.path, reference.kind, of_b, of_nobody));
                    }
                    if !matches!(of_b.code(), Code::NotFound | Code::InvalidArgument | Code::FailedPrecondition) {
                        problems.push(format!("{} {}: b's id answers {:?} {}", method.path, reference.kind, of_b.code(), of_b.message()));
                    }
                }
                // A list limited to a row that is not there is empty, and stays so for a row of another district.
                (Ok(of_b), Ok(of_nobody)) if of_b == of_nobody => {}
                (of_b, of_nobody) => {
                    problems.push(format!("{} {}: b's id: {of_b:?}; a random id: {of_nobody:?}", method.path, reference.kind))
                }
            }
        }
        let own = call(&channel, method, &with(None), &metadata).await;
        seen("its own id", &own);
        problems.append(&mut shown);
        // The positive control: with its own ids a call is found, whatever the state of things then says to it.
        if let Err(status) = &own
            && matches!(
                status.code(),
                Code::NotFound | Code::PermissionDenied | Code::Unimplemented | Code::Internal | Code::Unknown | Code::Unavailable
            )
        {
            problems.push(format!("{}: its own ids: {:?} {}", method.path, status.code(), status.message()));
        }
        if let Err(status) = &own
            && status.code() == Code::Unauthenticated
            && method.who != Who::Public
        {
            problems.push(format!("{}: its own ids: {:?} {}", method.path, status.code(), status.message()));
        }
    }
    assert!(checked > 60, "only {checked} references were tried");
    let after = digest(2).await;
    for (table, hash) in &before {
        if after.get(table) != Some(hash) {
            problems.push(format!("{table} of the other district changed"));
        }
    }
    problems.extend(leaks().await);
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Places beside the answers where something of a district might show: log lines, names of keys in Redis, events.
async fn leaks() -> Vec<String> {
    let world = world();
    let mut found = Vec::new();
    for log in drumtower_tests::sources::files(&world.dir, ".log") {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        for personal in [CANARY, "19900007777", "Drumtower-2026!"] {
            if text.contains(personal) {
                found.push(format!("{}: says {personal}", log.display()));
            }
        }
    }
    let redis = drumtower_runtime::redis::Redis::connect(world.config.redis.as_deref()).expect("a client");
    let keys = redis.keys().await.expect("Redis answers");
    found.extend(keys.into_iter().filter(|key| key.contains(CANARY) || !key.starts_with('{')).map(|key| format!("Redis: key {key}")));
    let mut admin = world.admin().await;
    for service in drumtower_runtime::config::SERVICES {
        let text = format!("select count(*) from {service}.log where payload like $1 or notify like $1 or subject like $1");
        let (count,): (i64,) =
            sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(format!("%{CANARY}%")).fetch_one(&mut admin).await.expect("asked");
        if count > 0 {
            found.push(format!("{service}: {count} events carry a district's texts"));
        }
    }
    found
}

#[tokio::test]
async fn no_rpc_answers_somebody_who_proves_nothing() {
    let world = world();
    let channel = gateway().await;
    let people = signer(&world.config, "identity-tokens.key").expect("a key");
    let gateway_key = signer(&world.config, "gateway.key").expect("a key");
    let now = drumtower_runtime::Clock::system().now();
    let stranger = uuid::Uuid::now_v7();
    let hour_ago = now - jiff::SignedDuration::from_hours(1);
    let expired = people.access(&token::claims(stranger, 1, stranger, hour_ago, None, None, 1, vec![], hour_ago));
    let mut bent = token::claims(stranger, 1, stranger, now, None, None, 1, vec![], now);
    bent.aud = "somebody-else".into();
    let proofs = [
        ("nothing", String::new()),
        ("nonsense", "Bearer nonsense".to_owned()),
        ("an expired token", format!("Bearer {expired}")),
        ("another audience", format!("Bearer {}", people.access(&bent))),
        ("a service's token", format!("Bearer {}", gateway_key.service("gateway", "ticketing", now))),
        (
            "a token of another key",
            format!("Bearer {}", gateway_key.access(&token::claims(stranger, 1, stranger, now, None, None, 1, vec![], now))),
        ),
    ];
    let mut problems = Vec::new();
    for method in methods().into_iter().filter(|method| method.who != Who::Public) {
        let message = fabricate(&method.descriptor.input());
        for (what, proof) in &proofs {
            let metadata = [
                ("authorization", proof.clone()),
                ("drumtower-tenant-code", DISTRICTS[0].to_owned()),
                ("drumtower-tenant", "2".to_owned()),
            ];
            let answer = call(&channel, method, &message, &metadata).await;
            if answer.as_ref().err().map(Status::code) != Some(Code::Unauthenticated) {
                problems.push(format!("{}: {what}: {answer:?}", method.path));
            }
        }
        // Past the gateway there is nothing to be had either: the service believes callers it knows, and nobody else.
        let direct = direct(method).await;
        let token = people.access(&token::claims(stranger, 1, stranger, now, None, None, 1, vec![], now));
        let answer =
            call(&direct, method, &message, &[("authorization", format!("Bearer {token}")), ("drumtower-tenant", "1".to_owned())]).await;
        if answer.as_ref().err().map(Status::code) != Some(Code::Unauthenticated) {
            problems.push(format!("{}: past the gateway: {answer:?}", method.path));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

async fn direct(method: &Method) -> Channel {
    let service = if method.service == "log" { "identity" } else { &method.service };
    Channel::from_shared(format!("http://{}", world().config.services[service])).expect("a URL").connect().await.expect("connected")
}

#[tokio::test]
async fn nobody_of_a_district_sees_or_changes_the_list_of_districts() {
    let (a, channel) = (district(DISTRICTS[0], "甲区-list").await, gateway().await);
    let platform: Vec<&Method> = methods().into_iter().filter(|method| method.platform).collect();
    assert!(platform.len() >= 4);
    let mut problems = Vec::new();
    for method in platform {
        for login in LOGINS {
            let message = fabricate(&method.descriptor.input());
            let answer = call(&channel, method, &message, &metadata(&a.people[login], DISTRICTS[0])).await;
            if answer.as_ref().err().map(Status::code) != Some(Code::PermissionDenied) {
                problems.push(format!("{} by {login}: {answer:?}", method.path));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    // Nor can a district make somebody who could.
    let role = json!({ "user_id": a.ids["user"], "role": "PLATFORM_OPERATOR" });
    let answer = a.people["secadmin"].post("/v1/assignments", role).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
}

#[tokio::test]
async fn somebody_without_a_role_may_do_nothing_that_asks_for_one() {
    let world = world();
    let (sysadmin, channel) = (world.sign_in(DISTRICTS[0], "sysadmin").await, gateway().await);
    let login = format!("n{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
    sysadmin.post("/v1/users", json!({ "login": login, "name": "无角色", "password": "Drumtower-2026!" })).await.ok();
    let nobody = world.sign_in(DISTRICTS[0], &login).await;
    let mut problems = Vec::new();
    for method in methods().into_iter().filter(|method| matches!(method.who, Who::Permission(_))) {
        let answer = call(&channel, method, &fabricate(&method.descriptor.input()), &metadata(&nobody, DISTRICTS[0])).await;
        if answer.as_ref().err().map(Status::code) != Some(Code::PermissionDenied) {
            problems.push(format!("{}: {answer:?}", method.path));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    // Each denial is a fact that the audit administrator finds.
    for service in drumtower_runtime::config::SERVICES {
        let text = format!(
            "select (select count(*) from {service}.log where type = 'access.denied' and subject = $1)
            + (select count(*) from {service}.outbox where type = 'access.denied' and subject = $1)"
        );
        let mut denied: i64 = 0;
        for _ in 0..50 {
            let person = nobody.me["id"].as_str().unwrap_or_default();
            (denied,) =
                sqlx::query_as(sqlx::AssertSqlSafe(text.clone())).bind(person).fetch_one(&mut world.admin().await).await.expect("asked");
            if denied > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(denied > 0, "{service} kept no denial");
    }
}

#[tokio::test]
async fn internal_rpcs_answer_only_the_services_they_name_and_only_for_the_district_said() {
    let world = world();
    let a = district(DISTRICTS[0], "甲区-internal").await;
    let b = district(DISTRICTS[1], "乙区-internal").await;
    let through = gateway().await;
    let now = drumtower_runtime::Clock::system().now();
    let random = uuid::Uuid::now_v7().to_string();
    let mut problems = Vec::new();
    let mut internal: Vec<&Method> = SURFACE.methods().filter(|method| method.who == Who::Internal).collect();
    internal.sort_by_key(|method| &method.path);
    assert!(internal.len() >= 5);
    for method in internal {
        let service = if method.service == "log" { "identity" } else { &method.service };
        let channel = direct(method).await;
        let input = method.descriptor.input();
        let dispatcher = &a.people["dispatcher"];
        let outside = call(&through, method, &fabricate(&input), &metadata(dispatcher, DISTRICTS[0])).await;
        if outside.as_ref().err().map(Status::code) != Some(Code::Unimplemented) {
            problems.push(format!("{} through the gateway: {outside:?}", method.path));
        }
        let as_caller = |caller: &str| {
            let key = signer(&world.config, &format!("{caller}.key")).expect("a key");
            vec![("drumtower-caller", key.service(caller, service, now)), ("drumtower-tenant", "1".to_owned())]
        };
        let every = ["identity", "enterprise", "party", "ticketing", "gateway"];
        for caller in every.iter().filter(|caller| !method.callers.contains(**caller)) {
            let answer = call(&channel, method, &fabricate(&input), &as_caller(caller)).await;
            if answer.as_ref().err().map(Status::code) != Some(Code::PermissionDenied) {
                problems.push(format!("{} called by {caller}: {answer:?}", method.path));
            }
        }
        let caller = method.callers.iter().next().expect("an internal RPC names its callers");
        for reference in references(&input) {
            let with = |id: &str| {
                let mut message = fabricate(&input);
                set(&mut message, &reference.path, id);
                message
            };
            let kind = reference.kind.as_str();
            let own = call(&channel, method, &with(&a.ids[kind]), &as_caller(caller)).await;
            let of_b = call(&channel, method, &with(&b.ids[kind]), &as_caller(caller)).await;
            let of_nobody = call(&channel, method, &with(&random), &as_caller(caller)).await;
            let same = match (&of_b, &of_nobody) {
                (Err(of_b), Err(of_nobody)) => of_b.code() == Code::NotFound && told(of_b) == told(of_nobody),
                (Ok(of_b), Ok(of_nobody)) => of_b == of_nobody,
                _ => false,
            };
            if own.is_err() || !same {
                problems.push(format!("{} {kind}: own {own:?}, b's {of_b:?}, random {of_nobody:?}", method.path));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
