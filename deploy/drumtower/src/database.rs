//! The database of an installation: created when missing, its roles, its schemas.

use std::str::FromStr as _;

use drumtower_runtime::{
    Config,
    migrate::{Service, bootstrap, migrate},
};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::{Failure, secrets::login_roles};

/// The secret that holds the administrator's URL.
pub const ADMIN_SECRET: &str = "postgres-admin";
/// The database's name when the administrator's URL gives none.
const NAME: &str = "drumtower";

/// All schemas, in the order they are made.
pub const SCHEMAS: [Service; 4] =
    [drumtower_identity::SCHEMA, drumtower_enterprise::SCHEMA, drumtower_party::SCHEMA, drumtower_ticketing::SCHEMA];

/// How to reach the database as an administrator.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// URL of an administrator (`postgres://admin:…@host/name`); without it the secret `postgres-admin` has it.
    #[arg(long, value_name = "URL", hide_env_values = true)]
    postgres: Option<SecretString>,
}

/// `drumtower migrate`.
pub async fn command(config: &Config, options: &Options) -> Result<(), Failure> {
    let admin = Admin::of(config, options)?;
    for applied in prepare(&admin, config).await? {
        println!("{applied}");
    }
    println!("All schemas are up to date.");
    Ok(())
}

/// Where the database is, and how an administrator signs in.
#[derive(Debug, Clone)]
pub struct Admin(PgConnectOptions);

impl Admin {
    /// From the option, or from the installation's secret.
    pub fn of(config: &Config, options: &Options) -> Result<Self, Failure> {
        match &options.postgres {
            Some(url) => Self::from_url(url.expose_secret()),
            None => Self::from_url(config.secret(ADMIN_SECRET)?.expose_secret()),
        }
    }

    /// From a URL.
    pub fn from_url(url: &str) -> Result<Self, Failure> {
        let options = PgConnectOptions::from_str(url).map_err(|error| format!("not a URL of a PostgreSQL database: {error}"))?;
        Ok(Self(if options.get_database().is_some() { options } else { options.database(NAME) }))
    }

    /// The database's URL for others, without a login.
    pub fn url(&self) -> String {
        format!("postgres://{}:{}/{}", self.0.get_host(), self.0.get_port(), self.name())
    }

    fn name(&self) -> &str {
        self.0.get_database().unwrap_or(NAME)
    }

    /// A connection to the database.
    pub async fn connect(&self) -> Result<PgConnection, Failure> {
        Ok(PgConnection::connect_with(&self.0).await.map_err(|error| format!("PostgreSQL at {}: {error}", self.url()))?)
    }

    /// Creates the database when missing, with the locale that search relies on.
    async fn create(&self) -> Result<(), Failure> {
        let options = self.0.clone().database("postgres");
        let mut server = PgConnection::connect_with(&options).await.map_err(|error| format!("PostgreSQL at {}: {error}", self.url()))?;
        let there: Option<i32> =
            sqlx::query_scalar("select 1 from pg_database where datname = $1").bind(self.name()).fetch_optional(&mut server).await?;
        if there.is_none() {
            let name = self.name().replace('"', "\"\"");
            let text = format!("create database \"{name}\" template template0 encoding 'UTF8' locale 'C.UTF-8'");
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut server).await?;
        }
        server.close().await?;
        Ok(())
    }
}

/// Makes the database ready for the services; what was applied, as `schema/migration`.
pub async fn prepare(admin: &Admin, config: &Config) -> Result<Vec<String>, Failure> {
    prepare_only(admin, config, &SCHEMAS).await
}

/// As [`prepare`], for some of the schemas.
pub async fn prepare_only(admin: &Admin, config: &Config, schemas: &[Service]) -> Result<Vec<String>, Failure> {
    admin.create().await?;
    let mut connection = admin.connect().await?;
    let passwords = login_roles().map(|role| Ok((role.clone(), config.secret(&role)?))).collect::<Result<Vec<_>, Failure>>()?;
    bootstrap(&mut connection, &passwords).await?;
    let mut applied = Vec::new();
    for schema in schemas {
        let names = migrate(&mut connection, schema).await?;
        applied.extend(names.into_iter().map(|name| format!("{}/{name}", schema.name)));
    }
    connection.close().await?;
    Ok(applied)
}
