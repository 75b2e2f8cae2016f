//! Lints over the sources and over a migrated database: who may import whom, what SQL may say (DESIGN §10), and what PostgreSQL enforces
//! (DESIGN §5). Each finding is named; there is no list of exceptions but the ones below, each with its reason.

use std::{collections::BTreeSet, sync::OnceLock};

use drumtower_runtime::config::SERVICES;
use drumtower_tests::{
    sources::{files, literals, root},
    world::{Wanted, World, block_on},
};
use regex::Regex;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted { bare: true, ..Wanted::default() }))
}

/// `(file, line, text)` of every literal that is SQL in the services and the runtime.
fn statements() -> Vec<(String, usize, String)> {
    let begins = Regex::new(r"(?i)^\s*(with|select|insert|update|delete|merge|copy|listen|notify|truncate)\s").expect("a pattern");
    let mut found = Vec::new();
    for file in files(&root().join("services"), ".rs") {
        let text = std::fs::read_to_string(&file).expect("read");
        let name = file.strip_prefix(root()).expect("below the root").display().to_string();
        if name.contains("/migrate.rs") || name.contains("/log/verify.rs") || name.contains("/tests/") {
            // The administrator's own statements: schema work, and reading every district's chain.
            continue;
        }
        found.extend(literals(&text).into_iter().filter(|(_, text)| begins.is_match(text)).map(|(line, text)| (name.clone(), line, text)));
    }
    assert!(found.len() > 60, "the reader of literals finds too little: {}", found.len());
    found
}

/// Tables that belong to no district, and statements that by their nature read across districts.
fn beyond(text: &str) -> bool {
    let swept = text.contains("select tenant_id,") && !text.contains("tenant_id = $1");
    swept
        || [" lease ", " tenant ", " tenant\n", "pg_roles", " rule ", " rule\n", "from rule", "from tenant"]
            .iter()
            .any(|table| text.contains(table))
}

#[test]
fn sql_says_the_district_in_every_place() {
    let reference = Regex::new(r"(?i)\b(?:from|join|update|delete from)\s+([a-z_]+)").expect("a pattern");
    let cte = Regex::new(r"(?i)(?:with(?: recursive)?|,)\s*([a-z_]+)\s+as\s*\(").expect("a pattern");
    let said = Regex::new(r"tenant_id = (\$1|$)").expect("a pattern");
    let mut problems = Vec::new();
    for (file, line, text) in statements() {
        if beyond(&text) {
            continue;
        }
        let own: BTreeSet<String> = cte.captures_iter(&text).map(|found| found[1].to_owned()).collect();
        let tables = reference
            .captures_iter(&text)
            // `extract(epoch from c.started_at)` names a column, not a table.
            .filter(|found| !text[found.get(0).map_or(0, |whole| whole.end())..].starts_with('.'))
            .filter(|found| !own.contains(&found[1]) && !["set", "nothing", "of", "excluded", "skip"].contains(&&found[1]))
            .filter(|found| {
                !text[..found.get(0).expect("whole").start()].trim_end().ends_with("do")
                    && !text[..found.get(0).expect("whole").start()].trim_end().ends_with("distinct")
            })
            .count();
        if said.find_iter(&text).count() < tables {
            problems.push(format!("{file}:{line}: {tables} tables, but `tenant_id = $1` is said {} times", said.find_iter(&text).count()));
        }
        if text.trim_start().to_lowercase().starts_with("insert") && !text.contains("tenant_id") {
            problems.push(format!("{file}:{line}: inserts without tenant_id"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn sql_uses_nothing_that_a_sharded_cluster_refuses() {
    let forbidden = [
        (r"(?i)set_config", "never: it does not reach shards, and an injected SELECT could call it"),
        (r"(?i)\b(now|random|clock_timestamp|statement_timestamp|gen_random_uuid)\(", "times and random values are parameters"),
        (r"(?i)\bmerge\s+into\b", "refused"),
        (r"(?i)insert[^;]*select[^;]*(unnest|generate_series)", "COPY path, refused under row-level security"),
        (r"(?i)\bcopy\b.*\bfrom\b", "refused under row-level security"),
        (r"(?i)^\s*(listen|notify)\b|pg_notify", "per node, and slow on the write path"),
        (r"(?i)pg_(try_)?advisory", "per node: leases live in a table"),
        (r"(?i)\bconstraint\b\s+\w+_key", "conflicts are recognised by columns or SQLSTATE"),
        (r"(?i)on conflict on constraint", "the name is a shard's"),
        (r"(?i)\bcurrent_(date|time|timestamp)\b", "times are parameters"),
    ];
    let mut problems = Vec::new();
    for (file, line, text) in statements() {
        for (pattern, why) in &forbidden {
            if Regex::new(pattern).expect("a pattern").is_match(&text) && !text.contains("has_function_privilege") {
                problems.push(format!("{file}:{line}: {pattern}: {why}"));
            }
        }
    }
    for file in files(&root().join("services"), ".sql") {
        let text = std::fs::read_to_string(&file).expect("read").to_lowercase();
        for pattern in
            ["create trigger", "restrictive", "on delete set", "security definer", "create rule", "generated always as identity", "serial"]
        {
            if text.contains(pattern) {
                problems.push(format!("{}: {pattern}", file.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Every whole statement is prepared by PostgreSQL as the service's own login: it names tables and columns that exist and may be used.
#[test]
fn sql_is_understood_by_the_database_as_the_service_logs_in() {
    let world = world();
    let whole = Regex::new(r"(?is)\b(from|into|update)\s+[a-z_]+").expect("a pattern");
    let mut problems = Vec::new();
    let mut prepared = 0;
    for service in SERVICES {
        let password = world.config.secret(&format!("dt_{service}")).expect("a secret");
        let options: PgConnectOptions = world.config.database.url.parse().expect("a URL");
        let login = options.username(&format!("dt_{service}")).password(secrecy::ExposeSecret::expose_secret(&password));
        block_on(async || {
            let mut conn = PgConnection::connect_with(&login).await.expect("connected");
            for (file, line, text) in statements() {
                let of_service = file.starts_with(&format!("services/{service}/")) || file.starts_with("services/runtime/");
                // Statements built at run time begin in a literal and go on elsewhere.
                let part = text.ends_with(' ') || text.ends_with('(') || text.contains('{') || !whole.is_match(&text);
                let swept = text.contains("select tenant_id,") && !text.contains("tenant_id = $1");
                if !of_service || part || swept {
                    continue;
                }
                prepared += 1;
                let asked = sqlx::raw_sql(AssertSqlSafe(format!("prepare s as {text}"))).execute(&mut conn).await;
                if let Err(error) = asked {
                    problems.push(format!("{service}: {file}:{line}: {error}"));
                } else {
                    sqlx::raw_sql("deallocate s").execute(&mut conn).await.expect("deallocated");
                }
            }
        });
    }
    assert!(prepared > 60, "only {prepared} statements were prepared");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// One question to the catalog that must find nothing.
fn finds_nothing(what: &str, question: &'static str) {
    let found: Vec<(String,)> = block_on(async || sqlx::query_as(question).fetch_all(&mut world().admin().await).await.expect("asked"));
    let found: Vec<String> = found.into_iter().map(|(name,)| name).collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[test]
fn every_table_of_a_district_is_protected() {
    finds_nothing(
        "tables without forced row-level security",
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing') and c.relkind in ('r', 'p') and not c.relispartition
           and not (c.relrowsecurity and c.relforcerowsecurity)",
    );
    finds_nothing(
        "tables with a tenant_id that may be null",
        "select a.attrelid::regclass::text from pg_attribute a join pg_class c on c.oid = a.attrelid
         join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing') and a.attname = 'tenant_id' and c.relkind in ('r', 'p')
           and not a.attnotnull",
    );
    finds_nothing(
        "tables without a tenant_id that do not say they are beyond tenants",
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing') and c.relkind in ('r', 'p')
           and not exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
           and coalesce(obj_description(c.oid, 'pg_class'), '') not like '%beyond tenants%'",
    );
}

#[test]
fn policies_are_one_permissive_equality_each() {
    finds_nothing(
        "policies that are not the district's equality, nor the sweep's declared look",
        "select p.polrelid::regclass::text || ' ' || p.polname || ' ' || coalesce(pg_get_expr(p.polqual, p.polrelid), '') from pg_policy p join pg_class c on c.oid = p.polrelid
         where not p.polpermissive
            or not ((p.polname = 'tenant' and p.polcmd = '*'
                     and replace(pg_get_expr(p.polqual, p.polrelid), 'drumtower.', '') = '(tenant_id = current_tenant())'
                     and replace(pg_get_expr(p.polwithcheck, p.polrelid), 'drumtower.', '') = '(tenant_id = current_tenant())')
                 or (p.polname = 'sweep' and p.polcmd = 'r'
                     and (select bool_and(rolname::text like '%\\_sweep') from pg_roles where oid = any (p.polroles))))",
    );
    finds_nothing(
        "tables with two policies for one role",
        "select p.polrelid::regclass::text from pg_policy p, unnest(p.polroles) role group by p.polrelid, role having count(*) > 1",
    );
    finds_nothing(
        "sweeps that may read more than their table declares",
        "select g.table_schema || '.' || g.table_name || '.' || g.column_name from information_schema.column_privileges g
         join pg_class c on c.oid = (quote_ident(g.table_schema) || '.' || quote_ident(g.table_name))::regclass
         where g.grantee like 'dt\\_%\\_sweep'
           and not (split_part(obj_description(c.oid, 'pg_class'), 'swept: ', 2) like '%' || g.column_name || '%')",
    );
}

#[test]
fn keys_contain_the_district() {
    finds_nothing(
        "unique indexes and exclusions without tenant_id",
        "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid
         join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing') and (i.indisunique or i.indisexclusion)
           and not (a.attnum = any (i.indkey::int2[]))",
    );
    finds_nothing(
        "tables without a primary key",
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing') and c.relkind in ('r', 'p')
           and not exists (select 1 from pg_index i where i.indrelid = c.oid and i.indisprimary)",
    );
    finds_nothing(
        "foreign keys that do not carry the district",
        "select f.conrelid::regclass::text || ' ' || f.conname from pg_constraint f join pg_namespace n on n.oid = f.connamespace
         join pg_attribute a on a.attrelid = f.conrelid and a.attname = 'tenant_id'
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing') and f.contype = 'f' and not (a.attnum = any (f.conkey))",
    );
    finds_nothing(
        "triggers",
        "select t.tgrelid::regclass::text || ' ' || t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
         join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing') and not t.tgisinternal",
    );
}

#[test]
fn logins_own_nothing_and_may_do_no_more_than_they_need() {
    finds_nothing(
        "logins that own something or may pass row-level security",
        "select r.rolname::text from pg_roles r where r.rolname like 'dt\\_%' and r.rolcanlogin
           and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb
                or exists (select 1 from pg_class c where c.relowner = r.oid) or exists (select 1 from pg_proc p where p.proowner = r.oid))",
    );
    finds_nothing(
        "logins that may call set_config",
        "select rolname::text from pg_roles where rolname like 'dt\\_%' and has_function_privilege(oid, 'pg_catalog.set_config(text,text,boolean)', 'execute')",
    );
    finds_nothing(
        "logins that may change an append-only table, or empty any",
        "select g.table_schema || '.' || g.table_name || ' ' || g.privilege_type from information_schema.table_privileges g
         join pg_class c on c.oid = (quote_ident(g.table_schema) || '.' || quote_ident(g.table_name))::regclass
         where g.grantee like 'dt\\_%' and g.grantee <> 'dt_owner'
           and (g.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER')
                or (g.privilege_type in ('UPDATE', 'DELETE') and obj_description(c.oid, 'pg_class') like '%append-only%'))",
    );
    finds_nothing(
        "services that may read another service's schema",
        "select r.rolname || ' ' || n.nspname from pg_roles r, pg_namespace n
         where r.rolname like 'dt\\_%' and r.rolcanlogin and n.nspname in ('identity', 'enterprise', 'party', 'ticketing')
           and has_schema_privilege(r.oid, n.oid, 'usage') and r.rolname not like 'dt\\_' || n.nspname || '%'",
    );
    finds_nothing(
        "views, materialised views and functions that run with another's rights",
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing') and c.relkind in ('v', 'm')
         union all select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where n.nspname in ('identity', 'enterprise', 'party', 'ticketing', 'drumtower') and p.prosecdef",
    );
}

#[test]
fn a_statement_without_a_district_fails_loudly() {
    let world = world();
    let password = world.config.secret("dt_ticketing").expect("a secret");
    let options: PgConnectOptions = world.config.database.url.parse().expect("a URL");
    let login = options.username("dt_ticketing").password(secrecy::ExposeSecret::expose_secret(&password));
    block_on(async || {
        let mut conn = PgConnection::connect_with(&login).await.expect("connected");
        let refused = sqlx::query("select count(*) from ticket").execute(&mut conn).await;
        assert!(refused.is_err(), "a query before any district was said must fail, not answer nothing");
        sqlx::raw_sql("begin; set local drumtower.tenant_id='1'; select 1 from ticket; commit").execute(&mut conn).await.expect("answered");
        let refused = sqlx::query("select count(*) from ticket").execute(&mut conn).await;
        assert!(refused.is_err(), "a district said in one transaction is not left for the next");
    });
}

/// DESIGN §2: proto imports nothing of ours, runtime imports proto, a service and the gateway import runtime and proto, never a service.
#[test]
fn nobody_imports_whom_they_may_not() {
    let may: [(&str, &[&str]); 7] = [
        ("proto", &[]),
        ("services/runtime", &["drumtower_proto"]),
        ("services/identity", &["drumtower_proto", "drumtower_runtime"]),
        ("services/enterprise", &["drumtower_proto", "drumtower_runtime"]),
        ("services/party", &["drumtower_proto", "drumtower_runtime"]),
        ("services/ticketing", &["drumtower_proto", "drumtower_runtime"]),
        ("gateway", &["drumtower_proto", "drumtower_runtime"]),
    ];
    let crates = Regex::new(r"\b(drumtower_[a-z]+)\b").expect("a pattern");
    let mut problems = Vec::new();
    for (folder, allowed) in may {
        for file in files(&root().join(folder).join("src"), ".rs") {
            let text = std::fs::read_to_string(&file).expect("read");
            for found in crates.captures_iter(&text).map(|found| found[1].to_owned()).collect::<BTreeSet<_>>() {
                let is_crate =
                    ["proto", "runtime", "identity", "enterprise", "party", "ticketing", "gateway"].contains(&&found["drumtower_".len()..]);
                if is_crate && !allowed.contains(&found.as_str()) && text.contains(&format!("{found}::")) {
                    problems.push(format!("{} imports {found}", file.display()));
                }
            }
            let pure = file.ends_with("rules.rs") || file.components().any(|part| part.as_os_str() == "rules");
            for impure in ["sqlx", "tonic", "tokio"] {
                if pure && text.contains(&format!("{impure}::")) {
                    problems.push(format!("{}: rules import {impure}", file.display()));
                }
            }
        }
    }
    for banned in ["utils", "common", "helpers", "manager", "base"] {
        let named = files(&root().join("services"), &format!("/{banned}.rs"));
        problems.extend(named.iter().map(|file| format!("{}: a name that says nothing", file.display())));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
