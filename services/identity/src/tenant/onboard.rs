//! Onboarding a district: its row, the units of its template, and its three officers. Done twice it changes nothing.

use std::{collections::HashMap, time::Duration};

use drumtower_proto::{
    identity::{Tenant, unit::Kind},
    options::Role,
};
use drumtower_runtime::{
    Call, Clock, Config, Db, Failure, Fault, TenantTx,
    log::NewEvent,
    redis::{Bell, Redis},
    seal::{Kek, Sealer, Sealers},
    server::failure,
};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::store;
use crate::{assignment, password, unit, user};

/// A district to onboard.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// GB/T 2260 code.
    pub code: String,
    /// Name, Chinese.
    pub name: String,
    /// Name, English.
    pub name_en: String,
    /// Host name that leads to it.
    pub host: String,
    /// Units it begins with, parents before children.
    pub units: Vec<NewUnit>,
    /// System administrator.
    pub sysadmin: Officer,
    /// Security administrator.
    pub secadmin: Officer,
    /// Audit administrator.
    pub auditadmin: Officer,
}

/// A unit of the template.
#[derive(Debug, Clone)]
pub struct NewUnit {
    /// Short code.
    pub code: String,
    /// Code of the unit above; empty for the root.
    pub parent: String,
    /// Name.
    pub name: String,
    /// What it is, as the contract names it.
    pub kind: String,
}

/// One of the three officers, with a first password.
#[derive(Debug, Clone)]
pub struct Officer {
    /// Login name.
    pub login: String,
    /// Name.
    pub name: String,
    /// First password.
    pub password: SecretString,
}

/// Creates the district and its officers, or finds them there. `show` is given the officers that are new right before they are there for
/// good: a first password that nobody saw could not be found out later.
pub async fn onboard(config: &Config, new: &NewTenant, show: impl FnOnce(&[&Officer])) -> Result<Tenant, Failure> {
    let clock = Clock::system();
    let db = Db::connect(config, "identity", Bell::new(Redis::none())).map_err(failure)?;
    let sealers = Sealers::new(Kek::new(config.secret("kek")?).map_err(failure)?);
    store::insert(&db, &new.code, &new.name, &new.name_en, &new.host, clock.now()).await?;
    let row = store::by_code_or_host(&db, &new.code, "").await?.ok_or("the district was not created")?;
    let call = Call::of_service("identity", row.number, clock.now(), Duration::from_secs(30));
    add_units(&db, &call, &new.units).await.map_err(failure)?;
    add_officers(&db, &sealers, &call, new, show).await.map_err(failure)?;
    Ok(row.into())
}

/// Gives an officer of a district a new password, and ends their sessions; whether there is such a person.
pub async fn reset(config: &Config, code: &str, login: &str, new: &SecretString) -> Result<bool, Failure> {
    let clock = Clock::system();
    let db = Db::connect(config, "identity", Bell::new(Redis::none())).map_err(failure)?;
    let row = store::by_code_or_host(&db, code, "").await?.ok_or_else(|| format!("no district has the code {code}"))?;
    password::rules::password(login, new.expose_secret()).map_err(|refusal| failure(refusal.into()))?;
    let hash = password::hash::hash(new.expose_secret().to_owned()).await.map_err(failure)?;
    let mut tx = db.write(&Call::of_service("identity", row.number, clock.now(), Duration::from_secs(30))).await.map_err(failure)?;
    let Some(person) = user::store::by_login(&mut tx, login).await? else { return Ok(false) };
    password::api::renew(&mut tx, person.id, &hash, None).await.map_err(failure)?;
    tx.emit(NewEvent::new("user.password_reset", person.id, 0));
    tx.done().await.map_err(failure)?;
    Ok(true)
}

/// All districts, in the order of their codes.
pub async fn all(config: &Config) -> Result<Vec<Tenant>, Failure> {
    let db = Db::connect(config, "identity", Bell::new(Redis::none())).map_err(failure)?;
    Ok(store::page(&db, "", "", i64::MAX).await?.into_iter().map(|row| row.tenant.into()).collect())
}

/// The units of the template, in one transaction; a district that has units keeps them as they are.
async fn add_units(db: &Db, call: &Call, units: &[NewUnit]) -> Result<(), Fault> {
    let mut tx = db.write(call).await?;
    if units.is_empty() || !unit::store::edges(&mut tx).await?.is_empty() {
        return Ok(());
    }
    let mut ids: HashMap<&str, Uuid> = HashMap::new();
    for new in units {
        let kind = Kind::from_str_name(&new.kind).filter(|kind| *kind != Kind::Unspecified);
        let kind = kind.ok_or_else(|| Fault::broken(format!("unit {}: {} is not a kind of unit", new.code, new.kind)))?;
        let parent = ids.get(new.parent.as_str()).copied();
        if parent.is_none() && !new.parent.is_empty() {
            return Err(Fault::broken(format!("unit {}: its parent {} does not come before it", new.code, new.parent)));
        }
        let id = Uuid::now_v7();
        unit::store::insert(&mut tx, id, parent, &new.code, &new.name, kind as i32).await?;
        tx.emit(NewEvent::new("unit.created", id, 1).facts(serde_json::json!({ "code": new.code })));
        ids.insert(&new.code, id);
    }
    tx.done().await
}

/// All officers in one transaction; whose login is there already is left as they are.
async fn add_officers(db: &Db, sealers: &Sealers, call: &Call, new: &NewTenant, show: impl FnOnce(&[&Officer])) -> Result<(), Fault> {
    let sealer = sealers.of(db, call).await?;
    let mut tx = db.write(call).await?;
    let mut added = Vec::new();
    for (officer, role) in [(&new.sysadmin, Role::Sysadmin), (&new.secadmin, Role::Secadmin), (&new.auditadmin, Role::Auditadmin)] {
        if user::store::by_login(&mut tx, &officer.login).await?.is_none() {
            add_officer(&mut tx, &sealer, officer, role).await?;
            added.push(officer);
        }
    }
    show(&added);
    tx.done().await
}

async fn add_officer(tx: &mut TenantTx, sealer: &Sealer, officer: &Officer, role: Role) -> Result<(), Fault> {
    let hash = password::hash::hash(officer.password.expose_secret().to_owned()).await?;
    let id = Uuid::now_v7();
    let new = user::store::New { id, login: &officer.login, name: &officer.name, phone: "", unit: None, enterprise: None, password: &hash };
    user::store::insert(tx, sealer, &new).await?;
    let assignment = assignment::rules::Grant { id: Uuid::now_v7(), user: id, role, node: None, valid_to: None };
    assignment::store::insert(tx, &assignment, "service:identity").await?;
    tx.emit(NewEvent::new("user.created", id, 1).facts(serde_json::json!({ "role": role.as_str_name() })));
    Ok(())
}
