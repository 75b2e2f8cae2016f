//! An installation on one machine: a folder with settings, secrets, logs and the private servers' data.

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use drumtower_runtime::Config;
use toml::{Table, Value};

use crate::{Failure, secrets};

/// The folder's name, in the current directory.
pub const FOLDER: &str = ".drumtower";
const SETTINGS: &str = "drumtower.toml";
const HEADER: &str = "# Settings of this installation. `drumtower up` sets database.url, redis and secrets anew at every start; the rest is yours.\n\
                      # Every key: services/runtime/src/config.rs. Environment variables win, as in DRUMTOWER_GATEWAY__LISTEN.\n\n";

/// An installation that is ours alone while this lives.
#[derive(Debug)]
pub struct Installation {
    dir: PathBuf,
    /// Locked; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

/// What `up` decides about the settings.
#[derive(Debug)]
pub struct Decided {
    /// The database.
    pub database: String,
    /// Redis.
    pub redis: String,
    /// Where the gateway listens, when it is said.
    pub listen: Option<String>,
}

/// The settings of the installation in the current directory, if there is one.
pub fn settings_here() -> Option<PathBuf> {
    let file = Path::new(FOLDER).join(SETTINGS);
    file.is_file().then_some(file)
}

impl Installation {
    /// Opens the folder, creating it when missing, for this process alone.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(|error| format!("creating {}: {error}", dir.display()))?;
        let dir = dir.canonicalize()?;
        let lock = lock(&dir)?;
        secrets::complete(&dir.join("secrets"))?;
        // Logs hold no personal data, and still are nobody else's.
        for folder in ["log", "seeded"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir.join(folder))?;
        }
        Ok(Self { dir, _lock: lock })
    }

    /// A file or folder of the installation.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The settings file.
    pub fn settings(&self) -> PathBuf {
        self.dir.join(SETTINGS)
    }

    /// Writes what was decided into the settings, keeps the rest, and loads them.
    pub fn settle(&self, decided: &Decided) -> Result<Config, Failure> {
        let file = self.settings();
        let old = fs::read_to_string(&file).ok();
        let mut table = match &old {
            Some(text) => toml::from_str(text).map_err(|error| format!("{}: {error}", file.display()))?,
            None => first_settings(),
        };
        put(&mut table, "database", "url", &decided.database);
        if let Some(listen) = &decided.listen {
            put(&mut table, "gateway", "listen", listen);
        }
        table.insert("redis".into(), Value::String(decided.redis.clone()));
        table.insert("secrets".into(), Value::String(self.path("secrets").to_string_lossy().into_owned()));
        // Where bytes are is decided once: moving them is an operator's work.
        let store = table.entry("store").or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(store) = store {
            store.entry("url").or_insert_with(|| Value::String(format!("file://{}", self.path("store").display())));
        }
        // Rewriting loses an operator's comments, so it happens only when something changed.
        if old.as_deref().and_then(|text| toml::from_str::<Table>(text).ok()).as_ref() != Some(&table) {
            secrets::write(&file, &format!("{HEADER}{}", toml::to_string_pretty(&table)?))?;
        }
        Ok(Config::load(Some(&file))?)
    }

    /// Whether a district's demonstration data was loaded.
    pub fn is_seeded(&self, code: &str) -> bool {
        self.path("seeded").join(code).exists()
    }

    /// Remembers that a district's demonstration data was loaded.
    pub fn mark_seeded(&self, code: &str) -> std::io::Result<()> {
        secrets::write(&self.path("seeded").join(code), "")
    }
}

fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join("lock");
    let mut file = File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            return Err(format!("it runs already here: process {} holds {}", holder.trim(), path.display()).into());
        }
        Err(TryLockError::Error(error)) => return Err(format!("locking {}: {error}", path.display()).into()),
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// What a new installation says of itself: where it listens, and a rate that lets one program load the demonstration data.
fn first_settings() -> Table {
    let defaults = Config::default();
    let mut table = Table::new();
    for (service, address) in &defaults.services {
        put(&mut table, "services", service, address);
    }
    put(&mut table, "gateway", "listen", &defaults.gateway.listen);
    if let Some(Value::Table(gateway)) = table.get_mut("gateway") {
        gateway.insert("user_rate".into(), Value::Integer(500));
    }
    table
}

fn put(table: &mut Table, section: &str, key: &str, value: &str) {
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = entry {
        inner.insert(key.to_owned(), Value::String(value.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(database: &str) -> Decided {
        Decided { database: database.into(), redis: "redis://127.0.0.1:1".into(), listen: None }
    }

    #[test]
    fn a_second_up_in_the_same_folder_is_refused_and_says_who_runs() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = Installation::open(dir.path()).expect("ours");
        let refusal = Installation::open(dir.path()).expect_err("refused").to_string();
        assert!(refusal.contains(&std::process::id().to_string()), "{refusal}");
        drop(first);
        Installation::open(dir.path()).expect("ours again");
    }

    #[test]
    fn an_operators_settings_stay() {
        let dir = tempfile::tempdir().expect("a folder");
        let here = Installation::open(dir.path()).expect("ours");
        here.settle(&decided("postgres://127.0.0.1:1/a")).expect("settled");
        let text = fs::read_to_string(here.settings()).expect("a file").replace("127.0.0.1:7103", "127.0.0.1:9103");
        fs::write(here.settings(), format!("{text}\n# a remark\n")).expect("write");
        let config = here.settle(&decided("postgres://127.0.0.1:1/a")).expect("settled");
        assert_eq!(config.services["party"], "127.0.0.1:9103");
        let store = here.path("store").display().to_string();
        assert_eq!(config.store.url, format!("file://{store}"));
        fs::write(here.settings(), fs::read_to_string(here.settings()).expect("a file").replace(&store, "/elsewhere")).expect("write");
        assert_eq!(here.settle(&decided("postgres://127.0.0.1:1/a")).expect("settled").store.url, "file:///elsewhere");
        assert!(fs::read_to_string(here.settings()).expect("a file").contains("# a remark"), "not rewritten when nothing changed");
        assert_eq!(here.settle(&decided("postgres://127.0.0.1:1/b")).expect("settled").database.url, "postgres://127.0.0.1:1/b");
    }
}
