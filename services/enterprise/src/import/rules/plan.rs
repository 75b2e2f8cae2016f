//! What a file makes of the register: companies to add and to change, and the report.

use std::collections::HashMap;

use drumtower_proto::enterprise::{ImportEnterprisesResponse, RowProblem};
use drumtower_runtime::Refusal;
use uuid::Uuid;

use super::{Present, Said, Table, twice};
use crate::{
    enterprise::rules::{Changed, Company},
    presence::rules::New,
};

/// Companies that one file may add or change: each is an event of one transaction.
const MAX_CHANGES: usize = 50_000;

/// What is told of a company.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    pub kind: &'static str,
    pub id: Uuid,
    pub version: i64,
    /// Fields that changed; a presence that was added is one.
    pub fields: Vec<&'static str>,
}

/// What a file makes of the register.
#[derive(Debug, Default)]
pub struct Plan {
    pub created: Vec<Company>,
    pub changed: Vec<Company>,
    pub changes: Vec<Changed>,
    pub presences: Vec<New>,
    /// One a company that is new or changed.
    pub news: Vec<News>,
    pub answer: ImportEnterprisesResponse,
}

/// Rows that were understood, and an answer with the counts of the others.
pub fn understood(table: &Table, buildings: &HashMap<String, Uuid>) -> (Vec<Said>, ImportEnterprisesResponse) {
    let mut answer = ImportEnterprisesResponse::default();
    let mut rows: Vec<Said> = Vec::new();
    let mut first: HashMap<String, i32> = HashMap::new();
    for row in &table.rows {
        answer.read += 1;
        if row.is_blank() {
            answer.skipped += 1;
            continue;
        }
        let read = Said::of(table, row, buildings).and_then(|said| match first.get(&said.code.text) {
            Some(line) => Err(twice(said.line, *line)),
            None => Ok(said),
        });
        match read {
            Ok(said) => {
                first.insert(said.code.text.clone(), said.line);
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
    /// Compares rows with what is known by code and by company. `fresh` gives ids.
    pub fn of(
        rows: &[Said],
        answer: ImportEnterprisesResponse,
        known: &HashMap<String, Company>,
        present: &HashMap<Uuid, Vec<Present>>,
        mut fresh: impl FnMut() -> Uuid,
    ) -> Result<Self, Refusal> {
        let mut plan = Self { answer, ..Self::default() };
        for row in rows {
            let before = known.get(&row.code.text);
            let present = before.and_then(|before| present.get(&before.id)).map_or(&[][..], Vec::as_slice);
            if let Err(problem) = plan.add(row, before, present, &mut fresh) {
                plan.answer.rejected += 1;
                plan.answer.problems.push(problem);
            }
        }
        plan.answer.problems.sort_by_key(|problem| problem.line);
        if plan.news.len() > MAX_CHANGES {
            let (zh, en) =
                (format!("一次最多导入 {MAX_CHANGES} 家变动，请拆分文件"), format!("changes more than {MAX_CHANGES} companies: split it"));
            return Err(Refusal::invalid("csv", "TOO_MANY_CHANGES", zh, en));
        }
        Ok(plan)
    }

    fn add(
        &mut self,
        row: &Said,
        before: Option<&Company>,
        present: &[Present],
        fresh: &mut impl FnMut() -> Uuid,
    ) -> Result<(), RowProblem> {
        let after = row.onto(before, before.map_or_else(&mut *fresh, |before| before.id))?;
        let presence = row.presence_beside(present)?;
        if let Some(Present { building, kind, since, .. }) = presence {
            self.presences.push(New { id: fresh(), enterprise: after.id, building, kind, since });
        }
        let Some(before) = before else {
            self.answer.created += 1;
            self.news.push(News { kind: "enterprise.created", id: after.id, version: after.version, fields: Vec::new() });
            self.created.push(after);
            return Ok(());
        };
        let mut news = News { kind: "enterprise.changed", id: before.id, version: before.version, fields: Vec::new() };
        if let Some((after, changes)) = before.becomes(after) {
            news.version = after.version;
            news.fields.extend(changes.iter().map(|changed| changed.field));
            self.changes.extend(changes);
            self.changed.push(after);
        }
        news.fields.extend(presence.map(|_| "presence"));
        if news.fields.is_empty() {
            self.answer.unchanged += 1;
        } else {
            self.answer.changed += 1;
            self.news.push(news);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::import::rules::table;
    use proptest::prelude::*;

    fn plan(file: &str, known: &HashMap<String, Company>) -> Plan {
        let table = table(file.as_bytes()).expect("a table");
        let (rows, answer) = understood(&table, &HashMap::new());
        let mut next = 0;
        let fresh = || {
            next += 1;
            Uuid::from_u128(next)
        };
        Plan::of(&rows, answer, known, &HashMap::new(), fresh).expect("few changes")
    }

    fn register(plan: &Plan) -> HashMap<String, Company> {
        plan.created.iter().map(|company| (company.credit_code.clone().expect("a code"), company.clone())).collect()
    }

    #[test]
    fn a_file_said_twice_changes_nothing_and_one_word_changes_one() {
        let file = "uscc,name\n91350200MA31E12PXF,云栈\n91350213678251743X,云帆\n91350200MA31E12PXF,又是云栈\n\n91350203M0001QAY9B,旧证\n";
        let first = plan(file, &HashMap::new());
        assert_eq!((first.answer.created, first.answer.rejected, first.answer.skipped, first.answer.read), (2, 2, 1, 5));
        let codes: Vec<(i32, &str)> = first.answer.problems.iter().map(|problem| (problem.line, problem.code.as_str())).collect();
        assert_eq!(codes, [(4, "DUP_IN_FILE"), (6, "USCC_CHECK")]);
        let known = register(&first);
        let second = plan(file, &known);
        assert_eq!((second.answer.unchanged, second.answer.created, second.answer.changed), (2, 0, 0));
        let third = plan(&file.replace("云帆", "云帆科技"), &known);
        assert_eq!((third.answer.unchanged, third.answer.changed, third.changes.len()), (1, 1, 1));
        let news = &third.news[0];
        assert_eq!(
            (news.kind, news.version, news.fields.as_slice(), third.changed[0].version),
            ("enterprise.changed", 2, &["name"][..], 2)
        );
    }

    proptest! {
        /// Whatever the file says and the register holds, the counts add up, and every refused row is told why.
        #[test]
        fn counts_add_up(rows in prop::collection::vec(prop_oneof![
            Just("91350200MA31E12PXF,云栈".to_owned()),
            Just("91350200MA31E12PXF,云栈智能".to_owned()),
            Just("91350213678251743X,云帆".to_owned()),
            Just("91350203M0001QAY9B,旧证".to_owned()),
            Just(",".to_owned()),
            Just(String::new()),
            Just("\"91350503MA31DKY80A\",\"两\n行\"".to_owned()),
            "[0-9A-Z]{0,18},[a-z]{0,3}",
        ], 0..30)) {
            let known = register(&plan("uscc,name\n91350200MA31E12PXF,云栈\n", &HashMap::new()));
            let plan = plan(&format!("uscc,name\n{}\n.,.", rows.join("\n")), &known);
            let answer = &plan.answer;
            prop_assert_eq!(answer.read, i32::try_from(rows.len().max(1)).expect("few") + 1, "no rows are a blank line");
            prop_assert_eq!(answer.read, answer.created + answer.changed + answer.unchanged + answer.rejected + answer.skipped);
            prop_assert_eq!(answer.problems.len(), usize::try_from(answer.rejected).expect("few"));
            let last = i32::try_from(rows.join("\n").matches('\n').count()).expect("few") + 3;
            prop_assert_eq!(answer.problems.last().map(|problem| problem.line), Some(last));
            let ids: HashSet<Uuid> = plan.created.iter().map(|company| company.id).collect();
            prop_assert_eq!(ids.len(), plan.created.len());
        }
    }
}
