//! What a row says of a recognition. The last day of a file is inside the validity; the register keeps the day after.

use std::collections::HashMap;

use drumtower_proto::enterprise::{
    ImportQualificationsResponse, RowProblem,
    qualification::{Basis, Kind},
};
use jiff::civil::Date;
use uuid::Uuid;

use super::{Code, Row, Table, date, named, problem, text, twice};
use crate::qualification::rules::New;

/// Whole names only: 小巨人 alone could be either of two kinds.
const KINDS: &[(&str, &str)] = &[
    ("上市", "LISTED"),
    ("上市后备", "LISTING_RESERVE"),
    ("专精特新", "SRDI"),
    ("科技小巨人", "TECH_GIANT"),
    ("单项冠军", "CHAMPION"),
    ("未来独角兽", "FUTURE_UNICORN"),
    ("瞪羚", "GAZELLE"),
    ("科技型中小企业", "TECH_SME"),
    ("高新技术企业", "HIGH_TECH"),
];
const BASES: &[(&str, &str)] = &[("官方", "OFFICIAL"), ("园区名单", "PARK_LIST"), ("企业自报", "SELF_DECLARED")];
/// An end that never comes.
const OPEN_ENDED: &str = "长期";

/// A recognition held before, or said earlier in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub level: String,
    pub basis: i32,
    pub certificate_no: String,
    pub issuer: String,
    pub from: Date,
    pub to: Option<Date>,
    /// Line of the file that said it first; none so far.
    pub said: Option<i32>,
}

/// What a file makes of the recognitions that are held.
#[derive(Debug)]
pub struct Recognitions<'a> {
    companies: &'a HashMap<String, Uuid>,
    held: HashMap<(Uuid, i32), Vec<Held>>,
    pub new: Vec<New>,
    pub answer: ImportQualificationsResponse,
}

impl<'a> Recognitions<'a> {
    /// Reads every row. Companies by code; recognitions held by company and kind; `fresh` gives ids.
    pub fn of(
        table: &Table,
        companies: &'a HashMap<String, Uuid>,
        held: HashMap<(Uuid, i32), Vec<Held>>,
        mut fresh: impl FnMut() -> Uuid,
    ) -> Self {
        let mut all = Self { companies, held, new: Vec::new(), answer: ImportQualificationsResponse::default() };
        for row in &table.rows {
            all.answer.read += 1;
            if row.is_blank() {
                all.answer.skipped += 1;
                continue;
            }
            match all.one(table, row) {
                Ok(Some(new)) => {
                    all.answer.created += 1;
                    all.new.push(New { id: fresh(), ..new });
                }
                Ok(None) => all.answer.unchanged += 1,
                Err(problem) => {
                    all.answer.rejected += 1;
                    all.answer.problems.push(problem);
                }
            }
        }
        all
    }

    /// One row: a new recognition, still without id, or nothing when it is known.
    fn one(&mut self, table: &Table, row: &Row) -> Result<Option<New>, RowProblem> {
        let new = self.read(table, row)?;
        let of_kind = self.held.entry((new.enterprise, new.kind)).or_default();
        let overlaps = |known: &&mut Held| {
            known.level == new.level && known.to.is_none_or(|end| new.valid_from < end) && new.valid_to.is_none_or(|end| known.from < end)
        };
        let Some(known) = of_kind.iter_mut().find(overlaps) else {
            of_kind.push(held(&new, row.line));
            return Ok(Some(new));
        };
        if (known.from, known.to) != (new.valid_from, new.valid_to) {
            return Err(problem(row.line, "OVERLAP", "valid_from", "与已有同类资质的有效期重叠"));
        }
        if let Some(first) = known.said.replace(row.line) {
            known.said = Some(first);
            return Err(twice(row.line, first));
        }
        let silent_or = |said: &str, known: &str| said.is_empty() || said == known;
        if known.basis != new.basis || !silent_or(&new.certificate_no, &known.certificate_no) || !silent_or(&new.issuer, &known.issuer) {
            return Err(problem(row.line, "STALE_OVERWRITE", "certificate_no", "与已登记的同一资质内容不一致，请人工核对"));
        }
        Ok(None)
    }

    fn read(&self, table: &Table, row: &Row) -> Result<New, RowProblem> {
        let required = |column: &'static str, zh: &'static str| move || problem(row.line, "REQUIRED", column, zh);
        let code = Code::of(table, row)?;
        let enterprise = self.companies.get(&code.text).copied();
        if enterprise.is_none() {
            code.of_unknown()?;
        }
        let kind = named(table, row, "kind", KINDS, |name| Kind::from_str_name(name).map(|kind| kind as i32))?;
        let basis = named(table, row, "basis", BASES, |name| Basis::from_str_name(name).map(|basis| basis as i32))?;
        let valid_from = date(table, row, "valid_from")?.ok_or_else(required("valid_from", "缺少生效日期"))?;
        let last = if table.cell(row, "valid_to") == OPEN_ENDED { None } else { date(table, row, "valid_to")? };
        if last.is_some_and(|last| last < valid_from) {
            return Err(problem(row.line, "EXPIRED_CERT", "valid_to", "失效日期早于生效日期"));
        }
        Ok(New {
            id: Uuid::nil(),
            enterprise: enterprise.ok_or_else(|| problem(row.line, "UNKNOWN_ENTERPRISE", "uscc", "企业库中没有该企业"))?,
            kind: kind.ok_or_else(required("kind", "缺少资质类型"))?,
            level: text(table, row, "level", 40)?,
            basis: basis.ok_or_else(required("basis", "缺少依据"))?,
            certificate_no: text(table, row, "certificate_no", 60)?,
            issuer: text(table, row, "issuer", 100)?,
            valid_from,
            valid_to: last.and_then(|last| last.tomorrow().ok()),
        })
    }
}

fn held(new: &New, line: i32) -> Held {
    Held {
        level: new.level.clone(),
        basis: new.basis,
        certificate_no: new.certificate_no.clone(),
        issuer: new.issuer.clone(),
        from: new.valid_from,
        to: new.valid_to,
        said: Some(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::rules::table;

    const HEADER: &str = "uscc,kind,level,basis,certificate_no,valid_from,valid_to,issuer\n";
    const CODE: &str = "91350200MA31E12PXF";

    fn with(rows: &str, held: HashMap<(Uuid, i32), Vec<Held>>) -> (Vec<New>, ImportQualificationsResponse) {
        let table = table(format!("{HEADER}{rows}").replace('#', CODE).as_bytes()).expect("a table");
        let companies = HashMap::from([(CODE.to_owned(), Uuid::from_u128(1))]);
        let read = Recognitions::of(&table, &companies, held, || Uuid::from_u128(2));
        (read.new, read.answer)
    }

    fn codes(answer: &ImportQualificationsResponse) -> Vec<&str> {
        answer.problems.iter().map(|problem| problem.code.as_str()).collect()
    }

    #[test]
    fn the_last_day_is_inside_and_the_register_keeps_the_day_after() {
        let (new, answer) = with(
            "#,SRDI,NATIONAL,OFFICIAL,N1,2022-01-01,2024-12-31,省厅\n#,SRDI,NATIONAL,OFFICIAL,N2,2025-01-01,长期,省厅\n",
            HashMap::new(),
        );
        assert_eq!((answer.read, answer.created, answer.rejected), (2, 2, 0));
        assert_eq!(new[0].valid_to.map(|day| day.to_string()), Some("2025-01-01".to_owned()));
        assert_eq!(new[1].valid_to, None);
    }

    #[test]
    fn what_is_held_is_known_and_what_differs_is_told() {
        let (new, _) = with("#,高新技术企业,,官方,N1,2022-01-01,2024-12-31,省厅", HashMap::new());
        let known = || HashMap::from([((new[0].enterprise, new[0].kind), vec![Held { said: None, ..held(&new[0], 0) }])]);
        let told = |rows: &str| with(rows, known()).1;
        assert_eq!(told("#,HIGH_TECH,,OFFICIAL,,2022-01-01,2024-12-31,\n").unchanged, 1);
        let same = "#,HIGH_TECH,,OFFICIAL,N1,2022-01-01,2024-12-31,省厅\n";
        assert_eq!(codes(&told(&same.repeat(2))), ["DUP_IN_FILE"]);
        assert_eq!(codes(&told("#,HIGH_TECH,,OFFICIAL,N9,2022-01-01,2024-12-31,省厅")), ["STALE_OVERWRITE"]);
        assert_eq!(codes(&told("#,HIGH_TECH,,OFFICIAL,N1,2023-01-01,2025-12-31,省厅")), ["OVERLAP"]);
        assert_eq!(told("#,HIGH_TECH,,OFFICIAL,N1,2025-01-01,2027-12-31,省厅").created, 1);
        assert_eq!(told("#,HIGH_TECH,NATIONAL,OFFICIAL,N1,2022-01-01,2024-12-31,省厅").created, 1);
    }

    #[test]
    fn rows_are_refused_with_a_stable_code() {
        let code = |row: &str| codes(&with(row, HashMap::new()).1).join(" ");
        assert_eq!(code("91350213678251743X,SRDI,,OFFICIAL,,2022-01-01,,"), "UNKNOWN_ENTERPRISE");
        assert_eq!(code("91350203M0001QAY9B,SRDI,,OFFICIAL,,2022-01-01,,"), "USCC_CHECK");
        assert_eq!(code("#,小巨人,,OFFICIAL,,2022-01-01,,"), "UNKNOWN_VALUE");
        assert_eq!(code("#,,,OFFICIAL,,2022-01-01,,"), "REQUIRED");
        assert_eq!(code("#,SRDI,,OFFICIAL,,,,"), "REQUIRED");
        assert_eq!(code("#,SRDI,,OFFICIAL,,2022-01-01,2021-12-31,"), "EXPIRED_CERT");
        assert_eq!(code(&format!("#,SRDI,{},OFFICIAL,,2022-01-01,,", "长".repeat(41))), "TOO_LONG");
        assert_eq!(with(",,,,,,,\n\n", HashMap::new()).1.skipped, 1);
    }
}
