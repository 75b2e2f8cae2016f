//! The main job step by step, each guard, and random walks that keep every invariant of ticketing.md §2.4.

use drumtower_proto::ticketing::{call_back_ticket_request::Outcome, ticket};
use drumtower_runtime::calendar::Calendar;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

mod facts;
mod machine;
mod side;
mod walk;

use super::*;
use crate::clock::rules::{Policy, Promises};

const REQUESTER: Uuid = Uuid::from_u128(1);
const DISPATCHER: Uuid = Uuid::from_u128(2);
const HANDLER: Uuid = Uuid::from_u128(3);
const CALLER: Uuid = Uuid::from_u128(4);
const MARKET: Uuid = Uuid::from_u128(10);
const FIRE: Uuid = Uuid::from_u128(11);

struct World {
    machine: Machine,
    policy: Policy,
    calendar: Calendar,
}

impl World {
    fn new() -> Self {
        Self { machine: Machine::standard().expect("valid"), policy: Policy::standard().expect("valid"), calendar: Calendar::national() }
    }

    fn book(&self) -> Book<'_> {
        Book { machine: &self.machine, promises: Promises { policy: &self.policy, calendar: &self.calendar } }
    }

    fn submitted(&self, at: Timestamp) -> (Ticket, Change) {
        let matter = crate::clock::rules::Matter { kind: Kind::Help, urgency: Urgency::Unspecified, danger: false };
        let clocks = vec![self.book().promises.start(Name::C1, 1, matter, at)];
        let change = Change::Submitted {
            kind: Kind::Help as i32,
            danger: false,
            requester: REQUESTER,
            enterprise: Some(Uuid::from_u128(5)),
            clocks,
        };
        (Ticket::begin(&change, at).expect("a submission"), change)
    }

    fn step(&self, ticket: &mut Ticket, command: &Command, who: &Who, at: Timestamp) -> Result<Change, drumtower_runtime::Refusal> {
        let from = ticket.state;
        let change = decide(ticket, command, who, at, self.book())?;
        ticket.apply(&change, at);
        let by_itself = matches!(command, Command::Fire { .. } | Command::Beside(Beside::Absorb { .. }));
        assert!(by_itself || self.machine.leads(command.verb(), from, ticket.state), "{}: {from:?} to {:?}", command.verb(), ticket.state);
        Ok(change)
    }
}

fn who(user: Uuid, units: &[Uuid]) -> Who {
    Who { user, units: Some(units.to_vec()), ..Who::timer() }
}

fn anyone(user: Uuid) -> Who {
    Who { user, ..Who::timer() }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn dispatched(world: &World) -> Ticket {
    let start = at("2026-03-02T09:00:00+08:00");
    let (mut ticket, _) = world.submitted(start);
    let minute = |n: i64| start + SignedDuration::from_mins(n);
    world.step(&mut ticket, &Command::Accept { kind: None, urgency: Urgency::Normal }, &anyone(DISPATCHER), minute(5)).expect("accepted");
    world.step(&mut ticket, &Command::Dispatch { lead: MARKET, support: vec![FIRE] }, &anyone(DISPATCHER), minute(10)).expect("dispatched");
    ticket
}

fn refusal(result: Result<Change, drumtower_runtime::Refusal>) -> &'static str {
    result.expect_err("refused").reason()
}

#[test]
fn the_main_job_runs_from_submission_to_rating() {
    let world = World::new();
    let mut ticket = dispatched(&world);
    let now = ticket.updated_at + SignedDuration::from_mins(1);
    let (market, fire) = (who(HANDLER, &[MARKET]), who(Uuid::from_u128(7), &[FIRE]));
    assert_eq!(ticket.due_at(), Some(at("2026-03-09T18:00:00+08:00")));
    world.step(&mut ticket, &Command::Sign, &market, now).expect("signed");
    world.step(&mut ticket, &Command::Sign, &fire, now).expect("signed by the support unit");
    assert_eq!(ticket.state, State::Handling);
    world.step(&mut ticket, &Command::Contact, &market, now).expect("contacted");
    world.step(&mut ticket, &Command::Visit { planned_at: None }, &market, now).expect("on the way");
    let here = Position { latitude: 26.11, longitude: 119.26 };
    let check_in = Command::CheckIn { at: here, building: Some(here), device_time: Some(now), proof: Proof::default() };
    world.step(&mut ticket, &check_in, &market, now).expect("arrived");
    assert_eq!(refusal(world.step(&mut ticket, &check_in, &market, now)), "ALREADY_CHECKED_IN");
    let done = |waive_support| Command::ReportDone { result: ticket::Result::Resolved, waive_support, parts_open: 0, evidence: 0 };
    assert_eq!(refusal(world.step(&mut ticket, &done(false), &market, now)), "SUPPORT_OPEN");
    world.step(&mut ticket, &done(false), &fire, now).expect("support reported");
    world.step(&mut ticket, &done(false), &market, now).expect("reported");
    world.step(&mut ticket, &Command::SendBack, &who(Uuid::from_u128(8), &[MARKET]), now).expect("sent back");
    world.step(&mut ticket, &Command::Visit { planned_at: None }, &market, now).expect("on the way again");
    world.step(&mut ticket, &check_in, &market, now).expect("arrived again");
    assert!(ticket.running(Name::C7).is_none(), "the second visit's promise was kept");
    world.step(&mut ticket, &done(false), &market, now).expect("reported again");
    world.step(&mut ticket, &Command::SignOff, &who(Uuid::from_u128(8), &[MARKET]), now).expect("signed off");
    assert!(ticket.running(Name::C5).is_none());
    let call_back = Command::CallBack { outcome: Outcome::Satisfied };
    assert_eq!(refusal(world.step(&mut ticket, &call_back, &anyone(HANDLER), now)), "SEPARATION_OF_DUTIES");
    world.step(&mut ticket, &call_back, &anyone(CALLER), now).expect("called back");
    assert_eq!(ticket.state, State::Archived);
    world.step(&mut ticket, &Command::Rate { score: 5, tags: vec![], attachments: vec![] }, &anyone(REQUESTER), now).expect("rated");
    assert_eq!(
        refusal(world.step(&mut ticket, &Command::Rate { score: 1, tags: vec![], attachments: vec![] }, &anyone(REQUESTER), now)),
        "ALREADY_RATED"
    );
    assert!(ticket.clocks.iter().all(|clock| !clock.runs()));
}

#[test]
fn a_verb_that_does_not_fit_names_the_state_and_what_does() {
    let world = World::new();
    let mut ticket = dispatched(&world);
    let now = ticket.updated_at;
    let refusal = world.step(&mut ticket, &Command::SignOff, &anyone(DISPATCHER), now).expect_err("refused");
    assert_eq!(refusal.reason(), "ILLEGAL_TRANSITION");
    assert_eq!(refusal.facts()["state"], "DISPATCHED");
    assert_eq!(refusal.facts()["possible"], "merge, split, withdraw, sign, return, transfer, urge, supervise, instruct");
}

#[test]
fn returns_keep_the_resolution_clock_and_end_in_arbitration() {
    let world = World::new();
    let mut ticket = dispatched(&world);
    let due = ticket.due_at();
    let market = who(HANDLER, &[MARKET]);
    let give_back = |suggested| Command::Return { clause: "职责不符".into(), suggested, attachments: vec![] };
    let again = Command::Dispatch { lead: MARKET, support: vec![] };
    let mut now = ticket.updated_at + SignedDuration::from_mins(1);
    assert_eq!(refusal(world.step(&mut ticket, &give_back(MARKET), &market, now)), "SAME_UNIT");
    assert_eq!(refusal(world.step(&mut ticket, &give_back(FIRE), &who(HANDLER, &[FIRE]), now)), "NOT_FOUND");
    for _ in 0..2 {
        world.step(&mut ticket, &give_back(FIRE), &market, now).expect("returned");
        assert_eq!((ticket.due_at(), ticket.lead), (due, None));
        now += SignedDuration::from_mins(1);
        let by_dispatcher = world.step(&mut ticket.clone(), &again, &anyone(DISPATCHER), now);
        let who = Who { arbiter: by_dispatcher.is_err(), ..anyone(DISPATCHER) };
        world.step(&mut ticket, &again, &who, now).expect("dispatched again");
    }
    assert!(ticket.arbitrated);
    assert_eq!(refusal(world.step(&mut ticket, &give_back(FIRE), &market, now)), "ARBITRATED");
}

#[test]
fn the_window_for_a_return_closes() {
    let world = World::new();
    let mut ticket = dispatched(&world);
    let late = ticket.running(Name::C6).expect("runs").due_at;
    let give_back = Command::Return { clause: "职责不符".into(), suggested: FIRE, attachments: vec![] };
    assert_eq!(refusal(world.step(&mut ticket, &give_back, &who(HANDLER, &[MARKET]), late)), "RETURN_WINDOW_CLOSED");
}

#[test]
fn three_unreached_half_days_archive_and_two_calls_in_one_morning_count_once() {
    let world = World::new();
    let mut ticket = dispatched(&world);
    ticket.state = State::Callback;
    let call = Command::CallBack { outcome: Outcome::Unreached };
    for (time, state) in [
        ("2026-03-10T09:00:00+08:00", State::Callback),
        ("2026-03-10T11:00:00+08:00", State::Callback),
        ("2026-03-10T15:00:00+08:00", State::Callback),
        ("2026-03-11T09:00:00+08:00", State::Archived),
    ] {
        world.step(&mut ticket, &call, &anyone(CALLER), at(time)).expect("noted");
        assert_eq!(ticket.state, state, "{time}");
    }
}

#[test]
fn work_is_done_again_only_after_a_bad_callback_and_in_half_the_time() {
    let world = World::new();
    let mut ticket = dispatched(&world);
    ticket.state = State::Callback;
    let now = at("2026-03-10T09:00:00+08:00");
    assert_eq!(refusal(world.step(&mut ticket, &Command::Redo, &anyone(CALLER), now)), "NO_BAD_CALLBACK");
    world.step(&mut ticket, &Command::CallBack { outcome: Outcome::Dissatisfied }, &anyone(CALLER), now).expect("noted");
    world.step(&mut ticket, &Command::Redo, &anyone(CALLER), now).expect("again");
    assert_eq!(ticket.state, State::Redo);
    let clock = ticket.clocks.iter().rfind(|clock| clock.name == Name::C5).expect("a clock");
    assert_eq!(clock.due_at, at("2026-03-13T18:00:00+08:00"));
    world.step(&mut ticket, &Command::Sign, &who(HANDLER, &[MARKET]), now).expect("signed again");
    assert_eq!(ticket.state, State::Handling);
}

#[test]
fn a_check_in_far_away_is_refused_with_the_distance() {
    let world = World::new();
    let mut ticket = dispatched(&world);
    let now = ticket.updated_at;
    let market = who(HANDLER, &[MARKET]);
    world.step(&mut ticket, &Command::Sign, &market, now).expect("signed");
    world.step(&mut ticket, &Command::Visit { planned_at: None }, &market, now).expect("on the way");
    let building = Some(Position { latitude: 26.11, longitude: 119.26 });
    let away =
        Command::CheckIn { at: Position { latitude: 26.112, longitude: 119.26 }, building, device_time: None, proof: Proof::default() };
    let refusal = world.step(&mut ticket, &away, &market, now).expect_err("refused");
    assert_eq!((refusal.reason(), refusal.facts()["distance_m"].as_str()), ("OUTSIDE_FENCE", "222"));
    let near = Position { latitude: 26.1105, longitude: 119.26 };
    let skewed = Command::CheckIn { at: near, building, device_time: Some(now - SignedDuration::from_mins(6)), proof: Proof::default() };
    let change = world.step(&mut ticket, &skewed, &market, now).expect("arrived");
    assert!(matches!(change, Change::CheckedIn { clock_skewed: true, distance_m: Some(56), .. }));
}

#[test]
fn a_dangerous_matter_is_not_withdrawn_and_urging_has_a_pace() {
    let world = World::new();
    let mut ticket = dispatched(&world);
    let now = ticket.updated_at;
    world.step(&mut ticket, &Command::Urge, &anyone(REQUESTER), now).expect("urged");
    assert_eq!(refusal(world.step(&mut ticket, &Command::Urge, &anyone(REQUESTER), now)), "URGED_LATELY");
    world.step(&mut ticket, &Command::Urge, &anyone(DISPATCHER), now).expect("supervisors urge at will");
    ticket.danger = true;
    assert_eq!(refusal(world.step(&mut ticket, &Command::Withdraw, &anyone(REQUESTER), now)), "DANGER");
}

#[test]
fn a_clock_breaches_once_and_not_before_it_is_due() {
    let world = World::new();
    let mut ticket = dispatched(&world);
    let clock = ticket.running(Name::C3).expect("runs").clone();
    let breach = Command::Fire { name: Name::C3, round: clock.round };
    assert_eq!(clock.warns.len(), 2, "at half and at four fifths of its time");
    for (place, warn) in clock.warns.iter().enumerate() {
        assert_eq!(refusal(world.step(&mut ticket, &breach, &anyone(Uuid::nil()), *warn - SignedDuration::from_secs(1))), "NOT_DUE");
        let change = world.step(&mut ticket, &breach, &anyone(Uuid::nil()), *warn).expect("warned");
        assert_eq!(change, Change::Warned { name: Name::C3, round: clock.round }, "warning {place}");
    }
    assert_eq!(refusal(world.step(&mut ticket, &breach, &anyone(Uuid::nil()), clock.due_at - SignedDuration::from_secs(1))), "NOT_DUE");
    world.step(&mut ticket, &breach, &anyone(Uuid::nil()), clock.due_at).expect("breached");
    assert_eq!(refusal(world.step(&mut ticket, &breach, &anyone(Uuid::nil()), clock.due_at)), "NOT_DUE");
}

#[test]
fn a_report_shows_as_much_as_the_district_asks_for_its_result() {
    let mut world = World::new();
    world.machine.limits.evidence.resolved = 2;
    let (mut ticket, now) = side::handling(&world);
    let market = who(HANDLER, &[MARKET]);
    let done = |result, evidence| Command::ReportDone { result, waive_support: true, parts_open: 0, evidence };
    assert_eq!(refusal(world.step(&mut ticket, &done(ticket::Result::Resolved, 1), &market, now)), "EVIDENCE_NEEDED");
    world.step(&mut ticket.clone(), &done(ticket::Result::Policy, 0), &market, now).expect("another result needs none");
    world.step(&mut ticket, &done(ticket::Result::Resolved, 2), &market, now).expect("reported");
}
