//! `drumtower doctor`: looks at an installation and says in plain words what is wrong with it, and what to do.

use std::process::ExitCode;

use drumtower_runtime::{Config, config::SERVICES};
use sqlx::PgConnection;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{
    Failure,
    database::{Admin, Options, SCHEMAS},
};

/// What was looked at.
#[derive(Debug, Default)]
struct Findings {
    wrong: usize,
}

impl Findings {
    fn say(&mut self, what: &str, verdict: Result<String, String>) {
        match verdict {
            Ok(fine) => println!("  ok     {what}: {fine}"),
            Err(wrong) => {
                self.wrong += 1;
                println!("  WRONG  {what}: {wrong}");
            }
        }
    }
}

/// Runs the command.
pub async fn command(config: &Config, options: &Options) -> Result<ExitCode, Failure> {
    let mut findings = Findings::default();
    match Admin::of(config, options)?.connect().await {
        Ok(mut admin) => database(&mut findings, &mut admin).await?,
        Err(error) => findings.say("database", Err(error.to_string())),
    }
    findings.say("Redis", redis(config).await);
    for service in SERVICES {
        findings.say(service, service_state(config, service).await);
    }
    let url = format!("http://{}/readyz", config.gateway.listen);
    let gateway = match reqwest::get(&url).await {
        Ok(answer) if answer.status().is_success() => Ok(format!("ready at {}", config.gateway.listen)),
        Ok(answer) => Err(format!("not ready: {}", answer.text().await.unwrap_or_default())),
        Err(_) => Err(format!("nobody answers at {}; is it started, and is gateway.listen right?", config.gateway.listen)),
    };
    findings.say("gateway", gateway);
    if findings.wrong == 0 {
        println!("Nothing is wrong.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} things are wrong.", findings.wrong);
    Ok(ExitCode::FAILURE)
}

async fn database(findings: &mut Findings, admin: &mut PgConnection) -> Result<(), Failure> {
    let (version, ctype): (i32, String) = sqlx::query_as(
        "select current_setting('server_version_num')::int4, (select datctype::text from pg_database where datname = current_database())",
    )
    .fetch_one(&mut *admin)
    .await?;
    let major = version / 10_000;
    findings.say("PostgreSQL", if major >= 15 { Ok(format!("version {major}")) } else { Err(format!("version {major}; 15 or newer is needed")) });
    let broken = matches!(ctype.as_str(), "C" | "POSIX");
    findings.say("locale", if broken { Err(format!("{ctype} breaks search; create the database with C.UTF-8")) } else { Ok(ctype) });
    let (able,): (i64,) =
        sqlx::query_as("select count(*) from pg_roles where rolname like 'dt\\_%' and (rolsuper or rolbypassrls)").fetch_one(&mut *admin).await?;
    findings.say("logins", if able == 0 { Ok("none may pass row-level security".into()) } else { Err("some may pass row-level security: run `drumtower migrate`".into()) });
    let open: Vec<(String,)> = sqlx::query_as(
        "select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
         join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = any($1) and c.relkind in ('r', 'p') and not c.relispartition and not (c.relrowsecurity and c.relforcerowsecurity)",
    )
    .bind(SERVICES.map(str::to_owned).to_vec())
    .fetch_all(&mut *admin)
    .await?;
    let open: Vec<String> = open.into_iter().map(|(table,)| table).collect();
    findings.say("tables", if open.is_empty() { Ok("all are protected".into()) } else { Err(format!("without row-level security: {}", open.join(", "))) });
    for schema in &SCHEMAS {
        findings.say(&format!("schema {}", schema.name), migrations(admin, schema).await);
    }
    Ok(())
}

async fn migrations(admin: &mut PgConnection, schema: &drumtower_runtime::migrate::Service) -> Result<String, String> {
    let text = format!("select name from {}.schema_migration", schema.name);
    let applied: Vec<(String,)> = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .fetch_all(admin)
        .await
        .map_err(|_| "not there: run `drumtower migrate`".to_owned())?;
    let missing: Vec<&str> =
        schema.migrations.iter().map(|(name, _)| *name).filter(|name| !applied.iter().any(|(known,)| known == name)).collect();
    if missing.is_empty() { Ok("up to date".into()) } else { Err(format!("lacks {}: run `drumtower migrate`", missing.join(", "))) }
}

async fn redis(config: &Config) -> Result<String, String> {
    let Some(url) = &config.redis else { return Ok("none is configured; everything works, slower".into()) };
    let client = drumtower_runtime::redis::Redis::connect(Some(url)).map_err(|error| error.to_string())?;
    let pong: Option<String> = client.ping().await;
    pong.map(|_| "answers".to_owned()).ok_or_else(|| "does not answer; everything works, slower".to_owned())
}

async fn service_state(config: &Config, service: &str) -> Result<String, String> {
    let address = config.services.get(service).ok_or("no address is configured")?;
    let gone = |_| format!("nobody answers at {address}; its log says why");
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    let channel = channel.connect_timeout(std::time::Duration::from_secs(1)).connect().await.map_err(gone)?;
    let request = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::new(channel).check(request).await.map_err(|status| status.to_string())?;
    match answer.into_inner().status() {
        ServingStatus::Serving => Ok(format!("serves at {address}")),
        other => Err(other.as_str_name().to_owned()),
    }
}
