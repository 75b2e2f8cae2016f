//! What an operator sets: defaults, then a file, then environment variables (`DRUMTOWER_DATABASE__URL`). An unknown key is an
//! error. Secrets come from files named by the configuration, never from the environment.

use std::{collections::BTreeMap, path::PathBuf};

use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The four services, in the order they start.
pub const SERVICES: [&str; 4] = ["identity", "enterprise", "party", "ticketing"];

/// Settings of one installation, shared by all its roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The database.
    pub database: Database,
    /// Redis: one server, the master that Sentinels watch, or a Cluster (`docs/operations.md`); without it everything works, slower.
    pub redis: Option<String>,
    /// Address each service is reached at and listens on, for example `127.0.0.1:7101`.
    pub services: BTreeMap<String, String>,
    /// The door.
    pub gateway: Gateway,
    /// Folder with secrets: database passwords, signing keys, the key that wraps the districts' keys.
    pub secrets: PathBuf,
    /// Where telemetry goes.
    pub telemetry: Telemetry,
    /// Where the bytes of attachments are.
    pub store: Store,
    /// Calls to other people's servers.
    pub outgoing: Outgoing,
}

/// Calls to other people's servers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// Hosts with ports inside the house that a district may call all the same, for example `10.1.2.3:8443`.
    pub inside: Vec<String>,
}

/// The database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `postgres://host:port/name`; each service logs in as `dt_<service>` with the password in `<secrets>/dt_<service>`.
    pub url: String,
    /// Connections a service keeps at most.
    pub pool: u32,
}

/// The door.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Address it listens on.
    pub listen: String,
    /// Largest body of a request, bytes.
    pub max_body: usize,
    /// Requests a person may send in a second, with a burst of ten times as many.
    pub user_rate: u32,
    /// Requests a district may send in a second, with a burst of ten times as many.
    pub tenant_rate: u32,
    /// Addresses of proxies whose `x-forwarded-for` is believed.
    pub trusted_proxies: Vec<String>,
    /// A folder with the built console, served instead of the one that the program carries; for those who work on the pages.
    pub console_dir: Option<PathBuf>,
    /// Browsers' cookies are sent over plain HTTP too. Only for an installation that nobody reaches by HTTPS: anybody on the way reads them.
    pub plain_cookies: bool,
}

/// Where the bytes of attachments are, and what looks at them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `file://folder`, seen by every process of ticketing, or `s3://bucket/prefix` with the secrets `s3_key_id` and `s3_key`.
    pub url: String,
    /// An S3-compatible store's own address, for example `https://minio.internal:9000`; none is Amazon's.
    pub endpoint: Option<String>,
    /// The store's region.
    pub region: String,
    /// Bytes that one district may keep.
    pub quota_bytes: i64,
    /// A virus scanner that speaks clamd's INSTREAM, `host:port`; without one nothing is scanned, and attachments say so.
    pub scanner: Option<String>,
}

impl Default for Store {
    fn default() -> Self {
        let (endpoint, scanner) = (None, None);
        Self { url: "file://store".into(), endpoint, region: "cn-east-1".into(), quota_bytes: 50 << 30, scanner }
    }
}

/// Where telemetry goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// OTLP over gRPC, for example `http://127.0.0.1:4317`; none sends nothing.
    pub otlp: Option<String>,
    /// Log filter, as in `info,sqlx=warn`.
    pub log: String,
    /// Share of traces kept when nobody decided before, 0 to 1.
    pub sample: f64,
}

impl Default for Config {
    fn default() -> Self {
        let services = SERVICES.iter().zip(7101..).map(|(name, port)| ((*name).to_owned(), format!("127.0.0.1:{port}"))).collect();
        Self {
            database: Database { url: "postgres://127.0.0.1:5432/drumtower".into(), pool: 16 },
            redis: None,
            services,
            gateway: Gateway {
                listen: "127.0.0.1:8080".into(),
                max_body: 12 * 1024 * 1024,
                user_rate: 50,
                tenant_rate: 2000,
                trusted_proxies: Vec::new(),
                console_dir: None,
                plain_cookies: false,
            },
            secrets: PathBuf::from("secrets"),
            store: Store::default(),
            telemetry: Telemetry { otlp: None, log: "info,sqlx=warn,h2=warn,hyper=warn,tower=warn".into(), sample: 1.0 },
            outgoing: Outgoing::default(),
        }
    }
}

impl Config {
    /// Reads defaults, the file when given, then the environment.
    pub fn load(file: Option<&std::path::Path>) -> Result<Self, Box<figment::Error>> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        // Two more variables say to `up` which servers to use; they are no settings.
        figment.merge(Env::prefixed("DRUMTOWER_").ignore(&["postgres"]).split("__")).extract().map_err(Box::new)
    }

    /// Reads a secret from its file, without the trailing newline.
    pub fn secret(&self, name: &str) -> std::io::Result<SecretString> {
        let path = self.secrets.join(name);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| std::io::Error::new(error.kind(), format!("secret {}: {error}", path.display())))?;
        Ok(SecretString::from(text.trim_end().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error() {
        let dir = std::env::temp_dir().join(format!("drumtower-config-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("temporary folder");
        let file = dir.join("drumtower.toml");
        std::fs::write(&file, "[gateway]\nlissten = \"x\"\n").expect("write");
        let error = Config::load(Some(&file)).expect_err("refused");
        assert!(error.to_string().contains("lissten"), "{error}");
        std::fs::write(&file, "[gateway]\nlisten = \"0.0.0.0:1\"\n").expect("write");
        assert_eq!(Config::load(Some(&file)).expect("valid").gateway.listen, "0.0.0.0:1");
        std::fs::remove_dir_all(dir).expect("clean up");
    }
}
