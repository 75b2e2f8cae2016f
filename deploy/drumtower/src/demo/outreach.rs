//! Service days and discussions to come. Their days are counted from the day of loading, for what is past cannot be planned; where there are
//! some already, nothing is added.

use std::time::Duration;

use drumtower_runtime::{Clock, calendar::today};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    District,
    door::Person,
    load::{Ids, create, known},
};
use crate::Failure;

const DAY: Duration = Duration::from_secs(86_400);

/// A day at a time: when, and where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceDay {
    title: String,
    in_days: u32,
    from: String,
    to: String,
    place: String,
    desks: Vec<Desk>,
    /// Credit codes.
    companies: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Desk {
    unit: String,
    covers: String,
}

/// A company's matter and who meets over it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discussion {
    /// Credit code.
    company: String,
    topic: String,
    convener: String,
    units: Vec<String>,
    in_days: u32,
    at: String,
    place: String,
    /// Minutes, when they have met: then what was decided is to be carried out.
    #[serde(default)]
    minutes: String,
    #[serde(default)]
    decisions: Vec<Decision>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    unit: String,
    text: String,
    in_days: u32,
}

/// What the days refer to.
#[derive(Debug)]
pub struct Known<'a> {
    pub enterprises: &'a Ids,
    pub units: &'a Ids,
}

/// A time of day, so many days from today.
fn instant(in_days: u32, time: &str) -> String {
    format!("{}T{time}:00+08:00", today(Clock::system().now() + DAY * in_days))
}

/// Plans the days, invites to them and publishes them.
pub async fn service_days(dispatcher: &Person, district: &District, known: &Known<'_>) -> Result<usize, Failure> {
    if !dispatcher.list("/v1/serviceDays", "days").await?.is_empty() {
        return Ok(0);
    }
    for (number, day) in (1..).zip(&district.tenant.service_days) {
        service_day(dispatcher, number, day, known).await.map_err(|error| format!("service day {}: {error}", day.title))?;
    }
    Ok(district.tenant.service_days.len())
}

async fn service_day(dispatcher: &Person, number: usize, day: &ServiceDay, all: &Known<'_>) -> Result<(), Failure> {
    let desk = |desk: &Desk| Ok(json!({ "unit_id": known(all.units, &desk.unit, "unit")?, "covers": desk.covers }));
    let desks: Vec<Value> = day.desks.iter().map(desk).collect::<Result<_, Failure>>()?;
    let companies: Vec<&str> = day.companies.iter().map(|code| known(all.enterprises, code, "company")).collect::<Result<_, _>>()?;
    let (starts, ends) = (instant(day.in_days, &day.from), instant(day.in_days, &day.to));
    let body = json!({ "title": day.title, "starts_at": starts, "ends_at": ends, "place": day.place, "desks": desks });
    let (_, id) = create(dispatcher, "/v1/serviceDays", "service_day", &number.to_string(), body).await?;
    let path = format!("/v1/serviceDays/{id}");
    dispatcher.post(&format!("{path}:invite"), &format!("invite:{number}"), &json!({ "enterprise_ids": companies })).await?;
    dispatcher.post(&format!("{path}:publish"), &format!("publish:{number}"), &json!({})).await?;
    Ok(())
}

/// Calls the discussions; those with minutes have met.
pub async fn discussions(dispatcher: &Person, district: &District, known: &Known<'_>) -> Result<usize, Failure> {
    if !dispatcher.list("/v1/discussions", "discussions").await?.is_empty() {
        return Ok(0);
    }
    for (number, one) in (1..).zip(&district.tenant.discussions) {
        discussion(dispatcher, number, one, known).await.map_err(|error| format!("discussion {}: {error}", one.topic))?;
    }
    Ok(district.tenant.discussions.len())
}

async fn discussion(dispatcher: &Person, number: usize, one: &Discussion, all: &Known<'_>) -> Result<(), Failure> {
    let units: Vec<&str> = one.units.iter().map(|unit| known(all.units, unit, "unit")).collect::<Result<_, _>>()?;
    let body = json!({
        "enterprise_id": known(all.enterprises, &one.company, "company")?, "topic": one.topic,
        "convener_unit_id": known(all.units, &one.convener, "unit")?, "unit_ids": units,
        "meets_at": instant(one.in_days, &one.at), "place": one.place,
    });
    let (_, id) = create(dispatcher, "/v1/discussions", "discussion", &number.to_string(), body).await?;
    if one.minutes.is_empty() {
        return Ok(());
    }
    let decision = |decision: &Decision| {
        let unit = known(all.units, &decision.unit, "unit")?;
        Ok(json!({ "unit_id": unit, "text": decision.text, "due_at": instant(decision.in_days, "17:30") }))
    };
    let decisions: Vec<Value> = one.decisions.iter().map(decision).collect::<Result<_, Failure>>()?;
    let body = json!({ "minutes": one.minutes, "decisions": decisions });
    dispatcher.post(&format!("/v1/discussions/{id}:conclude"), &format!("conclude:{number}"), &body).await?;
    Ok(())
}
