//! The file as text: its head, and a line for each request.

use std::fmt::Write as _;

use drumtower_proto::identity::User;
use drumtower_runtime::{Call, Fault, Kind as Refused, mask, seal::Sealer};
use jiff::{Timestamp, tz};

use super::{
    rules::{Export, line},
    words,
};
use crate::ticket::{cards::Cards, shown::place, store::Row};

/// Tells programs for tables that the text is UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Who exported it, when, what for and which rows; then what the columns are.
pub fn head(export: &Export, person: &User) -> String {
    let (who, at) = (format!("{} ({})", person.name, person.login), minute(export.created_at));
    let (purpose, filter, id) = (&export.purpose, &export.filter, export.id);
    let mark = if export.english {
        format!("Exported by {who} at {at} for: {purpose}. Filter: {filter}. Export {id}. For this purpose only; not to be passed on.")
    } else {
        format!("导出人：{who}；导出时间：{at}；用途：{purpose}；筛选条件：{filter}；导出编号：{id}。仅限上述用途，请勿外传。")
    };
    let columns = words::COLUMNS.map(|word| words::of(word, export.english));
    format!("{BYTE_ORDER_MARK}{}{}", line([mark]), line(columns))
}

/// Minutes in China.
fn minute(at: Timestamp) -> String {
    tz::offset(8).to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string()
}

/// What a line needs beside its row.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub export: &'a Export,
    pub sealer: &'a Sealer,
    pub cards: &'a Cards,
    pub call: &'a Call,
}

impl Source<'_> {
    /// The lines of some requests.
    pub async fn lines(&self, rows: Vec<Row>) -> Result<String, Fault> {
        let mut text = String::new();
        for row in rows {
            text.write_str(&self.line(row).await?).map_err(|error| Fault::broken(error.to_string()))?;
        }
        Ok(text)
    }

    async fn line(&self, row: Row) -> Result<String, Fault> {
        let due_at = row.due_at.map(|at| at.to_jiff());
        let (matter, ticket) = row.split(Vec::new(), Vec::new())?;
        let id = matter.id.to_string();
        let unit = match ticket.lead {
            Some(unit) => known(self.cards.unit(self.call, unit).await)?.map(|card| card.name).unwrap_or_default(),
            None => String::new(),
        };
        let place_of = match matter.building {
            Some(building) if matter.place.is_empty() => {
                known(self.cards.building(self.call, building).await)?.map(|card| card.name).unwrap_or_default()
            }
            _ => matter.place.clone(),
        };
        let word = |word| words::of(word, self.export.english).to_owned();
        let score = if ticket.score == 0 { String::new() } else { ticket.score.to_string() };
        Ok(line([
            matter.number.clone(),
            word(words::state(ticket.state)),
            word(words::kind(ticket.kind)),
            word(words::urgency(ticket.urgency)),
            matter.title.clone(),
            matter.description.clone(),
            matter.enterprise_name.clone(),
            place_of,
            unit,
            word(words::source(drumtower_proto::ticketing::ticket::Source::try_from(matter.source).unwrap_or_default())),
            self.personal("NAME", self.sealer.open(place("contact_name", &id), &matter.contact_name)?),
            self.personal("PHONE", self.sealer.open(place("contact_phone", &id), &matter.contact_phone)?),
            minute(ticket.submitted_at),
            due_at.map(minute).unwrap_or_default(),
            word(words::result(ticket.result)),
            matter.result_text.clone(),
            score,
            word(words::supervision(ticket.side.supervision)),
        ]))
    }

    /// As everywhere: masked unless the person may see it.
    fn personal(&self, kind: &str, text: String) -> String {
        if self.export.unmasked { text } else { mask::masked(kind, &text) }
    }
}

/// A card that is not there any more leaves its cell empty.
fn known<T>(card: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match card {
        Ok(card) => Ok(Some(card)),
        Err(Fault::Refused(refusal)) if refusal.kind() == Refused::NotFound => Ok(None),
        Err(Fault::Peer(status)) if status.code() == tonic::Code::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}
