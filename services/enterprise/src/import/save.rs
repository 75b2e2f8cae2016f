//! Saves a file of companies: what is there is compared first, and only what differs is touched.

use std::collections::{HashMap, HashSet};

use drumtower_proto::enterprise::{ImportEnterprisesResponse, RowProblem};
use drumtower_runtime::{Fault, TenantTx, log::NewEvent};
use jiff::civil::Date;
use uuid::Uuid;

use super::{
    read::Table,
    rules::{Said, said, twice},
};
use crate::{
    building,
    enterprise::store::{self, Written},
    presence,
};

/// What a file makes of the register.
#[derive(Debug, Default)]
struct Plan {
    created: Vec<Written>,
    changed: Vec<Written>,
    changes: Vec<store::Changed>,
    presences: Vec<presence::store::New>,
    answer: ImportEnterprisesResponse,
}

/// Reads every row, compares, and unless it is a preview saves the differences. One transaction: all of it or nothing.
pub async fn companies(tx: &mut TenantTx, table: &Table, actor: &str, preview: bool) -> Result<ImportEnterprisesResponse, Fault> {
    let buildings: HashMap<String, Uuid> = building::store::codes(tx).await?.into_iter().collect();
    let (rows, mut answer) = understood(table, &buildings);
    let codes: Vec<String> = rows.iter().map(|row| row.code.clone()).collect();
    let known = store::by_codes(tx, &codes).await?;
    let known: HashMap<String, Written> =
        known.into_iter().filter_map(|row| Some((row.credit_code.clone()?, Written::from(row)))).collect();
    let ids: Vec<Uuid> = known.values().map(|company| company.id).collect();
    let present: HashSet<(Uuid, Uuid, i32, Date)> = presence::store::of_enterprises(tx, &ids)
        .await?
        .into_iter()
        .map(|row| (row.enterprise_id, row.building_id, i32::from(row.kind), row.since.to_jiff()))
        .collect();
    let mut plan = Plan::default();
    for row in &rows {
        if let Err(problem) = plan.add(row, known.get(&row.code), &present) {
            answer.problems.push(problem);
            answer.rejected += 1;
        }
    }
    answer.created = plan.answer.created;
    answer.changed = plan.answer.changed;
    answer.unchanged = plan.answer.unchanged;
    if preview {
        return Ok(answer);
    }
    plan.save(tx, actor, &answer).await?;
    Ok(answer)
}

/// Rows that were understood, and an answer with the counts of the others.
fn understood(table: &Table, buildings: &HashMap<String, Uuid>) -> (Vec<Said>, ImportEnterprisesResponse) {
    let mut answer = ImportEnterprisesResponse::default();
    let mut rows: Vec<Said> = Vec::new();
    let mut first: HashMap<String, i32> = HashMap::new();
    for row in &table.rows {
        answer.read += 1;
        if table.is_blank(row) {
            answer.skipped += 1;
            continue;
        }
        let read = said(table, row, buildings).and_then(|said| match first.get(&said.code) {
            Some(line) => Err(twice(said.line, *line)),
            None => Ok(said),
        });
        match read {
            Ok(said) => {
                first.insert(said.code.clone(), said.line);
                rows.push(said);
            }
            Err(problem) => {
                answer.rejected += 1;
                answer.problems.push(problem);
            }
        }
    }
    (rows, answer)
}

impl Plan {
    fn add(&mut self, row: &Said, before: Option<&Written>, present: &HashSet<(Uuid, Uuid, i32, Date)>) -> Result<(), RowProblem> {
        let mut after = row.onto(before, Uuid::now_v7())?;
        let new_presence = row.presence.filter(|(building, kind, since)| !present.contains(&(after.id, *building, *kind, *since)));
        if let Some((building, kind, since)) = new_presence {
            self.presences.push(presence::store::New { id: Uuid::now_v7(), enterprise: after.id, building, kind, since });
        }
        match before {
            Some(before) if *before == after && new_presence.is_none() => self.answer.unchanged += 1,
            Some(before) => {
                self.answer.changed += 1;
                if *before != after {
                    after.version += 1;
                    self.changes.extend(store::differences(before, &after));
                    self.changed.push(after);
                }
            }
            None => {
                self.answer.created += 1;
                after.version = 1;
                self.created.push(after);
            }
        }
        Ok(())
    }

    async fn save(self, tx: &mut TenantTx, actor: &str, answer: &ImportEnterprisesResponse) -> Result<(), Fault> {
        store::write(tx, &self.created).await?;
        store::write(tx, &self.changed).await?;
        store::write_changes(tx, actor, &self.changes).await?;
        presence::store::insert(tx, &self.presences).await?;
        for (kind, companies) in [("enterprise.created", &self.created), ("enterprise.changed", &self.changed)] {
            for company in companies {
                tx.emit(NewEvent::new(kind, company.id, company.version));
            }
        }
        let facts =
            serde_json::json!({ "read": answer.read, "created": answer.created, "changed": answer.changed, "rejected": answer.rejected });
        tx.emit(NewEvent::new("import.finished", Uuid::now_v7(), 1).facts(facts));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::read::table;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the file says: rows read are those understood, refused and skipped.
        #[test]
        fn counts_add_up(rows in proptest::collection::vec(prop_oneof![
            Just("91350200MA31E12PXF,云栈".to_owned()),
            Just("91350213678251743X,云帆".to_owned()),
            Just(",".to_owned()),
            "[0-9A-Z]{0,18},[a-z]{0,3}",
        ], 0..30)) {
            let file = format!("uscc,name\n{}", rows.join("\n"));
            let table = table(file.as_bytes()).expect("a table");
            let (understood, answer) = understood(&table, &HashMap::new());
            let count = i32::try_from(understood.len()).expect("few");
            prop_assert_eq!(answer.read, count + answer.rejected + answer.skipped);
            prop_assert_eq!(answer.problems.len(), usize::try_from(answer.rejected).expect("few"));
            let codes: HashSet<&str> = understood.iter().map(|row| row.code.as_str()).collect();
            prop_assert_eq!(codes.len(), understood.len());
        }
    }
}
