//! The rows of the data files, as they are written.

use std::path::Path;

use serde::{Deserialize, de::DeserializeOwned};

use crate::Failure;

/// A row and its line in the file, the header being 1.
#[derive(Debug)]
pub struct Numbered<T> {
    /// The line.
    pub line: u64,
    /// The row.
    pub row: T,
}

/// Reads a file whole.
pub fn read<T: DeserializeOwned>(dir: &Path, name: &str) -> Result<Vec<Numbered<T>>, Failure> {
    let path = dir.join(name);
    let mut reader = csv::Reader::from_path(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let headers = reader.headers()?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("{}: {error}", path.display()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = record.deserialize(Some(&headers)).map_err(|error| format!("{} line {line}: {error}", path.display()))?;
        rows.push(Numbered { line, row });
    }
    Ok(rows)
}

#[derive(Debug, Deserialize)]
pub struct Unit {
    pub key: String,
    pub parent_key: String,
    pub name: String,
    pub kind: String,
}

#[derive(Debug, Deserialize)]
pub struct User {
    pub login: String,
    pub name: String,
    pub phone: String,
    pub unit_key: String,
    pub enterprise_uscc: String,
    roles: String,
}

impl User {
    /// Roles, each with the unit it is for (`*` for the district).
    pub fn roles(&self) -> impl Iterator<Item = (&str, &str)> {
        self.roles.split(';').filter_map(|role| role.split_once('@'))
    }
}

#[derive(Debug, Deserialize)]
pub struct Zone {
    pub key: String,
    pub name: String,
    pub area_m2: f64,
}

#[derive(Debug, Deserialize)]
pub struct Building {
    pub key: String,
    pub zone_key: String,
    pub name: String,
    pub address: String,
    pub gross_m2: f64,
    pub leasable_m2: f64,
    pub floors: i32,
    pub latitude: f64,
    pub longitude: f64,
}

#[derive(Debug, Deserialize)]
pub struct Window {
    pub number: i32,
    pub name: String,
    pub group: String,
}

#[derive(Debug, Deserialize)]
pub struct Item {
    pub code: String,
    pub name: String,
    pub kind: String,
    pub group: String,
    pub department_key: String,
    pub legal_days: Option<i32>,
    pub promised_days: Option<i32>,
    pub materials: String,
}

#[derive(Debug, Deserialize)]
pub struct Organisation {
    pub key: String,
    pub parent_key: String,
    pub kind: String,
    pub form: String,
    pub name: String,
    pub founded_on: String,
    pub enterprise_uscc: String,
}

#[derive(Debug, Deserialize)]
pub struct Member {
    pub key: String,
    pub name: String,
    pub phone: String,
    pub id_number: String,
    pub org_key: String,
    pub status: String,
    pub joined_on: String,
    pub full_on: String,
    pub since: String,
    pub login: String,
}

#[derive(Debug, Deserialize)]
pub struct Seat {
    pub org_key: String,
    pub number: i32,
    pub elected_on: String,
    pub planned_end: String,
    pub member_key: String,
    pub post: String,
}

#[derive(Debug, Deserialize)]
pub struct Meeting {
    pub org_key: String,
    pub kind: String,
    pub held_at: String,
    pub place: String,
    pub minutes: String,
}

#[derive(Debug, Deserialize)]
pub struct Ticket {
    pub number: String,
    pub enterprise_uscc: String,
    pub building_key: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub urgency: String,
    pub title: String,
    pub description: String,
    pub contact_name: String,
    pub contact_phone: String,
    pub lead_unit_key: String,
    pub support_unit_keys: String,
    #[serde(flatten)]
    pub times: Times,
    pub score: String,
    pub result: String,
    pub callback: String,
    pub final_state: String,
    pub refuse_reason: String,
}

/// When each step of a request was taken; empty for steps not taken.
#[derive(Debug, Deserialize, serde::Serialize)]
pub struct Times {
    submitted_at: String,
    accepted_at: String,
    dispatched_at: String,
    signed_at: String,
    contacted_at: String,
    visit_at: String,
    arrived_at: String,
    reported_at: String,
    signed_off_at: String,
    called_back_at: String,
    rated_at: String,
}
