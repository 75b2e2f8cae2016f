//! A small world of one organisation, evaluated at whatever instants, with what is written down kept between them.

use std::{collections::BTreeSet, sync::LazyLock};

use drumtower_proto::party::{meeting, obligation::State, organisation};
use drumtower_runtime::calendar::{Calendar, add_months, start_of, today};
use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, date},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{evaluate::Facts, evaluate::TermFact, evaluate::evaluate, *};
use crate::{
    organisation::rules::Life,
    rule::rules::{Cadence, Parameters, Rule},
};

static CALENDAR: LazyLock<Calendar> = LazyLock::new(Calendar::national);

fn rule(code: &str, cadence: Cadence, parameters: Parameters) -> Rule {
    let (text_zh, text_en, source) = (String::new(), String::new(), String::new());
    Rule { code: code.into(), effective_from: date(2018, 10, 28), text_zh, text_en, source, cadence, severity: 3, parameters }
}

fn rules() -> Vec<Rule> {
    let monthly = |kind: &str, meeting: &str, seats| Parameters {
        organisation: kind.into(),
        meeting: meeting.into(),
        seats,
        remind_days: vec![-14, -3, 0],
        weekly: 4,
        escalate_days: vec![7],
        ..Parameters::default()
    };
    vec![
        rule("M1", Cadence::Quarter, monthly("BRANCH", "MEMBERS", 0)),
        rule("M2", Cadence::Month, monthly("BRANCH", "COMMITTEE", 3)),
        rule("M3", Cadence::Month, monthly("GROUP", "GROUP", 0)),
        rule("E1", Cadence::TermEnd, Parameters { months: 36, remind_months: vec![-6, -3, -1], ..Parameters::default() }),
        rule("E3", Cadence::TermEnd, Parameters { remind_days: vec![1], weekly: 26, escalate_days: vec![1, 30], ..Parameters::default() }),
        rule("O5", Cadence::Anchor, Parameters { members: 7, months: 3, ..monthly("BRANCH", "", 3) }),
    ]
}

fn branch(founded_on: Date) -> Facts {
    Facts {
        organisation: Uuid::from_u128(1),
        kind: organisation::Kind::Branch,
        life: Life { founded_on, dissolved_on: None },
        terms: Vec::new(),
        full: Vec::new(),
        meetings: Vec::new(),
        backlog: Vec::new(),
    }
}

fn term(elected_on: Date, ended_on: Option<Date>, seats: i64) -> TermFact {
    TermFact { elected_on, planned_end: add_months(elected_on, 36), ended_on, seats }
}

/// Ten in the morning.
fn morning(day: Date) -> Timestamp {
    start_of(day) + SignedDuration::from_hours(10)
}

/// What is written down.
#[derive(Default)]
struct World {
    stored: Vec<Stored>,
    /// Obligation by rule and period, and step.
    delivered: Vec<(String, String, String)>,
}

impl World {
    fn run(&mut self, facts: &Facts, now: Timestamp) {
        let rules = rules();
        let mut facts = facts.clone();
        let unfinished = self.stored.iter().filter(|stored| !stored.finished());
        facts.backlog = unfinished.map(|stored| (stored.rule.clone(), stored.period.clone())).collect();
        let dues = evaluate(&rules, std::slice::from_ref(&facts), today(now));
        let plan = plan(&dues, &self.stored, &CALENDAR, now, Uuid::now_v7);
        for moved in plan.moved {
            let row = self.stored.iter_mut().find(|stored| stored.id == moved.id).expect("a known row");
            (row.state, row.version) = (moved.state, moved.version);
        }
        for new in plan.new {
            self.stored.push(Stored {
                id: new.id,
                rule: new.due.rule.code.clone(),
                organisation: new.due.organisation,
                period: new.due.period.clone(),
                due_on: new.due.due_on,
                state: new.state,
                waived_until: None,
                version: 1,
                sent: BTreeSet::new(),
            });
        }
        for reminder in plan.reminders {
            let row = self.stored.iter_mut().find(|stored| stored.id == reminder.obligation).expect("a known row");
            assert!(row.sent.insert(reminder.step.clone()), "{} of {} twice", reminder.step, row.rule);
            self.delivered.push((row.rule.clone(), row.period.clone(), reminder.step));
        }
    }

    fn states(&self, rule: &str) -> Vec<(&str, State)> {
        self.stored.iter().filter(|stored| stored.rule == rule).map(|stored| (stored.period.as_str(), stored.state)).collect()
    }

    fn steps(&self, rule: &str, period: &str) -> Vec<&str> {
        self.delivered.iter().filter(|(r, p, _)| r == rule && p == period).map(|(.., step)| step.as_str()).collect()
    }
}

#[test]
fn a_quarter_is_reminded_of_until_the_meeting_and_fulfilled_late() {
    let mut facts = branch(date(2020, 1, 1));
    let mut world = World::default();
    let mut day = date(2026, 7, 1);
    facts.meetings.push((date(2026, 5, 5), meeting::Kind::Members));
    while day < date(2026, 10, 12) {
        world.run(&facts, morning(day));
        day = day.tomorrow().expect("a next day");
    }
    assert_eq!(world.states("M1"), [("2026-Q2", State::Fulfilled), ("2026-Q3", State::Overdue), ("2026-Q4", State::Open)]);
    // The week after 30 September is a holiday: T+7 and the word to the committee go out on the first working day.
    assert_eq!(world.steps("M1", "2026-Q3"), ["T-14", "T-3", "T0", "T+7", "up T+7"]);
    assert_eq!(world.steps("M1", "2026-Q2"), [""; 0]);
    facts.meetings.push((date(2026, 9, 30), meeting::Kind::Members));
    world.run(&facts, morning(day));
    assert_eq!(world.states("M1")[1], ("2026-Q3", State::Fulfilled));
    let delivered = world.delivered.len();
    world.run(&facts, morning(day.saturating_add(20.days())));
    assert_eq!(world.steps("M1", "2026-Q3").len(), 5);
    assert!(world.delivered.len() <= delivered + 1);
}

#[test]
fn history_is_reminded_of_once() {
    let facts = branch(date(2015, 1, 1));
    let mut world = World::default();
    world.run(&facts, morning(date(2026, 8, 20)));
    assert_eq!(world.states("M1"), [("2026-Q2", State::Overdue), ("2026-Q3", State::Open)]);
    assert_eq!(world.steps("M1", "2026-Q2"), ["T+28", "up T+7"]);
    assert_eq!(world.steps("M1", "2026-Q3"), [""; 0]);
}

#[test]
fn a_branch_owes_nothing_for_the_quarter_it_was_founded_in() {
    let states = |founded: Date| {
        let mut world = World::default();
        world.run(&branch(founded), morning(date(2026, 11, 15)));
        world.states("M1").into_iter().map(|(period, _)| period.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(date(2026, 10, 2)), [""; 0]);
    assert_eq!(states(date(2026, 10, 1)), ["2026-Q4"]);
    assert_eq!(states(date(2026, 7, 2)), ["2026-Q4"]);
    assert_eq!(states(date(2026, 7, 1)), ["2026-Q3", "2026-Q4"]);
}

#[test]
fn committees_only_owe_committee_meetings_and_groups_group_meetings() {
    let now = morning(date(2026, 11, 15));
    let owed = |facts: &Facts| {
        let mut world = World::default();
        world.run(facts, now);
        world.stored.iter().map(|stored| format!("{} {}", stored.rule, stored.period)).collect::<Vec<_>>()
    };
    let mut facts = branch(date(2020, 1, 1));
    facts.terms.push(term(date(2026, 10, 10), None, 3));
    assert_eq!(owed(&facts), ["M1 2026-Q3", "M1 2026-Q4", "M2 2026-11"]);
    facts.terms[0].seats = 2;
    assert_eq!(owed(&facts), ["M1 2026-Q3", "M1 2026-Q4"]);
    facts.kind = organisation::Kind::Group;
    assert_eq!(owed(&facts), ["M3 2026-10", "M3 2026-11"]);
    facts.life.dissolved_on = Some(date(2026, 11, 15));
    assert_eq!(owed(&facts), [""; 0]);
}

#[test]
fn a_term_is_announced_then_overdue_then_done_by_the_next() {
    let mut facts = branch(date(2020, 1, 1));
    facts.terms = vec![term(date(2020, 3, 31), Some(date(2023, 8, 31)), 3), term(date(2023, 8, 31), None, 3)];
    let mut world = World::default();
    let mut day = date(2026, 2, 1);
    while day < date(2026, 10, 15) {
        world.run(&facts, morning(day));
        day = day.tomorrow().expect("a next day");
    }
    assert_eq!(world.steps("E1", "2026-08-31"), ["T-6m", "T-3m", "T-1m"]);
    assert_eq!(world.steps("E3", "2026-08-31")[..3], ["T+1", "up T+1", "T+7"]);
    assert_eq!(world.states("E1"), [("2026-08-31", State::Overdue)]);
    assert_eq!(world.states("E3"), [("2026-08-31", State::Overdue)]);
    facts.terms[1].ended_on = Some(date(2026, 10, 14));
    facts.terms.push(term(date(2026, 10, 14), None, 3));
    world.run(&facts, morning(day));
    assert_eq!(world.states("E1"), [("2026-08-31", State::Fulfilled)]);
    assert_eq!(world.states("E3"), [("2026-08-31", State::Fulfilled)]);
}

#[test]
fn seven_full_members_need_a_committee() {
    let mut facts = branch(date(2020, 1, 1));
    facts.full = (1..=7).map(|day| (date(2026, 5, day), None)).collect();
    let mut world = World::default();
    world.run(&facts, morning(date(2026, 5, 20)));
    assert_eq!(world.states("O5"), [("2026-05-07", State::Open)]);
    assert_eq!(world.stored.iter().find(|stored| stored.rule == "O5").map(|stored| stored.due_on), Some(date(2026, 8, 7)));
    // A member recorded late moves the anchor: the old obligation is replaced.
    facts.full.push((date(2026, 4, 1), None));
    world.run(&facts, morning(date(2026, 5, 21)));
    assert_eq!(world.states("O5"), [("2026-05-07", State::Superseded), ("2026-05-06", State::Open)]);
    facts.terms.push(term(date(2026, 6, 1), None, 3));
    world.run(&facts, morning(date(2026, 6, 2)));
    assert_eq!(world.states("O5"), [("2026-05-07", State::Superseded), ("2026-05-06", State::Fulfilled)]);
    // Without it, two who leave end the matter.
    facts.terms.clear();
    facts.full[0].1 = Some(date(2026, 5, 30));
    facts.full[1].1 = Some(date(2026, 5, 30));
    let mut other = World::default();
    other.run(&facts, morning(date(2026, 5, 21)));
    other.run(&facts, morning(date(2026, 6, 2)));
    assert_eq!(other.states("O5"), [("2026-05-06", State::Superseded)]);
}

#[test]
fn a_waiver_holds_until_its_day() {
    let mut facts = branch(date(2020, 1, 1));
    let mut world = World::default();
    world.run(&facts, morning(date(2026, 7, 10)));
    let at = world.stored.iter().position(|stored| stored.period == "2026-Q3").expect("written down");
    (world.stored[at].state, world.stored[at].waived_until) = (State::Waived, Some(date(2026, 10, 20)));
    world.run(&facts, morning(date(2026, 10, 19)));
    assert_eq!(world.stored[at].state, State::Waived);
    assert_eq!(world.steps("M1", "2026-Q3"), [""; 0]);
    world.run(&facts, morning(date(2026, 10, 20)));
    assert_eq!(world.stored[at].state, State::Overdue);
    assert_eq!(world.steps("M1", "2026-Q3"), ["T+14", "up T+7"]);
    (world.stored[at].state, world.stored[at].waived_until) = (State::Waived, Some(date(2027, 1, 1)));
    facts.meetings.push((date(2026, 8, 1), meeting::Kind::Members));
    world.run(&facts, morning(date(2026, 10, 21)));
    assert_eq!(world.stored[at].state, State::Fulfilled);
    assert!(waive(State::Open, date(2026, 10, 22), date(2026, 10, 21)).is_ok());
    assert!(waive(State::Open, date(2026, 10, 21), date(2026, 10, 21)).is_err());
    assert!(waive(State::Fulfilled, date(2026, 10, 22), date(2026, 10, 21)).is_err());
}

#[test]
fn an_obligation_older_than_the_evaluated_periods_is_still_fulfilled() {
    let mut facts = branch(date(2020, 1, 1));
    let mut world = World::default();
    world.run(&facts, morning(date(2025, 5, 10)));
    facts.meetings.push((date(2025, 2, 1), meeting::Kind::Members));
    world.run(&facts, morning(date(2026, 5, 10)));
    assert_eq!(world.states("M1")[..2], [("2025-Q1", State::Fulfilled), ("2025-Q2", State::Overdue)]);
}

#[test]
fn a_district_is_looked_at_after_midnight_and_after_nine() {
    let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
    assert_eq!(turn(at("2026-03-01T00:30:00+08:00")), at("2026-03-01T00:00:00+08:00"));
    assert_eq!(turn(at("2026-03-01T08:59:59+08:00")), at("2026-03-01T00:00:00+08:00"));
    assert_eq!(turn(at("2026-03-01T09:00:00+08:00")), at("2026-03-01T09:00:00+08:00"));
}

proptest! {
    /// Whatever instants the evaluation runs at, no step is delivered twice (`run` asserts it), and after each run the latest step that
    /// has come of everything still owed has been delivered.
    #[test]
    fn an_outage_loses_nothing_and_repeats_nothing(hours in prop::collection::vec(0..9_000i64, 1..40), met in prop::collection::vec(0..380i64, 0..5)) {
        let mut facts = branch(date(2020, 1, 1));
        facts.terms.push(term(date(2023, 6, 30), None, 3));
        let start = date(2026, 1, 1);
        let mut hours = hours;
        hours.sort_unstable();
        let mut world = World::default();
        for hour in hours {
            let now = start_of(start) + SignedDuration::from_hours(hour);
            let held = |day: &&i64| start.saturating_add((**day).days()) <= today(now);
            facts.meetings = met.iter().filter(held).map(|day| (start.saturating_add(day.days()), meeting::Kind::Members)).collect();
            world.run(&facts, now);
            let rules = rules();
            for stored in world.stored.iter().filter(|stored| matches!(stored.state, State::Open | State::Overdue)) {
                let parameters = &rules.iter().find(|rule| rule.code == stored.rule).expect("a rule").parameters;
                for step in steps::latest(stored.due_on, parameters, &CALENDAR, now) {
                    prop_assert!(stored.sent.contains(&step.name), "{} {} {}", stored.rule, stored.period, step.name);
                }
            }
        }
    }

    /// Evaluating twice on the same facts changes nothing the second time.
    #[test]
    fn evaluation_is_idempotent(hour in 0..9_000i64, full in prop::collection::vec(0..365i64, 0..12)) {
        let start = date(2026, 1, 1);
        let mut facts = branch(date(2020, 1, 1));
        facts.full = full.iter().map(|day| (start.saturating_add(day.days()), None)).collect();
        let now = start_of(start) + SignedDuration::from_hours(hour);
        let mut world = World::default();
        world.run(&facts, now);
        let before = (world.delivered.len(), world.stored.len(), world.stored.iter().map(|stored| stored.version).sum::<i64>());
        world.run(&facts, now);
        let after = (world.delivered.len(), world.stored.len(), world.stored.iter().map(|stored| stored.version).sum::<i64>());
        prop_assert_eq!(before, after);
    }

    /// Moving an anchor leaves one obligation alive, at the new anchor.
    #[test]
    fn a_moved_anchor_supersedes(first in 0..60i64, moves in prop::collection::vec(0..60i64, 0..6)) {
        let start = date(2026, 1, 1);
        let mut facts = branch(date(2020, 1, 1));
        let mut world = World::default();
        for day in std::iter::once(first).chain(moves) {
            let anchor = start.saturating_add(day.days());
            facts.full = vec![(anchor, None); 7];
            world.run(&facts, morning(date(2026, 3, 15)));
            let alive: Vec<_> = world.stored.iter().filter(|stored| stored.rule == "O5" && !stored.finished()).collect();
            prop_assert_eq!(alive.len(), 1);
            prop_assert_eq!(&alive[0].period, &anchor.to_string());
        }
    }
}
