//! What of sessions is past its use. What happened stays in the log.

use drumtower_runtime::{delivery::OLD_DELIVERIES, housekeeping::Chore};
use jiff::SignedDuration;

/// Sessions that ran out a month ago, with their tokens, failed sign-ins that no lock counts any more; codes of yesterday, messages of
/// WeChat of a week ago (it sends one again within seconds), and what was sent a quarter ago.
pub const CHORES: [Chore; 5] = [
    Chore {
        name: "sessions",
        kept: SignedDuration::from_hours(30 * 24),
        find: "select tenant_id, count(*) from session where expires_at < $1 group by tenant_id order by tenant_id",
        drop: "with old as (select id from session where tenant_id = $1 and expires_at < $2 order by expires_at limit $3),
                 tokens as (delete from refresh_token where tenant_id = $1 and session_id in (select id from old))
               delete from session where tenant_id = $1 and id in (select id from old)",
    },
    Chore {
        name: "failed sign-ins",
        kept: SignedDuration::from_hours(24),
        find: "select tenant_id, count(*) from login_attempt where since < $1 group by tenant_id order by tenant_id",
        drop: "delete from login_attempt where tenant_id = $1 and (login, address) in
                 (select login, address from login_attempt where tenant_id = $1 and since < $2 limit $3)",
    },
    Chore {
        name: "codes",
        kept: SignedDuration::from_hours(24),
        find: "select tenant_id, count(*) from reach_code where expires_at < $1 group by tenant_id order by tenant_id",
        drop: "delete from reach_code where tenant_id = $1 and (user_id, means) in
                 (select user_id, means from reach_code where tenant_id = $1 and expires_at < $2 limit $3)",
    },
    Chore {
        name: "messages of WeChat",
        kept: SignedDuration::from_hours(7 * 24),
        find: "select tenant_id, count(*) from wechat_message where at < $1 group by tenant_id order by tenant_id",
        drop: "delete from wechat_message where tenant_id = $1 and key in
                 (select key from wechat_message where tenant_id = $1 and at < $2 limit $3)",
    },
    OLD_DELIVERIES,
];
