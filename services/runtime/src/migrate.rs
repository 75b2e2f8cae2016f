//! Schemas: one per service, made by an administrator, statement by statement (whole files as one message are refused on a sharded
//! cluster). Every table with a `tenant_id` is protected by the runner itself, so that none can be forgotten; a table without one must
//! say `beyond tenants` in its comment.

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::server::Failure;

/// A service's schema.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Name of service and schema.
    pub name: &'static str,
    /// Its migrations after the common ones, in order: name and text.
    pub migrations: &'static [(&'static str, &'static str)],
}

const COMMON: [(&str, &str); 2] =
    [("0001_log", include_str!("../migrations/0001_log.sql")), ("0001_delivery", include_str!("../migrations/0001_delivery.sql"))];

/// What belongs to the whole database: the owner, the login roles, the function that says the district, and the revoked way around it.
pub async fn bootstrap(admin: &mut PgConnection, passwords: &[(String, SecretString)]) -> Result<(), Failure> {
    run(admin, "do $$ begin create role dt_owner nologin; exception when duplicate_object then null; end $$").await?;
    run(admin, "do $$ begin execute format('grant dt_owner to %I', current_user); exception when others then null; end $$").await?;
    for (role, password) in passwords {
        let quoted = password.expose_secret().replace('\'', "''");
        run(admin, &format!("do $$ begin create role {role} login; exception when duplicate_object then null; end $$")).await?;
        run(admin, &format!("alter role {role} with login nosuperuser nobypassrls nocreatedb nocreaterole password '{quoted}'")).await?;
        // A harmless setting on plain PostgreSQL; on Citus only so do shards see the district.
        run(admin, &format!("alter role {role} set citus.propagate_set_commands = 'local'")).await?;
        run(admin, &format!("alter role {role} set idle_in_transaction_session_timeout = '30s'")).await?;
        run(admin, &format!("alter role {role} set lock_timeout = '2s'")).await?;
    }
    run(admin, "create schema if not exists drumtower").await?;
    run(
        admin,
        "create or replace function drumtower.current_tenant() returns int4 language sql stable parallel safe
         as $$ select current_setting('drumtower.tenant_id')::int4 $$",
    )
    .await?;
    run(admin, "grant usage on schema drumtower to public").await?;
    run(admin, "create extension if not exists btree_gist").await?;
    // An injected SELECT could call it and become another district; SET LOCAL still works without it.
    run(admin, "revoke execute on function pg_catalog.set_config(text, text, boolean) from public").await?;
    run(admin, "revoke create on schema public from public").await?;
    Ok(())
}

/// Brings a service's schema up to date; the names of the migrations that were applied.
pub async fn migrate(admin: &mut PgConnection, service: &Service) -> Result<Vec<String>, Failure> {
    let schema = service.name;
    run(admin, &format!("create schema if not exists {schema} authorization dt_owner")).await?;
    run(admin, &format!("alter role dt_{schema} set search_path = {schema}")).await?;
    run(admin, &format!("alter role dt_{schema}_sweep set search_path = {schema}")).await?;
    run(admin, &format!("grant usage on schema {schema} to dt_{schema}, dt_{schema}_sweep")).await?;
    run(
        admin,
        &format!(
            "create table if not exists {schema}.schema_migration
             (name text primary key, checksum text not null, applied_at timestamptz not null default now())"
        ),
    )
    .await?;
    run(admin, &format!("comment on table {schema}.schema_migration is 'What was applied. beyond tenants, owner only'")).await?;
    let mut applied = Vec::new();
    for (name, text) in COMMON.iter().chain(service.migrations) {
        if apply(admin, schema, name, text).await? {
            applied.push((*name).to_owned());
        }
    }
    Ok(applied)
}

/// Applies one migration in one transaction; whether it was new. A changed text of an applied one is refused.
async fn apply(admin: &mut PgConnection, schema: &str, name: &str, text: &str) -> Result<bool, Failure> {
    let checksum = hex::encode(Sha256::digest(text));
    let mut tx = admin.begin().await?;
    let known: Option<(String,)> = sqlx::query_as(AssertSqlSafe(format!("select checksum from {schema}.schema_migration where name = $1")))
        .bind(name)
        .fetch_optional(&mut *tx)
        .await?;
    match known {
        Some((known,)) if known == checksum => return Ok(false),
        Some(_) => return Err(format!("{schema}: migration {name} was applied with another text").into()),
        None => {}
    }
    run(&mut tx, "set local citus.multi_shard_modify_mode = 'sequential'").await?;
    run(&mut tx, "set local lock_timeout = '5s'").await?;
    run(&mut tx, "set local role dt_owner").await?;
    run(&mut tx, &format!("set local search_path = {schema}, public")).await?;
    let statements = statements(text);
    // The owner of a table sees no rows of it either while its protection is forced: a change of rows would change none, silently.
    let changing: Vec<&String> = statements.iter().filter(|statement| changes_rows(statement)).collect();
    if !changing.is_empty() {
        open(&mut tx, schema, &changing).await?;
    }
    for statement in &statements {
        run(&mut tx, statement).await.map_err(|error| format!("{schema}/{name}: {error}\nin: {statement}"))?;
    }
    protect(&mut tx, schema).await?;
    run(&mut tx, "reset role").await?;
    sqlx::query(AssertSqlSafe(format!("insert into {schema}.schema_migration (name, checksum) values ($1, $2)")))
        .bind(name)
        .bind(checksum)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(true)
}

fn changes_rows(statement: &str) -> bool {
    let first = statement.split_whitespace().next().unwrap_or_default().to_lowercase();
    matches!(first.as_str(), "update" | "insert" | "delete" | "with")
}

/// Lets the owner see the rows of the tables that some statements name, until they are protected again. Nobody else reads these meanwhile;
/// the others are left alone.
async fn open(tx: &mut PgConnection, schema: &str, statements: &[&String]) -> Result<(), Failure> {
    let tables: Vec<(String,)> = sqlx::query_as(
        "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition and c.relforcerowsecurity order by c.relname",
    )
    .bind(schema)
    .fetch_all(&mut *tx)
    .await?;
    let named = |table: &str| {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        statements.iter().any(|statement| statement.split(|letter| !is_name(letter)).any(|word| word == table))
    };
    for (table,) in tables.iter().filter(|(table,)| named(table)) {
        run(tx, &format!("alter table {schema}.{table} no force row level security")).await?;
    }
    Ok(())
}

/// Protects every table of the schema: forced row-level security, one permissive policy, and exactly the grants that its comment allows.
/// Partitions are reached through their parent only.
async fn protect(admin: &mut PgConnection, schema: &str) -> Result<(), Failure> {
    let tables: Vec<(String, Option<String>, bool, bool, bool, bool)> = sqlx::query_as(
        "select c.relname::text, obj_description(c.oid, 'pg_class'),
                exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped),
                c.relrowsecurity, c.relforcerowsecurity, exists (select 1 from pg_policy p where p.polrelid = c.oid and p.polname = 'sweep')
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition
           and c.relname <> 'schema_migration'",
    )
    .bind(schema)
    .fetch_all(&mut *admin)
    .await?;
    for (table, comment, has_tenant, guarded, forced, swept) in tables {
        let comment = comment.ok_or_else(|| format!("{schema}.{table} has no comment"))?;
        if !has_tenant {
            if !comment.contains("beyond tenants") {
                return Err(format!("{schema}.{table} has no tenant_id and does not say that it is beyond tenants").into());
            }
            run(admin, &format!("grant select, insert, update, delete on {schema}.{table} to dt_{schema}")).await?;
            continue;
        }
        if !guarded {
            guard(admin, schema, &table, comment.contains("append-only")).await?;
        } else if !forced {
            run(admin, &format!("alter table {schema}.{table} force row level security")).await?;
        }
        if let Some((_, columns)) = comment.split_once("swept: ") {
            let login = format!("dt_{schema}_sweep");
            if !swept {
                run(admin, &format!("create policy sweep on {schema}.{table} for select to {login} using (true)")).await?;
            }
            run(admin, &format!("grant select ({columns}) on {schema}.{table} to {login}")).await?;
        }
    }
    Ok(())
}

/// A district's rows are for a session of this district only.
async fn guard(admin: &mut PgConnection, schema: &str, table: &str, append_only: bool) -> Result<(), Failure> {
    let login = format!("dt_{schema}");
    run(admin, &format!("alter table {schema}.{table} enable row level security")).await?;
    run(admin, &format!("alter table {schema}.{table} force row level security")).await?;
    run(
        admin,
        &format!(
            "create policy tenant on {schema}.{table} to {login}
             using (tenant_id = drumtower.current_tenant()) with check (tenant_id = drumtower.current_tenant())"
        ),
    )
    .await?;
    let grants = if append_only { "select, insert" } else { "select, insert, update, delete" };
    run(admin, &format!("grant {grants} on {schema}.{table} to {login}")).await?;
    Ok(())
}

async fn run(conn: &mut PgConnection, statement: &str) -> Result<(), Failure> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(conn).await.map_err(|error| format!("{error}"))?;
    Ok(())
}

/// The statements of a file: split at semicolons outside quotes, comments and dollar quotes.
fn statements(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let taken = if rest.starts_with("--") {
            let end = rest.find('\n').unwrap_or(rest.len());
            rest = &rest[end..];
            continue;
        } else if letter == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else if let Some(quoted) = rest.strip_prefix("$$") {
            quoted.find("$$").map_or(rest.len(), |end| end + 4)
        } else {
            letter.len_utf8()
        };
        if letter == ';' {
            found.push(std::mem::take(&mut current));
        } else {
            current.push_str(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    found.push(current);
    found.iter().map(|statement| statement.trim().to_owned()).filter(|statement| !statement.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn statements_are_split_where_they_end() {
        let text = "-- a; b\ncreate table a (x text default ';');\ndo $$ begin a; b; end $$;\n\nselect 'it''s; one'";
        let found = statements(text);
        assert_eq!(found.len(), 3);
        assert_eq!(found[1], "do $$ begin a; b; end $$");
        assert_eq!(found[2], "select 'it''s; one'");
    }
}
