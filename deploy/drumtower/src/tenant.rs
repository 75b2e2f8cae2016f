//! A new district on the platform, with its three officers.

use std::path::{Path, PathBuf};

use drumtower_identity::{NewTenant, NewUnit, Officer, onboard};
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
}

/// What is needed to onboard a district.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// GB/T 2260 code, for example 350104.
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
    /// TOML with what a new district begins with; without it the standard template.
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
    let Command::Create(create) = command;
    let officers = create.officers.as_deref().map(read).transpose()?.unwrap_or_default();
    let generated = [&officers.sysadmin, &officers.secadmin, &officers.auditadmin]
        .map(|officer| officer.as_ref().is_none_or(|officer| officer.password.is_none()));
    let template = template(create.template.as_deref())?;
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
