//! Party organisations, their members, committees and meetings.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    District,
    door::Person,
    load::{Ids, at, create, each, known, known_if_said},
    people::grant,
    rows::{self, Numbered, Seat},
};
use crate::Failure;

/// The tree, parents before children as the file has them.
pub async fn organisations(committee: &Person, district: &District, enterprises: &Ids) -> Result<Ids, Failure> {
    let mut ids = Ids::new();
    for Numbered { line, row } in rows::read::<rows::Organisation>(&district.dir, "party_orgs.csv")? {
        let added = organisation(committee, &row, &ids, enterprises).await;
        let (key, id) = added.map_err(|error| at("party_orgs.csv", line, &error))?;
        ids.insert(key, id);
    }
    Ok(ids)
}

async fn organisation(committee: &Person, row: &rows::Organisation, above: &Ids, enterprises: &Ids) -> Result<(String, String), Failure> {
    let body = json!({
        "code": row.key, "parent_id": known_if_said(above, &row.parent_key, "organisation")?, "name": row.name, "kind": row.kind,
        "form": row.form, "founded_on": row.founded_on, "enterprise_id": known_if_said(enterprises, &row.enterprise_uscc, "company")?,
    });
    create(committee, "/v1/organisations", "organisation", &row.key, body).await
}

/// Members with their first membership.
pub async fn members(committee: &Person, district: &District, organisations: &Ids, users: &Ids) -> Result<Ids, Failure> {
    let members = rows::read::<rows::Member>(&district.dir, "party_members.csv")?;
    each("party_members.csv", &members, async |Numbered { row, .. }| {
        let body = json!({
            "name": row.name, "phone": row.phone, "id_number": row.id_number,
            "organisation_id": known(organisations, &row.org_key, "organisation")?, "status": row.status,
            "joined_on": row.joined_on, "full_on": row.full_on, "since": row.since,
            "user_id": known_if_said(users, &row.login, "user")?,
        });
        create(committee, "/v1/members", "member", &row.key, body).await
    })
    .await
}

/// A branch secretary's role is for the branch where the person is secretary, by the committee now recorded, or else a member.
pub async fn secretaries(secadmin: &Person, district: &District, organisations: &Ids, users: &Ids) -> Result<usize, Failure> {
    let members = rows::read::<rows::Member>(&district.dir, "party_members.csv")?;
    let seats = rows::read::<Seat>(&district.dir, "party_terms.csv")?;
    let secretaries = district.users.iter().filter(|user| user.row.roles().any(|(role, _)| role == "party_secretary"));
    let mut count = 0;
    for Numbered { line, row } in secretaries {
        let granted = async {
            let member = members.iter().find(|member| member.row.login == row.login).ok_or("no member has this login")?;
            let seat = seats.iter().find(|seat| seat.row.member_key == member.row.key && seat.row.post == "SECRETARY");
            let branch = known(organisations, seat.map_or(&member.row.org_key, |seat| &seat.row.org_key), "organisation")?;
            grant(secadmin, known(users, &row.login, "user")?, &row.login, "party_secretary", branch).await
        };
        granted.await.map_err(|error| at("users.csv", *line, &error))?;
        count += 1;
    }
    Ok(count)
}

/// Committees: the rows of one organisation and number are the seats of one.
pub async fn terms(committee: &Person, district: &District, organisations: &Ids, members: &Ids) -> Result<Ids, Failure> {
    let mut terms: BTreeMap<(String, i32), Numbered<Vec<Seat>>> = BTreeMap::new();
    for Numbered { line, row } in rows::read::<Seat>(&district.dir, "party_terms.csv")? {
        let term = terms.entry((row.org_key.clone(), row.number)).or_insert_with(|| Numbered { line, row: Vec::new() });
        term.row.push(row);
    }
    each("party_terms.csv", terms.values(), async |Numbered { row: seats, .. }| {
        let first = seats.first().ok_or("a committee without seats")?;
        let seats: Vec<_> = seats
            .iter()
            .map(|seat| Ok(json!({ "member_id": known(members, &seat.member_key, "member")?, "post": seat.post })))
            .collect::<Result<_, Failure>>()?;
        let path = format!("/v1/organisations/{}/terms", known(organisations, &first.org_key, "organisation")?);
        let body = json!({
            "number": first.number, "elected_on": first.elected_on, "planned_end": first.planned_end, "seats": seats,
        });
        create(committee, &path, "term", &format!("{}:{}", first.org_key, first.number), body).await
    })
    .await
}

/// Meetings; they have no key of their own, so the line is theirs.
pub async fn meetings(committee: &Person, district: &District, organisations: &Ids) -> Result<Ids, Failure> {
    let meetings = rows::read::<rows::Meeting>(&district.dir, "meetings.csv")?;
    each("meetings.csv", &meetings, async |Numbered { line, row }| {
        let path = format!("/v1/organisations/{}/meetings", known(organisations, &row.org_key, "organisation")?);
        let body = json!({ "kinds": [row.kind], "held_at": row.held_at, "place": row.place, "minutes": row.minutes });
        create(committee, &path, "meeting", &line.to_string(), body).await
    })
    .await
}
