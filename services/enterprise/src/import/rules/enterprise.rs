//! What a row says of a company.

use std::collections::HashMap;

use drumtower_proto::enterprise::{
    RowProblem,
    enterprise::{CodeState, Kind, Status},
    presence,
};
use drumtower_runtime::Refusal;
use jiff::civil::Date;
use uuid::Uuid;

use super::{CLEAR, Code, Row, Table, date, named, problem};
use crate::enterprise::rules::{self, Company};

const KINDS: &[(&str, &str)] = &[
    ("企业", "LEGAL"),
    ("法人", "LEGAL"),
    ("企业法人", "LEGAL"),
    ("分公司", "BRANCH"),
    ("分支机构", "BRANCH"),
    ("个体工商户", "INDIVIDUAL_BUSINESS"),
    ("事业单位", "PUBLIC_INSTITUTION"),
    ("社会组织", "SOCIAL_ORGANISATION"),
];
const STANDINGS: &[(&str, &str)] = &[
    ("存续", "OPERATING"),
    ("在营", "OPERATING"),
    ("在业", "OPERATING"),
    ("存续(在营)", "OPERATING"),
    ("存续（在营）", "OPERATING"),
    ("停业", "SUSPENDED"),
    ("歇业", "SUSPENDED"),
    ("清算", "LIQUIDATION"),
    ("迁出", "MOVED_OUT"),
    ("吊销", "REVOKED"),
    ("吊销未注销", "REVOKED"),
    ("撤销", "CANCELLED"),
    ("注销", "DEREGISTERED"),
];
const PRESENCES: &[(&str, &str)] = &[("注册", "REGISTERED"), ("经营", "OPERATING"), ("注册并经营", "BOTH"), ("虚拟", "VIRTUAL")];

/// A presence: building, kind, first day and day after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    pub building: Uuid,
    pub kind: i32,
    pub since: Date,
    pub until: Option<Date>,
}

/// A row that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub line: i32,
    pub code: Code,
    name: Option<String>,
    short_name: Option<String>,
    kind: Option<i32>,
    status: Option<i32>,
    industry: Option<String>,
    capital_wan: Option<f64>,
    established_on: Option<Option<Date>>,
    presence: Option<Present>,
}

impl Said {
    /// Reads a row.
    pub fn of(table: &Table, row: &Row, buildings: &HashMap<String, Uuid>) -> Result<Self, RowProblem> {
        let text = |column: &str, check: fn(&'static str, &str) -> Result<String, Refusal>| match table.cell(row, column) {
            "" => Ok(None),
            said => check("", if said == CLEAR { "" } else { said }).map(Some).map_err(|refusal| of_refusal(row.line, column, &refusal)),
        };
        Ok(Self {
            line: row.line,
            code: Code::of(table, row)?,
            name: text("name", rules::name)?,
            short_name: text("short_name", rules::short_name)?,
            kind: named(table, row, "kind", KINDS, |name| Kind::from_str_name(name).map(|kind| kind as i32))?,
            status: named(table, row, "status", STANDINGS, |name| Status::from_str_name(name).map(|status| status as i32))?,
            industry: text("industry", rules::industry)?,
            capital_wan: capital(table, row)?,
            established_on: match table.cell(row, "established_on") {
                CLEAR => Some(None),
                _ => date(table, row, "established_on")?.map(Some),
            },
            presence: presence(table, row, buildings)?,
        })
    }

    /// The company that a row makes of one that is there, or of nothing.
    pub fn onto(&self, before: Option<&Company>, id: Uuid) -> Result<Company, RowProblem> {
        let mut company = match before {
            Some(before) => before.clone(),
            None => {
                self.code.of_unknown()?;
                Company {
                    id,
                    credit_code: Some(self.code.text.clone()),
                    code_state: CodeState::CodeOk as i32,
                    name: self.name.clone().ok_or_else(|| problem(self.line, "REQUIRED", "name", "新企业须有名称"))?,
                    short_name: String::new(),
                    kind: Kind::Legal as i32,
                    status: Status::Operating as i32,
                    industry: String::new(),
                    capital_wan: 0.0,
                    established_on: None,
                    former: String::new(),
                    version: 1,
                }
            }
        };
        company.name = self.name.clone().unwrap_or(company.name);
        company.short_name = self.short_name.clone().unwrap_or(company.short_name);
        company.kind = self.kind.unwrap_or(company.kind);
        company.status = self.status.unwrap_or(company.status);
        company.industry = self.industry.clone().unwrap_or(company.industry);
        company.capital_wan = self.capital_wan.unwrap_or(company.capital_wan);
        company.established_on = self.established_on.unwrap_or(company.established_on);
        Ok(company)
    }

    /// The presence that a row adds to those that are there: none when it is known, refused when it overlaps with another.
    pub fn presence_beside(&self, known: &[Present]) -> Result<Option<Present>, RowProblem> {
        let Some(said) = self.presence else { return Ok(None) };
        let mut alike = known.iter().filter(|known| (known.building, known.kind) == (said.building, said.kind));
        if alike.clone().any(|known| known.since == said.since) {
            return Ok(None);
        }
        if let Some(known) = alike.find(|known| known.until.is_none_or(|until| until > said.since)) {
            return Err(problem(self.line, "PRESENCE_OVERLAP", "since", format!("与自 {} 起的同类入驻记录重叠", known.since)));
        }
        Ok(Some(said))
    }
}

fn of_refusal(line: i32, column: &str, refusal: &Refusal) -> RowProblem {
    problem(line, refusal.reason(), column, refusal.zh())
}

fn capital(table: &Table, row: &Row) -> Result<Option<f64>, RowProblem> {
    let column = "capital_wan";
    match table.cell(row, column) {
        "" => Ok(None),
        CLEAR => Ok(Some(0.0)),
        said => {
            let number =
                said.replace([',', '，'], "").parse().map_err(|_| problem(row.line, "NOT_A_NUMBER", column, "注册资本应为万元数值"))?;
            rules::capital("", number).map(Some).map_err(|refusal| of_refusal(row.line, column, &refusal))
        }
    }
}

fn presence(table: &Table, row: &Row, buildings: &HashMap<String, Uuid>) -> Result<Option<Present>, RowProblem> {
    let key = table.cell(row, "building_key");
    if key.is_empty() {
        return Ok(None);
    }
    let building = buildings.get(key).ok_or_else(|| problem(row.line, "UNKNOWN_BUILDING", "building_key", "楼宇库中没有该编号"))?;
    let kind = named(table, row, "presence", PRESENCES, |name| presence::Kind::from_str_name(name).map(|kind| kind as i32))?;
    let since = date(table, row, "since")?.ok_or_else(|| problem(row.line, "REQUIRED", "since", "缺少入驻日期"))?;
    Ok(Some(Present { building: *building, kind: kind.unwrap_or(presence::Kind::Both as i32), since, until: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::rules::table;

    const CODE: &str = "91350200MA31E12PXF";

    fn one(text: &str) -> Result<Said, RowProblem> {
        let table = table(text.as_bytes()).expect("a table");
        let buildings = HashMap::from([("A-01".to_owned(), Uuid::from_u128(1))]);
        Said::of(&table, &table.rows[0], &buildings)
    }

    #[test]
    fn rows_are_understood_or_refused_with_a_stable_code() {
        let good = one("uscc,name,status,capital_wan,established_on,building_key,presence,since\n91350200MA31E12PXF,云栈,存续,\"1,000\",2015/7/8,A-01,BOTH,2020.1.2").expect("read");
        assert_eq!((good.capital_wan, good.status), (Some(1000.0), Some(Status::Operating as i32)));
        assert_eq!(good.presence.map(|present| present.since.to_string()), Some("2020-01-02".to_owned()));
        let code = |text: &str| one(text).expect_err("refused").code;
        assert_eq!(code("uscc,name\n9.13502E+17,云栈"), "USCC_PRECISION_LOST");
        assert_eq!(code("uscc,name\n362322198709086408,云栈"), "USCC_ORG");
        let cell = |column: &str, said: &str| one(&format!("uscc,name,{column}\n{CODE},云栈,{said}")).expect_err(said).code;
        assert_eq!(cell("building_key", "Z-9"), "UNKNOWN_BUILDING");
        assert_eq!(cell("building_key", "A-01"), "REQUIRED");
        assert_eq!(cell("established_on", "二〇一〇年"), "DATE_AMBIGUOUS");
        assert_eq!(cell("established_on", "42193"), "DATE_AMBIGUOUS");
        assert_eq!(cell("established_on", "2015-02-30"), "DATE_AMBIGUOUS");
        assert_eq!(cell("capital_wan", "壹佰万"), "NOT_A_NUMBER");
        assert_eq!(cell("capital_wan", "NaN"), "OUT_OF_BOUNDS");
        assert_eq!(cell("industry", "软件业"), "INDUSTRY_FORMAT");
        assert_eq!(cell("short_name", &"长".repeat(61)), "SHORT_NAME_LENGTH");
        assert_eq!(cell("status", "KIND_UNSPECIFIED"), "UNKNOWN_VALUE");
        assert_eq!(cell("status", "STATUS_UNSPECIFIED"), "UNKNOWN_VALUE");
        let spelt = one(&format!("uscc,name,established_on\n{CODE},云栈,2015年7月8日")).expect("read");
        assert_eq!(spelt.established_on.flatten().map(|day| day.to_string()), Some("2015-07-08".to_owned()));
    }

    #[test]
    fn a_problem_never_repeats_what_may_be_a_person_s() {
        for text in ["uscc,name\n11010519491231002X,云栈", "uscc,name,building_key\n91350200MA31E12PXF,云栈,11010519491231002X"] {
            let problem = one(text).expect_err("refused");
            assert!(!problem.message.contains("1101"), "{problem:?}");
        }
        assert_eq!(one("uscc,name\n11010519491231002X,云栈").expect_err("refused").code, "PII_IN_CODE_COLUMN");
    }

    #[test]
    fn an_old_code_is_taken_only_of_a_company_known_with_it() {
        let old = one("uscc,name\n91350203M0001QAY9B,旧证").expect("read");
        assert_eq!(old.onto(None, Uuid::nil()).expect_err("refused").code, "USCC_CHECK");
        let fresh = one(&format!("uscc,name\n{CODE},云栈")).expect("read").onto(None, Uuid::from_u128(9)).expect("a company");
        assert_eq!(old.onto(Some(&fresh), Uuid::nil()).expect("a company").name, "旧证");
    }

    #[test]
    fn an_empty_cell_says_nothing_and_clear_empties() {
        let first = one("uscc,name,short_name,industry,established_on\n91350200MA31E12PXF,=云栈智能,云栈,6513,2015-01-01").expect("read");
        let before = first.onto(None, Uuid::from_u128(9)).expect("a company");
        assert_eq!(before.name, "=云栈智能", "what looks like a formula is a text");
        let silent = one("uscc,name,short_name\n91350200MA31E12PXF,,").expect("read");
        assert_eq!(silent.onto(Some(&before), Uuid::nil()).expect("a company"), before);
        let clear = one("uscc,name,short_name,established_on\n91350200MA31E12PXF,,#CLEAR,#CLEAR").expect("read");
        let after = clear.onto(Some(&before), Uuid::nil()).expect("a company");
        assert_eq!((after.short_name.as_str(), after.established_on), ("", None));
        assert!(silent.onto(None, Uuid::nil()).is_err());
        assert_eq!(one("uscc,name\n91350200MA31E12PXF,#CLEAR").expect_err("refused").code, "NAME_LENGTH");
    }

    #[test]
    fn a_presence_is_new_known_or_at_odds() {
        let row = one(&format!("uscc,building_key,presence,since\n{CODE},A-01,BOTH,2020-01-02")).expect("read");
        let said = row.presence.expect("said");
        let day = |text: &str| text.parse::<Date>().expect("a day");
        assert_eq!(row.presence_beside(&[]), Ok(Some(said)));
        assert_eq!(row.presence_beside(&[said]), Ok(None));
        let ended = Present { since: day("2019-01-01"), until: Some(day("2020-01-02")), ..said };
        assert_eq!(row.presence_beside(&[ended]), Ok(Some(said)));
        assert_eq!(
            row.presence_beside(&[Present { until: Some(day("2020-01-03")), ..ended }]).expect_err("refused").code,
            "PRESENCE_OVERLAP"
        );
        assert_eq!(row.presence_beside(&[Present { since: day("2021-01-01"), ..said }]).expect_err("refused").code, "PRESENCE_OVERLAP");
        assert_eq!(row.presence_beside(&[Present { kind: 1, since: day("2021-01-01"), ..said }]), Ok(Some(said)));
    }
}
