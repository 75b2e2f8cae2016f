//! What the rows of a file say, and why one is refused. Problems never repeat what a cell holds: it may be personal data.

mod enterprise;
mod plan;
mod qualification;
mod table;

use drumtower_proto::enterprise::RowProblem;
use jiff::civil::Date;

pub use enterprise::{Present, Said};
pub use plan::{Plan, understood};
pub use qualification::{Held, Recognitions};
pub use table::{Row, Table, table};

use crate::enterprise::{
    code::{self, Verdict},
    rules::words,
};

/// Order to empty a field; an empty cell says nothing.
const CLEAR: &str = "#CLEAR";

fn problem(line: i32, code: &str, column: &str, message: impl Into<String>) -> RowProblem {
    RowProblem { line, code: code.to_owned(), column: column.to_owned(), message: message.into() }
}

/// A second row that says the same.
fn twice(line: i32, first: i32) -> RowProblem {
    problem(line, "DUP_IN_FILE", "uscc", format!("与第 {first} 行重复"))
}

/// A credit code of a row. One whose last digit alone is wrong may still belong to a company that is known with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The code, normalised.
    pub text: String,
    line: i32,
    checks: bool,
}

impl Code {
    /// Reads the code of a row.
    pub fn of(table: &Table, row: &Row) -> Result<Self, RowProblem> {
        let text = code::normalise(table.cell(row, "uscc"));
        match code::verdict(&text) {
            Verdict::Ok => Ok(Self { text, line: row.line, checks: true }),
            Verdict::Check => Ok(Self { text, line: row.line, checks: false }),
            verdict => Err(Self::refused(row.line, verdict)),
        }
    }

    /// Refuses a code that does not check: nobody is known with it.
    fn of_unknown(&self) -> Result<(), RowProblem> {
        if self.checks { Ok(()) } else { Err(Self::refused(self.line, Verdict::Check)) }
    }

    fn refused(line: i32, verdict: Verdict) -> RowProblem {
        let (reason, zh, _) = words(verdict);
        problem(line, reason, "uscc", zh)
    }
}

/// A day of a cell; `None` when it is empty. Read as 2015-07-08, 2015/7/8, 2015.7.8 and 2015年7月8日.
fn date(table: &Table, row: &Row, column: &str) -> Result<Option<Date>, RowProblem> {
    let text = table.cell(row, column).trim_end_matches('日').replace(['/', '.', '年', '月'], "-");
    if text.is_empty() {
        return Ok(None);
    }
    let ambiguous = || problem(row.line, "DATE_AMBIGUOUS", column, "日期应写作 年-月-日");
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return Err(ambiguous()) };
    if year.len() != 4 || !parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(ambiguous());
    }
    format!("{year}-{month:0>2}-{day:0>2}").parse().map(Some).map_err(|_| ambiguous())
}

/// A text of a cell, at most so long.
fn text(table: &Table, row: &Row, column: &str, most: usize) -> Result<String, RowProblem> {
    let text = table.cell(row, column);
    if text.chars().count() > most {
        return Err(problem(row.line, "TOO_LONG", column, format!("最多 {most} 字")));
    }
    Ok(text.to_owned())
}

/// One of the contract's values, by its name or a Chinese one.
fn named(
    table: &Table,
    row: &Row,
    column: &str,
    chinese: &[(&str, &str)],
    read: impl Fn(&str) -> Option<i32>,
) -> Result<Option<i32>, RowProblem> {
    let text = table.cell(row, column);
    if text.is_empty() {
        return Ok(None);
    }
    let name = chinese.iter().find(|(known, _)| *known == text).map_or(text, |(_, name)| name);
    read(name).filter(|number| *number != 0).map(Some).ok_or_else(|| problem(row.line, "UNKNOWN_VALUE", column, "未知取值"))
}
