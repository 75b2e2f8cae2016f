//! A whole installation for tests: PostgreSQL and Redis of its own, every service as a process of its own, the gateway in front, two
//! districts with the same business keys. Everything ends with the test process.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use drumtower::{
    database::{self, Admin},
    local::{Port, Postgres, Redis},
};
use drumtower_runtime::config::{Config, Database, Gateway, Outgoing, SERVICES, Store, Telemetry};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

/// The password of everybody in the demonstration districts.
pub const PASSWORD: &str = "Drumtower-2026!";
/// The house of those who run the platform.
pub const PLATFORM: &str = "000000";
/// The two districts, with the same business keys.
pub const DISTRICTS: [&str; 2] = ["350103", "350199"];

/// Held by tests that share a world with one that stops a part of it: each is alone while it runs.
pub static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Everything that any test needs of an installation.
#[derive(Debug)]
pub struct World {
    pub config: Config,
    pub postgres: Postgres,
    pub redis: Mutex<Redis>,
    pub dir: PathBuf,
    children: Mutex<BTreeMap<String, Child>>,
}

/// What a test wants of its world.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Where telemetry goes.
    pub otlp: Option<String>,
    /// Everything survives a crash, slower.
    pub durable: bool,
    /// Only the database, migrated; no service, no data.
    pub bare: bool,
    /// A virus scanner, `host:port`.
    pub scanner: Option<String>,
    /// Bytes that a district's attachments may hold.
    pub quota_bytes: Option<i64>,
}

/// A Redis whose password is kept, so that a second start is the same server to its clients.
fn start_redis(dir: &Path, port: Port) -> Redis {
    let made = || Ok(drumtower::secrets::password().expose_secret().to_owned());
    let password = drumtower::secrets::keep(&dir.join("secrets"), "redis", made).expect("a password");
    Redis::start(&dir.join("redis"), port, password.into()).expect("Redis")
}

/// Removes what earlier test processes left, an hour after they ended: until then somebody may want to read their logs.
fn clear_old_worlds() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix("drumtower-").and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        let ended = pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
        if ended && age.is_some_and(|age| age > Duration::from_secs(3600)) {
            let _gone = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl World {
    /// Builds a world; panics with what is wrong when it cannot.
    pub fn start(wanted: &Wanted) -> Self {
        clear_old_worlds();
        drumtower_runtime::web::use_ring();
        let prefix = format!("drumtower-{}-", std::process::id());
        let dir = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a temporary folder").keep();
        let secrets = dir.join("secrets");
        drumtower::secrets::complete(&secrets).expect("secrets");
        let postgres =
            Postgres::start(&dir.join("postgres"), Port::Any, wanted.durable, drumtower::secrets::password()).expect("PostgreSQL");
        drumtower::secrets::write(&secrets.join(drumtower::database::ADMIN_SECRET), &postgres.admin_url("drumtower")).expect("written");
        let redis = start_redis(&dir, Port::Any);
        let mut services = BTreeMap::new();
        for service in SERVICES {
            services.insert(service.to_owned(), format!("127.0.0.1:{}", free_port()));
        }
        let config = Config {
            database: Database { url: postgres.url("drumtower"), pool: 8 },
            redis: Some(redis.url()),
            services,
            gateway: Gateway {
                listen: format!("127.0.0.1:{}", free_port()),
                user_rate: 10_000,
                tenant_rate: 10_000,
                ..Config::default().gateway
            },
            secrets,
            store: Store {
                url: format!("file://{}", dir.join("store").display()),
                scanner: wanted.scanner.clone(),
                quota_bytes: wanted.quota_bytes.unwrap_or(Store::default().quota_bytes),
                ..Store::default()
            },
            telemetry: Telemetry { otlp: wanted.otlp.clone(), ..Config::default().telemetry },
            // Somebody else's servers, which a test may play.
            outgoing: Outgoing { inside: [(); 3].map(|()| format!("127.0.0.1:{}", free_port())).into() },
        };
        std::fs::write(dir.join("drumtower.toml"), toml::to_string(&config).expect("TOML")).expect("written");
        let world = Self { config, postgres, redis: Mutex::new(redis), dir, children: Mutex::default() };
        block_on(async || world.migrate().await);
        if !wanted.bare {
            world.open();
        }
        world
    }

    async fn migrate(&self) {
        let admin = Admin::from_url(&self.postgres.admin_url("drumtower")).expect("a URL");
        database::prepare(&admin, &self.config).await.expect("migrated");
    }

    /// Onboards and fills two districts and opens the door.
    fn open(&self) {
        let demo = crate::sources::root().join("deploy/local/demo/350103");
        for service in SERVICES {
            self.serve(service);
        }
        self.serve("gateway");
        self.wait_ready();
        for code in DISTRICTS {
            let copy = self.dir.join("demo").join(code);
            copy_district(&demo, &copy, code);
            self.settle(&copy);
        }
        self.settle(&crate::sources::root().join("deploy/local/demo/platform"));
    }

    /// Onboards and fills what a folder holds.
    fn settle(&self, folder: &Path) {
        block_on(async || {
            let district = drumtower::demo::District::read(folder).expect("a district");
            drumtower_identity::onboard(&self.config, &district.onboarding(), |_| ()).await.expect("onboarded");
            drumtower::demo::seed(&self.url(), &district).await.expect("seeded");
        });
    }

    /// An administrator's connection to the database.
    pub async fn admin(&self) -> PgConnection {
        PgConnection::connect(&self.postgres.admin_url("drumtower")).await.expect("connected")
    }

    /// Where the gateway is.
    pub fn url(&self) -> String {
        format!("http://{}", self.config.gateway.listen)
    }

    /// Starts a role as a process of its own.
    pub fn serve(&self, role: &str) {
        let child = self.launch(role, &[]);
        self.children.lock().expect("children").insert(role.to_owned(), child);
    }

    /// Starts a second process of a service, at another address where nobody calls it: a worker.
    pub fn serve_beside(&self, role: &str) -> Child {
        let address = format!("127.0.0.1:{}", free_port());
        self.launch(role, &[(format!("DRUMTOWER_SERVICES__{}", role.to_uppercase()), address)])
    }

    fn launch(&self, role: &str, more: &[(String, String)]) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.join(format!("{role}.log"))).expect("a log");
        Command::new(program())
            .envs(drumtower::role::MEMORY)
            .envs(more.iter().cloned())
            .args(["--config"])
            .arg(self.dir.join("drumtower.toml"))
            .args(["serve", role, "--with-parent"])
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("started")
    }

    /// Kills a role at once, as a crash would.
    pub fn kill(&self, role: &str) {
        let child = self.children.lock().expect("children").remove(role);
        if let Some(mut child) = child {
            child.kill().expect("killed");
            child.wait().expect("ended");
        }
    }

    /// Sends a signal to a role: `STOP` and `CONT` are a machine that stands still for a while.
    pub fn signal(&self, role: &str, signal: &str) {
        let pid = self.pid(role).expect("it runs").to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().expect("kill").success());
    }

    /// The process of a role.
    pub fn pid(&self, role: &str) -> Option<u32> {
        self.children.lock().expect("children").get(role).map(Child::id)
    }

    /// Starts Redis again where it was, with the password that the services know.
    pub fn restart_redis(&self, stopped: &Redis) -> Redis {
        start_redis(&self.dir, Port::Fixed(stopped.port()))
    }

    /// Waits until the gateway says that everything is ready.
    pub fn wait_ready(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        let ready =
            || block_on(async || reqwest::get(format!("{}/readyz", self.url())).await.is_ok_and(|answer| answer.status().is_success()));
        while !ready() {
            assert!(Instant::now() < until, "not ready within a minute; logs in {}", self.dir.display());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Somebody at a district's door who has not signed in.
    pub fn nobody(&self, district: &str) -> Person {
        Person { base: format!("{}/t/{district}", self.url()), token: String::new(), http: reqwest::Client::new(), me: Value::Null }
    }

    /// Signs a person of a district in.
    pub async fn sign_in(&self, district: &str, login: &str) -> Person {
        let person = self.nobody(district);
        let answer = person.post("/v1/sessions", serde_json::json!({ "login": login, "password": PASSWORD })).await;
        assert_eq!(answer.status, 200, "{login} of {district}: {}", answer.body);
        let token = answer.body["access_token"].as_str().unwrap_or_default().to_owned();
        Person { token, me: answer.body["user"].clone(), ..person }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for child in self.children.lock().expect("children").values_mut() {
            drop(child.kill());
        }
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    pub base: String,
    pub token: String,
    pub http: reqwest::Client,
    pub me: Value,
}

/// An answer of the gateway.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub text: String,
    pub request_id: String,
}

impl Answer {
    /// The stable reason of a refusal.
    pub fn reason(&self) -> &str {
        self.body["error"]["details"]
            .as_array()
            .and_then(|details| details.iter().find(|detail| detail["@type"].as_str().is_some_and(|kind| kind.ends_with("ErrorInfo"))))
            .and_then(|info| info["reason"].as_str())
            .unwrap_or_default()
    }

    /// The body of an answer that must have succeeded.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body
    }
}

impl Person {
    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(reqwest::Method::GET, path, None, None).await
    }

    /// Writes, with a key of its own.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let key = uuid::Uuid::now_v7().to_string();
        self.send(reqwest::Method::POST, path, Some(body), Some(&key)).await
    }

    /// Writes with a given key.
    pub async fn post_keyed(&self, path: &str, body: Value, key: &str) -> Answer {
        self.send(reqwest::Method::POST, path, Some(body), Some(key)).await
    }

    /// Any request.
    pub async fn send(&self, method: reqwest::Method, path: &str, body: Option<Value>, key: Option<&str>) -> Answer {
        match self.try_send(method, path, body, key).await {
            Ok(answer) => answer,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// Any request, when the gateway may be gone.
    pub async fn try_send(&self, method: reqwest::Method, path: &str, body: Option<Value>, key: Option<&str>) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let request_id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let text = answer.text().await?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text, request_id })
    }
}

/// A district's files under another code, so that two districts have the same business keys.
fn copy_district(from: &Path, to: &Path, code: &str) {
    std::fs::create_dir_all(to).expect("a folder");
    for file in crate::sources::files(from, "") {
        let mut bytes = std::fs::read(&file).expect("read");
        if file.ends_with("tenant.toml") {
            let text = String::from_utf8(bytes).expect("text");
            // The code alone: companies' codes in the same file begin with it too.
            bytes = text
                .replace("\"350103\"", &format!("\"{code}\""))
                .replace("taijiang.localhost", &format!("d{code}.localhost"))
                .into_bytes();
        }
        std::fs::write(to.join(file.file_name().expect("a name")), bytes).expect("written");
    }
}

/// The program under test, beside the test's own.
pub fn program() -> PathBuf {
    let mut path = std::env::current_exe().expect("our own path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let program = path.join("drumtower");
    assert!(program.is_file(), "{} is not there: build it first (`cargo build -p drumtower`)", program.display());
    program
}

/// A port that nobody has and that was not given before, below those that the system gives to whoever connects: they would be taken again
/// before they are bound.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let port = 20_000 + (std::process::id() * 61 + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let port = u16::try_from(port).expect("below 32,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Runs something that waits, outside any runtime.
pub fn block_on<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(work())
        };
        scope.spawn(run).join().expect("it ran")
    })
}
