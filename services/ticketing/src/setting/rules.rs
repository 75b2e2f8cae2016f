//! Reading versions: what is wrong with one, and what all of a district's together make.

use std::sync::Arc;

use drumtower_proto::ticketing::setting::Kind;
use drumtower_runtime::{
    Failure, Fault, Refusal,
    calendar::{Calendar, Layer},
};

use crate::{
    clock::rules::{Policy, Promises},
    dispatch::rules::Rules,
    figure::rules::Weights,
    ticket::rules::{Book, Machine},
};

/// A version of one kind, read and found in order.
#[derive(Debug)]
pub enum Content {
    Machine(Machine),
    Policy(Policy),
    Calendar(Box<Calendar>),
    Dispatch(Rules),
    Weights(Weights),
}

/// Reads a version.
pub fn read(kind: Kind, number: i32, content: &str) -> Result<Content, Refusal> {
    match kind {
        Kind::Machine => {
            let standard = Machine::standard().map_err(|error| malformed(&error))?;
            Ok(Content::Machine(standard.without(version("machine", number), &json(content)?)?))
        }
        Kind::ClockPolicy => {
            let standard = Policy::standard().map_err(|error| malformed(&error))?;
            Ok(Content::Policy(standard.with(version("policy", number), json(content)?)?))
        }
        Kind::Calendar => {
            let layer = Layer::from_json(content).map_err(|error| malformed(&error))?;
            let calendar = Calendar::national()
                .with(&layer)
                .map_err(|error| Refusal::invalid("content", "CALENDAR", format!("日历有误：{error}"), error.to_string()))?;
            Ok(Content::Calendar(Box::new(calendar)))
        }
        Kind::DispatchRules => {
            let rules: Rules = json(content)?;
            rules.check()?;
            Ok(Content::Dispatch(rules))
        }
        Kind::FigureWeights => {
            let weights: Weights = json(content)?;
            weights.check()?;
            Ok(Content::Weights(weights))
        }
        Kind::Unspecified => Err(Refusal::invalid("kind", "REQUIRED", "必填", "is required")),
    }
}

/// What requests and clocks keep of the version that they began under.
fn version(kind: &str, number: i32) -> String {
    format!("{kind}@{number}")
}

fn json<T: serde::de::DeserializeOwned>(content: &str) -> Result<T, Refusal> {
    serde_json::from_str(content).map_err(|error| malformed(&error))
}

fn malformed(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::invalid("content", "MALFORMED", format!("内容有误：{error}"), error.to_string())
}

/// Everything that decisions rest on in one district.
#[derive(Debug)]
pub struct Setting {
    /// All versions, oldest first: requests keep theirs.
    machines: Vec<Arc<Machine>>,
    policy: Policy,
    calendar: Calendar,
    dispatch: Rules,
}

impl Setting {
    /// The platform's own.
    pub fn standard() -> Result<Self, Failure> {
        let (machine, policy) = (Machine::standard()?, Policy::standard()?);
        machine.check(&machine).and_then(|()| policy.check()).map_err(|refusal| refusal.en().to_owned())?;
        Ok(Self { machines: vec![Arc::new(machine)], policy, calendar: Calendar::national(), dispatch: Rules::default() })
    }

    /// The platform's own, with what a district published: all machines, the newest of the rest.
    pub fn of(rows: &[(i16, i32, String)]) -> Result<Self, Fault> {
        let mut setting = Self::standard().map_err(|error| Fault::broken(error.to_string()))?;
        for (kind, number, content) in rows {
            let kind = Kind::try_from(i32::from(*kind)).unwrap_or_default();
            // A version that was in order when it was published stays so; one that is not says so loudly.
            match read(kind, *number, content).map_err(|refusal| Fault::broken(format!("{kind:?} {number}: {}", refusal.en())))? {
                Content::Machine(machine) => setting.machines.push(Arc::new(machine)),
                Content::Policy(policy) => setting.policy = policy,
                Content::Calendar(calendar) => setting.calendar = *calendar,
                Content::Dispatch(rules) => setting.dispatch = rules,
                // Figures ask for the weights of the day that they are of.
                Content::Weights(_) => {}
            }
        }
        Ok(setting)
    }

    /// The machine that requests begin under now.
    pub fn machine(&self) -> &Machine {
        self.machines.last().unwrap_or_else(|| unreachable!("the platform's own is always there"))
    }

    /// The version of the promised times that clocks begin under now.
    pub fn policy_version(&self) -> &str {
        &self.policy.version
    }

    /// The dispatch catalogue.
    pub fn dispatch(&self) -> &Rules {
        &self.dispatch
    }

    /// How promised times are reckoned now.
    pub fn promises(&self) -> Promises<'_> {
        Promises { policy: &self.policy, calendar: &self.calendar }
    }

    /// What a decision about a request rests on that began under a version.
    pub fn book(&self, version: &str) -> Book<'_> {
        let machine = self.machines.iter().find(|machine| machine.version == version).map(Arc::as_ref).unwrap_or_else(|| self.machine());
        Book { machine, promises: self.promises() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(kind: Kind, content: &str) -> &'static str {
        read(kind, 1, content).expect_err("refused").reason()
    }

    #[test]
    fn what_is_wrong_with_a_version_is_said() {
        assert_eq!(reason(Kind::Machine, "{"), "MALFORMED");
        assert_eq!(reason(Kind::Machine, r#"{"transitions":[]}"#), "MALFORMED");
        let overlapping = r#"{"name":"鼓楼区","week":{"mon":["09:00-12:00","11:00-13:00"]}}"#;
        assert_eq!(reason(Kind::Calendar, overlapping), "CALENDAR");
        assert_eq!(reason(Kind::Calendar, r#"{"name":"x","weeks":{}}"#), "MALFORMED");
        assert_eq!(reason(Kind::ClockPolicy, r#"{"promises":[{"clock":"C5","unit":"days","count":0,"source":"x"}]}"#), "COUNT");
    }

    #[test]
    fn requests_keep_the_machine_they_began_under() {
        let machine = r#"{"limits":{"returns":1}}"#.to_owned();
        let calendar = r#"{"name":"鼓楼区","days":[{"date":"2026-03-04","day":"off"}]}"#;
        let rows = [(Kind::Machine as i16, 1, machine), (Kind::Calendar as i16, 1, calendar.to_owned())];
        let setting = Setting::of(&rows).expect("in order");
        assert_eq!((setting.machine().version.as_str(), setting.machine().limits.returns), ("machine@1", 1));
        assert_eq!(setting.book("default@1").machine.limits.returns, 2);
        assert!(!setting.book("machine@1").promises.calendar.is_workday(jiff::civil::date(2026, 3, 4)));
    }
}
