//! What a row says of a company, or why it is refused. Never repeats personal data.

use std::collections::HashMap;

use drumtower_proto::enterprise::{
    RowProblem,
    enterprise::{CodeState, Kind, Status},
    presence,
};
use jiff::civil::Date;
use uuid::Uuid;

use super::read::{Row, Table};
use crate::enterprise::{
    code::{self, Verdict},
    rules::words,
    store::Written,
};

/// An explicit order to empty a field; an empty cell says nothing.
const CLEAR: &str = "#CLEAR";

/// A row that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub line: i32,
    pub code: String,
    name: Option<String>,
    short_name: Option<String>,
    kind: Option<i32>,
    status: Option<i32>,
    industry: Option<String>,
    capital_wan: Option<f64>,
    established_on: Option<Option<Date>>,
    /// Building, kind and first day of a presence.
    pub presence: Option<(Uuid, i32, Date)>,
}

fn problem(line: i32, code: &str, column: &str, message: impl Into<String>) -> RowProblem {
    RowProblem { line, code: code.to_owned(), column: column.to_owned(), message: message.into() }
}

/// A credit code of a cell.
pub fn credit_code(table: &Table, row: &Row) -> Result<String, RowProblem> {
    let code = code::normalise(table.cell(row, "uscc"));
    match code::verdict(&code) {
        Verdict::Ok => Ok(code),
        verdict => {
            let (reason, zh, _) = words(verdict);
            Err(problem(row.line, reason, "uscc", zh))
        }
    }
}

/// A day of a cell; `None` when it is empty.
pub fn date(table: &Table, row: &Row, column: &str) -> Result<Option<Date>, RowProblem> {
    let text = table.cell(row, column).replace(['/', '.'], "-");
    if text.is_empty() {
        return Ok(None);
    }
    let parts: Vec<&str> = text.split('-').collect();
    let padded = match parts.as_slice() {
        [year, month, day] if year.len() == 4 => format!("{year}-{month:0>2}-{day:0>2}"),
        _ => text,
    };
    padded.parse().map(Some).map_err(|_| problem(row.line, "DATE_AMBIGUOUS", column, "日期应写作 年-月-日"))
}

/// Reads a row.
pub fn said(table: &Table, row: &Row, buildings: &HashMap<String, Uuid>) -> Result<Said, RowProblem> {
    let code = credit_code(table, row)?;
    let text = |column: &str| match table.cell(row, column) {
        "" => None,
        CLEAR => Some(String::new()),
        said => Some(said.to_owned()),
    };
    let name = text("name");
    if name.as_ref().is_some_and(|name| !(2..=200).contains(&name.chars().count())) {
        return Err(problem(row.line, "NAME_LENGTH", "name", "名称应为 2 至 200 字"));
    }
    let capital_wan = match table.cell(row, "capital_wan") {
        "" => None,
        CLEAR => Some(0.0),
        said => {
            let number: Option<f64> = said.replace([',', '，'], "").parse().ok().filter(|number: &f64| (0.0..=1e9).contains(number));
            Some(number.ok_or_else(|| problem(row.line, "NOT_A_NUMBER", "capital_wan", "注册资本应为万元数值"))?)
        }
    };
    let established_on = match table.cell(row, "established_on") {
        "" => None,
        CLEAR => Some(None),
        _ => Some(date(table, row, "established_on")?),
    };
    Ok(Said {
        line: row.line,
        code,
        name,
        short_name: text("short_name"),
        kind: named(table, row, "kind", |name| Kind::from_str_name(name).map(|kind| kind as i32))?,
        status: named(table, row, "status", |name| Status::from_str_name(name).map(|status| status as i32))?,
        industry: text("industry"),
        capital_wan,
        established_on,
        presence: presence_said(table, row, buildings)?,
    })
}

fn named(table: &Table, row: &Row, column: &str, read: impl Fn(&str) -> Option<i32>) -> Result<Option<i32>, RowProblem> {
    let text = table.cell(row, column);
    if text.is_empty() {
        return Ok(None);
    }
    let chinese = match text {
        "企业" | "法人" => "LEGAL",
        "分公司" | "分支机构" => "BRANCH",
        "个体工商户" => "INDIVIDUAL_BUSINESS",
        "存续" | "在营" | "在业" => "OPERATING",
        "停业" | "歇业" => "SUSPENDED",
        "吊销" => "REVOKED",
        "注销" => "DEREGISTERED",
        "迁出" => "MOVED_OUT",
        other => other,
    };
    read(chinese).filter(|number| *number != 0).map(Some).ok_or_else(|| problem(row.line, "UNKNOWN_VALUE", column, "未知取值"))
}

fn presence_said(table: &Table, row: &Row, buildings: &HashMap<String, Uuid>) -> Result<Option<(Uuid, i32, Date)>, RowProblem> {
    let key = table.cell(row, "building_key");
    if key.is_empty() {
        return Ok(None);
    }
    let building = buildings.get(key).ok_or_else(|| problem(row.line, "UNKNOWN_BUILDING", "building_key", format!("没有楼宇 {key}")))?;
    let kind = named(table, row, "presence", |name| presence::Kind::from_str_name(name).map(|kind| kind as i32))?;
    let since = date(table, row, "since")?.ok_or_else(|| problem(row.line, "REQUIRED", "since", "缺少入驻日期"))?;
    Ok(Some((*building, kind.unwrap_or(presence::Kind::Both as i32), since)))
}

impl Said {
    /// The company that a row makes of one that is there, or of nothing.
    pub fn onto(&self, before: Option<&Written>, id: Uuid) -> Result<Written, RowProblem> {
        let mut company = match before {
            Some(before) => before.clone(),
            None => Written {
                id,
                credit_code: Some(self.code.clone()),
                code_state: CodeState::CodeOk as i32,
                name: self.name.clone().ok_or_else(|| problem(self.line, "REQUIRED", "name", "新企业须有名称"))?,
                short_name: String::new(),
                kind: Kind::Legal as i32,
                status: Status::Operating as i32,
                industry: String::new(),
                capital_wan: 0.0,
                established_on: None,
                version: 0,
            },
        };
        let name = self.name.clone().filter(|name| !name.is_empty());
        company.name = name.unwrap_or(company.name);
        company.short_name = self.short_name.clone().unwrap_or(company.short_name);
        company.kind = self.kind.unwrap_or(company.kind);
        company.status = self.status.unwrap_or(company.status);
        company.industry = self.industry.clone().unwrap_or(company.industry);
        company.capital_wan = self.capital_wan.unwrap_or(company.capital_wan);
        company.established_on = self.established_on.unwrap_or(company.established_on);
        Ok(company)
    }
}

/// A second row of one code in a file.
pub fn twice(line: i32, first: i32) -> RowProblem {
    problem(line, "DUP_IN_FILE", "uscc", format!("与第 {first} 行重复"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::read::table;

    fn one(text: &str) -> Result<Said, RowProblem> {
        let table = table(text.as_bytes()).expect("a table");
        let buildings = HashMap::from([("A-01".to_owned(), Uuid::from_u128(1))]);
        said(&table, &table.rows[0], &buildings)
    }

    #[test]
    fn rows_are_understood_or_refused_with_a_stable_code() {
        let good = one("uscc,name,status,capital_wan,established_on,building_key,presence,since\n91350200MA31E12PXF,云栈,存续,\"1,000\",2015/7/8,A-01,BOTH,2020.1.2").expect("read");
        assert_eq!((good.capital_wan, good.status), (Some(1000.0), Some(Status::Operating as i32)));
        assert_eq!(good.presence.map(|(_, _, since)| since.to_string()), Some("2020-01-02".to_owned()));
        let code = |text: &str| one(text).expect_err("refused").code;
        assert_eq!(code("uscc,name\n9.13502E+17,云栈"), "USCC_PRECISION_LOST");
        assert_eq!(code("uscc,name\n91350203M0001QAY9B,云栈"), "USCC_CHECK");
        assert_eq!(code("uscc,name,building_key\n91350200MA31E12PXF,云栈,Z-9"), "UNKNOWN_BUILDING");
        assert_eq!(code("uscc,name,established_on\n91350200MA31E12PXF,云栈,二〇一〇年"), "DATE_AMBIGUOUS");
        let personal = one("uscc,name\n11010519491231002X,云栈").expect_err("refused");
        assert_eq!(personal.code, "PII_IN_CODE_COLUMN");
        assert!(!personal.message.contains("1101"));
    }

    #[test]
    fn an_empty_cell_says_nothing_and_clear_empties() {
        let first = one("uscc,name,short_name,industry\n91350200MA31E12PXF,云栈智能,云栈,6513").expect("read");
        let before = first.onto(None, Uuid::from_u128(9)).expect("a company");
        let silent = one("uscc,name,short_name\n91350200MA31E12PXF,,").expect("read");
        assert_eq!(silent.onto(Some(&before), Uuid::nil()).expect("a company"), before);
        let clear = one("uscc,name,short_name\n91350200MA31E12PXF,,#CLEAR").expect("read");
        assert_eq!(clear.onto(Some(&before), Uuid::nil()).expect("a company").short_name, "");
        assert!(silent.onto(None, Uuid::nil()).is_err());
    }
}
