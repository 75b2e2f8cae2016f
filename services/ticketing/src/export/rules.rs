//! What an export may be and how long it lasts; how a line of its file is written so that no cell becomes a formula.

use drumtower_proto::ticketing::export;
use drumtower_runtime::{Kind, Reach, Refusal};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use export::{State, What};

/// Rows of a file (our decision: what people still work with in a table).
pub const MOST_ROWS: i64 = 50_000;
/// Bytes of a file: an answer of a service is at most 64 MiB.
pub const MOST_BYTES: i64 = 48 * 1024 * 1024;
/// Exports of a person that run at once.
pub const SLOTS: i16 = 2;
/// How long a file is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a link is good.
pub const LINK_GOOD: SignedDuration = SignedDuration::from_mins(5);
/// How often an export is tried that goes no further.
pub const ATTEMPTS: i16 = 5;

/// An export as the row keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub id: Uuid,
    pub user: Uuid,
    pub what: What,
    pub filter: String,
    pub purpose: String,
    /// Units whose requests it reaches; none for the whole district.
    pub units: Option<Vec<Uuid>>,
    /// Numbers to call are written as they are.
    pub unmasked: bool,
    pub english: bool,
    pub state: State,
    pub reason: String,
    pub total: i32,
    pub rows: i32,
    pub bytes: i64,
    /// Objects that count, in order.
    pub pieces: Vec<String>,
    /// The last row that was written.
    pub after: Option<(Timestamp, Uuid)>,
    pub attempts: i16,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

impl Export {
    /// What it reaches: what its person reached when it began.
    pub fn reach(&self) -> Reach {
        Reach { all: self.units.is_none(), nodes: self.units.clone().unwrap_or_default(), ..Reach::default() }
    }

    /// Still to be written.
    pub fn runs(&self) -> bool {
        matches!(self.state, State::Queued | State::Running)
    }

    /// What the file is called.
    pub fn file_name(&self) -> String {
        let day = drumtower_runtime::calendar::today(self.created_at);
        format!("{}-{day}-{}.csv", if self.english { "requests" } else { "诉求" }, &self.id.simple().to_string()[24..])
    }
}

/// What somebody may export of: the district, or units.
pub fn reached(reach: &Reach) -> Result<Option<Vec<Uuid>>, Refusal> {
    match (reach.all, reach.nodes.is_empty()) {
        (true, _) => Ok(None),
        (false, false) => Ok(Some(reach.nodes.clone())),
        (false, true) => Err(Refusal::denied("ticket.export")),
    }
}

/// What it is for, in words.
pub fn purpose(text: &str) -> Result<&str, Refusal> {
    let text = text.trim();
    if text.chars().count() < 2 || text.chars().any(char::is_control) {
        return Err(Refusal::invalid("purpose", "PURPOSE", "请用一行文字写明用途", "says in a line what it is for"));
    }
    Ok(text)
}

/// Somebody has as many exports running as they may.
pub fn enough() -> Refusal {
    Refusal::new(
        Kind::Exhausted,
        "TOO_MANY_EXPORTS",
        format!("最多同时导出 {SLOTS} 项，请等待完成"),
        format!("at most {SLOTS} exports run at once"),
    )
    .fact("most", SLOTS.to_string())
}

/// Whether its person may be given the file: it is there, and nothing is in it that they may no longer see.
pub fn link(export: &Export, reach: &Reach, may_unmask: bool) -> Result<(), Refusal> {
    if export.state != State::Ready {
        let (zh, en) = ("导出文件不可下载", "there is no file to load");
        return Err(Refusal::state("NOT_READY", zh, en).fact("state", export.state.as_str_name()));
    }
    let reaches = reach.all || export.units.as_ref().is_some_and(|units| units.iter().all(|unit| reach.nodes.contains(unit)));
    if !reaches || export.unmasked && !may_unmask {
        return Err(Refusal::state("RIGHTS_CHANGED", "权限已变更，请重新导出", "your roles have changed; export again"));
    }
    Ok(())
}

/// A line of the file. Every cell is quoted; what is in it is text, whatever it begins with.
pub fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| format!("\"{}\"", tame(cell.as_ref()).replace('"', "\"\""))).collect();
    format!("{}\r\n", cells.join(","))
}

/// Text that a program for tables takes for text. Programs begin a formula with these letters, also behind blanks and in full width
/// (OWASP, CSV injection).
fn tame(text: &str) -> String {
    let begins = text.trim_start().chars().next();
    match begins {
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '|' | '%') => format!("'{text}"),
        _ if text.starts_with(['\t', '\r', '\n']) => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(units: Option<Vec<Uuid>>) -> Export {
        Export {
            id: Uuid::from_u128(0x1234_5678),
            user: Uuid::from_u128(1),
            what: What::Tickets,
            filter: String::new(),
            purpose: "核对".into(),
            units,
            unmasked: false,
            english: false,
            state: State::Ready,
            reason: String::new(),
            total: 0,
            rows: 0,
            bytes: 0,
            pieces: Vec::new(),
            after: None,
            attempts: 0,
            created_at: "2026-11-24T17:00:00Z".parse().expect("a time"),
            finished_at: None,
            expires_at: None,
        }
    }

    #[test]
    fn no_cell_becomes_a_formula_or_breaks_the_table() {
        let of = |cell: &str| line([cell]).trim_end().to_owned();
        for evil in ["=1+1", "+86", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1", "|cmd", "%0a"] {
            assert!(of(evil).starts_with("\"'"), "{evil:?} is {}", of(evil));
        }
        assert_eq!(
            (of("漏水"), of("a\"b"), of("两\n行"), of("")),
            ("\"漏水\"".into(), "\"a\"\"b\"".into(), "\"两\n行\"".into(), "\"\"".into())
        );
        assert_eq!(line(["a", "b,c"]), "\"a\",\"b,c\"\r\n");
    }

    #[test]
    fn a_file_is_given_to_who_still_may_see_what_is_in_it() {
        let (market, fire) = (Uuid::from_u128(10), Uuid::from_u128(11));
        let (all, of) = (Reach { all: true, ..Reach::default() }, |nodes: Vec<Uuid>| Reach { nodes, ..Reach::default() });
        let reason = |export: &Export, reach: &Reach, unmask: bool| link(export, reach, unmask).err().map(|refusal| refusal.reason());
        let (whole, part) = (export(None), export(Some(vec![market])));
        assert_eq!(
            (reason(&whole, &all, false), reason(&part, &all, false), reason(&part, &of(vec![market, fire]), false)),
            (None, None, None)
        );
        assert_eq!(reason(&whole, &of(vec![market]), false), Some("RIGHTS_CHANGED"));
        assert_eq!(reason(&part, &of(vec![fire]), false), Some("RIGHTS_CHANGED"));
        let open = Export { unmasked: true, ..export(None) };
        assert_eq!((reason(&open, &all, true), reason(&open, &all, false)), (None, Some("RIGHTS_CHANGED")));
        for state in [State::Queued, State::Running, State::Failed, State::Expired, State::Cancelled] {
            assert_eq!(reason(&Export { state, ..export(None) }, &all, true), Some("NOT_READY"));
        }
    }

    #[test]
    fn companies_export_nothing_and_a_purpose_is_said() {
        let company = Reach { enterprise: Some(Uuid::from_u128(5)), own: Some(Uuid::from_u128(1)), ..Reach::default() };
        assert!(reached(&company).is_err());
        assert_eq!(purpose(" 周报 "), Ok("周报"));
        assert!(purpose("  x ").is_err() && purpose("a\nb").is_err());
        assert_eq!(export(None).file_name(), "诉求-2026-11-25-12345678.csv", "the day in China");
    }
}
