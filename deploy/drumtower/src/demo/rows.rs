//! Rows of the demonstration files.

use std::path::Path;

use serde::{Deserialize, de::DeserializeOwned};

use crate::Failure;

/// Reads a file of the folder.
pub fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Vec<T>, Failure> {
    let file = folder.join(format!("{name}.csv"));
    let mut reader = csv::Reader::from_path(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(reader.deserialize().collect::<Result<_, _>>().map_err(|error| format!("{}: {error}", file.display()))?)
}

#[derive(Debug, Clone, Deserialize)]
pub struct Unit {
    pub key: String,
    pub parent_key: String,
    pub name: String,
    pub kind: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct User {
    pub login: String,
    pub name: String,
    pub phone: String,
    pub unit_key: String,
    pub enterprise_uscc: String,
    pub roles: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Zone {
    pub key: String,
    pub name: String,
    pub area_m2: f64,
}

#[derive(Debug, Clone, Deserialize)]
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

#[derive(Debug, Clone, Deserialize)]
pub struct Window {
    pub number: i32,
    pub name: String,
    pub group: String,
}

#[derive(Debug, Clone, Deserialize)]
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

#[derive(Debug, Clone, Deserialize)]
pub struct Organisation {
    pub key: String,
    pub parent_key: String,
    pub kind: String,
    pub form: String,
    pub name: String,
    pub founded_on: String,
    pub enterprise_uscc: String,
}

#[derive(Debug, Clone, Deserialize)]
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

#[derive(Debug, Clone, Deserialize)]
pub struct Seat {
    pub org_key: String,
    pub number: i32,
    pub elected_on: String,
    pub planned_end: String,
    pub member_key: String,
    pub post: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Meeting {
    pub org_key: String,
    pub kind: String,
    pub held_at: String,
    pub place: String,
    pub minutes: String,
}

#[derive(Debug, Clone, Deserialize)]
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
    pub submitted_at: String,
    pub accepted_at: String,
    pub dispatched_at: String,
    pub signed_at: String,
    pub contacted_at: String,
    pub visit_at: String,
    pub arrived_at: String,
    pub reported_at: String,
    pub signed_off_at: String,
    pub called_back_at: String,
    pub rated_at: String,
    pub score: Option<i32>,
    pub result: String,
    pub callback: String,
    pub final_state: String,
    pub refuse_reason: String,
}
