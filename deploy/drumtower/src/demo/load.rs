//! The order of loading: what others refer to comes first.

use std::{collections::HashMap, future::Future, time::Instant};

use drumtower_identity::PLATFORM;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    District, brand,
    door::{Door, Person},
    import, outreach, party, people,
    rows::Numbered,
};
use crate::Failure;

/// Calls at work at once.
const AT_ONCE: usize = 8;

/// Ids by the keys of the data files.
pub type Ids = HashMap<String, String>;

/// Loads a district's files.
pub async fn load(gateway: &str, district: &District) -> Result<(), Failure> {
    let door = Door::new(gateway, &district.tenant.code)?;
    println!("Loading demonstration district {} {}", district.tenant.code, district.tenant.name);
    let (sysadmin, secadmin) = (door.sign_in("sysadmin").await?, door.sign_in("secadmin").await?);

    step(district, "brand and root texts", brand::set(&sysadmin, district)).await?;
    let units = step(district, "units", people::units(&sysadmin, district)).await?;
    let mut users = step(district, "staff", people::staff(&sysadmin, district, &units)).await?;
    step(district, "their roles", people::roles(&secadmin, district, &users, &units)).await?;

    if district.tenant.code == PLATFORM {
        return Ok(());
    }

    let registrar = door.sign_in(district.holder("registry_editor")?).await?;
    let zones = step(district, "zones", import::zones(&registrar, district)).await?;
    let buildings = step(district, "buildings", import::buildings(&registrar, district, &zones)).await?;
    let enterprises = step(district, "companies", import::enterprises(&registrar, district)).await?;
    step(district, "qualifications", import::qualifications(&registrar, district)).await?;

    let company_staff = step(district, "company staff", people::company_staff(&sysadmin, district, &enterprises)).await?;
    step(district, "their roles", people::roles(&secadmin, district, &company_staff, &units)).await?;
    users.extend(company_staff);

    step(district, "windows", import::windows(&sysadmin, district)).await?;
    step(district, "service items", import::items(&sysadmin, district, &units)).await?;

    let committee = door.sign_in(district.holder("party_committee")?).await?;
    let organisations = step(district, "party organisations", party::organisations(&committee, district, &enterprises)).await?;
    let members = step(district, "party members", party::members(&committee, district, &organisations, &users)).await?;
    step(district, "branch secretaries", party::secretaries(&secadmin, district, &organisations, &users)).await?;
    step(district, "committee terms", party::terms(&committee, district, &organisations, &members)).await?;
    step(district, "meetings", party::meetings(&committee, district, &organisations)).await?;

    let known = import::Known { enterprises: &enterprises, buildings: &buildings, units: &units };
    step(district, "requests for help", import::tickets(&sysadmin, district, &known)).await?;
    step(district, "figures with a target", targets(&sysadmin, district)).await?;

    let dispatcher = door.sign_in(district.holder("dispatcher")?).await?;
    let known = outreach::Known { enterprises: &enterprises, units: &units };
    step(district, "service days", outreach::service_days(&dispatcher, district, &known)).await?;
    step(district, "discussions", outreach::discussions(&dispatcher, district, &known)).await?;
    Ok(())
}

/// What figures weigh and where the district wants them to be; how many have a target.
async fn targets(sysadmin: &Person, district: &District) -> Result<usize, Failure> {
    let Some(figures) = &district.tenant.figures else { return Ok(0) };
    let body = json!({ "kind": "FIGURE_WEIGHTS", "content": figures.to_string() });
    sysadmin.post("/v1/settings", "setting:FIGURE_WEIGHTS", &body).await?;
    Ok(figures["targets"].as_object().map_or(0, serde_json::Map::len))
}

/// What a step of loading leaves: something countable.
pub trait Counted {
    /// How many.
    fn count(&self) -> usize;
}

impl Counted for Ids {
    fn count(&self) -> usize {
        self.len()
    }
}

impl Counted for usize {
    fn count(&self) -> usize {
        *self
    }
}

async fn step<T: Counted>(district: &District, what: &str, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let began = Instant::now();
    let done = work.await?;
    println!("  {} {:>5} {what} ({:.1} s)", district.tenant.code, done.count(), began.elapsed().as_secs_f64());
    Ok(done)
}

/// Sends one call for each row, several at once; stops at the first row at fault and names it. The answers' ids, by the rows' keys.
pub async fn each<'a, T, F>(
    file: &str,
    rows: impl IntoIterator<Item = &'a Numbered<T>>,
    call: impl Fn(&'a Numbered<T>) -> F,
) -> Result<Ids, Failure>
where
    T: 'a,
    F: Future<Output = Result<(String, String), Failure>>,
{
    let calls = rows.into_iter().map(|row| {
        let answer = call(row);
        async move { answer.await.map_err(|error| at(file, row.line, &error)) }
    });
    stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await
}

/// A fault with the row it is about.
pub fn at(file: &str, line: u64, error: &Failure) -> Failure {
    format!("{file} line {line}: {error}").into()
}

/// What a key of the data stands for.
pub fn known<'a>(ids: &'a Ids, key: &str, what: &str) -> Result<&'a str, Failure> {
    Ok(ids.get(key).map(String::as_str).ok_or_else(|| format!("{what} {key:?} is not known"))?)
}

/// Like [`known`], for a column that may be empty: then the answer is empty too.
pub fn known_if_said<'a>(ids: &'a Ids, key: &str, what: &str) -> Result<&'a str, Failure> {
    if key.is_empty() { Ok("") } else { known(ids, key, what) }
}

/// An object without its empty fields: the contract's "not said" is a field left out.
pub fn lean(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| !value.is_null() && value.as_str() != Some(""));
    }
    object
}

/// Creates a row's resource; its key and the id it got.
pub async fn create(person: &Person, path: &str, kind: &str, key: &str, body: Value) -> Result<(String, String), Failure> {
    let answer = person.post(path, &format!("{kind}:{key}"), &lean(body)).await?;
    let id = answer["id"].as_str().ok_or("the answer has no id")?;
    Ok((key.to_owned(), id.to_owned()))
}

/// Reads every file without sending anything.
#[cfg(test)]
pub fn check(district: &District) -> Result<(), Failure> {
    use super::rows;
    let dir = &district.dir;
    rows::read::<rows::Unit>(dir, "units.csv")?;
    rows::read::<rows::Zone>(dir, "zones.csv")?;
    rows::read::<rows::Building>(dir, "buildings.csv")?;
    rows::read::<rows::Window>(dir, "windows.csv")?;
    rows::read::<rows::Item>(dir, "items.csv")?;
    rows::read::<rows::Organisation>(dir, "party_orgs.csv")?;
    rows::read::<rows::Member>(dir, "party_members.csv")?;
    rows::read::<rows::Seat>(dir, "party_terms.csv")?;
    rows::read::<rows::Meeting>(dir, "meetings.csv")?;
    rows::read::<rows::Ticket>(dir, "tickets.csv")?;
    Ok(())
}
