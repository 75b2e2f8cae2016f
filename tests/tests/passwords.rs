//! Passwords after the first one: one's own is changed with the one before, somebody's is reset by an administrator, an officer's by the
//! platform's own program; whoever gets a new one is signed out everywhere else, at once.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use drumtower_tests::world::{DISTRICTS, PASSWORD, Person, Wanted, World, program};
use serde_json::json;

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

/// Somebody new, signed in.
async fn newcomer() -> Person {
    let sysadmin = world().sign_in(DISTRICTS[0], "sysadmin").await;
    let login = format!("p{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
    sysadmin.post("/v1/users", json!({ "login": login, "name": "新人", "password": PASSWORD })).await.ok();
    world().sign_in(DISTRICTS[0], &login).await
}

async fn sign_in_as(login: &str, password: &str) -> drumtower_tests::world::Answer {
    world().nobody(DISTRICTS[0]).post("/v1/sessions", json!({ "login": login, "password": password })).await
}

fn login(person: &Person) -> &str {
    person.me["login"].as_str().expect("a login")
}

fn id(person: &Person) -> &str {
    person.me["id"].as_str().expect("an id")
}

/// Every service hears within a moment that a session is over.
async fn out(person: &Person) {
    let end = Instant::now() + Duration::from_secs(10);
    while person.get("/v1/users/me").await.status != 401 {
        assert!(Instant::now() < end, "still in");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const NEW: &str = "Changed-by-me-7";

#[tokio::test]
async fn ones_own_is_changed_with_the_one_before_and_ends_the_other_sessions() {
    let here = newcomer().await;
    let elsewhere = world().sign_in(DISTRICTS[0], login(&here)).await;
    let change = async |before: &str, new: &str| {
        here.post("/v1/users/me:changePassword", json!({ "current_password": before, "password": new })).await
    };
    assert_eq!(change(PASSWORD, "Short-1").await.status, 400);
    assert_eq!(change(PASSWORD, &format!("Xx-{}-2026", login(&here))).await.reason(), "WEAK_PASSWORD");
    assert_eq!(change(PASSWORD, PASSWORD).await.reason(), "SAME_PASSWORD");
    let wrong = change("Not-the-password-1", NEW).await;
    assert_eq!((wrong.status, wrong.reason()), (400, "WRONG_PASSWORD"));
    assert_eq!(elsewhere.get("/v1/users/me").await.status, 200, "nothing has changed");

    let key = uuid::Uuid::now_v7().to_string();
    let body = json!({ "current_password": PASSWORD, "password": NEW });
    let changed = here.post_keyed("/v1/users/me:changePassword", body.clone(), &key).await.ok();
    assert_eq!(changed["ended_sessions"], 1);
    // The answer was lost, and it is sent again: the same answer, though the password before is none any more.
    assert_eq!(here.post_keyed("/v1/users/me:changePassword", body, &key).await.ok(), changed);
    out(&elsewhere).await;
    assert_eq!(here.get("/v1/users/me").await.status, 200, "here one stays");
    assert_eq!(sign_in_as(login(&here), PASSWORD).await.status, 401);
    assert_eq!(sign_in_as(login(&here), NEW).await.status, 200);

    // Who has a session and not the password guesses as often as at the door.
    let other = newcomer().await;
    let guess = json!({ "current_password": "Not-the-password-1", "password": NEW });
    let mut reasons = Vec::new();
    for _ in 0..6 {
        reasons.push(other.post("/v1/users/me:changePassword", guess.clone()).await.reason().to_owned());
    }
    assert_eq!(reasons[..5], ["WRONG_PASSWORD"; 5]);
    assert_eq!(reasons[5], "LOCKED");
    assert_eq!(sign_in_as(login(&other), PASSWORD).await.reason(), "LOCKED");
}

#[tokio::test]
async fn somebody_who_forgot_theirs_gets_another_and_officers_do_not() {
    let (person, sysadmin) = (newcomer().await, world().sign_in(DISTRICTS[0], "sysadmin").await);
    let reset = async |by: &Person, who: &str| by.post(&format!("/v1/users/{who}:resetPassword"), json!({ "password": NEW })).await;
    assert_eq!(reset(&world().sign_in(DISTRICTS[0], "secadmin").await, id(&person)).await.status, 403);
    assert_eq!(reset(&sysadmin, id(&sysadmin)).await.reason(), "ONESELF");
    for officer in ["secadmin", "auditadmin"] {
        let officer = world().sign_in(DISTRICTS[0], officer).await;
        assert_eq!(reset(&sysadmin, id(&officer)).await.reason(), "THREE_OFFICERS");
        assert_eq!(officer.get("/v1/users/me").await.status, 200);
    }
    let stranger = world().sign_in(DISTRICTS[1], "handler").await;
    assert_eq!(reset(&sysadmin, id(&stranger)).await.status, 404);

    assert_eq!(reset(&sysadmin, id(&person)).await.ok()["ended_sessions"], 1);
    out(&person).await;
    assert_eq!(sign_in_as(login(&person), NEW).await.status, 200);

    // Shut out, and let in again.
    let path = |verb: &str| format!("/v1/users/{}:{verb}", id(&person));
    sysadmin.post(&path("disable"), json!({ "reason": "离职" })).await.ok();
    assert_eq!(sign_in_as(login(&person), NEW).await.status, 401);
    assert_eq!(sysadmin.post(&path("enable"), json!({ "reason": "返聘" })).await.ok()["active"], true);
    assert_eq!(sign_in_as(login(&person), NEW).await.status, 200);
}

#[tokio::test]
async fn whoever_knows_only_the_password_before_keeps_nothing_once_it_was_reset() {
    let sysadmin = world().sign_in(DISTRICTS[0], "sysadmin").await;
    for _ in 0..5 {
        let person = newcomer().await;
        let thief = json!({ "current_password": PASSWORD, "password": "Kept-by-a-thief-1" });
        let (path, reset) = (format!("/v1/users/{}:resetPassword", id(&person)), json!({ "password": NEW }));
        let (_, began, done) = tokio::join!(
            person.post("/v1/users/me:changePassword", thief),
            sign_in_as(login(&person), PASSWORD),
            sysadmin.post(&path, reset)
        );
        done.ok();
        // Whichever came first, the reset holds, and what began before it is over.
        assert_eq!(sign_in_as(login(&person), NEW).await.status, 200);
        if began.status == 200 {
            let token = began.body["access_token"].as_str().expect("a token").to_owned();
            out(&Person { token, ..person }).await;
        }
    }
}

#[tokio::test]
async fn an_officers_is_reset_by_the_platforms_own_program() {
    let officer = world().sign_in(DISTRICTS[1], "auditadmin").await;
    let run = |login: &str| {
        let mut command = std::process::Command::new(program());
        command.arg("--config").arg(world().dir.join("drumtower.toml"));
        command.args(["tenant", "reset-password", "--code", DISTRICTS[1], "--login", login]).output().expect("run")
    };
    let done = run("auditadmin");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let new = said.split("new password ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a password");
    out(&officer).await;
    let door = world().nobody(DISTRICTS[1]);
    assert_eq!(door.post("/v1/sessions", json!({ "login": "auditadmin", "password": new })).await.status, 200);
    let nobody = run("nobody-there");
    assert!(!nobody.status.success());
}
