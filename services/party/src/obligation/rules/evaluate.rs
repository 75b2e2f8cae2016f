//! What is owed on a day, from rules and facts alone: the same facts give the same answer, whenever it is asked.

use std::collections::BTreeSet;

use drumtower_proto::party::{meeting, organisation};
use drumtower_runtime::calendar::add_months;
use jiff::civil::Date;
use uuid::Uuid;

use super::{period::Period, steps};
use crate::{
    organisation::rules::Life,
    rule::rules::{Cadence, Rule, in_force, in_force_or_first},
};

/// What is known of an organisation.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The organisation.
    pub organisation: Uuid,
    /// What it is.
    pub kind: organisation::Kind,
    /// While it exists.
    pub life: Life,
    /// Its committees.
    pub terms: Vec<TermFact>,
    /// For each full member, from which day until before which.
    pub full: Vec<(Date, Option<Date>)>,
    /// Days of meetings, once for each kind a meeting counts as.
    pub meetings: Vec<(Date, meeting::Kind)>,
    /// Obligations written down and not finished: rule and period. They are looked at again however old they are.
    pub backlog: Vec<(String, String)>,
}

/// A committee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermFact {
    /// Day of election.
    pub elected_on: Date,
    /// Day it ends by rule.
    pub planned_end: Date,
    /// First day it was no longer in office.
    pub ended_on: Option<Date>,
    /// Persons who sit.
    pub seats: i64,
}

/// Something owed.
#[derive(Debug, Clone)]
pub struct Due<'a> {
    /// By which version of which rule.
    pub rule: &'a Rule,
    /// Who owes it.
    pub organisation: Uuid,
    /// Period, or the day it rests on.
    pub period: String,
    /// Last day to do it.
    pub due_on: Date,
    /// Whether it is done.
    pub done: bool,
}

impl Facts {
    fn committee_on(&self, day: Date, seats: i64) -> bool {
        let in_office = |term: &&TermFact| term.elected_on <= day && term.ended_on.is_none_or(|end| day < end);
        self.terms.iter().find(in_office).is_some_and(|term| term.seats >= seats)
    }

    fn full_members_on(&self, day: Date) -> i64 {
        let covers = |(from, to): &&(Date, Option<Date>)| *from <= day && to.is_none_or(|to| day < to);
        i64::try_from(self.full.iter().filter(covers).count()).unwrap_or(i64::MAX)
    }

    fn backlog<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a str> {
        self.backlog.iter().filter(move |(rule, _)| rule == code).map(|(_, period)| period.as_str())
    }
}

/// Everything the organisations owe on a day: for the current and the previous period, and for what was written down before and is not
/// finished. An organisation that no longer exists owes nothing.
pub fn evaluate<'a>(rules: &'a [Rule], facts: &[Facts], today: Date) -> Vec<Due<'a>> {
    let codes: BTreeSet<&str> = rules.iter().map(|rule| rule.code.as_str()).collect();
    let mut dues = Vec::new();
    for facts in facts.iter().filter(|facts| facts.life.covers(today)) {
        for code in &codes {
            let Some(rule) = in_force(rules, code, today).filter(|rule| concerns(rule, facts)) else { continue };
            match rule.cadence {
                Cadence::Month | Cadence::Quarter => periodic(rules, rule, facts, today, &mut dues),
                Cadence::TermEnd => term_end(rules, rule, facts, today, &mut dues),
                Cadence::Anchor => anchored(rule, facts, today, &mut dues),
            }
        }
    }
    dues
}

fn concerns(rule: &Rule, facts: &Facts) -> bool {
    rule.parameters.organisation.is_empty() || rule.parameters.organisation == facts.kind.as_str_name()
}

/// A meeting once a period. Owed for a period only by an organisation that existed on its first day, and where it takes a committee, had
/// one on its first day and has one still: what begins in the middle owes nothing for the part (party.md §6.9).
fn periodic<'a>(rules: &'a [Rule], newest: &Rule, facts: &Facts, today: Date, dues: &mut Vec<Due<'a>>) {
    let cadence = newest.cadence;
    let Some(current) = Period::of(cadence, today) else { return };
    let mut periods: BTreeSet<Period> = facts.backlog(&newest.code).filter_map(|name| Period::read(cadence, name)).collect();
    periods.insert(current);
    periods.extend(Period::of(cadence, current.eve()));
    for period in periods {
        let Some(rule) = in_force(rules, &newest.code, period.first) else { continue };
        let seats = rule.parameters.seats;
        let committee = seats == 0 || (facts.committee_on(period.first, seats) && facts.committee_on(period.last.min(today), seats));
        if facts.life.founded_on > period.first || !committee {
            continue;
        }
        let kind = meeting::Kind::from_str_name(&rule.parameters.meeting);
        let done = facts.meetings.iter().any(|(day, held)| Some(*held) == kind && period.holds(*day));
        dues.push(Due { rule, organisation: facts.organisation, period: period.name(cadence), due_on: period.last, done });
    }
}

/// Around the day the newest committee's term ends by rule. Committees that were succeeded owe nothing; what was written down for them is
/// done by the election that succeeded them.
fn term_end<'a>(rules: &'a [Rule], newest: &Rule, facts: &Facts, today: Date, dues: &mut Vec<Due<'a>>) {
    let elected = facts.terms.iter().filter(|term| term.elected_on <= today);
    let Some(latest) = elected.clone().max_by_key(|term| term.elected_on) else { return };
    let backlog: BTreeSet<&str> = facts.backlog(&newest.code).collect();
    for term in elected {
        let Some(rule) = in_force_or_first(rules, &newest.code, term.elected_on) else { continue };
        let period = term.planned_end.to_string();
        let known = backlog.contains(period.as_str());
        let succeeded = term != latest;
        if known || (!succeeded && steps::first_day(term.planned_end, &rule.parameters).is_some_and(|opens| opens <= today)) {
            dues.push(Due { rule, organisation: facts.organisation, period, due_on: term.planned_end, done: succeeded });
        }
    }
}

/// From the day on which there came to be enough full members without a committee. What was written down for such a day is done by a
/// committee elected since.
fn anchored<'a>(rule: &'a Rule, facts: &Facts, today: Date, dues: &mut Vec<Due<'a>>) {
    let (members, seats, months) = (rule.parameters.members, rule.parameters.seats, rule.parameters.months);
    let mut push = |anchor: Date, done| {
        let (organisation, period) = (facts.organisation, anchor.to_string());
        dues.push(Due { rule, organisation, period, due_on: add_months(anchor, months), done });
    };
    if let Some(since) = lacking_since(facts, members, seats, today) {
        push(since.max(rule.effective_from), false);
        return;
    }
    let in_office = |term: &TermFact| term.seats >= seats && term.ended_on.is_none_or(|end| today < end);
    for anchor in facts.backlog(&rule.code).filter_map(|name| name.parse::<Date>().ok()) {
        if facts.terms.iter().any(|term| in_office(term) && (anchor..=today).contains(&term.elected_on)) {
            push(anchor, true);
        }
    }
}

/// First day of the unbroken run up to today on which there were enough full members and no committee.
fn lacking_since(facts: &Facts, members: i64, seats: i64, today: Date) -> Option<Date> {
    let mut days: BTreeSet<Date> = facts.full.iter().flat_map(|(from, to)| [Some(*from), *to]).flatten().collect();
    days.extend(facts.terms.iter().flat_map(|term| [Some(term.elected_on), term.ended_on]).flatten());
    days.range(..=today).fold(None, |since: Option<Date>, day| {
        let lacks = facts.full_members_on(*day) >= members && !facts.committee_on(*day, seats);
        if lacks { since.or(Some(*day)) } else { None }
    })
}
