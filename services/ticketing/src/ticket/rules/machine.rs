//! The state machine as data: which verb fits which state and where it may lead, and the limits that go with it. What a verb does is
//! code, so a district's version says what it leaves out of the platform's own and which limits it sets; requests keep the version they
//! began under. [`Machine::without`] says what is wrong with one.

use std::collections::BTreeSet;

use drumtower_proto::ticketing::ticket;
use drumtower_runtime::Refusal;
use serde::{Deserialize, Serialize};

use super::State;

/// A version of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    pub version: String,
    pub transitions: Vec<Transition>,
    pub limits: Limits,
}

/// A verb fits these states and leads to one of those; to none of them when the state stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    pub verb: String,
    #[serde(deserialize_with = "names::deserialize")]
    pub from: Vec<State>,
    #[serde(deserialize_with = "names::deserialize", default)]
    pub to: Vec<State>,
}

/// What a district wants otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overlay {
    /// What it does without.
    pub without: Vec<Left>,
    /// Limits that it sets, by name.
    pub limits: serde_json::Map<String, serde_json::Value>,
}

/// A verb that is not for these states.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    pub verb: String,
    #[serde(deserialize_with = "names::deserialize")]
    pub from: Vec<State>,
}

impl Overlay {
    /// The platform's limits with the district's laid over them.
    fn limits(&self, limits: Limits) -> Result<Limits, Refusal> {
        let wrong = |error: serde_json::Error| Refusal::invalid("limits", "LIMIT", format!("限值有误：{error}"), error.to_string());
        let mut all = serde_json::to_value(limits).map_err(wrong)?;
        if let Some(all) = all.as_object_mut() {
            all.extend(self.limits.clone());
        }
        serde_json::from_value(all).map_err(wrong)
    }
}

/// Numbers that a district may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Returns after which an arbiter decides.
    pub returns: i32,
    /// How far from the building a person may check in.
    pub fence_metres: u32,
    /// How far a device's clock may be off before a check-in is flagged.
    pub skew_minutes: u32,
    /// The requester urges once in this time.
    pub urge_hours: u32,
    /// Attempts on different half-days after which the requester counts as not reached.
    pub unreached: u32,
    /// Extensions of one resolution clock.
    pub extensions: u32,
    /// All of them together, per cent of the first time allowed.
    pub extension_percent: u32,
    /// Redone so often, a request is supervised by itself.
    pub redos_before_supervision: i32,
    /// How long after the first close the requester may reopen.
    pub reopen_hours: u32,
    /// The longest pause.
    pub hold_work_days: u32,
    /// The longest stay on the ledger before it is looked at again.
    pub ledger_days: u32,
    /// Working days after the end of the month within which an exclusion may be asked for.
    pub exclusion_work_days: u32,
    /// What the lead unit shows with its report.
    #[serde(default)]
    pub evidence: Evidence,
}

/// Attachments of the lead unit that a report needs, by what came of the request. None, unless a district says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    pub resolved: u32,
    pub partly: u32,
    pub policy: u32,
    pub unreasonable: u32,
    pub unreachable: u32,
}

impl Evidence {
    /// Of one result.
    pub fn of(self, result: ticket::Result) -> u32 {
        match result {
            ticket::Result::Resolved => self.resolved,
            ticket::Result::Partly => self.partly,
            ticket::Result::Policy => self.policy,
            ticket::Result::Unreasonable => self.unreasonable,
            ticket::Result::Unreachable => self.unreachable,
            ticket::Result::Unspecified => 0,
        }
    }
}

/// Where a request ends, unless somebody brings it back.
const ENDS: [State; 4] = [State::Archived, State::Refused, State::Withdrawn, State::Merged];
/// States with a lead unit: entered by a dispatch only.
const AT_WORK: [State; 8] =
    [State::Dispatched, State::Handling, State::OnSite, State::Consulting, State::Review, State::Callback, State::Redo, State::Ledger];

impl Machine {
    /// The machine that districts begin with.
    pub fn standard() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../../../data/machine.json"))
    }

    /// Whether a verb fits a state.
    pub fn allows(&self, verb: &str, state: State) -> bool {
        self.transitions.iter().any(|transition| transition.verb == verb && transition.from.contains(&state))
    }

    /// Whether a verb may lead from a state to another.
    #[cfg(test)]
    pub fn leads(&self, verb: &str, from: State, to: State) -> bool {
        let fits = |transition: &&Transition| transition.verb == verb && transition.from.contains(&from);
        let mut fitting = self.transitions.iter().filter(fits);
        fitting.any(|transition| transition.to.contains(&to) || transition.to.is_empty() && from == to)
    }

    /// Verbs that fit a state, each once.
    pub fn verbs(&self, state: State) -> Vec<&str> {
        let mut verbs: Vec<&str> = Vec::new();
        for transition in self.transitions.iter().filter(|transition| transition.from.contains(&state)) {
            if !verbs.contains(&transition.verb.as_str()) {
                verbs.push(&transition.verb);
            }
        }
        verbs
    }

    /// This machine as a district wants it, or what is wrong with that: something left out that is not there, a state that cannot be
    /// reached or left any more, a limit looser than it may be.
    pub fn without(&self, version: String, overlay: &Overlay) -> Result<Self, Refusal> {
        let mut machine = Self { version, ..self.clone() };
        for Left { verb, from } in &overlay.without {
            if let Some(state) = from.iter().find(|state| !machine.allows(verb, **state)).map(State::as_str_name) {
                let (zh, en) = (format!("{verb} 不适用于 {state}"), format!("{verb} does not fit {state}"));
                return Err(Refusal::invalid("without", "UNKNOWN_TRANSITION", zh, en).fact("verb", verb));
            }
            for transition in machine.transitions.iter_mut().filter(|transition| transition.verb == *verb) {
                transition.from.retain(|state| !from.contains(state));
            }
            machine.transitions.retain(|transition| !transition.from.is_empty());
        }
        machine.limits = overlay.limits(self.limits)?;
        machine.check(self)?;
        Ok(machine)
    }

    /// Every state can be reached and left, and no limit is looser than the platform's.
    pub fn check(&self, standard: &Self) -> Result<(), Refusal> {
        for state in self.states() {
            if !self.reachable(State::Submitted).contains(&state) {
                return Err(wrong("UNREACHABLE_STATE", state, "到达不了", "cannot be reached"));
            }
            let ends = self.reachable(state).into_iter().any(|state| ENDS.contains(&state));
            if !ends {
                return Err(wrong("NO_WAY_OUT", state, "没有出口", "has no way out"));
            }
        }
        let from_outside = |transition: &&Transition| {
            let dispatched = matches!(transition.verb.as_str(), "dispatch" | "callUp" | "reopen");
            !dispatched && transition.from.iter().any(|from| !AT_WORK.contains(from))
        };
        for transition in self.transitions.iter().filter(from_outside) {
            if let Some(state) = transition.to.iter().find(|to| AT_WORK.contains(to)) {
                return Err(wrong("WORK_WITHOUT_LEAD", *state, "未经派单进入办理", "is entered without a dispatch"));
            }
        }
        self.limits_hold(standard)
    }

    fn limits_hold(&self, standard: &Self) -> Result<(), Refusal> {
        let (own, most) = (self.limits, standard.limits);
        let bounded = [
            ("returns", i64::from(own.returns), 1, 5),
            ("fence_metres", own.fence_metres.into(), 20, 2000),
            ("skew_minutes", own.skew_minutes.into(), 1, 60),
            ("urge_hours", own.urge_hours.into(), 1, 168),
            ("unreached", own.unreached.into(), 2, 10),
            ("extensions", own.extensions.into(), 0, most.extensions.into()),
            ("extension_percent", own.extension_percent.into(), 0, most.extension_percent.into()),
            ("redos_before_supervision", own.redos_before_supervision.into(), 1, 5),
            ("reopen_hours", own.reopen_hours.into(), 24, 720),
            ("hold_work_days", own.hold_work_days.into(), 1, most.hold_work_days.into()),
            ("ledger_days", own.ledger_days.into(), 1, most.ledger_days.into()),
            ("exclusion_work_days", own.exclusion_work_days.into(), 0, 10),
            ("evidence.resolved", own.evidence.resolved.into(), 0, 10),
            ("evidence.partly", own.evidence.partly.into(), 0, 10),
            ("evidence.policy", own.evidence.policy.into(), 0, 10),
            ("evidence.unreasonable", own.evidence.unreasonable.into(), 0, 10),
            ("evidence.unreachable", own.evidence.unreachable.into(), 0, 10),
        ];
        for (name, value, least, most) in bounded {
            if !(least..=most).contains(&value) {
                let field = format!("limits.{name}");
                return Err(Refusal::invalid(field, "LIMIT", format!("须在 {least} 到 {most} 之间"), format!("is from {least} to {most}")));
            }
        }
        Ok(())
    }

    fn states(&self) -> BTreeSet<State> {
        let named = self.transitions.iter().flat_map(|transition| transition.from.iter().chain(&transition.to));
        named.copied().chain([State::Submitted, State::Archived]).collect()
    }

    /// States that can be reached from one, itself among them.
    fn reachable(&self, from: State) -> BTreeSet<State> {
        let mut found = BTreeSet::from([from]);
        loop {
            let next = self.transitions.iter().filter(|transition| transition.from.iter().any(|state| found.contains(state)));
            let more: BTreeSet<State> =
                next.flat_map(|transition| transition.to.iter().copied()).filter(|state| !found.contains(state)).collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }
}

fn wrong(reason: &'static str, state: State, zh: &str, en: &str) -> Refusal {
    let state = state.as_str_name();
    Refusal::invalid("without", reason, format!("状态 {state} {zh}"), format!("{state} {en}")).fact("state", state)
}

/// States by their names.
mod names {
    use serde::{Deserialize as _, Deserializer, de::Error as _};

    use super::State;

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<State>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let read = |name: &String| State::from_str_name(name).ok_or_else(|| D::Error::custom(format!("there is no state {name}")));
        names.iter().map(read).collect()
    }
}
