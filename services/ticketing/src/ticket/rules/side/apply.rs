//! What a change beside the main course makes of a request.

use drumtower_proto::ticketing::{ask, assignment};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    super::{Assignment, State, Ticket},
    Aside, Consultation, Task,
};
use crate::clock::rules::Name;

impl Ticket {
    pub(in super::super) fn apply_aside(&mut self, change: &Aside, at: Timestamp) {
        match change {
            Aside::Answered { clocks, user } => {
                if let Some(user) = user {
                    self.handled(*user);
                }
                self.start(clocks);
                self.end(State::Archived, at);
            }
            Aside::Appealed { clocks } => {
                self.side.appealed = true;
                self.refuse_reason = None;
                self.start(clocks);
                self.state = State::Submitted;
            }
            Aside::Merged { into } => {
                self.side.merged_into = Some(*into);
                self.end(State::Merged, at);
            }
            Aside::Absorbed { requester, followers, .. } => {
                for person in std::iter::once(requester).chain(followers) {
                    if *person != self.requester && !self.side.followers.contains(person) {
                        self.side.followers.push(*person);
                    }
                }
            }
            Aside::Split { children } => self.side.children.extend(children),
            Aside::Asked { ask } => self.side.asks.push(ask.clone()),
            Aside::Endorsed { number, by } => self.answered(*number, *by, ask::State::Endorsed),
            Aside::Declined { number, by } => self.answered(*number, *by, ask::State::Declined),
            Aside::Extended { number, by, clocks } => {
                self.answered(*number, *by, ask::State::Granted);
                self.replace(clocks);
            }
            Aside::Held { number, by, hold, clocks } => {
                self.answered(*number, *by, ask::State::Granted);
                self.side.hold = Some(hold.clone());
                self.replace(clocks);
            }
            Aside::Entered { number, by, ledger, clocks } => {
                self.answered(*number, *by, ask::State::Granted);
                self.side.ledger = Some(ledger.clone());
                self.stop(&[Name::C3, Name::C4, Name::C5, Name::C7, Name::C9, Name::C10, Name::Task], at);
                self.settle_ladder(at);
                self.start(clocks);
                self.state = State::Ledger;
            }
            Aside::Excluded { number, by } => {
                self.answered(*number, *by, ask::State::Granted);
                self.side.excluded = true;
            }
            Aside::WithdrawalAsked => self.side.withdrawal_asked = true,
            Aside::WithdrawalAnswered { agreed } => {
                self.side.withdrawal_asked = false;
                if *agreed {
                    self.end(State::Withdrawn, at);
                }
            }
            Aside::Supervised { level, order } => {
                self.side.supervision = *level;
                self.side.order.clone_from(order);
            }
            Aside::Instructed { clocks } => self.replace(clocks),
            Aside::Reopened { clocks } => self.reopened(clocks, at),
            Aside::Resumed { clocks } => self.resumed(clocks, at),
            Aside::Conferred { .. }
            | Aside::Attended { .. }
            | Aside::Opined { .. }
            | Aside::Concluded { .. }
            | Aside::TaskFinished { .. } => self.conferred(change, at),
            Aside::RatingVerified { .. }
            | Aside::RatingAppealed
            | Aside::RatingAppealDecided { .. }
            | Aside::Rectified { .. }
            | Aside::FollowedUp { .. }
            | Aside::RatingClosed => self.apply_case(change, at),
        }
    }

    fn answered(&mut self, number: i32, by: Uuid, state: ask::State) {
        if let Some(ask) = self.side.asks.iter_mut().find(|ask| ask.number == number) {
            ask.state = state as i32;
            ask.decided_by.push(by);
        }
    }

    /// What was asked for and makes no sense any more; a bad rating is put right all the same.
    pub(in super::super) fn lapse(&mut self) {
        for ask in self.side.asks.iter_mut().filter(|ask| ask.open() && ask.asked.sought() != super::Sought::Rectification) {
            ask.state = ask::State::Lapsed as i32;
        }
        self.side.withdrawal_asked = false;
    }

    fn reopened(&mut self, clocks: &[crate::clock::rules::Clock], at: Timestamp) {
        self.side.reopened = true;
        self.lapse();
        self.stop(&[Name::C10], at);
        self.start(clocks);
        if self.lead.is_some() {
            self.reopen_lead(assignment::State::Signed);
            self.state = State::Handling;
        } else {
            self.state = State::Submitted;
        }
    }

    fn resumed(&mut self, clocks: &[crate::clock::rules::Clock], at: Timestamp) {
        self.side.hold = None;
        self.stop(&[Name::Hold, Name::Ledger], at);
        if self.state == State::Ledger {
            self.side.ledger = None;
            self.start(clocks);
            self.reopen_lead(assignment::State::Signed);
            self.state = State::Handling;
        } else {
            self.replace(clocks);
        }
    }

    fn conferred(&mut self, change: &Aside, at: Timestamp) {
        match change {
            Aside::Conferred { consultation, clocks } => {
                for called in &consultation.called {
                    self.call(called.unit);
                }
                self.side.consultations.push(consultation.clone());
                self.start(clocks);
                self.state = State::Consulting;
            }
            Aside::Attended { unit, user } => {
                self.handled(*user);
                if let Some(called) = self.called(*unit) {
                    (called.arrived_at, called.arrived_by) = (Some(at), Some(*user));
                }
                if let Some(part) = self.part_mut(*unit).filter(|part| part.state == assignment::State::ToSign) {
                    part.state = assignment::State::Signed;
                }
                self.stop_of(Name::C8, *unit, at);
            }
            Aside::Opined { unit, opinion } => {
                if let Some(called) = self.called(*unit) {
                    called.opinion = Some(opinion.clone());
                }
            }
            Aside::Concluded { minutes, tasks, clocks } => self.concluded(minutes, tasks, clocks, at),
            Aside::TaskFinished { number, user } => {
                self.handled(*user);
                let Some(place) = self.side.tasks.iter().position(|task| task.number == *number) else { return };
                let task = &mut self.side.tasks[place];
                (task.done_at, task.done_by) = (Some(at), Some(*user));
                // The clocks of tasks are started in the order of their numbers.
                let clock = self.clocks.iter_mut().filter(|clock| clock.name == Name::Task).nth(place);
                if let Some(clock) = clock.filter(|clock| clock.runs()) {
                    clock.stopped_at = Some(at);
                }
            }
            _ => {}
        }
    }

    /// A unit that was not part of the request yet becomes one.
    fn call(&mut self, unit: Uuid) {
        if self.assignments.iter().any(|part| part.unit == unit && part.open()) {
            return;
        }
        self.assignments.retain(|part| part.unit != unit);
        self.assignments.push(Assignment { unit, kind: assignment::Kind::Support, state: assignment::State::ToSign, handler: None });
        self.assignments.sort_by_key(|part| (part.kind as i32, part.unit));
    }

    fn called(&mut self, unit: Uuid) -> Option<&mut super::Called> {
        self.side.consultations.last_mut()?.called.iter_mut().find(|called| called.unit == unit)
    }

    /// Units with a task go on; for the others their opinion was their part. Who stayed away is bound by the tasks all the same.
    fn concluded(&mut self, minutes: &str, tasks: &[Task], clocks: &[crate::clock::rules::Clock], at: Timestamp) {
        let Some(consultation) = self.side.consultations.last_mut() else { return };
        consultation.minutes = minutes.to_owned();
        consultation.concluded_at = Some(at);
        for called in &mut consultation.called {
            called.absent = called.arrived_at.is_none();
        }
        let Consultation { called, from_site, .. } = consultation.clone();
        for called in called {
            let bound = tasks.iter().any(|task| task.unit == called.unit);
            let Some(part) = self.part_mut(called.unit).filter(|part| part.kind == assignment::Kind::Support) else { continue };
            if bound && matches!(part.state, assignment::State::ToSign | assignment::State::Reported) {
                part.state = assignment::State::Signed;
            } else if !bound && called.added {
                part.state = assignment::State::Reported;
            }
        }
        self.stop(&[Name::C8], at);
        self.side.tasks.extend(tasks.iter().cloned());
        self.start(clocks);
        self.state = if from_site { State::OnSite } else { State::Handling };
    }
}
