//! What a change makes of a request. Total: a change that was decided applies, always the same way.

use drumtower_proto::ticketing::{assignment, call_back_ticket_request::Outcome, refuse_ticket_request::Reason, ticket};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Assignment, Change, Kind, Side, State, Ticket, Urgency,
    side::{ORDERED, Order, YELLOW},
};
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
            unreached: Vec::new(),
            last_callback: None,
            urged_at: None,
            side: Side::default(),
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
            Change::Refused { reason, by } => {
                self.side.refused_by = *by;
                self.refuse_reason = Reason::try_from(*reason).ok();
                self.end(State::Refused, at);
            }
            Change::Dispatched { lead, support, arbitrated, clocks } => self.dispatched(*lead, support, *arbitrated, clocks, at),
            Change::Signed { unit, clocks, user } => {
                self.handled_by_some(*user);
                self.signed(*unit, clocks, at);
            }
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
            Change::Contacted { unit, user } => {
                self.handled_by_some(*user);
                self.stop_of(Name::C4, *unit, at);
            }
            Change::SetOut { clocks, user, .. } => {
                self.handled_by_some(*user);
                self.stop(&[Name::C7], at);
                self.start(clocks);
                self.side.checked_in.clear();
                self.side.visits += 1;
                self.state = State::OnSite;
            }
            Change::CheckedIn { unit, user, arrived_at, .. } => self.checked_in(*unit, *user, arrived_at.unwrap_or(at)),
            Change::Reported { unit, user, result, waived } => self.reported(*unit, *user, *result, waived, at),
            Change::SignedOff { clocks, user } => {
                self.handled_by_some(*user);
                self.unreached.clear();
                self.stop(&[Name::C4, Name::C5, Name::C7, Name::Task], at);
                self.settle_ladder(at);
                self.start(clocks);
                self.lapse();
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
                // A bad callback is not the end of it: its clock runs on until the work is done again, or the request is archived.
                if *archived {
                    self.stop(&[Name::C9], at);
                    self.end(State::Archived, at);
                }
            }
            Change::Redone { clocks, supervised } => {
                self.redo_count += 1;
                if *supervised {
                    self.raise(ORDERED, clocks.last().map(|clock| clock.due_at));
                }
                self.lapse();
                self.reopen_lead(assignment::State::ToSign);
                self.stop(&[Name::C9, Name::C10], at);
                self.start(clocks);
                self.state = State::Redo;
            }
            Change::Rated { score, tags, clocks, .. } => self.rated(*score, tags, clocks, at),
            Change::Withdrawn => self.end(State::Withdrawn, at),
            Change::Urged { by_requester } => {
                if *by_requester {
                    self.urged_at = Some(at);
                }
            }
            Change::Breached { name, round, level, clocks } => {
                self.clock_mut(*name, *round, |clock| clock.breached_at = Some(at));
                if *name == Name::C11 {
                    self.stop(&[Name::C11], at);
                }
                self.start(clocks);
                if *level > self.side.supervision {
                    self.raise(*level, clocks.last().map(|clock| clock.due_at));
                }
            }
            Change::Warned { name, round } => {
                self.clock_mut(*name, *round, |clock| clock.warned += 1);
                if *name == Name::C5 {
                    self.side.supervision = self.side.supervision.max(YELLOW);
                }
            }
            Change::Reckoned { clocks } => self.replace(clocks),
            Change::Beside(change) => self.apply_aside(change, at),
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
        // The time to resolve goes on, and is the new unit's now.
        for clock in self.clocks.iter_mut().filter(|clock| clock.name == Name::C5 && clock.runs()) {
            clock.unit = Some(lead);
        }
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
        self.side.checked_in.push(user);
        self.handled(user);
        self.stop_of(Name::C7, unit, at);
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

    fn handled_by_some(&mut self, user: Option<Uuid>) {
        if let Some(user) = user {
            self.handled(user);
        }
    }

    /// The ladder stands as long as a promise that it climbs for is broken and still to be kept.
    pub(super) fn settle_ladder(&mut self, at: Timestamp) {
        let broken = |name| self.running(name).is_some_and(|clock: &Clock| clock.breached_at.is_some());
        if ![Name::C5, Name::B1, Name::B4].into_iter().any(broken) {
            self.stop(&[Name::C11], at);
        }
    }

    pub(super) fn handled(&mut self, user: Uuid) {
        if !self.handled_by.contains(&user) {
            self.handled_by.push(user);
        }
    }

    pub(super) fn part_mut(&mut self, unit: Uuid) -> Option<&mut Assignment> {
        self.assignments.iter_mut().find(|part| part.unit == unit && part.state != assignment::State::Closed)
    }

    pub(super) fn reopen_lead(&mut self, state: assignment::State) {
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
    pub(super) fn end(&mut self, state: State, at: Timestamp) {
        self.lapse();
        self.side.hold = None;
        if let Some(consultation) = self.side.consultations.last_mut() {
            consultation.concluded_at.get_or_insert(at);
        }
        let keep = state == State::Archived;
        for clock in self
            .clocks
            .iter_mut()
            .filter(|clock| clock.runs() && !clock.name.outlives() && clock.name != Name::C11 && !(keep && clock.name == Name::C10))
        {
            clock.stopped_at = Some(at);
        }
        self.settle_ladder(at);
        self.close_parts();
        if keep {
            self.side.archived_at = Some(at);
            self.side.first_closed_at.get_or_insert(at);
        }
        self.state = state;
    }

    pub(super) fn start(&mut self, clocks: &[Clock]) {
        self.clocks.extend(clocks.iter().cloned());
    }

    /// Clocks as they now are; those that are not there yet begin.
    pub(super) fn replace(&mut self, clocks: &[Clock]) {
        for clock in clocks {
            match self.clocks.iter_mut().find(|known| known.name == clock.name && known.round == clock.round) {
                Some(known) => known.clone_from(clock),
                None => self.clocks.push(clock.clone()),
            }
        }
    }

    fn clock_mut(&mut self, name: Name, round: i32, change: impl FnOnce(&mut Clock)) {
        if let Some(clock) = self.clocks.iter_mut().find(|clock| clock.name == name && clock.round == round) {
            change(clock);
        }
    }

    /// Supervision goes up by itself, with an order from 督办 on.
    pub(super) fn raise(&mut self, level: i32, reply_due: Option<Timestamp>) {
        self.side.supervision = level;
        if level >= ORDERED {
            let number = self.side.order.as_ref().map_or(1, |order| order.number + 1);
            self.side.order = Some(Order { number, reply_due });
        }
    }

    /// One unit kept its promise.
    pub(super) fn stop_of(&mut self, name: Name, unit: Uuid, at: Timestamp) {
        let own = |clock: &&mut Clock| clock.name == name && clock.runs() && clock.unit.is_none_or(|of| of == unit);
        for clock in self.clocks.iter_mut().filter(own) {
            clock.stopped_at = Some(at);
        }
    }

    pub(super) fn stop(&mut self, names: &[Name], at: Timestamp) {
        for clock in self.clocks.iter_mut().filter(|clock| clock.runs() && names.contains(&clock.name)) {
            clock.stopped_at = Some(at);
        }
    }
}
