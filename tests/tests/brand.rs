//! How a district shows itself, as everybody sees it: its brand before anybody signs in, and the texts at its root that other platforms look
//! for.

use std::sync::OnceLock;

use drumtower_tests::world::{Answer, DISTRICTS, Person, Wanted, World};
use reqwest::Method;
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

async fn set(person: &Person, brand: Value) -> Answer {
    person.send(Method::PUT, "/v1/brand", Some(brand), Some(&uuid::Uuid::now_v7().to_string())).await
}

async fn set_text(person: &Person, name: &str, text: &str) -> Answer {
    person.send(Method::PUT, &format!("/v1/rootTexts/{name}"), Some(json!({ "text": text })), Some(&uuid::Uuid::now_v7().to_string())).await
}

#[tokio::test]
async fn a_district_sets_its_brand_and_everybody_sees_it() {
    let (here, there) = (world().nobody(DISTRICTS[0]), world().nobody(DISTRICTS[1]));
    let of_demonstration = there.get("/v1/brand").await.ok();
    assert_eq!((of_demonstration["accent"].as_str(), of_demonstration["logo_type"].as_str()), (Some("#0f6b5c"), Some("image/png")));
    let sysadmin = world().sign_in(DISTRICTS[0], "sysadmin").await;
    let brand = json!({
        "name": "软件园一站式服务", "name_en": "Park Services", "accent": "#7A1FA2", "contact_phone": "0591-00000000",
        "frame_ancestors": ["https://portal.example.gov.cn"], "etag": here.get("/v1/brand").await.ok()["etag"],
    });
    let answer = set(&sysadmin, brand.clone()).await.ok();
    let seen = here.get("/v1/brand").await.ok();
    assert_eq!(seen, answer, "what was set is what is seen");
    assert_eq!((seen["name"].as_str(), seen["logo"].as_str(), seen["short_name"].as_str()), (Some("软件园一站式服务"), Some(""), Some("")));
    assert_eq!(set(&sysadmin, brand).await.status, 409, "somebody was first");
    assert_eq!(there.get("/v1/brand").await.ok(), of_demonstration, "the other district is as it was");
    for (field, value, reason) in [
        ("accent", json!("#FFCC00"), "CONTRAST"),
        ("accent", json!("red"), "PATTERN"),
        ("logo", json!("PHN2Zz48c2NyaXB0Lz48L3N2Zz4="), "NOT_A_PICTURE"),
        ("logo", json!("A".repeat(100_000)), "TOO_LARGE"),
        ("name", json!("两\n行"), "ONE_LINE"),
        ("frame_ancestors", json!(["http://portal.example.gov.cn"]), "PATTERN"),
        ("frame_ancestors", json!(["https://*.gov.cn"]), "PATTERN"),
        ("frame_ancestors", json!(["https://portal.example 'unsafe-inline'"]), "PATTERN"),
    ] {
        let refused = set(&sysadmin, json!({ field: value })).await;
        assert_eq!((refused.status, refused.reason()), (400, reason), "{field} {value}");
    }
    for login in ["dispatcher", "secadmin", "enterprise"] {
        assert_eq!(set(&world().sign_in(DISTRICTS[0], login).await, json!({})).await.status, 403, "{login}");
    }
    assert_eq!(here.get("/v1/brand").await.ok(), seen);
}

#[tokio::test]
async fn texts_at_the_root_are_found_where_other_platforms_look() {
    let (here, there) = (world().nobody(DISTRICTS[0]), world().nobody(DISTRICTS[1]));
    let sysadmin = world().sign_in(DISTRICTS[0], "sysadmin").await;
    assert_eq!(there.get("/MP_verify_taijiangDemo0103.txt").await.text, "taijiangDemo0103");
    set_text(&sysadmin, "MP_verify_aB3", "aB3").await.ok();
    let answer = here.http.get(format!("{}/MP_verify_aB3.txt", here.base)).send().await.expect("answered");
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    assert_eq!((answer.status().as_u16(), header("content-type")), (200, "text/plain; charset=utf-8".to_owned()));
    assert_eq!((header("cache-control"), header("x-content-type-options")), ("public, max-age=60".to_owned(), "nosniff".to_owned()));
    assert_eq!(answer.text().await.expect("a text"), "aB3");
    // By the district's own host, too, and asked for its head alone.
    let host = format!("d{}.localhost", DISTRICTS[0]);
    let by_host = here.http.head(format!("{}/MP_verify_aB3.txt", world().url())).header("host", &host).send().await.expect("answered");
    let length = by_host.headers().get("content-length").and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((by_host.status().as_u16(), length), (200, "3"));
    assert_eq!(there.get("/MP_verify_aB3.txt").await.status, 404, "not the other district's");
    assert_eq!(here.get("/nothing-here.txt").await.status, 404);
    assert_eq!(here.send(Method::POST, "/MP_verify_aB3.txt", Some(json!({})), None).await.status, 405);
    set_text(&sysadmin, "MP_verify_aB3", "again").await.ok();
    assert_eq!(here.get("/MP_verify_aB3.txt").await.text, "again");

    assert_eq!(set_text(&sysadmin, "a.b", "x").await.status, 400);
    assert_eq!(set_text(&sysadmin, "long", &"汉".repeat(342)).await.reason(), "TOO_LONG");
    let there_already = sysadmin.get("/v1/rootTexts").await.ok()["texts"].as_array().map_or(0, Vec::len);
    // All at once: still no more than twenty.
    let many = (there_already..24).map(|number| {
        let sysadmin = sysadmin.clone();
        tokio::spawn(async move { set_text(&sysadmin, &format!("many{number}"), "x").await })
    });
    let mut refused = 0;
    for set in many.collect::<Vec<_>>() {
        refused += usize::from(set.await.expect("sent").reason() == "TOO_MANY");
    }
    assert_eq!((refused, sysadmin.get("/v1/rootTexts").await.ok()["texts"].as_array().map(Vec::len)), (4, Some(20)));
    set_text(&sysadmin, "MP_verify_aB3", "of those that are there").await.ok();
    let remove = || sysadmin.send(Method::DELETE, "/v1/rootTexts/MP_verify_aB3", None, None);
    assert_eq!((remove().await.status, remove().await.status, here.get("/MP_verify_aB3.txt").await.status), (200, 200, 404));
    assert_eq!(set_text(&world().sign_in(DISTRICTS[0], "dispatcher").await, "mine", "x").await.status, 403);
}

#[tokio::test]
async fn only_whom_the_brand_names_shows_its_pages_in_a_frame() {
    let policy = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", world().url())).await.expect("answered");
        answer.headers().get("content-security-policy").and_then(|policy| policy.to_str().ok()).unwrap_or_default().to_owned()
    };
    let of_demonstration = "frame-ancestors 'self' https://portal.taijiang.example;";
    for page in ["console", "console/tickets", "m"] {
        let policy = policy(&format!("/t/{}/{page}", DISTRICTS[1])).await;
        assert!(policy.contains(of_demonstration), "{page}: {policy}");
    }
    // Of no district, and of one that is not there.
    for path in ["/console", "/t/359999/console"] {
        assert!(policy(path).await.contains("frame-ancestors 'none'"), "{path}");
    }
}
