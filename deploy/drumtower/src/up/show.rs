//! What a person sees once everything runs.

use std::time::Duration;

use drumtower_identity::PLATFORM;

use crate::{demo, installation::Installation};

/// Accounts that the demonstration data always has, in the order of a request's life, and what each is for.
const ACCOUNTS: [(&str, &str); 19] = [
    ("enterprise", "asks for help, follows it, rates it"),
    ("dispatcher", "accepts, refuses, answers, merges, dispatches"),
    ("subcentre", "calls up units of the district"),
    ("liaison", "signs for a unit, or returns"),
    ("handler", "contacts, goes on site, consults, reports"),
    ("lead", "signs off for a unit"),
    ("callback", "calls back, orders it redone"),
    ("supervisor", "watches clocks, urges, supervises"),
    ("approver", "decides on more time, pauses, exclusions"),
    ("rating", "decides on appeals against ratings"),
    ("leader", "sees the whole district, instructs"),
    ("registrar", "keeps the register of companies"),
    ("clerk", "works at a window"),
    ("committee", "guides all party organisations"),
    ("secretary", "runs one party branch"),
    ("sysadmin", "units and people; no roles, no log"),
    ("secadmin", "grants roles; nothing else"),
    ("auditadmin", "reads the log; nothing else"),
    ("operator", "of the platform's house: all districts"),
];

/// Where to go, and as whom.
pub fn running(door: &str, installation: &Installation, districts: &[demo::District], took: Duration) {
    println!("\n鼓楼 Drumtower runs, {:.1} s after start. Ctrl-C stops it; the data stays.\n", took.as_secs_f64());
    for district in districts {
        let tenant = &district.tenant;
        println!("  {} {}", tenant.name, tenant.name_en);
        println!("    Console 电脑           {door}/t/{}/console", tenant.code);
        if tenant.code != PLATFORM {
            println!("    Phone   手机           {door}/t/{}/m", tenant.code);
        }
        println!("    All accounts           {}", district.accounts().display());
    }
    println!("  API documentation        {door}/docs");
    println!("  OpenAPI document         {door}/openapi.json");
    println!("  Settings and logs        {}", installation.path("").display());
    if !districts.is_empty() {
        accounts(districts);
    }
    println!();
}

fn accounts(districts: &[demo::District]) {
    println!("\nDemonstration accounts of every district, password {}\n", demo::PASSWORD);
    for (login, what) in ACCOUNTS {
        let role = districts.iter().find_map(|district| district.role_of(login)).unwrap_or_default();
        println!("  {login:<11} {what:<38} {role}");
    }
}
