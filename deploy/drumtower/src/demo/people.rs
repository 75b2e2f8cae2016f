//! Units, people and roles.

use serde_json::json;

use super::{
    District, PASSWORD,
    door::Person,
    load::{Ids, at, create, each, known, known_if_said},
    rows::{self, Numbered, User},
    rule,
};
use crate::{Failure, tenant::OFFICERS};

/// The tree, parents before children as the file has them.
pub async fn units(sysadmin: &Person, district: &District) -> Result<Ids, Failure> {
    let mut ids = Ids::new();
    for Numbered { line, row } in rows::read::<rows::Unit>(&district.dir, "units.csv")? {
        let (key, id) = unit(sysadmin, &row, &ids).await.map_err(|error| at("units.csv", line, &error))?;
        ids.insert(key, id);
    }
    Ok(ids)
}

async fn unit(sysadmin: &Person, row: &rows::Unit, above: &Ids) -> Result<(String, String), Failure> {
    let parent = known_if_said(above, &row.parent_key, "unit")?;
    let body = json!({ "code": row.key, "parent_id": parent, "name": row.name, "kind": row.kind });
    create(sysadmin, "/v1/units", "unit", &row.key, body).await
}

/// Staff of the district. The three officers came with the onboarding.
pub async fn staff(sysadmin: &Person, district: &District, units: &Ids) -> Result<Ids, Failure> {
    let staff = new_people(district).filter(|user| user.row.enterprise_uscc.is_empty());
    each("users.csv", staff, async |user| {
        let unit = known_if_said(units, &user.row.unit_key, "unit")?;
        add(sysadmin, &user.row, unit, "").await
    })
    .await
}

/// Staff of companies.
pub async fn company_staff(sysadmin: &Person, district: &District, enterprises: &Ids) -> Result<Ids, Failure> {
    let staff = new_people(district).filter(|user| !user.row.enterprise_uscc.is_empty());
    each("users.csv", staff, async |user| {
        let enterprise = known(enterprises, &user.row.enterprise_uscc, "company")?;
        add(sysadmin, &user.row, "", enterprise).await
    })
    .await
}

fn new_people(district: &District) -> impl Iterator<Item = &Numbered<User>> {
    district.users.iter().filter(|user| !OFFICERS.contains(&user.row.login.as_str()))
}

async fn add(sysadmin: &Person, user: &User, unit: &str, enterprise: &str) -> Result<(String, String), Failure> {
    let body = json!({
        "login": user.login, "name": user.name, "phone": user.phone, "unit_id": unit, "enterprise_id": enterprise, "password": PASSWORD,
    });
    create(sysadmin, "/v1/users", "user", &user.login, body).await
}

/// Roles of these people. A branch secretary's waits for the branch, see `party::secretaries`.
pub async fn roles(secadmin: &Person, district: &District, users: &Ids, units: &Ids) -> Result<usize, Failure> {
    let mut count = 0;
    for Numbered { line, row } in new_people(district).filter(|user| users.contains_key(&user.row.login)) {
        for (role, place) in row.roles().filter(|(role, _)| *role != "party_secretary") {
            let granted = async {
                let node = if reaches_a_node(role) { known(units, place, "unit")? } else { "" };
                grant(secadmin, &users[&row.login], &row.login, role, node).await
            };
            granted.await.map_err(|error| at("users.csv", *line, &error))?;
            count += 1;
        }
    }
    Ok(count)
}

/// Only such roles are limited to a unit or organisation; the others reach as far as the contract says.
fn reaches_a_node(role: &str) -> bool {
    rule(role).is_some_and(|rule| rule.reach == "NODE")
}

/// Grants a role.
pub async fn grant(secadmin: &Person, user: &str, login: &str, role: &str, node: &str) -> Result<(), Failure> {
    let body = json!({ "user_id": user, "role": role.to_ascii_uppercase(), "node_id": node });
    create(secadmin, "/v1/assignments", "role", &format!("{login}:{role}:{node}"), body).await.map(|_| ())
}
