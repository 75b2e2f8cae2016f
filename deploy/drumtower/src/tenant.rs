//! Districts on the platform: a new one with its three officers, and which there are.

use std::path::{Path, PathBuf};

use drumtower_identity::{NewTenant, NewUnit, Officer, PLATFORM, all, onboard, reset};
use drumtower_proto::identity::Tenant;
use drumtower_runtime::Config;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::{Failure, secrets};

/// Logins of the three officers, unless said otherwise.
pub const OFFICERS: [&str; 3] = ["sysadmin", "secadmin", "auditadmin"];

/// `drumtower tenant`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Onboards a district. Prints its officers' first passwords once, unless the file gives them.
    Create(Create),
    /// Lists the districts, by code.
    List,
    /// Gives somebody of a district, an officer above all, a new password, and prints it once.
    ResetPassword {
        /// The district's code.
        #[arg(long)]
        code: String,
        /// Whose.
        #[arg(long)]
        login: String,
    },
}

/// What is needed to onboard a district.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// GB/T 2260 code, for example 350104; 000000 for the house of those who run the platform.
    #[arg(long)]
    code: String,
    /// Name, Chinese.
    #[arg(long)]
    name: String,
    /// Name, English.
    #[arg(long)]
    name_en: String,
    /// Host name that leads to it.
    #[arg(long)]
    host: String,
    /// TOML with tables `sysadmin`, `secadmin`, `auditadmin`: `login`, `name`, and `password` when it is not to be generated.
    #[arg(long, value_name = "FILE")]
    officers: Option<PathBuf>,
    /// TOML with what a new district begins with; without it the standard template, for the platform's own house nothing.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

/// The template that is used when none is said.
const STANDARD: &str = include_str!("../../templates/district.toml");

/// What a new district begins with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    version: String,
    units: Vec<TemplateUnit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateUnit {
    code: String,
    #[serde(default)]
    parent: String,
    name: String,
    kind: String,
}

/// The officers' file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Officers {
    sysadmin: Option<Named>,
    secadmin: Option<Named>,
    auditadmin: Option<Named>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    login: String,
    name: String,
    password: Option<SecretString>,
}

/// Runs a command.
pub async fn command(config: &Config, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(create) => make(config, create).await,
        Command::ResetPassword { code, login } => {
            let new = first_password();
            if !reset(config, &code, &login, &new).await? {
                return Err(format!("nobody of {code} has the login {login}").into());
            }
            println!("  {login}  new password {} (not shown again); every session of theirs has ended", new.expose_secret());
            Ok(())
        }
        Command::List => {
            for tenant in all(config).await? {
                println!(
                    "{:<12} {:>6}  {:<10} {}  {} {}",
                    tenant.code,
                    tenant.number,
                    state(&tenant),
                    tenant.host,
                    tenant.name,
                    tenant.name_en
                );
            }
            Ok(())
        }
    }
}

fn state(tenant: &Tenant) -> &'static str {
    tenant.state().as_str_name()
}

async fn make(config: &Config, create: Create) -> Result<(), Failure> {
    let officers = create.officers.as_deref().map(read).transpose()?.unwrap_or_default();
    let generated = [&officers.sysadmin, &officers.secadmin, &officers.auditadmin]
        .map(|officer| officer.as_ref().is_none_or(|officer| officer.password.is_none()));
    let template = match create.template.as_deref() {
        None if create.code == PLATFORM => Template { version: "nothing".to_owned(), units: Vec::new() },
        file => template(file)?,
    };
    let units = template.units.into_iter();
    let new = NewTenant {
        units: units.map(|unit| NewUnit { code: unit.code, parent: unit.parent, name: unit.name, kind: unit.kind }).collect(),
        code: create.code,
        name: create.name,
        name_en: create.name_en,
        host: create.host,
        sysadmin: officer(officers.sysadmin, OFFICERS[0], "系统管理员"),
        secadmin: officer(officers.secadmin, OFFICERS[1], "安全管理员"),
        auditadmin: officer(officers.auditadmin, OFFICERS[2], "审计管理员"),
    };
    let logins = [&new.sysadmin, &new.secadmin, &new.auditadmin].map(|officer| officer.login.as_str());
    let generated: Vec<&str> = logins.into_iter().zip(generated).filter(|(_, generated)| *generated).map(|(login, _)| login).collect();
    let show = |added: &[&Officer]| {
        for officer in added.iter().filter(|officer| generated.contains(&officer.login.as_str())) {
            println!("  {}  {}  first password {} (not shown again)", officer.login, officer.name, officer.password.expose_secret());
        }
    };
    let tenant = onboard(config, &new, show).await?;
    let version = template.version;
    println!("{} {} is on the platform as number {}, at host {}, from {version}.", tenant.code, tenant.name, tenant.number, tenant.host);
    Ok(())
}

fn officer(named: Option<Named>, login: &str, name: &str) -> Officer {
    match named {
        Some(Named { login, name, password }) => Officer { login, name, password: password.unwrap_or_else(first_password) },
        None => Officer { login: login.to_owned(), name: name.to_owned(), password: first_password() },
    }
}

/// Random, and of the three classes of characters that a password must have.
fn first_password() -> SecretString {
    SecretString::from(format!("Dt-{}", &secrets::password().expose_secret()[..24]))
}

fn template(file: Option<&Path>) -> Result<Template, Failure> {
    let Some(file) = file else { return Ok(toml::from_str(STANDARD)?) };
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?)
}

fn read(file: &Path) -> Result<Officers, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_template_has_parents_before_children() {
        let template = template(None).expect("valid");
        let mut known = vec![String::new()];
        for unit in template.units {
            assert!(known.contains(&unit.parent), "{}", unit.code);
            known.push(unit.code);
        }
    }
}
