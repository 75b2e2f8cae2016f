//! Saves a file of qualifications by credit code. The last day of a file is inside the validity; the register keeps the day after.

use std::collections::HashMap;

use drumtower_proto::enterprise::{
    ImportQualificationsResponse, RowProblem,
    qualification::{Basis, Kind},
};
use drumtower_runtime::{Fault, TenantTx, log::NewEvent};
use jiff::civil::Date;
use uuid::Uuid;

use super::{
    read::{Row, Table},
    rules::{credit_code, date},
};
use crate::{
    enterprise,
    qualification::store::{self, New},
};

/// A recognition held before, or said earlier in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    level: String,
    from: Date,
    to: Option<Date>,
}

/// Reads every row and saves the new ones.
pub async fn save(tx: &mut TenantTx, table: &Table) -> Result<ImportQualificationsResponse, Fault> {
    let mut answer = ImportQualificationsResponse::default();
    let codes: Vec<String> = table.rows.iter().filter_map(|row| credit_code(table, row).ok()).collect();
    let companies: HashMap<String, Uuid> =
        enterprise::store::by_codes(tx, &codes).await?.into_iter().filter_map(|row| Some((row.credit_code?, row.id))).collect();
    let ids: Vec<Uuid> = companies.values().copied().collect();
    let mut held: HashMap<(Uuid, i32), Vec<Held>> = HashMap::new();
    for row in store::of_enterprises(tx, &ids).await? {
        let known = Held { level: row.level, from: row.valid_from.to_jiff(), to: row.valid_to.map(|day| day.to_jiff()) };
        held.entry((row.enterprise_id, i32::from(row.kind))).or_default().push(known);
    }
    let mut new = Vec::new();
    for row in &table.rows {
        answer.read += 1;
        if table.is_blank(row) {
            answer.skipped += 1;
            continue;
        }
        match one(table, row, &companies, &mut held) {
            Ok(Some(qualification)) => {
                answer.created += 1;
                new.push(qualification);
            }
            Ok(None) => answer.unchanged += 1,
            Err(problem) => {
                answer.rejected += 1;
                answer.problems.push(problem);
            }
        }
    }
    store::insert(tx, &new).await?;
    let facts = serde_json::json!({ "read": answer.read, "created": answer.created, "rejected": answer.rejected });
    tx.emit(NewEvent::new("import.finished", Uuid::now_v7(), 1).facts(facts));
    Ok(answer)
}

/// One row: a new qualification, or nothing when it is known.
fn one(
    table: &Table,
    row: &Row,
    companies: &HashMap<String, Uuid>,
    held: &mut HashMap<(Uuid, i32), Vec<Held>>,
) -> Result<Option<New>, RowProblem> {
    let problem = |code: &str, column: &str, message: &str| RowProblem {
        line: row.line,
        code: code.to_owned(),
        column: column.to_owned(),
        message: message.to_owned(),
    };
    let code = credit_code(table, row)?;
    let enterprise = *companies.get(&code).ok_or_else(|| problem("UNKNOWN_ENTERPRISE", "uscc", "企业库中没有该企业"))?;
    let kind = Kind::from_str_name(table.cell(row, "kind")).filter(|kind| *kind != Kind::Unspecified);
    let kind = kind.ok_or_else(|| problem("UNKNOWN_VALUE", "kind", "未知资质类型"))? as i32;
    let basis = Basis::from_str_name(table.cell(row, "basis")).filter(|basis| *basis != Basis::Unspecified);
    let basis = basis.ok_or_else(|| problem("UNKNOWN_VALUE", "basis", "未知依据"))? as i32;
    let from = date(table, row, "valid_from")?.ok_or_else(|| problem("REQUIRED", "valid_from", "缺少生效日期"))?;
    let to = date(table, row, "valid_to")?.and_then(|last| last.tomorrow().ok());
    if to.is_some_and(|to| to <= from) {
        return Err(problem("EXPIRED_CERT", "valid_to", "失效日期早于生效日期"));
    }
    let level = table.cell(row, "level").to_owned();
    let wanted = Held { level: level.clone(), from, to };
    let of_kind = held.entry((enterprise, kind)).or_default();
    if of_kind.contains(&wanted) {
        return Ok(None);
    }
    let overlaps = |known: &&Held| known.level == level && known.to.is_none_or(|end| from < end) && to.is_none_or(|end| known.from < end);
    if of_kind.iter().find(overlaps).is_some() {
        return Err(problem("OVERLAP", "valid_from", "与已有同类资质的有效期重叠"));
    }
    of_kind.push(wanted);
    Ok(Some(New {
        id: Uuid::now_v7(),
        enterprise,
        kind,
        level,
        basis,
        certificate_no: table.cell(row, "certificate_no").to_owned(),
        issuer: table.cell(row, "issuer").to_owned(),
        valid_from: from,
        valid_to: to,
    }))
}
