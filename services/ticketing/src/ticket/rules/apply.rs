//! What a change makes of a request. Total: a change that was decided applies, always the same way.

use drumtower_proto::ticketing::{assignment, call_back_ticket_request::Outcome, refuse_ticket_request::Reason, ticket};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Assignment, Change, Kind, State, Ticket, Urgency};
use crate::clock::rules::{Clock, Name};

impl Ticket {
    /// The request that a submission makes; `None` for any other change.
    pub fn begin(change: &Change, at: Timestamp) -> Option<Self> {
        let Change::Submitted { kind, danger, requester, enterprise, clocks } = change else { return None };
        Some(Self {
            state: State::Submitted,
            kind: Kind::try_from(*kind).unwrap_or_default(),
            urgency: Urgency::Unspecified,
            danger: *danger,
            requester: *requester,
            enterprise: *enterprise,
            submitted_at: at,
            lead: None,
            assignments: Vec::new(),
            clocks: clocks.clone(),
            result: ticket::Result::Unspecified,
            score: 0,
            return_count: 0,
            redo_count: 0,
            arbitrated: false,
            refuse_reason: None,
            handled_by: Vec::new(),
            checked_in: Vec::new(),
            unreached: Vec::new(),
            last_callback: None,
            urged_at: None,
            version: 1,
            updated_at: at,
        })
    }

    /// Makes a change.
    pub fn apply(&mut self, change: &Change, at: Timestamp) {
        self.version += 1;
        self.updated_at = at;
        match change {
            Change::Submitted { .. } => {}
            Change::Accepted { kind, urgency, clocks } => {
                self.kind = Kind::try_from(*kind).unwrap_or_default();
                self.urgency = Urgency::try_from(*urgency).unwrap_or_default();
                self.stop(&[Name::C1], at);
                self.start(clocks);
                self.state = State::Accepted;
            }
            Change::Refused { reason } => {
                self.refuse_reason = Reason::try_from(*reason).ok();
                self.end(State::Refused, at);
            }
            Change::Dispatched { lead, support, arbitrated, clocks } => self.dispatched(*lead, support, *arbitrated, clocks, at),
            Change::Signed { unit, clocks } => self.signed(*unit, clocks, at),
            Change::Returned { clocks, .. } => {
                self.close_parts();
                self.lead = None;
                self.return_count += 1;
                self.stop(&[Name::C3, Name::C6], at);
                self.start(clocks);
                self.state = State::Accepted;
            }
            Change::Transferred { unit, handler } => {
                if let Some(part) = self.part_mut(*unit) {
                    part.handler = Some(*handler);
                }
            }
            Change::Contacted { .. } => self.stop(&[Name::C4], at),
            Change::SetOut { clocks, .. } => {
                self.start(clocks);
                self.checked_in.clear();
                self.state = State::OnSite;
            }
            Change::CheckedIn { unit, user, .. } => self.checked_in(*unit, *user, at),
            Change::Reported { unit, user, result, waived } => self.reported(*unit, *user, *result, waived, at),
            Change::SignedOff { clocks } => {
                self.stop(&[Name::C4, Name::C5, Name::C7], at);
                self.start(clocks);
                self.last_callback = None;
                self.state = State::Callback;
            }
            Change::SentBack => {
                self.reopen_lead(assignment::State::Signed);
                self.state = State::Handling;
            }
            Change::CalledBack { outcome, half_day, archived } => {
                self.last_callback = Outcome::try_from(*outcome).ok();
                self.unreached.extend(half_day.clone());
                if self.last_callback != Some(Outcome::Unreached) || *archived {
                    self.stop(&[Name::C9], at);
                }
                if *archived {
                    self.end(State::Archived, at);
                }
            }
            Change::Redone { clocks } => {
                self.redo_count += 1;
                self.reopen_lead(assignment::State::ToSign);
                self.stop(&[Name::C9, Name::C10], at);
                self.start(clocks);
                self.state = State::Redo;
            }
            Change::Rated { score } => {
                self.score = *score;
                self.stop(&[Name::C10], at);
            }
            Change::Withdrawn => self.end(State::Withdrawn, at),
            Change::Urged { by_requester } => {
                if *by_requester {
                    self.urged_at = Some(at);
                }
            }
            Change::Breached { name, round } => {
                let clock = self.clocks.iter_mut().find(|clock| clock.name == *name && clock.round == *round);
                if let Some(clock) = clock {
                    clock.breached_at = Some(at);
                }
            }
        }
    }

    fn dispatched(&mut self, lead: Uuid, support: &[Uuid], arbitrated: bool, clocks: &[Clock], at: Timestamp) {
        self.lead = Some(lead);
        self.arbitrated = arbitrated;
        let all = std::iter::once((lead, assignment::Kind::Lead)).chain(support.iter().map(|unit| (*unit, assignment::Kind::Support)));
        for (unit, kind) in all {
            self.assignments.retain(|part| part.unit != unit);
            self.assignments.push(Assignment { unit, kind, state: assignment::State::ToSign, handler: None });
        }
        self.assignments.sort_by_key(|part| (part.kind as i32, part.unit));
        self.stop(&[Name::C2], at);
        self.start(clocks);
        self.state = State::Dispatched;
    }

    fn signed(&mut self, unit: Uuid, clocks: &[Clock], at: Timestamp) {
        if let Some(part) = self.part_mut(unit) {
            part.state = assignment::State::Signed;
        }
        if self.lead == Some(unit) {
            self.stop(&[Name::C3, Name::C6], at);
            self.start(clocks);
            self.state = State::Handling;
        }
    }

    fn checked_in(&mut self, unit: Uuid, user: Uuid, at: Timestamp) {
        if let Some(part) = self.part_mut(unit) {
            part.state = assignment::State::Arrived;
        }
        self.checked_in.push(user);
        self.handled(user);
        if self.lead == Some(unit) {
            self.stop(&[Name::C7], at);
        }
    }

    fn reported(&mut self, unit: Uuid, user: Uuid, result: i32, waived: &[Uuid], at: Timestamp) {
        self.handled(user);
        if let Some(part) = self.part_mut(unit) {
            part.state = assignment::State::Reported;
        }
        if self.lead != Some(unit) {
            return;
        }
        for waived in waived {
            if let Some(part) = self.part_mut(*waived) {
                part.state = assignment::State::Closed;
            }
        }
        self.result = ticket::Result::try_from(result).unwrap_or_default();
        self.stop(&[Name::C7], at);
        self.state = State::Review;
    }

    fn handled(&mut self, user: Uuid) {
        if !self.handled_by.contains(&user) {
            self.handled_by.push(user);
        }
    }

    fn part_mut(&mut self, unit: Uuid) -> Option<&mut Assignment> {
        self.assignments.iter_mut().find(|part| part.unit == unit && part.state != assignment::State::Closed)
    }

    fn reopen_lead(&mut self, state: assignment::State) {
        if let Some(part) = self.assignments.iter_mut().find(|part| Some(part.unit) == self.lead) {
            part.state = state;
        }
    }

    fn close_parts(&mut self) {
        for part in &mut self.assignments {
            part.state = assignment::State::Closed;
        }
    }

    /// Archived requests may still be rated; for the others nothing runs on.
    fn end(&mut self, state: State, at: Timestamp) {
        let keep = state == State::Archived;
        for clock in self.clocks.iter_mut().filter(|clock| clock.runs() && !(keep && clock.name == Name::C10)) {
            clock.stopped_at = Some(at);
        }
        self.close_parts();
        self.state = state;
    }

    fn start(&mut self, clocks: &[Clock]) {
        self.clocks.extend(clocks.iter().cloned());
    }

    fn stop(&mut self, names: &[Name], at: Timestamp) {
        for clock in self.clocks.iter_mut().filter(|clock| clock.runs() && names.contains(&clock.name)) {
            clock.stopped_at = Some(at);
        }
    }
}
