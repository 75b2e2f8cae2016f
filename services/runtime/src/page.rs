//! Lists: page sizes, page tokens that say where the last page ended (AIP-158), and the subset of filters (AIP-160) that lists offer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use crate::refusal::Refusal;

/// How many rows a page has: `asked`, or the default for 0, at most 200.
pub fn size(asked: i32, default: i64) -> i64 {
    if asked <= 0 { default } else { i64::from(asked).min(200) }
}

/// A page token: the key of the last row, bound to the question it belongs to.
pub fn token(question: &str, last: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(mark(question), last)).unwrap_or_default())
}

/// Reads a page token back; one that belongs to another question is refused.
pub fn after<T: DeserializeOwned>(question: &str, token: &str) -> Result<Option<T>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let refused = || Refusal::invalid("page_token", "PAGE_TOKEN", "翻页标记无效", "is not a page token of this list");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    let (said, last): (String, T) = serde_json::from_slice(&bytes).map_err(|_| refused())?;
    if said == mark(question) { Ok(Some(last)) } else { Err(refused()) }
}

fn mark(question: &str) -> String {
    hex::encode(&Sha256::digest(question)[..6])
}

/// Cuts a page of `size` from `size + 1` rows read, and makes the token of the next one.
pub fn cut<T, K: Serialize>(mut rows: Vec<T>, size: i64, question: &str, key: impl Fn(&T) -> K) -> (Vec<T>, String) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if rows.len() <= size {
        return (rows, String::new());
    }
    rows.truncate(size);
    let next = rows.last().map(|last| token(question, &key(last))).unwrap_or_default();
    (rows, next)
}

/// One comparison of a filter; only equality is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Field.
    pub field: String,
    /// Value, without quotes.
    pub value: String,
}

/// Reads `a = "x" AND b = y`. Anything else is refused with what is at fault.
pub fn filter(text: &str) -> Result<Vec<Term>, Refusal> {
    let mut terms = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (field, after) = word(rest);
        let after = after.trim_start();
        let Some(after) = after.strip_prefix('=').filter(|_| !field.is_empty()) else { return Err(bad(rest)) };
        let (value, after) = value(after.trim_start())?;
        terms.push(Term { field: field.to_owned(), value });
        rest = after.trim_start();
        if rest.is_empty() {
            break;
        }
        let (and, after) = word(rest);
        if and != "AND" || after.trim().is_empty() {
            return Err(bad(rest));
        }
        rest = after.trim_start();
    }
    Ok(terms)
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == '.')).unwrap_or(text.len());
    text.split_at(end)
}

fn value(text: &str) -> Result<(String, &str), Refusal> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return if value.is_empty() || value.contains('"') { Err(bad(text)) } else { Ok((value.to_owned(), rest)) };
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next().ok_or_else(|| bad(text))?.1),
            _ => value.push(letter),
        }
    }
    Err(bad(text))
}

fn bad(at: &str) -> Refusal {
    let at: String = at.chars().take(30).collect();
    Refusal::invalid(
        "filter",
        "FILTER",
        format!("筛选条件有误：{at}"),
        format!("not understood at `{at}`; write `field = \"value\" AND …`"),
    )
}

/// A filter on a field that a list does not offer.
pub fn unknown_field(field: &str, offered: &[&str]) -> Refusal {
    let offered = offered.join(", ");
    Refusal::invalid("filter", "FILTER_FIELD", format!("不支持按 {field} 筛选"), format!("cannot filter by {field}; offered: {offered}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_or_refused() {
        let term = |field: &str, value: &str| Term { field: field.into(), value: value.into() };
        assert_eq!(filter("").expect("empty"), vec![]);
        assert_eq!(filter(r#"state = "HANDLING" AND overdue = true"#).expect("read"), [term("state", "HANDLING"), term("overdue", "true")]);
        assert_eq!(filter(r#"a="x \" AND y""#).expect("read"), [term("a", r#"x " AND y"#)]);
        for bad in ["state", "state =", "= x", "state = \"x", "a = b OR c = d", "a = b AND", "a != b", "a = b c = d", "'; drop"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_belongs_to_its_question() {
        let token = token("tickets state=1", &("2026", 5));
        assert_eq!(after::<(String, i32)>("tickets state=1", &token).expect("read"), Some(("2026".into(), 5)));
        assert!(after::<(String, i32)>("tickets state=2", &token).is_err());
        assert!(after::<(String, i32)>("tickets state=1", "nonsense").is_err());
        assert_eq!(after::<(String, i32)>("x", "").expect("first page"), None);
        let (rows, next) = cut(vec![1, 2, 3], 2, "q", |row| *row);
        assert_eq!((rows, after::<i32>("q", &next).expect("read")), (vec![1, 2], Some(2)));
    }
}
