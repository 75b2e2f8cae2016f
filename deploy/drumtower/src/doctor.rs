//! `drumtower doctor`: what is right and what is wrong with an installation, in plain words, with what to do.

use std::{net::ToSocketAddrs as _, os::unix::fs::PermissionsExt as _, process::ExitCode, time::Duration};

use drumtower_runtime::{Clock, Config, config::SERVICES};
use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{
    Failure,
    database::{Admin, Options, SCHEMAS},
    demo::door_of,
    local,
    secrets::login_roles,
};

const PATIENCE: Duration = Duration::from_secs(2);
/// Tokens tolerate 30 seconds; past a few, somebody should look.
const SKEW_SECONDS: i64 = 5;

/// What was found.
#[derive(Debug, Default)]
struct Findings {
    bad: usize,
}

impl Findings {
    fn good(&mut self, text: &str) {
        println!("  ok    {text}");
    }

    fn note(&mut self, text: &str) {
        println!("  note  {text}");
    }

    fn bad(&mut self, text: &str) {
        println!("  BAD   {text}");
        self.bad += 1;
    }

    fn judge(&mut self, holds: bool, good: &str, bad: &str) {
        if holds { self.good(good) } else { self.bad(bad) }
    }

    /// Good when nothing is on the list; else each of it is bad.
    fn none_of(&mut self, list: &[String], good: &str, bad: &str) {
        if list.is_empty() {
            return self.good(good);
        }
        for one in list {
            self.bad(&format!("{one} {bad}"));
        }
    }
}

/// Examines everything; success when nothing is wrong.
pub async fn command(config: &Config, options: &Options) -> Result<ExitCode, Failure> {
    let mut findings = Findings::default();
    println!("Secrets in {}", config.secrets.display());
    secrets(config, &mut findings);
    println!("PostgreSQL at {}", config.database.url);
    if let Err(error) = postgres(config, options, &mut findings).await {
        findings.bad(&error.to_string());
    }
    println!("Redis");
    redis(config, &mut findings).await;
    println!("Attachments at {}", config.store.url);
    attachments(config, &mut findings).await;
    println!("Services");
    for service in SERVICES {
        service_answers(config, service, &mut findings).await;
    }
    println!("Gateway at {}", config.gateway.listen);
    gateway(config, &mut findings).await;
    match findings.bad {
        0 => println!("\nNothing is wrong."),
        bad => println!("\n{bad} things are wrong."),
    }
    Ok(if findings.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every secret is there, and closed to others.
fn secrets(config: &Config, findings: &mut Findings) {
    let keys = SERVICES.iter().chain(&["gateway"]).flat_map(|service| [format!("{service}.key"), format!("{service}.pub")]);
    let all: Vec<String> = keys.chain(login_roles()).chain(["kek".to_owned(), "identity-tokens.key".to_owned()]).collect();
    let missing: Vec<String> = all.iter().filter(|name| !config.secrets.join(name).is_file()).cloned().collect();
    findings.none_of(&missing, "all are there", "is missing");
    let open = all
        .into_iter()
        .filter(|name| std::fs::metadata(config.secrets.join(name)).is_ok_and(|found| found.permissions().mode() & 0o077 != 0));
    findings.none_of(&open.collect::<Vec<_>>(), "none can be read by others", "can be read by others: chmod 600");
}

async fn postgres(config: &Config, options: &Options, findings: &mut Findings) -> Result<(), Failure> {
    let admin = Admin::of(config, options).map_err(|error| format!("no administrator's login ({error}): name one with --postgres"))?;
    let mut admin = tokio::time::timeout(PATIENCE, admin.connect()).await.map_err(|_| "no answer: is it running?")??;
    world(&mut admin, findings).await?;
    roles(&mut admin, config, findings).await?;
    tables(&mut admin, findings).await?;
    migrations(&mut admin, findings).await
}

async fn world(admin: &mut PgConnection, findings: &mut Findings) -> Result<(), Failure> {
    let (version, encoding, ctype, seconds): (i32, String, String, i64) = sqlx::query_as(
        "select current_setting('server_version_num')::int4, pg_encoding_to_char(encoding)::text, datctype::text,
                extract(epoch from now())::int8
         from pg_database where datname = current_database()",
    )
    .fetch_one(admin)
    .await?;
    let major = version / 10_000;
    findings.judge(major >= 15, &format!("version {major}"), &format!("version {major}: 15 or newer is needed"));
    let locale = format!("encoding {encoding}, LC_CTYPE {ctype}");
    let fits = encoding == "UTF8" && !matches!(ctype.as_str(), "C" | "POSIX");
    findings.judge(fits, &locale, &format!("{locale}: search in Chinese needs UTF8 and C.UTF-8; create the database anew"));
    let skew = seconds - Clock::system().now().as_second();
    findings.judge(skew.abs() <= SKEW_SECONDS, "its clock agrees with ours", &format!("its clock is {skew} s off ours: check NTP"));
    Ok(())
}

/// Login roles may not pass row-level security, and their passwords are those of the secrets.
async fn roles(admin: &mut PgConnection, config: &Config, findings: &mut Findings) -> Result<(), Failure> {
    let mighty: Vec<String> = sqlx::query_scalar(
        "select rolname::text from pg_roles
         where rolname like 'dt\\_%' and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb) order by 1",
    )
    .fetch_all(&mut *admin)
    .await?;
    findings.none_of(&mighty, "no service's role has special powers", "has special powers: run `drumtower migrate`");
    let mut refused = Vec::new();
    for role in login_roles() {
        let signed_in = sign_in(config, &role).await;
        refused.extend(signed_in.err().map(|error| format!("{role} cannot sign in ({error}):")));
    }
    findings.none_of(&refused, "every service's role signs in", "run `drumtower migrate`");
    let open: bool =
        sqlx::query_scalar("select has_function_privilege('dt_identity', 'pg_catalog.set_config(text,text,boolean)', 'execute')")
            .fetch_one(admin)
            .await?;
    findings.judge(!open, "set_config is closed to services", "services may call set_config: run `drumtower migrate`");
    Ok(())
}

async fn sign_in(config: &Config, role: &str) -> Result<(), Failure> {
    let options: PgConnectOptions = config.database.url.parse()?;
    let options = options.username(role).password(config.secret(role)?.expose_secret());
    let connection = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await??;
    Ok(connection.close().await?)
}

/// Every table of a district's rows is protected, also against its owner.
async fn tables(admin: &mut PgConnection, findings: &mut Findings) -> Result<(), Failure> {
    let schemas: Vec<&str> = SCHEMAS.iter().map(|schema| schema.name).collect();
    let open: Vec<String> = sqlx::query_scalar(
        "select n.nspname || '.' || c.relname
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = any($1) and c.relkind in ('r', 'p') and not c.relispartition
           and exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
           and not (c.relrowsecurity and c.relforcerowsecurity
                    and exists (select 1 from pg_policy p where p.polrelid = c.oid and p.polpermissive))
         order by 1",
    )
    .bind(&schemas)
    .fetch_all(admin)
    .await?;
    findings.none_of(
        &open,
        "row-level security is on for every table of districts",
        "has no forced row-level security: districts may leak",
    );
    Ok(())
}

async fn migrations(admin: &mut PgConnection, findings: &mut Findings) -> Result<(), Failure> {
    for schema in &SCHEMAS {
        let text = format!("select name from {}.schema_migration", schema.name);
        let Ok(applied) = sqlx::query_scalar::<_, String>(AssertSqlSafe(text)).fetch_all(&mut *admin).await else {
            findings.bad(&format!("schema {} is not there: run `drumtower migrate`", schema.name));
            continue;
        };
        let missing: Vec<String> =
            schema.migrations.iter().map(|(name, _)| (*name).to_owned()).filter(|name| !applied.contains(name)).collect();
        findings.none_of(&missing, &format!("schema {} is up to date", schema.name), "is not applied: run `drumtower migrate`");
    }
    Ok(())
}

/// Redis may be away; it is a loss of speed, not of service.
async fn redis(config: &Config, findings: &mut Findings) {
    let Some(url) = &config.redis else {
        return findings.note("none is configured: everything works, slower");
    };
    match redis_answers(url).await {
        Ok(()) => findings.good("answers"),
        Err(error) => findings.bad(&format!("{error}; everything works meanwhile, slower")),
    }
}

/// Where bytes are, and what looks at them. A scanner that is away costs no more than time.
async fn attachments(config: &Config, findings: &mut Findings) {
    match config.store.url.strip_prefix("file://") {
        Some(folder) => findings.judge(
            std::path::Path::new(folder).is_dir(),
            "the folder is there",
            "the folder is not there: ticketing makes it when it starts, if it may",
        ),
        None => {
            let missing = ["s3_key_id", "s3_key"].into_iter().filter(|name| config.secret(name).is_err()).map(str::to_owned);
            findings.none_of(&missing.collect::<Vec<_>>(), "the secrets of the store are there", "is missing among the secrets");
        }
    }
    let Some(scanner) = &config.store.scanner else {
        return findings.note("no scanner is configured: nothing is scanned");
    };
    match tokio::time::timeout(PATIENCE, scanner_answers(scanner)).await {
        Ok(Ok(true)) => findings.good("the scanner answers"),
        Ok(Ok(false)) => findings.bad(&format!("what answers at {scanner} is no clamd")),
        Ok(Err(error)) => findings.bad(&format!("the scanner at {scanner}: {error}; what is sent meanwhile waits for it")),
        Err(_) => findings.bad(&format!("the scanner at {scanner} does not answer; what is sent meanwhile waits for it")),
    }
}

async fn scanner_answers(address: &str) -> std::io::Result<bool> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(b"zPING\0").await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    Ok(&answer == b"PONG")
}

async fn redis_answers(url: &str) -> redis::RedisResult<()> {
    drumtower_runtime::redis::Redis::connect(Some(url))?.ping().await
}

async fn service_answers(config: &Config, service: &str, findings: &mut Findings) {
    let Some(address) = config.services.get(service) else {
        return findings.bad(&format!("{service} has no address: set services.{service}"));
    };
    match tokio::time::timeout(PATIENCE, health(address)).await {
        Ok(Ok(ServingStatus::Serving)) => findings.good(&format!("{service} serves at {address}")),
        Ok(Ok(status)) => findings.bad(&format!("{service} at {address} says {}", status.as_str_name())),
        _ => findings.bad(&format!("{service} does not answer at {address}{}", stranger(address))),
    }
}

async fn health(address: &str) -> Result<ServingStatus, Failure> {
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    Ok(HealthClient::new(channel).check(HealthCheckRequest { service: String::new() }).await?.into_inner().status())
}

/// Who holds the port of something of ours that does not answer.
fn stranger(address: &str) -> String {
    let socket = address.to_socket_addrs().ok().and_then(|mut found| found.next());
    match socket.map(local::check) {
        Some(Ok(())) => ": it is not running".to_owned(),
        Some(Err(fault)) => format!(": {fault}"),
        None => ": not an address of this machine".to_owned(),
    }
}

async fn gateway(config: &Config, findings: &mut Findings) {
    let url = format!("{}/readyz", door_of(config));
    match reqwest::Client::new().get(url).timeout(PATIENCE).send().await {
        Ok(answer) if answer.status().is_success() => findings.good("ready"),
        Ok(answer) => {
            let body = answer.text().await.unwrap_or_default();
            findings.bad(&format!("not ready: {}", body.trim()));
        }
        Err(_) => findings.bad(&format!("no answer{}", stranger(&config.gateway.listen))),
    }
}
