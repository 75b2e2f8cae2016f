//! What is past its use is dropped, in every district, and nothing else is.

use drumtower_runtime::{
    Clock,
    db::Db,
    housekeeping::{Chore, KEYS},
    redis::{Bell, Redis},
};
use drumtower_tests::world::{Wanted, World};
use sqlx::{AssertSqlSafe, PgConnection};

/// Two districts, each with 2,500 old things and one young one of each kind: more than a batch.
const THINGS: [&str; 15] = [
    "insert into identity.user_account (tenant_id, id, login, name, phone, password, active, version, created_at)
     select t, gen_random_uuid(), 'somebody', '', '', '', true, 1, now() from generate_series(1, 2) t",
    "insert into identity.session (tenant_id, id, user_id, auth_time, expires_at, address)
     select tenant_id, gen_random_uuid(), id, now(), now() - case when n = 0 then interval '29 days' else interval '31 days' end, ''
     from identity.user_account, generate_series(0, 2500) n",
    "insert into identity.refresh_token (tenant_id, hash, session_id, created_at)
     select tenant_id, sha256(uuid_send(id)), id, now() from identity.session",
    "insert into identity.login_attempt (tenant_id, login, address, failures, since)
     select t, 'a', n::text, 1, now() - case when n = 0 then interval '23 hours' else interval '25 hours' end
     from generate_series(1, 2) t, generate_series(0, 2500) n",
    "insert into identity.request_key (tenant_id, principal, key, hash, answer, at)
     select t, gen_random_uuid()::text, 'a', '', '', now() - case when n = 0 then interval '47 hours' else interval '49 hours' end
     from generate_series(1, 2) t, generate_series(0, 2500) n",
    "insert into identity.reach_code (tenant_id, user_id, means, hash, address, failures, begun, begun_since, expires_at)
     select tenant_id, id, n, sha256(n::text::bytea), '', 0, 1, now(), now() - case when n = 0 then interval '23 hours' else interval '25 hours' end
     from identity.user_account, generate_series(0, 2500) n",
    "insert into identity.wechat_message (tenant_id, key, reply, at)
     select t, n::text, '', now() - case when n = 0 then interval '6 days' else interval '8 days' end
     from generate_series(1, 2) t, generate_series(0, 2500) n",
    "insert into identity.delivery (tenant_id, id, route, body, state, attempts, due_at, error, created_at, ended_at)
     select t, gen_random_uuid(), '', '', case when n = 0 then 1 else 3 end, 1, case when n = 0 then now() end, '', now() - interval '1 year',
       case when n > 0 then now() - interval '91 days' end
     from generate_series(1, 2) t, generate_series(0, 2500) n",
    "insert into ticketing.ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id, enterprise_name, place,
       contact_name, contact_phone, requester_id, result, result_text, score, return_count, redo_count, arbitrated, danger, imported,
       refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at, updated_at, machine, side, supervision, excluded, waits)
     select t, gen_random_uuid(), n::text, 10, 2, 3, '', '', gen_random_uuid(), '', '', '', '', gen_random_uuid(), 1, '', 0, 0, 0, false, false,
       false, 0, '{}', '{}', 0, false, 1, now(), now(), 'default@1', '{}', 0, false, '{}'
     from generate_series(1, 2) t, generate_series(0, 2500) n",
    "insert into ticketing.rating_invitation (tenant_id, ticket_id, hash, expires_at)
     select tenant_id, id, sha256(uuid_send(id)), now() - case when number = '0' then interval '29 days' else interval '31 days' end
     from ticketing.ticket",
    "insert into ticketing.channel (tenant_id, id, kind, name, account_id, settings, secret, secret_hash, open, version, created_at)
     select t, gen_random_uuid(), 1, '', gen_random_uuid(), '{}', '', '', true, 1, now() from generate_series(1, 2) t",
    "insert into ticketing.channel_message (tenant_id, channel_id, key, hash, outcome, at)
     select tenant_id, id, n::text, '', 1, now() - case when n = 0 then interval '179 days' else interval '181 days' end
     from ticketing.channel, generate_series(0, 2500) n",
    "insert into ticketing.sighting (tenant_id, channel_id, key, type, latitude, longitude, confidence, seen_at)
     select tenant_id, id, n::text, '', 0, 0, 1, now() - case when n = 0 then interval '179 days' else interval '181 days' end
     from ticketing.channel, generate_series(0, 2500) n",
    "insert into ticketing.export (tenant_id, id, user_id, what, filter, purpose, unmasked, english, state, reason, total, rows, bytes, pieces,
       attempts, created_at)
     select t, gen_random_uuid(), gen_random_uuid(), 1, '', '', false, false, 5, '', 0, 0, 0, '{}', 0,
       now() - case when n = 0 then interval '364 days' else interval '366 days' end
     from generate_series(1, 2) t, generate_series(0, 2500) n",
    // One of each district has not arrived, however old it is.
    "insert into ticketing.delivery (tenant_id, id, route, body, state, attempts, due_at, error, created_at, ended_at)
     select t, gen_random_uuid(), '', '', case when n = 0 then 1 else 2 end, 1, case when n = 0 then now() end, '', now() - interval '1 year',
       case when n > 0 then now() - interval '91 days' end
     from generate_series(1, 2) t, generate_series(0, 2500) n",
];

async fn count(admin: &mut PgConnection, table: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from identity.{table}"))).fetch_one(admin).await.expect("counted")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_goes_and_what_is_not_stays() {
    let world = tokio::task::spawn_blocking(|| World::start(&Wanted { bare: true, ..Wanted::default() })).await.expect("a world");
    let mut admin = world.admin().await;
    for statement in THINGS {
        sqlx::raw_sql(statement).execute(&mut admin).await.expect("inserted");
    }
    let db = Db::connect(&world.config, "identity", Bell::new(Redis::none())).expect("pools");
    let chores: Vec<Chore> = std::iter::once(KEYS).chain(drumtower_identity::CHORES).collect();
    for chore in &chores {
        assert_eq!(chore.done(&db, &Clock::system()).await.expect(chore.name), 5000, "{}", chore.name);
        assert_eq!(chore.done(&db, &Clock::system()).await.expect(chore.name), 0, "{}", chore.name);
    }
    let ticketing = Db::connect(&world.config, "ticketing", Bell::new(Redis::none())).expect("pools");
    for (chore, dropped) in drumtower_ticketing::CHORES.iter().flat_map(|chore| [(chore, 5000), (chore, 0)]) {
        assert_eq!(chore.done(&ticketing, &Clock::system()).await.expect(chore.name), dropped, "{}", chore.name);
    }
    let left: i64 = sqlx::query_scalar("select count(*) from ticketing.rating_invitation").fetch_one(&mut admin).await.expect("counted");
    assert_eq!(left, 2, "rating_invitation");
    for table in ["session", "refresh_token", "login_attempt", "request_key", "user_account", "reach_code", "wechat_message", "delivery"] {
        assert_eq!(count(&mut admin, table).await, 2, "{table}");
    }
}
