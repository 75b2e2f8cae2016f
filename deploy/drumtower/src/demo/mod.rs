//! The demonstration districts, and the house of those who run the platform: fictional people, companies and events, loaded through the
//! gateway as people would.

mod brand;
mod door;
mod import;
mod load;
mod outreach;
mod party;
mod people;
mod rows;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use drumtower_identity::{NewTenant, Officer};
use drumtower_runtime::{Config, surface::SURFACE};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{Failure, tenant::OFFICERS};

/// Where the demonstration districts are, from the checkout's root.
pub const FOLDER: &str = "deploy/local/demo";
/// The password of every person of the demonstration. The data is fictional and so is the secret.
pub const PASSWORD: &str = "Drumtower-2026!";

/// `drumtower seed`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder of the demonstration districts.
    #[arg(long, default_value = FOLDER)]
    demo: PathBuf,
    /// Base address of the gateway; without it the settings say.
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    /// Only the district of this code.
    #[arg(long)]
    only: Option<String>,
}

/// A district's folder.
#[derive(Debug)]
pub struct District {
    dir: PathBuf,
    /// The district.
    pub tenant: Tenant,
    users: Vec<rows::Numbered<rows::User>>,
}

/// `tenant.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// GB/T 2260 code.
    pub code: String,
    /// Name, Chinese.
    pub name: String,
    /// Name, English.
    pub name_en: String,
    /// Host name.
    pub host: String,
    /// How it shows itself, as in the contract; `logo` names a file beside.
    #[serde(default)]
    brand: serde_json::Map<String, Value>,
    /// Texts at its root, by name.
    #[serde(default)]
    root_texts: BTreeMap<String, String>,
    /// What figures weigh and where they should be, as in the setting.
    figures: Option<Value>,
    /// Service days to come.
    #[serde(default)]
    service_days: Vec<outreach::ServiceDay>,
    /// Discussions.
    #[serde(default)]
    discussions: Vec<outreach::Discussion>,
}

impl District {
    /// Reads a folder.
    pub fn read(dir: &Path) -> Result<Self, Failure> {
        let file = dir.join("tenant.toml");
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let tenant = toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let users: Vec<rows::Numbered<rows::User>> = rows::read(dir, "users.csv")?;
        let mut logins = BTreeSet::new();
        if let Some(twice) = users.iter().find(|user| !logins.insert(user.row.login.as_str())) {
            return Err(format!("{}: login {} stands there twice", dir.join("users.csv").display(), twice.row.login).into());
        }
        Ok(Self { dir: dir.to_owned(), tenant, users })
    }

    /// The list of its people.
    pub fn accounts(&self) -> PathBuf {
        self.dir.join("users.csv")
    }

    /// What onboarding needs; the officers' names come from the list of users.
    pub fn onboarding(&self) -> NewTenant {
        let [sysadmin, secadmin, auditadmin] = OFFICERS.map(|login| Officer {
            login: login.to_owned(),
            name: self.user(login).map_or_else(|| login.to_owned(), |user| user.name.clone()),
            password: SecretString::from(PASSWORD),
        });
        let Tenant { code, name, name_en, host, .. } = &self.tenant;
        let (code, name, name_en, host) = (code.clone(), name.clone(), name_en.clone(), host.clone());
        NewTenant { code, name, name_en, host, units: Vec::new(), sysadmin, secadmin, auditadmin }
    }

    /// Names of the roles of a login, Chinese.
    pub fn role_of(&self, login: &str) -> Option<String> {
        let names: Vec<&str> = self.user(login)?.roles().filter_map(|(role, _)| Some(rule(role)?.zh.as_str())).collect();
        Some(names.join("、"))
    }

    fn user(&self, login: &str) -> Option<&rows::User> {
        self.users.iter().map(|numbered| &numbered.row).find(|user| user.login == login)
    }

    /// The first login that holds a role.
    fn holder(&self, role: &str) -> Result<&str, Failure> {
        let holder = self.users.iter().map(|numbered| &numbered.row).find(|user| user.roles().any(|(held, _)| held == role));
        Ok(holder.map(|user| user.login.as_str()).ok_or_else(|| format!("users.csv of {}: nobody is {role}", self.tenant.code))?)
    }
}

/// The contract's rule for a role written as in the data (`unit_lead`).
fn rule(role: &str) -> Option<&'static drumtower_runtime::surface::RoleRule> {
    let role = drumtower_proto::options::Role::from_str_name(&role.to_ascii_uppercase())?;
    SURFACE.role(role.into())
}

/// All districts of a folder, by code.
pub fn districts(folder: &Path) -> Result<Vec<District>, Failure> {
    let hint =
        |error| format!("demonstration data in {}: {error}; name its folder with --demo, or leave it out with --no-demo", folder.display());
    let entries = std::fs::read_dir(folder).map_err(hint)?;
    let mut dirs: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.join("tenant.toml").is_file()).collect();
    dirs.sort();
    dirs.iter().map(|dir| District::read(dir)).collect()
}

/// Base address of the gateway, seen from this machine.
pub fn door_of(config: &Config) -> String {
    let listen = config.gateway.listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "127.0.0.1");
    format!("http://{listen}")
}

/// Runs the command.
pub async fn command(config: &Config, options: Options) -> Result<(), Failure> {
    let door = options.gateway.unwrap_or_else(|| door_of(config));
    let districts = districts(&options.demo)?;
    for district in districts.iter().filter(|district| options.only.as_ref().is_none_or(|only| *only == district.tenant.code)) {
        seed(&door, district).await?;
    }
    Ok(())
}

/// Loads a district. Every write carries a key made from its row, so loading again changes nothing and goes on where it stopped.
pub async fn seed(door: &str, district: &District) -> Result<(), Failure> {
    load::load(door, district).await.map_err(|error| format!("demonstration district {}: {error}", district.tenant.code).into())
}

#[cfg(test)]
mod tests {
    use drumtower_identity::PLATFORM;

    use super::*;

    #[test]
    fn the_districts_of_the_checkout_are_complete() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../local/demo");
        let districts = districts(&folder).expect("readable");
        assert_eq!(districts.iter().map(|district| district.tenant.code.as_str()).collect::<Vec<_>>(), ["350102", "350103", PLATFORM]);
        for district in districts.iter().filter(|district| district.tenant.code != PLATFORM) {
            for role in ["registry_editor", "party_committee", "dispatcher"] {
                district.holder(role).expect("the loader signs in as one");
            }
            for (role, _) in district.users.iter().flat_map(|user| user.row.roles()) {
                assert!(rule(role).is_some(), "{role} is no role of the contract");
            }
            load::check(district).expect("every file fits its columns");
            let mut phones = BTreeSet::new();
            for user in district.users.iter().filter(|user| !user.row.phone.is_empty()) {
                assert!(phones.insert(&user.row.phone), "phone {} of {} is somebody else's too", user.row.phone, user.row.login);
            }
        }
    }
}
