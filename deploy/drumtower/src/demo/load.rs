//! Loads a district, in the order in which one thing needs another.

use std::{collections::HashMap, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    door::Door,
    rows::{self, read},
};
use crate::Failure;

/// Requests at work at once.
const AT_ONCE: usize = 8;

/// Ids by the files' keys.
type Ids = HashMap<String, String>;

fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap_or_default().to_owned()
}

fn of(ids: &Ids, key: &str) -> Result<String, Failure> {
    if key.is_empty() {
        return Ok(String::new());
    }
    ids.get(key).cloned().ok_or_else(|| format!("nothing is called {key}").into())
}

/// Loads everything.
pub async fn all(base: &str, folder: &Path, tell: &impl Fn(&str)) -> Result<(), Failure> {
    let sysadmin = Door::sign_in(base, "sysadmin").await?;
    let secadmin = Door::sign_in(base, "secadmin").await?;
    let units = units(&sysadmin, folder).await?;
    let people: Vec<rows::User> = read(folder, "users")?;
    let officers = ["sysadmin", "secadmin", "auditadmin"];
    let of_units: Vec<rows::User> =
        people.iter().filter(|person| person.enterprise_uscc.is_empty() && !officers.contains(&person.login.as_str())).cloned().collect();
    let mut users = add_people(&sysadmin, &of_units, &units, &Ids::new()).await?;
    grant(&secadmin, &of_units, &users, &units).await?;
    tell(&format!("  {} units, {} people", units.len(), users.len()));

    let registrar = Door::sign_in(base, "registrar").await?;
    let buildings = places(&registrar, folder).await?;
    let companies = companies(&registrar, folder, tell).await?;
    let of_companies: Vec<rows::User> = people.into_iter().filter(|person| !person.enterprise_uscc.is_empty()).collect();
    let staff = add_people(&sysadmin, &of_companies, &units, &companies).await?;
    grant(&secadmin, &of_companies, &staff, &units).await?;
    users.extend(staff);
    tell(&format!("  {} buildings, {} companies with their staff", buildings.len(), companies.len()));

    catalog(&sysadmin, folder, &units).await?;
    let committee = Door::sign_in(base, "committee").await?;
    let organisations = organisations(&committee, folder, &companies).await?;
    let members = members(&committee, folder, &organisations, &users).await?;
    secretaries(&secadmin, folder, &organisations, &users).await?;
    tell(&format!("  {} party organisations, {} members", organisations.len(), members.len()));
    terms(&committee, folder, &organisations, &members).await?;
    meetings(&committee, folder, &organisations).await?;
    let loaded = tickets(&sysadmin, folder, &companies, &buildings, &units).await?;
    tell(&format!("  {loaded} requests of the past year"));
    Ok(())
}

async fn units(door: &Door, folder: &Path) -> Result<Ids, Failure> {
    let mut ids = Ids::new();
    // The file has parents before children.
    for unit in read::<rows::Unit>(folder, "units")? {
        let body = json!({ "parent_id": of(&ids, &unit.parent_key)?, "code": unit.key, "name": unit.name, "kind": unit.kind });
        ids.insert(unit.key.clone(), id(&door.post("/v1/units", &body, &unit.key).await?));
    }
    Ok(ids)
}

async fn add_people(door: &Door, people: &[rows::User], units: &Ids, companies: &Ids) -> Result<Ids, Failure> {
    let added = stream::iter(people).map(|person| async move {
        let body = json!({
            "login": person.login,
            "name": person.name,
            "phone": person.phone,
            "unit_id": if person.enterprise_uscc.is_empty() { of(units, &person.unit_key)? } else { String::new() },
            "enterprise_id": of(companies, &person.enterprise_uscc).unwrap_or_default(),
            "password": super::PASSWORD,
        });
        Ok::<_, Failure>((person.login.clone(), id(&door.post("/v1/users", &body, &person.login).await?)))
    });
    // Hashing a password takes a core for a while: no more at once than there are places for it.
    added.buffer_unordered(2).try_collect().await
}

async fn grant(door: &Door, people: &[rows::User], users: &Ids, units: &Ids) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for person in people {
        let user = of(users, &person.login)?;
        for role in person.roles.split(';').filter(|role| !role.is_empty()) {
            let (role, node) = role.split_once('@').unwrap_or((role, "*"));
            // A secretary's role is for an organisation, which is not there yet.
            if role == "party_secretary" {
                continue;
            }
            let node = if node == "*" { String::new() } else { of(units, node)? };
            wanted.push((json!({ "user_id": user, "role": role.to_uppercase(), "node_id": node }), format!("{}{role}", person.login)));
        }
    }
    send_all(door, "/v1/assignments", wanted).await
}

/// Posts to one path, several at once.
async fn send_all(door: &Door, path: &str, bodies: Vec<(Value, String)>) -> Result<(), Failure> {
    stream::iter(bodies)
        .map(|(body, key)| async move { door.post(path, &body, &key).await.map(drop) })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn places(door: &Door, folder: &Path) -> Result<Ids, Failure> {
    let mut zones = Ids::new();
    for zone in read::<rows::Zone>(folder, "zones")? {
        let body = json!({ "code": zone.key, "name": zone.name, "area_m2": zone.area_m2 });
        zones.insert(zone.key.clone(), id(&door.post("/v1/zones", &body, &zone.key).await?));
    }
    let zones = &zones;
    let added = stream::iter(read::<rows::Building>(folder, "buildings")?).map(|building| async move {
        let body = json!({
            "code": building.key,
            "zone_id": of(zones, &building.zone_key)?,
            "name": building.name,
            "address": building.address,
            "gross_m2": building.gross_m2,
            "leasable_m2": building.leasable_m2,
            "floors": building.floors,
            "latitude": building.latitude,
            "longitude": building.longitude,
        });
        Ok::<_, Failure>((building.key.clone(), id(&door.post("/v1/buildings", &body, &building.key).await?)))
    });
    added.buffer_unordered(AT_ONCE).try_collect().await
}

/// Companies and their qualifications come as files.
async fn companies(door: &Door, folder: &Path, tell: &impl Fn(&str)) -> Result<Ids, Failure> {
    for (name, path) in [("enterprises", "/v1/enterprises:import"), ("qualifications", "/v1/qualifications:import")] {
        let csv = std::fs::read(folder.join(format!("{name}.csv")))?;
        let answer = door.post(path, &json!({ "csv": STANDARD.encode(csv) }), name).await?;
        if answer["rejected"].as_i64() != Some(0) {
            return Err(format!("{name}.csv: rows were refused: {}", answer["problems"]).into());
        }
        tell(&format!("  {name}: {} rows read, {} new", answer["read"], answer["created"]));
    }
    let mut ids = Ids::new();
    let mut token = String::new();
    loop {
        let page = door.get("/v1/enterprises", &[("page_size", "200"), ("page_token", &token)]).await?;
        for company in page["enterprises"].as_array().into_iter().flatten() {
            ids.insert(company["credit_code"].as_str().unwrap_or_default().to_owned(), id(company));
        }
        page["next_page_token"].as_str().unwrap_or_default().clone_into(&mut token);
        if token.is_empty() {
            return Ok(ids);
        }
    }
}

async fn catalog(door: &Door, folder: &Path, units: &Ids) -> Result<(), Failure> {
    let windows = read::<rows::Window>(folder, "windows")?;
    let windows = windows.into_iter().map(|window| {
        let key = window.number.to_string();
        (json!({ "number": window.number, "name": window.name, "group": window.group }), key)
    });
    send_all(door, "/v1/windows", windows.collect()).await?;
    let mut items = Vec::new();
    for item in read::<rows::Item>(folder, "items")? {
        let materials: Vec<&str> = item.materials.split(';').filter(|material| !material.is_empty()).collect();
        let body = json!({
            "code": item.code,
            "name": item.name,
            "kind": item.kind,
            "group": item.group,
            "unit_id": of(units, &item.department_key)?,
            "legal_days": item.legal_days.unwrap_or(0),
            "promised_days": item.promised_days.unwrap_or(0),
            "materials": materials,
        });
        items.push((body, item.code));
    }
    send_all(door, "/v1/items", items).await
}

async fn organisations(door: &Door, folder: &Path, companies: &Ids) -> Result<Ids, Failure> {
    let mut ids = Ids::new();
    for organisation in read::<rows::Organisation>(folder, "party_orgs")? {
        let mut body = json!({
            "parent_id": of(&ids, &organisation.parent_key)?,
            "code": organisation.key,
            "name": organisation.name,
            "kind": organisation.kind,
            "founded_on": organisation.founded_on,
            "enterprise_id": of(companies, &organisation.enterprise_uscc)?,
        });
        if !organisation.form.is_empty() {
            body["form"] = organisation.form.into();
        }
        ids.insert(organisation.key.clone(), id(&door.post("/v1/organisations", &body, &organisation.key).await?));
    }
    Ok(ids)
}

async fn members(door: &Door, folder: &Path, organisations: &Ids, users: &Ids) -> Result<Ids, Failure> {
    let added = stream::iter(read::<rows::Member>(folder, "party_members")?).map(|member| async move {
        let body = json!({
            "name": member.name,
            "phone": member.phone,
            "id_number": member.id_number,
            "organisation_id": of(organisations, &member.org_key)?,
            "status": member.status,
            "joined_on": member.joined_on,
            "full_on": member.full_on,
            "since": member.since,
            "user_id": of(users, &member.login)?,
        });
        Ok::<_, Failure>((member.key.clone(), id(&door.post("/v1/members", &body, &member.key).await?)))
    });
    added.buffer_unordered(AT_ONCE).try_collect().await
}

/// A secretary's role is for the organisation of which they are a member.
async fn secretaries(door: &Door, folder: &Path, organisations: &Ids, users: &Ids) -> Result<(), Failure> {
    let people: Vec<rows::User> = read(folder, "users")?;
    let is_secretary = |login: &str| people.iter().any(|person| person.login == login && person.roles.contains("party_secretary"));
    let mut wanted = Vec::new();
    for member in read::<rows::Member>(folder, "party_members")? {
        if is_secretary(&member.login) {
            let (user, node) = (of(users, &member.login)?, of(organisations, &member.org_key)?);
            wanted.push((json!({ "user_id": user, "role": "PARTY_SECRETARY", "node_id": node }), member.login));
        }
    }
    send_all(door, "/v1/assignments", wanted).await
}

async fn terms(door: &Door, folder: &Path, organisations: &Ids, members: &Ids) -> Result<(), Failure> {
    let mut terms: Vec<(rows::Seat, Vec<Value>)> = Vec::new();
    for seat in read::<rows::Seat>(folder, "party_terms")? {
        let held = json!({ "member_id": of(members, &seat.member_key)?, "post": seat.post });
        match terms.iter_mut().find(|(term, _)| term.org_key == seat.org_key && term.number == seat.number) {
            Some((_, seats)) => seats.push(held),
            None => terms.push((seat, vec![held])),
        }
    }
    // Several terms of one organisation come in their order.
    for (term, seats) in terms {
        let path = format!("/v1/organisations/{}/terms", of(organisations, &term.org_key)?);
        let body = json!({ "number": term.number, "elected_on": term.elected_on, "planned_end": term.planned_end, "seats": seats });
        door.post(&path, &body, &format!("{}{}", term.org_key, term.number)).await?;
    }
    Ok(())
}

async fn meetings(door: &Door, folder: &Path, organisations: &Ids) -> Result<(), Failure> {
    stream::iter(read::<rows::Meeting>(folder, "meetings")?)
        .map(|meeting| async move {
            let path = format!("/v1/organisations/{}/meetings", of(organisations, &meeting.org_key)?);
            let body = json!({ "kinds": [meeting.kind], "held_at": meeting.held_at, "place": meeting.place, "minutes": meeting.minutes });
            door.post(&path, &body, &meeting.held_at).await.map(drop)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn tickets(door: &Door, folder: &Path, companies: &Ids, buildings: &Ids, units: &Ids) -> Result<usize, Failure> {
    let rows = read::<rows::Ticket>(folder, "tickets")?;
    let count = rows.len();
    let mut past = Vec::with_capacity(count);
    for row in rows {
        past.push(past_ticket(&row, companies, buildings, units).map_err(|error| format!("ticket {}: {error}", row.number))?);
    }
    for chunk in past.chunks(400) {
        door.post("/v1/tickets:import", &json!({ "tickets": chunk }), "tickets").await?;
    }
    Ok(count)
}

fn past_ticket(row: &rows::Ticket, companies: &Ids, buildings: &Ids, units: &Ids) -> Result<Value, Failure> {
    let support = row.support_unit_keys.split(';').filter(|key| !key.is_empty()).map(|key| of(units, key)).collect::<Result<Vec<_>, _>>()?;
    let mut past = json!({
        "number": row.number,
        "enterprise_id": of(companies, &row.enterprise_uscc)?,
        "building_id": of(buildings, &row.building_key)?,
        "kind": row.kind,
        "urgency": row.urgency,
        "title": row.title,
        "description": row.description,
        "contact_name": row.contact_name,
        "contact_phone": row.contact_phone,
        "lead_unit_id": of(units, &row.lead_unit_key)?,
        "support_unit_ids": support,
        "state": row.final_state,
        "score": row.score.unwrap_or(0),
    });
    let times = [
        ("submitted_at", &row.submitted_at),
        ("accepted_at", &row.accepted_at),
        ("dispatched_at", &row.dispatched_at),
        ("signed_at", &row.signed_at),
        ("contacted_at", &row.contacted_at),
        ("visit_at", &row.visit_at),
        ("arrived_at", &row.arrived_at),
        ("reported_at", &row.reported_at),
        ("signed_off_at", &row.signed_off_at),
        ("called_back_at", &row.called_back_at),
        ("rated_at", &row.rated_at),
        ("result", &row.result),
        ("callback", &row.callback),
        ("refuse_reason", &row.refuse_reason),
    ];
    for (name, text) in times.into_iter().filter(|(_, text)| !text.is_empty()) {
        past[name] = text.as_str().into();
    }
    Ok(past)
}
