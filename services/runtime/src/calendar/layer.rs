//! What a calendar is made of, as stored and sent: plain text, checked when it is laid on a calendar.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One level of the calendar: the nation, a tenant or a unit. What it leaves out, the level below decides.
///
/// ```json
/// {"name":"鼓楼区","week":{"sat":["09:00-12:00"]},"end_of_day":"midnight",
///  "days":[{"date":"2026-06-01","day":"off"},{"date":"2026-06-06","day":"work"},{"date":"2026-02-13","day":{"hours":["08:30-12:00"]}}]}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Whose layer it is; errors name it.
    pub name: String,
    /// The notice it rests on, such as 国办发明电〔2024〕12号.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "Week::is_empty")]
    pub week: Week,
    /// A list, not a map: JSON would let the second of two entries for a date win in silence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<DayOverride>,
    /// Years whose notice is in here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<i16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_day: Option<EndOfDay>,
}

impl Layer {
    pub fn from_json(text: &str) -> Result<Self, CalendarError> {
        serde_json::from_str(text).map_err(|error| CalendarError::Json { reason: error.to_string() })
    }
}

/// Hours by weekday as `HH:MM[:SS]-HH:MM[:SS]`, half-open, up to 24:00. `None` keeps what the level below says; an empty list is a
/// closed day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Week {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mon: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tue: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wed: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thu: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fri: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sat: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sun: Option<Vec<String>>,
}

impl Week {
    /// The same hours from Monday to Friday.
    pub fn weekdays<const N: usize>(hours: [&str; N]) -> Self {
        let hours = Some(hours.map(str::to_owned).to_vec());
        Self { mon: hours.clone(), tue: hours.clone(), wed: hours.clone(), thu: hours.clone(), fri: hours, ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn named(&self) -> [(&'static str, Option<&[String]>); 7] {
        [
            ("mon", self.mon.as_deref()),
            ("tue", self.tue.as_deref()),
            ("wed", self.wed.as_deref()),
            ("thu", self.thu.as_deref()),
            ("fri", self.fri.as_deref()),
            ("sat", self.sat.as_deref()),
            ("sun", self.sun.as_deref()),
        ]
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayOverride {
    /// `YYYY-MM-DD`.
    pub date: String,
    pub day: DayRule,
}

/// What a date is, whatever its weekday says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayRule {
    /// 休.
    Off,
    /// 班: a day of Monday's hours.
    Work,
    /// Its own hours, such as a half day.
    Hours(Vec<String>),
}

/// When the last day of a span in working days is over. The Civil Code, art. 203, says 24:00, or the close of business where there
/// are business hours; a tenant chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndOfDay {
    #[default]
    Close,
    Midnight,
}

/// Why a layer is refused: what is wrong, in which layer, at which weekday or date.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CalendarError {
    #[error("not a calendar layer: {reason}")]
    Json { reason: String },
    #[error("layer {layer}, {place}: {text:?} is not HH:MM[:SS]-HH:MM[:SS]")]
    Malformed { layer: String, place: String, text: String },
    #[error("layer {layer}, {place}: {text} leaves the day")]
    OutsideDay { layer: String, place: String, text: String },
    #[error("layer {layer}, {place}: {text} is empty")]
    Empty { layer: String, place: String, text: String },
    #[error("layer {layer}, {place}: {first} and {second} overlap")]
    Overlap { layer: String, place: String, first: String, second: String },
    #[error("layer {layer}: {text:?} is not a date")]
    BadDate { layer: String, text: String },
    #[error("layer {layer}: {date} is outside the calendar, 2018-12-31 to 2035-12-31")]
    DateOutOfRange { layer: String, date: String },
    #[error("layer {layer}: {year} is outside the calendar, 2019 to 2035")]
    YearOutOfRange { layer: String, year: i16 },
    #[error("layer {layer}: {date} is overridden twice")]
    OverriddenTwice { layer: String, date: String },
    #[error("layer {layer}: {date} has a list of no hours; a day without work is off")]
    NoHours { layer: String, date: String },
    #[error("layer {layer}: the week has no working hours, so nothing would ever be due")]
    NoWorkingWeek { layer: String },
}
