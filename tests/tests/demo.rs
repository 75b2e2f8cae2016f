//! The big demonstration district loads whole, as `make up` loads it: every test else uses the small one.

use drumtower_tests::world::{Wanted, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_big_district_loads_whole() {
    let world = tokio::task::spawn_blocking(|| World::start(&Wanted::default())).await.expect("a world");
    let folder = drumtower_tests::sources::root().join("deploy/local/demo/350102");
    let district = drumtower::demo::District::read(&folder).expect("a district");
    drumtower_identity::onboard(&world.config, &district.onboarding(), |_| ()).await.expect("onboarded");
    drumtower::demo::seed(&world.url(), &district).await.expect("loaded");
    drumtower::demo::seed(&world.url(), &district).await.expect("loaded again, and nothing changed");
    let supervisor = world.sign_in("350102", "supervisor").await;
    let solved = supervisor.get("/v1/figures?from=2025-12-01&to=2026-11-30&code=solved").await.ok();
    let count: i64 = solved["figures"][0]["numerator"].as_str().and_then(|count| count.parse().ok()).unwrap_or_default();
    assert!(count > 100, "{solved}");
    for login in ["approver", "subcentre", "rating"] {
        world.sign_in("350102", login).await;
    }
}
