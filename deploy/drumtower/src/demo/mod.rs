//! The demonstration districts: files that a person can read and edit, loaded through the public API as the people who would do it. Every
//! write carries a key made from the file's row, so that a load that broke off is simply run again.

mod door;
mod load;
mod rows;

use std::path::{Path, PathBuf};

use drumtower_identity::{NewTenant, Officer};
use drumtower_runtime::Config;
use secrecy::SecretString;
use serde::Deserialize;

use crate::Failure;

/// The password of everybody in a demonstration district.
pub const PASSWORD: &str = "Drumtower-2026!";

/// Where the districts' folders are.
pub const FOLDER: &str = "deploy/local/demo";

/// `drumtower seed`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder with one folder a district.
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    demo: PathBuf,
}

/// A demonstration district: its folder, and how its file names it.
#[derive(Debug, Clone)]
pub struct District {
    folder: PathBuf,
    /// As `tenant.toml` says.
    pub tenant: Tenant,
    people: Vec<rows::User>,
    officers: [rows::User; 3],
}

/// A district as its file names it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// GB/T 2260 code.
    pub code: String,
    /// Name, Chinese.
    pub name: String,
    /// Name, English.
    pub name_en: String,
    /// Host name that leads to it.
    pub host: String,
}

/// Loads every district of the folder.
pub async fn command(config: &Config, options: Options) -> Result<(), Failure> {
    for district in districts(&options.demo)? {
        drumtower_identity::onboard(config, &district.onboarding()).await?;
        seed(&door_of(config), &district).await?;
    }
    Ok(())
}

/// The districts of a folder, by code.
pub fn districts(demo: &Path) -> Result<Vec<District>, Failure> {
    let entries = std::fs::read_dir(demo).map_err(|error| format!("{}: {error}", demo.display()))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.join("tenant.toml").is_file()).collect();
    folders.sort();
    folders.into_iter().map(|folder| District::read(&folder)).collect()
}

/// The gateway's URL.
pub fn door_of(config: &Config) -> String {
    format!("http://{}", config.gateway.listen)
}

impl District {
    /// Reads a district's folder.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let file = folder.join("tenant.toml");
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let tenant = toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let people: Vec<rows::User> = rows::read(folder, "users")?;
        let officer = |login: &str| {
            let found = people.iter().find(|person| person.login == login).cloned();
            found.ok_or_else(|| format!("{}: nobody is {login}", folder.display()))
        };
        let officers = [officer("sysadmin")?, officer("secadmin")?, officer("auditadmin")?];
        Ok(Self { folder: folder.to_owned(), tenant, people, officers })
    }

    /// The roles of a demonstration person, as the file of people says.
    pub fn role_of(&self, login: &str) -> Option<String> {
        self.people.iter().find(|person| person.login == login).map(|person| person.roles.clone())
    }

    /// What puts the district on the platform: its names, and the three officers that its file of people has.
    pub fn onboarding(&self) -> NewTenant {
        let Tenant { code, name, name_en, host } = self.tenant.clone();
        let [sysadmin, secadmin, auditadmin] = self.officers.clone().map(|person| Officer {
            login: person.login,
            name: person.name,
            password: SecretString::from(PASSWORD),
        });
        NewTenant { code, name, name_en, host, sysadmin, secadmin, auditadmin }
    }
}

/// Loads a district's files through the gateway, saying how it goes.
pub async fn seed(door: &str, district: &District) -> Result<(), Failure> {
    let Tenant { code, name, .. } = &district.tenant;
    println!("Loading the demonstration district {code} {name}");
    let loaded = load::all(&format!("{door}/t/{code}"), &district.folder, &|line: &str| println!("{line}")).await;
    loaded.map_err(|error| format!("{}: {error}", district.folder.display()).into())
}
