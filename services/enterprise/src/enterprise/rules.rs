//! What a company's record must agree on, how it changes, and the pairs of characters that find it.

use std::collections::BTreeSet;

use drumtower_proto::enterprise::{
    Enterprise,
    enterprise::{CodeState, Kind, Status},
};
use drumtower_runtime::Refusal;
use jiff::civil::Date;
use uuid::Uuid;

use super::code::{self, Verdict, half_width, is_mark};
use crate::day;

/// A company's record.
#[derive(Debug, Clone, PartialEq)]
pub struct Company {
    pub id: Uuid,
    pub credit_code: Option<String>,
    pub code_state: i32,
    pub name: String,
    pub short_name: String,
    pub kind: i32,
    pub status: i32,
    pub industry: String,
    pub capital_wan: f64,
    pub established_on: Option<Date>,
    /// Former names, normalised, a line each: they still find the company.
    pub former: String,
    pub version: i64,
}

/// One field that changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    pub id: Uuid,
    pub version: i64,
    pub field: &'static str,
    pub before: String,
    pub after: String,
}

impl Company {
    /// The next version of the record, `after` as far as said, with its former names kept; and what differs. `None` when nothing does.
    pub fn becomes(&self, mut after: Self) -> Option<(Self, Vec<Changed>)> {
        after.version = self.version + 1;
        let changes = differences(self, &after);
        if changes.is_empty() {
            return None;
        }
        let kept = [normalise(&after.name), normalise(&after.short_name), String::new()];
        let mut former: BTreeSet<&str> = self.former.lines().collect();
        let before = [normalise(&self.name), normalise(&self.short_name)];
        former.extend(before.iter().map(String::as_str));
        after.former = former.into_iter().filter(|name| !kept.iter().any(|kept| kept == name)).collect::<Vec<_>>().join("\n");
        Some((after, changes))
    }
}

/// A kept value as people are told it: numbers of an enumeration by their names in the contract.
pub fn shown(field: &str, kept: String) -> String {
    let number = || kept.parse::<i32>().ok();
    let name = match field {
        "kind" => number().and_then(|number| Kind::try_from(number).ok()).map(|kind| kind.as_str_name()),
        "status" => number().and_then(|number| Status::try_from(number).ok()).map(|status| status.as_str_name()),
        _ => None,
    };
    name.map_or(kept, str::to_owned)
}

/// What differs between a company before and after.
fn differences(before: &Company, after: &Company) -> Vec<Changed> {
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let fields = [
        ("name", before.name.clone(), after.name.clone()),
        ("short_name", before.short_name.clone(), after.short_name.clone()),
        ("kind", before.kind.to_string(), after.kind.to_string()),
        ("status", before.status.to_string(), after.status.to_string()),
        ("industry", before.industry.clone(), after.industry.clone()),
        ("capital_wan", before.capital_wan.to_string(), after.capital_wan.to_string()),
        ("established_on", day(before.established_on), day(after.established_on)),
    ];
    let changed = fields.into_iter().filter(|(_, before, after)| before != after);
    changed.map(|(field, before, text)| Changed { id: after.id, version: after.version, field, before, after: text }).collect()
}

/// A company with the fields of a mask taken from what is wanted. The contract gives no bounds for a whole company, for it is an answer
/// too: they are kept here.
pub fn masked(mut company: Company, wanted: &Enterprise, mask: &[String]) -> Result<Company, Refusal> {
    if mask.is_empty() {
        return Err(Refusal::invalid("update_mask", "REQUIRED", "请指明要修改的字段", "say which fields change"));
    }
    for field in mask {
        match field.as_str() {
            "name" => company.name = name("enterprise.name", &wanted.name)?,
            "short_name" => company.short_name = short_name("enterprise.short_name", &wanted.short_name)?,
            "status" => company.status = standing("enterprise.status", wanted.status)?,
            "industry" => company.industry = industry("enterprise.industry", &wanted.industry)?,
            "capital_wan" => company.capital_wan = capital("enterprise.capital_wan", wanted.capital_wan)?,
            "established_on" => company.established_on = day::read("enterprise.established_on", &wanted.established_on)?,
            other => {
                let (zh, en) = (format!("不能修改 {other}"), format!("{other} cannot be changed"));
                return Err(Refusal::invalid("update_mask", "UNKNOWN_FIELD", zh, en));
            }
        }
    }
    Ok(company)
}

/// A registered name, without blanks around it.
pub fn name(field: &'static str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if !(2..=200).contains(&text.chars().count()) {
        return Err(Refusal::invalid(field, "NAME_LENGTH", "名称应为 2 至 200 字", "must have 2 to 200 characters"));
    }
    Ok(text.to_owned())
}

/// A name in daily use, without blanks around it.
pub fn short_name(field: &'static str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.chars().count() > 60 {
        return Err(Refusal::invalid(field, "SHORT_NAME_LENGTH", "简称最多 60 字", "must have at most 60 characters"));
    }
    Ok(text.to_owned())
}

/// A class of GB/T 4754-2017: two to four digits, after its letter or without; text, for zeros lead.
pub fn industry(field: &'static str, text: &str) -> Result<String, Refusal> {
    let digits = text.strip_prefix(|letter| matches!(letter, 'A'..='T')).unwrap_or(text);
    let is_class = (2..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !text.is_empty() && !is_class {
        let (zh, en) = ("行业应为国民经济行业分类代码，如 6513", "must be a class of GB/T 4754, for example 6513");
        return Err(Refusal::invalid(field, "INDUSTRY_FORMAT", zh, en));
    }
    Ok(text.to_owned())
}

fn standing(field: &'static str, status: i32) -> Result<i32, Refusal> {
    match Status::try_from(status) {
        Ok(known) if known != Status::Unspecified => Ok(status),
        _ => Err(Refusal::invalid(field, "UNKNOWN_VALUE", "未知登记状态", "is not a standing")),
    }
}

/// Registered capital, 万元.
pub fn capital(field: &'static str, wan: f64) -> Result<f64, Refusal> {
    if !(0.0..=1e9).contains(&wan) {
        return Err(Refusal::invalid(field, "OUT_OF_BOUNDS", "注册资本超出范围", "must be 0 to 1e9"));
    }
    Ok(wan)
}

/// A credit code and what is known of it. A code must check; one issued with a wrong digit before 2016 is taken when it is said to be so.
pub fn credit_code(text: &str, said: CodeState) -> Result<(Option<String>, CodeState), Refusal> {
    let code = code::normalise(text);
    let bad = |reason, zh: &str, en: &str| Err(Refusal::invalid("credit_code", reason, zh, en));
    match (code.is_empty(), said) {
        (true, CodeState::CodePending | CodeState::CodeNone) => return Ok((None, said)),
        (true, _) => return bad("USCC_REQUIRED", "缺少统一社会信用代码", "is required, unless the code is pending or there is none"),
        (false, CodeState::CodePending | CodeState::CodeNone) => {
            return bad("USCC_UNEXPECTED", "筹建或无代码企业不应填写代码", "must be empty when pending or none");
        }
        _ => {}
    }
    match code::verdict(&code) {
        Verdict::Ok => Ok((Some(code), CodeState::CodeOk)),
        Verdict::Check if said == CodeState::CodeLegacy => Ok((Some(code), CodeState::CodeLegacy)),
        verdict => {
            let (reason, zh, en) = words(verdict);
            bad(reason, zh, en)
        }
    }
}

/// Stable code and words of what is wrong with a credit code. Never the value itself: it may be a person's.
pub fn words(verdict: Verdict) -> (&'static str, &'static str, &'static str) {
    match verdict {
        Verdict::Ok => ("OK", "正确", "is right"),
        Verdict::Format => ("USCC_FORMAT", "应为 18 位数字或大写字母（不含 I、O、S、V、Z）", "18 digits or capitals without I, O, S, V, Z"),
        Verdict::Check => ("USCC_CHECK", "校验位不正确", "its check digit does not hold"),
        Verdict::Organisation => ("USCC_ORG", "组织机构代码段校验位不正确", "the check digit of its organisation code does not hold"),
        Verdict::Identity => ("PII_IN_CODE_COLUMN", "此处疑似身份证号，请勿填写个人信息", "this looks like a person's identity number"),
        Verdict::Rounded => {
            ("USCC_PRECISION_LOST", "代码被电子表格按数值截断，请按文本重新导出", "a spreadsheet rounded it; export it as text")
        }
    }
}

/// A name for comparing: half width, lower case, without blanks and brackets of either width.
pub fn normalise(name: &str) -> String {
    name.chars()
        .map(half_width)
        .filter(|letter| !letter.is_whitespace() && !is_mark(*letter) && !matches!(letter, '(' | ')' | '·'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The pairs of neighbouring characters of a normalised text, each packed into a number: a scalar value has 21 bits, so none needs a hash.
pub fn grams(norm: &str) -> BTreeSet<i64> {
    let letters: Vec<char> = norm.chars().collect();
    letters.windows(2).map(|pair| (i64::from(u32::from(pair[0])) << 32) | i64::from(u32::from(pair[1]))).collect()
}

/// What nearly every company is called. Its pairs narrow nothing down and have the longest lists.
const EVERYWHERE: &str = "科技股份有限责任公司有限公司";

/// The pairs to look a text up by: those of its own, or all when it has none. The names found are compared with the whole text anyway.
pub fn telling(norm: &str) -> BTreeSet<i64> {
    let all = grams(norm);
    let own: BTreeSet<i64> = all.difference(&grams(EVERYWHERE)).copied().collect();
    if own.is_empty() { all } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company() -> Company {
        Company {
            id: Uuid::from_u128(1),
            credit_code: None,
            code_state: CodeState::CodePending as i32,
            name: "云栈智能科技有限公司".into(),
            short_name: "云栈".into(),
            kind: 1,
            status: Status::Operating as i32,
            industry: "6513".into(),
            capital_wan: 100.0,
            established_on: None,
            former: String::new(),
            version: 3,
        }
    }

    #[test]
    fn a_kept_value_is_told_by_its_name() {
        let told = |field, kept: &str| shown(field, kept.to_owned());
        assert_eq!(told("status", "4"), "MOVED_OUT");
        assert_eq!(told("kind", "2"), "BRANCH");
        assert_eq!(told("status", "99"), "99", "what nobody knows stays as it is");
        assert_eq!(told("name", "1"), "1");
    }

    #[test]
    fn a_code_must_check_or_be_said_to_be_old() {
        let said = |text: &str, state| credit_code(text, state).map(|(_, state)| state);
        assert_eq!(said("91350200MA31E12PXF", CodeState::Unspecified), Ok(CodeState::CodeOk));
        assert_eq!(said("91350203M0001QAY9B", CodeState::CodeLegacy), Ok(CodeState::CodeLegacy));
        assert_eq!(said("91350203M0001QAY9B", CodeState::Unspecified).expect_err("refused").reason(), "USCC_CHECK");
        assert_eq!(said("362322198709086408", CodeState::CodeLegacy).expect_err("refused").reason(), "USCC_ORG");
        assert_eq!(said("", CodeState::CodePending), Ok(CodeState::CodePending));
        assert_eq!(said("", CodeState::Unspecified).expect_err("refused").reason(), "USCC_REQUIRED");
        assert_eq!(said("91350200MA31E12PXF", CodeState::CodeNone).expect_err("refused").reason(), "USCC_UNEXPECTED");
        let refusal = credit_code("11010519491231002X", CodeState::Unspecified).expect_err("refused");
        assert!(!refusal.en().contains("11010519491231002X") && !refusal.zh().contains("11010519491231002X"));
    }

    #[test]
    fn two_characters_of_a_name_are_among_its_pairs() {
        let name = normalise("云栈智能（福州）科技有限公司");
        assert_eq!(name, "云栈智能福州科技有限公司");
        assert!(grams(&normalise("智能")).is_subset(&grams(&name)));
        assert!(!grams(&normalise("能智")).is_subset(&grams(&name)));
        assert_eq!(normalise("ＡＢＣ 公司"), "abc公司");
        assert_eq!(grams("a"), BTreeSet::new());
        assert_eq!(grams("𠮷野").len(), 1);
        assert_eq!(telling("云栈有限公司"), grams("云栈有"));
        assert_eq!(telling("有限公司"), grams("有限公司"));
    }

    #[test]
    fn only_named_fields_change_and_within_bounds() {
        let wanted = Enterprise {
            name: " 云帆 ".into(),
            short_name: "x".repeat(61),
            industry: "abc".into(),
            capital_wan: -1.0,
            ..Enterprise::default()
        };
        let with = |fields: &[&str]| masked(company(), &wanted, &fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>());
        let only_name = with(&["name"]).expect("changed");
        assert_eq!(only_name, Company { name: "云帆".into(), ..company() });
        let reason = |fields: &[&str]| with(fields).expect_err("refused").reason();
        assert_eq!(reason(&[]), "REQUIRED");
        assert_eq!(reason(&["credit_code"]), "UNKNOWN_FIELD");
        assert_eq!(reason(&["name", "short_name"]), "SHORT_NAME_LENGTH");
        assert_eq!(reason(&["industry"]), "INDUSTRY_FORMAT");
        assert_eq!(reason(&["capital_wan"]), "OUT_OF_BOUNDS");
        assert_eq!(reason(&["status"]), "UNKNOWN_VALUE");
        assert_eq!(with(&["established_on"]).expect("emptied").established_on, None);
    }

    #[test]
    fn a_former_name_is_kept_and_a_name_taken_back_is_not() {
        assert_eq!(company().becomes(company()), None);
        let (renamed, changes) = company().becomes(Company { name: "云帆科技".into(), ..company() }).expect("changed");
        assert_eq!((renamed.version, renamed.former.as_str()), (4, "云栈智能科技有限公司"));
        assert_eq!((changes.len(), changes[0].field, changes[0].before.as_str()), (1, "name", "云栈智能科技有限公司"));
        let (back, _) = renamed.becomes(Company { name: company().name, ..renamed.clone() }).expect("changed");
        assert_eq!((back.version, back.former.as_str()), (5, "云帆科技"));
    }

    #[test]
    fn a_class_has_two_to_four_digits() {
        for good in ["", "65", "6513", "I6513", "0111"] {
            assert!(industry("industry", good).is_ok(), "{good}");
        }
        for bad in ["6", "65130", "Z65", "软件", "I"] {
            assert!(industry("industry", bad).is_err(), "{bad}");
        }
    }
}
