//! Imports, behind the RPCs of companies and of qualifications: take the rows, load what they are compared with, judge, save, answer.

use std::collections::HashMap;

use drumtower_proto::enterprise::{ImportEnterprisesResponse, ImportQualificationsResponse};
use drumtower_runtime::{Fault, Kind, Refusal, TenantTx, log::NewEvent};
use serde_json::json;
use uuid::Uuid;

use super::rules::{Code, Held, Plan, Present, Recognitions, Table, understood};
use crate::{building, enterprise, presence, qualification};

/// Imports companies, all in this transaction. A preview only says what would happen.
pub async fn enterprises(tx: &mut TenantTx, table: &Table, actor: &str, preview: bool) -> Result<ImportEnterprisesResponse, Fault> {
    let buildings: HashMap<String, Uuid> = building::store::codes(tx).await?.into_iter().collect();
    let (rows, answer) = understood(table, &buildings);
    let codes: Vec<String> = rows.iter().map(|row| row.code.text.clone()).collect();
    let known = enterprise::store::lock_by_codes(tx, &codes).await?;
    let ids: Vec<Uuid> = known.iter().map(|company| company.id).collect();
    let mut present: HashMap<Uuid, Vec<Present>> = HashMap::new();
    for row in presence::store::of_enterprises(tx, &ids).await? {
        let until = row.until.map(|day| day.to_jiff());
        let known = Present { building: row.building_id, kind: i32::from(row.kind), since: row.since.to_jiff(), until };
        present.entry(row.enterprise_id).or_default().push(known);
    }
    let known = known.into_iter().filter_map(|company| Some((company.credit_code.clone()?, company))).collect();
    let plan = Plan::of(&rows, answer, &known, &present, Uuid::now_v7)?;
    if preview {
        return Ok(plan.answer);
    }
    save(tx, &plan, actor).await.map_err(raced)?;
    announce(tx, &plan);
    Ok(plan.answer)
}

async fn save(tx: &mut TenantTx, plan: &Plan, actor: &str) -> sqlx::Result<()> {
    enterprise::store::write(tx, &plan.created).await?;
    enterprise::store::write(tx, &plan.changed).await?;
    enterprise::store::write_changes(tx, actor, &plan.changes).await?;
    presence::store::insert(tx, &plan.presences).await
}

/// One event a company, and one of the whole.
fn announce(tx: &mut TenantTx, plan: &Plan) {
    for news in &plan.news {
        let event = NewEvent::new(news.kind, news.id, news.version);
        tx.emit(if news.fields.is_empty() { event } else { event.facts(json!({ "fields": news.fields })) });
    }
    let answer = &plan.answer;
    tx.emit(NewEvent::new("enterprise.imported", Uuid::now_v7(), 1).facts(json!({
        "read": answer.read, "created": answer.created, "changed": answer.changed,
        "unchanged": answer.unchanged, "rejected": answer.rejected, "skipped": answer.skipped,
    })));
}

/// Imports qualifications, all in this transaction.
pub async fn qualifications(tx: &mut TenantTx, table: &Table) -> Result<ImportQualificationsResponse, Fault> {
    let codes: Vec<String> = table.rows.iter().filter_map(|row| Code::of(table, row).ok()).map(|code| code.text).collect();
    let companies: HashMap<String, Uuid> = enterprise::store::ids_by_codes(tx, &codes).await?.into_iter().collect();
    let ids: Vec<Uuid> = companies.values().copied().collect();
    let mut held: HashMap<(Uuid, i32), Vec<Held>> = HashMap::new();
    for row in qualification::store::of_enterprises(tx, &ids).await? {
        let key = (row.enterprise_id, i32::from(row.kind));
        held.entry(key).or_default().push(row.into());
    }
    let read = Recognitions::of(table, &companies, held, Uuid::now_v7);
    qualification::store::insert(tx, &read.new).await.map_err(raced)?;
    let answer = read.answer;
    tx.emit(NewEvent::new("qualification.imported", Uuid::now_v7(), 1).facts(json!({
        "read": answer.read, "created": answer.created, "unchanged": answer.unchanged,
        "rejected": answer.rejected, "skipped": answer.skipped,
    })));
    Ok(answer)
}

/// What the file adds was compared with what is there: if it exists after all, somebody was faster, and the same file works again.
fn raced(error: sqlx::Error) -> Fault {
    match Fault::from(error) {
        Fault::Refused(refusal) if refusal.kind() == Kind::Exists => {
            let (zh, en) = ("导入期间有人改动了相同记录，请重新导入", "somebody added the same meanwhile; import it again");
            Refusal::new(Kind::Stale, "CONCURRENT_CHANGE", zh, en).into()
        }
        other => other,
    }
}
