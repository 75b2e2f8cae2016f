//! What a company's record must agree on, and the pairs of characters that find it.

use std::collections::BTreeSet;

use drumtower_proto::enterprise::enterprise::CodeState;
use drumtower_runtime::Refusal;

use super::code::{self, Verdict, half_width};

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
        .filter(|letter| !letter.is_whitespace() && !matches!(letter, '(' | ')' | '·' | '\u{feff}' | '\u{200b}'..='\u{200f}'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The pairs of neighbouring characters of a normalised text, each packed into a number.
pub fn grams(norm: &str) -> BTreeSet<i64> {
    let letters: Vec<char> = norm.chars().collect();
    letters.windows(2).map(|pair| (i64::from(u32::from(pair[0])) << 32) | i64::from(u32::from(pair[1]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_must_check_or_be_said_to_be_old() {
        let said = |text: &str, state| credit_code(text, state).map(|(_, state)| state);
        assert_eq!(said("91350200MA31E12PXF", CodeState::Unspecified), Ok(CodeState::CodeOk));
        assert_eq!(said("91350203M0001QAY9B", CodeState::CodeLegacy), Ok(CodeState::CodeLegacy));
        assert_eq!(said("91350203M0001QAY9B", CodeState::Unspecified).expect_err("refused").reason(), "USCC_CHECK");
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
    }
}
