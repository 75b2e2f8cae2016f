//! What a rule says and which version holds on a day.

use jiff::civil::Date;
use serde::Deserialize;

/// How the period or anchor of an obligation is formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// Once in a natural quarter.
    Quarter,
    /// Once in a natural month.
    Month,
    /// Around the day on which a term ends by rule.
    TermEnd,
    /// From the day on which something came to be so.
    Anchor,
}

impl Cadence {
    /// From its name in the contract.
    pub fn read(name: &str) -> Option<Self> {
        match name {
            "QUARTER" => Some(Self::Quarter),
            "MONTH" => Some(Self::Month),
            "TERM_END" => Some(Self::TermEnd),
            "ANCHOR" => Some(Self::Anchor),
            _ => None,
        }
    }

    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quarter => "QUARTER",
            Self::Month => "MONTH",
            Self::TermEnd => "TERM_END",
            Self::Anchor => "ANCHOR",
        }
    }
}

/// Numbers and conditions of a rule. What a rule does not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Kind of organisation that owes it, by its name in the contract; empty for every kind.
    pub organisation: String,
    /// Kind of meeting that fulfils it, by its name in the contract.
    pub meeting: String,
    /// Calendar months of a term, or until it is due.
    pub months: i32,
    /// Full members from which on it holds.
    pub members: i64,
    /// Persons who make a committee.
    pub seats: i64,
    /// Days around the due day on which the secretary is reminded.
    pub remind_days: Vec<i32>,
    /// The same, in calendar months.
    pub remind_months: Vec<i32>,
    /// For how many weeks after the due day a reminder is sent every week.
    pub weekly: i32,
    /// Days after the due day on which the committee above is told.
    pub escalate_days: Vec<i32>,
}

/// One version of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Name, for example M1.
    pub code: String,
    /// First day of this version.
    pub effective_from: Date,
    /// Text, Chinese.
    pub text_zh: String,
    /// Text, English.
    pub text_en: String,
    /// Where it is written.
    pub source: String,
    /// How the period or anchor is formed.
    pub cadence: Cadence,
    /// 1 information to 4 breach.
    pub severity: i16,
    /// Numbers and conditions.
    pub parameters: Parameters,
}

/// The version of a rule in force on a day.
pub fn in_force<'a>(rules: &'a [Rule], code: &str, day: Date) -> Option<&'a Rule> {
    rules.iter().filter(|rule| rule.code == code && rule.effective_from <= day).max_by_key(|rule| rule.effective_from)
}

/// The version in force on a day, or the first one for what happened before there was any.
pub fn in_force_or_first<'a>(rules: &'a [Rule], code: &str, day: Date) -> Option<&'a Rule> {
    in_force(rules, code, day).or_else(|| rules.iter().filter(|rule| rule.code == code).min_by_key(|rule| rule.effective_from))
}

/// Every rule in the version in force on a day, by name.
pub fn all_in_force(rules: &[Rule], day: Date) -> Vec<&Rule> {
    let mut codes: Vec<&str> = rules.iter().map(|rule| rule.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.into_iter().filter_map(|code| in_force(rules, code, day)).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn version(code: &str, effective_from: Date) -> Rule {
        let (text_zh, text_en, source) = (String::new(), String::new(), String::new());
        let (cadence, severity, parameters) = (Cadence::Month, 2, Parameters::default());
        Rule { code: code.into(), effective_from, text_zh, text_en, source, cadence, severity, parameters }
    }

    #[test]
    fn the_version_of_the_day_holds() {
        let rules = [version("D4", date(2014, 6, 11)), version("D4", date(2026, 5, 11)), version("A1", date(2020, 1, 1))];
        let of = |day| in_force(&rules, "D4", day).map(|rule| rule.effective_from);
        assert_eq!(of(date(2014, 6, 10)), None);
        assert_eq!(of(date(2026, 5, 10)), Some(date(2014, 6, 11)));
        assert_eq!(of(date(2026, 5, 11)), Some(date(2026, 5, 11)));
        assert_eq!(in_force_or_first(&rules, "D4", date(2000, 1, 1)).map(|rule| rule.effective_from), Some(date(2014, 6, 11)));
        assert_eq!(all_in_force(&rules, date(2026, 6, 1)).iter().map(|rule| rule.code.as_str()).collect::<Vec<_>>(), ["A1", "D4"]);
    }
}
