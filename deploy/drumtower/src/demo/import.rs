//! Places, companies, the service catalog and past requests.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    District,
    door::Person,
    load::{Ids, at, create, each, known, known_if_said, lean},
    rows::{self, Numbered, Ticket},
};
use crate::Failure;

/// Requests in one call; the contract allows 500.
const CHUNK: usize = 200;

/// Zones of the park.
pub async fn zones(registrar: &Person, district: &District) -> Result<Ids, Failure> {
    let zones = rows::read::<rows::Zone>(&district.dir, "zones.csv")?;
    each("zones.csv", &zones, async |Numbered { row, .. }| {
        let body = json!({ "code": row.key, "name": row.name, "area_m2": row.area_m2 });
        create(registrar, "/v1/zones", "zone", &row.key, body).await
    })
    .await
}

/// Buildings of the park.
pub async fn buildings(registrar: &Person, district: &District, zones: &Ids) -> Result<Ids, Failure> {
    let buildings = rows::read::<rows::Building>(&district.dir, "buildings.csv")?;
    each("buildings.csv", &buildings, async |Numbered { row, .. }| {
        let body = json!({
            "code": row.key, "zone_id": known(zones, &row.zone_key, "zone")?, "name": row.name, "address": row.address,
            "gross_m2": row.gross_m2, "leasable_m2": row.leasable_m2, "floors": row.floors,
            "latitude": row.latitude, "longitude": row.longitude,
        });
        create(registrar, "/v1/buildings", "building", &row.key, body).await
    })
    .await
}

/// Companies with where they sit, as one file; then their ids, by credit code.
pub async fn enterprises(registrar: &Person, district: &District) -> Result<Ids, Failure> {
    file(registrar, district, "enterprises.csv", "/v1/enterprises:import").await?;
    let companies = registrar.list("/v1/enterprises", "enterprises").await?;
    let pair = |company: &Value| Some((company["credit_code"].as_str()?.to_owned(), company["id"].as_str()?.to_owned()));
    Ok(companies.iter().filter_map(pair).collect())
}

/// Qualifications, as one file.
pub async fn qualifications(registrar: &Person, district: &District) -> Result<usize, Failure> {
    file(registrar, district, "qualifications.csv", "/v1/qualifications:import").await
}

/// Sends a file whole; a refused row is a fault of the data.
async fn file(registrar: &Person, district: &District, name: &str, path: &str) -> Result<usize, Failure> {
    let bytes = std::fs::read(district.dir.join(name)).map_err(|error| format!("{name}: {error}"))?;
    let body = json!({ "csv": STANDARD.encode(bytes) });
    let answer = registrar.post(path, name, &body).await?;
    if let Some(problem) = answer["problems"].as_array().and_then(|problems| problems.first()) {
        let (rejected, line) = (&answer["rejected"], &problem["line"]);
        let (code, column, message) = (&problem["code"], &problem["column"], &problem["message"]);
        return Err(format!("{name} line {line}: {code} in column {column}: {message} ({rejected} rows refused)").into());
    }
    Ok(usize::try_from(answer["read"].as_u64().unwrap_or(0))?)
}

/// Windows of the service centre.
pub async fn windows(sysadmin: &Person, district: &District) -> Result<Ids, Failure> {
    let windows = rows::read::<rows::Window>(&district.dir, "windows.csv")?;
    each("windows.csv", &windows, async |Numbered { row, .. }| {
        let body = json!({ "number": row.number, "name": row.name, "group": row.group });
        create(sysadmin, "/v1/windows", "window", &row.number.to_string(), body).await
    })
    .await
}

/// Items of the service catalog.
pub async fn items(sysadmin: &Person, district: &District, units: &Ids) -> Result<Ids, Failure> {
    let items = rows::read::<rows::Item>(&district.dir, "items.csv")?;
    each("items.csv", &items, async |Numbered { row, .. }| {
        let materials: Vec<&str> = row.materials.split(';').filter(|material| !material.is_empty()).collect();
        let body = json!({
            "code": row.code, "name": row.name, "kind": row.kind, "group": row.group,
            "unit_id": known(units, &row.department_key, "unit")?,
            "legal_days": row.legal_days, "promised_days": row.promised_days, "materials": materials,
        });
        create(sysadmin, "/v1/items", "item", &row.code, body).await
    })
    .await
}

/// What requests refer to.
pub struct Known<'a> {
    /// Companies by credit code.
    pub enterprises: &'a Ids,
    /// Buildings by key.
    pub buildings: &'a Ids,
    /// Units by key.
    pub units: &'a Ids,
}

/// Past requests, with their own times.
pub async fn tickets(sysadmin: &Person, district: &District, known: &Known<'_>) -> Result<usize, Failure> {
    let tickets = rows::read::<Ticket>(&district.dir, "tickets.csv")?;
    let past = tickets.iter().map(|ticket| past(&ticket.row, known).map_err(|error| at("tickets.csv", ticket.line, &error)));
    let past = past.collect::<Result<Vec<Value>, Failure>>()?;
    for (number, chunk) in past.chunks(CHUNK).enumerate() {
        let first = tickets[number * CHUNK].line;
        let sent = sysadmin.post("/v1/tickets:import", &format!("tickets:{number}"), &json!({ "tickets": chunk })).await;
        sent.map_err(|error| at("tickets.csv", first, &error))?;
    }
    Ok(tickets.len())
}

fn past(row: &Ticket, ids: &Known<'_>) -> Result<Value, Failure> {
    let support: Result<Vec<&str>, Failure> =
        row.support_unit_keys.split(';').filter(|key| !key.is_empty()).map(|key| known(ids.units, key, "unit")).collect();
    let mut fields = json!({
        "number": row.number, "enterprise_id": known(ids.enterprises, &row.enterprise_uscc, "company")?,
        "building_id": known_if_said(ids.buildings, &row.building_key, "building")?,
        "kind": row.kind, "urgency": row.urgency, "title": row.title, "description": row.description,
        "contact_name": row.contact_name, "contact_phone": row.contact_phone,
        "lead_unit_id": known_if_said(ids.units, &row.lead_unit_key, "unit")?, "support_unit_ids": support?,
        "state": row.final_state, "result": row.result, "callback": row.callback, "refuse_reason": row.refuse_reason,
        "score": row.score.parse::<i32>().ok(),
    });
    let times: Map<String, Value> = serde_json::from_value(serde_json::to_value(&row.times)?)?;
    if let Value::Object(fields) = &mut fields {
        fields.extend(times);
    }
    Ok(lean(fields))
}
