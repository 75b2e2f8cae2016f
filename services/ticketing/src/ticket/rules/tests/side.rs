//! The side roads, each with who may and who may not.

use drumtower_proto::ticketing::{assignment, call_back_ticket_request::Outcome, refuse_ticket_request::Reason, ticket};
use jiff::{SignedDuration, Timestamp, civil::date};
use uuid::Uuid;

use super::{
    super::{side::CIRCULAR, *},
    CALLER, DISPATCHER, FIRE, HANDLER, MARKET, REQUESTER, World, anyone, at, dispatched, refusal, who,
};

const APPROVER: Uuid = Uuid::from_u128(20);
const LEADER: Uuid = Uuid::from_u128(21);
const SUPERVISOR: Uuid = Uuid::from_u128(22);

fn leader() -> Who {
    Who { chief: true, ..anyone(LEADER) }
}

/// A request at work, signed by its lead unit at 09:11 on Monday 2026-03-02.
fn handling(world: &World) -> (Ticket, Timestamp) {
    let mut ticket = dispatched(world);
    let now = ticket.updated_at + SignedDuration::from_mins(1);
    world.step(&mut ticket, &Command::Sign, &who(HANDLER, &[MARKET]), now).expect("signed");
    (ticket, now)
}

fn ask(asked: Asked) -> Command {
    Command::Beside(Beside::Ask(asked))
}

fn decide(number: i32, granted: bool) -> Command {
    Command::Beside(Beside::Decide { number, granted })
}

fn rate(score: i32) -> Command {
    Command::Rate { score, tags: if score < 3 { vec![1] } else { Vec::new() }, attachments: vec![] }
}

#[test]
fn only_questions_are_answered_on_the_spot_and_then_rated() {
    let world = World::new();
    let now = at("2026-03-02T09:00:00+08:00");
    let (mut ticket, _) = world.submitted(now);
    let answer = Command::Beside(Beside::Answer);
    assert_eq!(refusal(world.step(&mut ticket, &answer, &anyone(DISPATCHER), now)), "NOT_A_QUESTION");
    ticket.kind = Kind::Consult;
    world.step(&mut ticket, &answer, &anyone(DISPATCHER), now).expect("answered");
    assert_eq!(ticket.state, State::Archived);
    world.step(&mut ticket, &rate(4), &anyone(REQUESTER), now).expect("rated");
    // Nobody handled it: reopened it begins again.
    world.step(&mut ticket, &Command::Beside(Beside::Reopen), &anyone(REQUESTER), now).expect("reopened");
    assert_eq!((ticket.state, ticket.score), (State::Submitted, 4));
}

#[test]
fn an_appeal_goes_to_another_dispatcher_once() {
    let world = World::new();
    let now = at("2026-03-02T09:00:00+08:00");
    let (mut ticket, _) = world.submitted(now);
    let (refuse, appeal) = (Command::Refuse { reason: Reason::OutOfScope }, Command::Beside(Beside::Appeal));
    assert_eq!(refusal(world.step(&mut ticket, &appeal, &anyone(REQUESTER), now)), "ILLEGAL_TRANSITION");
    world.step(&mut ticket, &refuse, &anyone(DISPATCHER), now).expect("refused");
    world.step(&mut ticket, &appeal, &anyone(REQUESTER), now).expect("appealed");
    assert!(ticket.running(Name::C1).is_some());
    let accept = Command::Accept { kind: None, urgency: Urgency::Normal };
    assert_eq!(refusal(world.step(&mut ticket, &accept, &anyone(DISPATCHER), now)), "SEPARATION_OF_DUTIES");
    assert_eq!(refusal(world.step(&mut ticket, &refuse, &anyone(DISPATCHER), now)), "SEPARATION_OF_DUTIES");
    world.step(&mut ticket, &refuse, &anyone(CALLER), now).expect("refused by another");
    assert_eq!(refusal(world.step(&mut ticket, &appeal, &anyone(REQUESTER), now)), "APPEALED");
}

#[test]
fn what_is_merged_is_over_and_a_closed_request_takes_nothing_in() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let mut target = dispatched(&world);
    let absorb = Command::Beside(Beside::Absorb { ticket: Uuid::from_u128(50), requester: CALLER, followers: vec![] });
    world.step(&mut target, &absorb, &anyone(DISPATCHER), now).expect("taken in");
    assert_eq!(target.side.followers, [CALLER]);
    world.step(&mut ticket, &Command::Beside(Beside::Merge { into: Uuid::from_u128(51) }), &anyone(DISPATCHER), now).expect("merged");
    assert_eq!(ticket.state, State::Merged);
    assert_eq!(refusal(world.step(&mut ticket, &absorb, &anyone(DISPATCHER), now)), "TARGET_CLOSED");
}

#[test]
fn once_signed_a_request_is_taken_back_with_the_units_consent() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let consent = |agreed| Command::Beside(Beside::Consent { agreed });
    assert_eq!(refusal(world.step(&mut ticket, &consent(true), &who(HANDLER, &[MARKET]), now)), "NOT_ASKED");
    world.step(&mut ticket, &Command::Withdraw, &anyone(REQUESTER), now).expect("asked");
    assert_eq!(refusal(world.step(&mut ticket, &Command::Withdraw, &anyone(REQUESTER), now)), "ASKED_ALREADY");
    assert_eq!(refusal(world.step(&mut ticket, &consent(true), &who(HANDLER, &[FIRE]), now)), "NOT_FOUND");
    world.step(&mut ticket, &consent(false), &who(HANDLER, &[MARKET]), now).expect("answered");
    assert_eq!(ticket.state, State::Handling);
    world.step(&mut ticket, &Command::Withdraw, &anyone(REQUESTER), now).expect("asked again");
    world.step(&mut ticket, &consent(true), &who(HANDLER, &[MARKET]), now).expect("agreed");
    assert_eq!(ticket.state, State::Withdrawn);
}

#[test]
fn more_time_is_asked_for_before_it_has_run_out_and_the_second_time_a_leader_decides() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let market = who(HANDLER, &[MARKET]);
    let due = ticket.due_at().expect("runs");
    assert_eq!(due, at("2026-03-09T18:00:00+08:00"));
    let more = |count| ask(Asked::Extension { count });
    assert_eq!(refusal(world.step(&mut ticket, &more(6), &market, now)), "TOO_MUCH");
    assert_eq!(refusal(world.step(&mut ticket, &more(2), &who(HANDLER, &[FIRE]), now)), "NOT_FOUND");
    assert_eq!(refusal(world.step(&mut ticket.clone(), &more(2), &market, due)), "TOO_LATE");
    world.step(&mut ticket, &more(2), &market, now).expect("asked");
    assert_eq!(refusal(world.step(&mut ticket, &more(2), &market, now)), "ASKED_ALREADY");
    assert_eq!(refusal(world.step(&mut ticket, &decide(1, true), &anyone(HANDLER), now)), "SEPARATION_OF_DUTIES");
    assert_eq!(refusal(world.step(&mut ticket, &decide(2, true), &anyone(APPROVER), now)), "NOT_WAITING");
    // Granted too late is not granted: what is late stays late.
    assert_eq!(refusal(world.step(&mut ticket.clone(), &decide(1, true), &anyone(APPROVER), due)), "TOO_LATE");
    world.step(&mut ticket, &decide(1, true), &anyone(APPROVER), now).expect("granted");
    assert_eq!(ticket.due_at(), Some(at("2026-03-11T18:00:00+08:00")));
    assert_eq!(refusal(world.step(&mut ticket, &more(4), &market, now)), "TOO_MUCH");
    world.step(&mut ticket, &more(3), &market, now).expect("asked again");
    assert_eq!(refusal(world.step(&mut ticket, &decide(2, true), &anyone(APPROVER), now)), "LEADER_NEEDED");
    world.step(&mut ticket, &decide(2, true), &leader(), now).expect("granted by a leader");
    assert_eq!(ticket.due_at(), Some(at("2026-03-16T18:00:00+08:00")));
    assert_eq!(refusal(world.step(&mut ticket, &more(1), &market, now)), "EXTENSIONS_USED_UP");
}

#[test]
fn a_pause_stops_the_promise_and_nothing_is_reported_meanwhile() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let market = who(HANDLER, &[MARKET]);
    world.step(&mut ticket, &ask(Asked::Hold { reason: 1 }), &market, now).expect("asked");
    let granted = at("2026-03-03T10:00:00+08:00");
    world.step(&mut ticket, &decide(1, true), &anyone(APPROVER), granted).expect("granted");
    let clock = ticket.running(Name::C5).expect("runs").clone();
    assert!(clock.paused() && clock.fires_at().is_none());
    let fire = Command::Fire { name: Name::C5, round: 1 };
    assert_eq!(refusal(world.step(&mut ticket, &fire, &Who::timer(), at("2026-03-10T09:00:00+08:00"))), "NOT_DUE");
    let done = Command::ReportDone { result: ticket::Result::Resolved, waive_support: true, parts_open: 0, evidence: 0 };
    assert_eq!(refusal(world.step(&mut ticket, &done, &market, granted)), "ON_HOLD");
    assert_eq!(refusal(world.step(&mut ticket, &ask(Asked::Hold { reason: 1 }), &market, granted)), "ON_HOLD");
    // The third and the fourth closed while it stood still: two days more.
    let resumed = at("2026-03-05T09:00:00+08:00");
    world.step(&mut ticket, &Command::Beside(Beside::Resume), &market, resumed).expect("resumed");
    assert_eq!(ticket.due_at(), Some(at("2026-03-11T18:00:00+08:00")));
    assert_eq!(refusal(world.step(&mut ticket, &Command::Beside(Beside::Resume), &market, resumed)), "NOT_ON_HOLD");
    assert!(ticket.running(Name::Hold).is_none());
}

#[test]
fn a_pause_ends_by_itself() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    world.step(&mut ticket, &ask(Asked::Hold { reason: 2 }), &who(HANDLER, &[MARKET]), now).expect("asked");
    world.step(&mut ticket, &decide(1, true), &anyone(APPROVER), now).expect("granted");
    let end = ticket.running(Name::Hold).expect("runs").due_at;
    assert_eq!(end, at("2026-03-16T18:00:00+08:00"), "ten working days");
    world.step(&mut ticket, &Command::Fire { name: Name::Hold, round: 1 }, &Who::timer(), end).expect("ended");
    assert!(ticket.side.hold.is_none() && ticket.due_at().is_some_and(|due| due > end));
}

#[test]
fn supervision_climbs_by_itself_and_only_a_supervisor_lowers_it() {
    let world = World::new();
    let (mut ticket, _) = handling(&world);
    let mut levels = Vec::new();
    while let Some((name, round, when)) = ticket
        .clocks
        .iter()
        .filter(|clock| matches!(clock.name, Name::C5 | Name::C11))
        .filter_map(|clock| Some((clock.name, clock.round, clock.fires_at()?)))
        .min_by_key(|(.., when)| *when)
    {
        world.step(&mut ticket, &Command::Fire { name, round }, &Who::timer(), when).expect("fired");
        let local = when.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8))).strftime("%m-%d").to_string();
        levels.push((ticket.side.supervision, local));
    }
    let levels: Vec<(i32, &str)> = levels.iter().map(|(level, day)| (*level, day.as_str())).collect();
    assert_eq!(levels, [(1, "03-05"), (1, "03-06"), (2, "03-09"), (3, "03-10"), (4, "03-16")]);
    assert_eq!(ticket.side.order.as_ref().map(|order| order.number), Some(2));
    let now = ticket.updated_at;
    let supervise = |level| Command::Beside(Beside::Supervise { level, reply_due: Some(now + SignedDuration::from_hours(24)) });
    assert_eq!(refusal(world.step(&mut ticket, &supervise(0), &leader(), now)), "ONLY_SUPERVISORS_LOWER");
    let supervisor = Who { supervisor: true, ..anyone(SUPERVISOR) };
    world.step(&mut ticket, &supervise(0), &supervisor, now).expect("lowered");
    world.step(&mut ticket, &supervise(CIRCULAR), &leader(), now).expect("raised by a leader");
    assert_eq!(
        refusal(world.step(&mut ticket, &supervise(2), &Who { user: REQUESTER, ..supervisor.clone() }, now)),
        "SEPARATION_OF_DUTIES"
    );
    let mut calm = dispatched(&world);
    let unsaid = Command::Beside(Beside::Supervise { level: 3, reply_due: None });
    assert_eq!(refusal(world.step(&mut calm, &unsaid, &supervisor, now)), "REQUIRED");
}

#[test]
fn an_instruction_shortens_and_never_lengthens() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let until = |text: &str| Command::Beside(Beside::Instruct { due_at: Some(at(text)) });
    assert_eq!(refusal(world.step(&mut ticket, &until("2026-03-20T18:00:00+08:00"), &leader(), now)), "LATER_THAN_DUE");
    assert_eq!(refusal(world.step(&mut ticket, &until("2026-03-01T18:00:00+08:00"), &leader(), now)), "PAST");
    world.step(&mut ticket, &until("2026-03-04T12:00:00+08:00"), &leader(), now).expect("shortened");
    assert_eq!(ticket.due_at(), Some(at("2026-03-04T12:00:00+08:00")));
    let before = ticket.due_at();
    world.step(&mut ticket, &Command::Beside(Beside::Instruct { due_at: None }), &leader(), now).expect("words only");
    assert_eq!(ticket.due_at(), before);
}

/// Archived after a callback on 2026-03-03.
fn archived(world: &World, result: ticket::Result, outcome: Outcome) -> (Ticket, Timestamp) {
    let (mut ticket, now) = handling(world);
    let market = who(HANDLER, &[MARKET]);
    world
        .step(&mut ticket, &Command::ReportDone { result, waive_support: true, parts_open: 0, evidence: 0 }, &market, now)
        .expect("reported");
    world.step(&mut ticket, &Command::SignOff, &who(Uuid::from_u128(8), &[MARKET]), now).expect("signed off");
    let called = at("2026-03-03T10:00:00+08:00");
    world.step(&mut ticket, &Command::CallBack { outcome }, &anyone(CALLER), called).expect("called back");
    (ticket, called)
}

#[test]
fn a_request_is_brought_back_once_within_seventy_two_hours_of_its_first_close() {
    let world = World::new();
    let (mut ticket, closed) = archived(&world, ticket::Result::Resolved, Outcome::Satisfied);
    let reopen = Command::Beside(Beside::Reopen);
    let late = closed + SignedDuration::from_hours(72);
    assert_eq!(refusal(world.step(&mut ticket.clone(), &reopen, &anyone(REQUESTER), late)), "REOPEN_WINDOW_CLOSED");
    world.step(&mut ticket, &reopen, &anyone(REQUESTER), late - SignedDuration::from_secs(1)).expect("reopened");
    assert_eq!(ticket.state, State::Handling);
    let lead = ticket.assignments.iter().find(|part| part.unit == MARKET).expect("there");
    assert_eq!(lead.state, assignment::State::Signed);
    assert!(ticket.due_at().is_some());
    let now = ticket.updated_at;
    world
        .step(
            &mut ticket,
            &Command::ReportDone { result: ticket::Result::Resolved, waive_support: true, parts_open: 0, evidence: 0 },
            &who(HANDLER, &[MARKET]),
            now,
        )
        .expect("again");
    world.step(&mut ticket, &Command::SignOff, &who(Uuid::from_u128(8), &[MARKET]), now).expect("again");
    world.step(&mut ticket, &Command::CallBack { outcome: Outcome::Satisfied }, &anyone(CALLER), now).expect("again");
    assert_eq!(refusal(world.step(&mut ticket, &reopen, &anyone(REQUESTER), now)), "REOPENED");
}

#[test]
fn the_ledger_needs_two_words_and_comes_back_on_its_day() {
    let world = World::new();
    let (mut ticket, now) = archived(&world, ticket::Result::Resolved, Outcome::Unsolved);
    let market = who(HANDLER, &[MARKET]);
    let ledger = |day| ask(Asked::Ledger { owner: None, condition: "待管网改造".into(), review_on: day });
    assert_eq!(refusal(world.step(&mut ticket, &ledger(date(2026, 4, 1)), &market, now)), "RESULT_DOES_NOT_FIT");
    ticket.result = ticket::Result::Partly;
    assert_eq!(refusal(world.step(&mut ticket, &ledger(date(2026, 6, 2)), &market, now)), "TOO_FAR");
    world.step(&mut ticket, &ledger(date(2026, 6, 1)), &market, now).expect("asked");
    world.step(&mut ticket, &decide(1, true), &anyone(APPROVER), now).expect("endorsed");
    assert_eq!(ticket.state, State::Callback);
    assert_eq!(refusal(world.step(&mut ticket, &decide(1, true), &anyone(APPROVER), now)), "SEPARATION_OF_DUTIES");
    assert_eq!(refusal(world.step(&mut ticket, &decide(1, true), &anyone(SUPERVISOR), now)), "LEADER_NEEDED");
    world.step(&mut ticket, &decide(1, true), &leader(), now).expect("entered");
    assert_eq!(ticket.state, State::Ledger);
    let day = ticket.running(Name::Ledger).expect("runs").due_at;
    assert_eq!(day, at("2026-06-01T00:00:00+08:00"));
    let mut by_hand = ticket.clone();
    world.step(&mut by_hand, &Command::Beside(Beside::Resume), &market, now).expect("the condition is met");
    assert_eq!(by_hand.state, State::Handling);
    // It warns before, then comes back by itself.
    let fire = Command::Fire { name: Name::Ledger, round: 1 };
    while ticket.state == State::Ledger {
        let when = ticket.running(Name::Ledger).and_then(Clock::fires_at).expect("fires");
        world.step(&mut ticket, &fire, &Who::timer(), when).expect("fired");
    }
    assert_eq!((ticket.state, ticket.updated_at), (State::Handling, day));
    assert!(ticket.due_at().is_some());
}

#[test]
fn exclusion_is_asked_for_until_five_working_days_after_the_month() {
    let world = World::new();
    let (mut ticket, _) = archived(&world, ticket::Result::Unreasonable, Outcome::Satisfied);
    let market = who(HANDLER, &[MARKET]);
    let exclude = ask(Asked::Exclusion { reason: 1 });
    // April begins with 清明, 04-04 to 04-06: the fifth working day is the eighth.
    assert_eq!(refusal(world.step(&mut ticket.clone(), &exclude, &market, at("2026-04-09T00:00:00+08:00"))), "TOO_LATE");
    let now = at("2026-04-08T17:00:00+08:00");
    world.step(&mut ticket, &exclude, &market, now).expect("asked");
    world.step(&mut ticket, &decide(1, true), &anyone(APPROVER), now).expect("granted");
    assert!(ticket.side.excluded);
    assert_eq!(refusal(world.step(&mut ticket, &exclude, &market, now)), "EXCLUDED");
}

#[test]
fn a_consultation_calls_units_hears_them_and_binds_them() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let (market, fire, power) = (who(HANDLER, &[MARKET]), who(Uuid::from_u128(7), &[FIRE]), Uuid::from_u128(12));
    let meets_at = now + SignedDuration::from_hours(24);
    let consult = |units: Vec<Uuid>| Command::Beside(Beside::Consult { units, meets_at, place: "园区会议室".into() });
    assert_eq!(refusal(world.step(&mut ticket, &consult(vec![MARKET]), &market, now)), "UNITS");
    assert_eq!(refusal(world.step(&mut ticket, &Command::Beside(Beside::Attend), &fire, now)), "ILLEGAL_TRANSITION");
    world.step(&mut ticket, &consult(vec![FIRE, power]), &market, now).expect("called");
    assert_eq!(ticket.state, State::Consulting);
    assert_eq!(ticket.clocks.iter().filter(|clock| clock.name == Name::C8 && clock.runs()).count(), 2);
    let opine = Command::Beside(Beside::Opine { stance: 1, text: "同意联合处置".into() });
    assert_eq!(refusal(world.step(&mut ticket, &opine, &fire, now)), "NOT_ARRIVED");
    assert_eq!(refusal(world.step(&mut ticket, &Command::Beside(Beside::Attend), &market, now)), "NOT_CALLED");
    world.step(&mut ticket, &Command::Beside(Beside::Attend), &fire, meets_at).expect("arrived");
    assert_eq!(refusal(world.step(&mut ticket, &Command::Beside(Beside::Attend), &fire, meets_at)), "ARRIVED_ALREADY");
    assert_eq!(ticket.clocks.iter().filter(|clock| clock.name == Name::C8 && clock.runs()).count(), 1, "its own clock stopped");
    let decision = |unit| Decision { unit, text: "一周内更换".into(), due_at: meets_at + SignedDuration::from_hours(72) };
    let conclude = |units: Vec<Uuid>| {
        Command::Beside(Beside::Conclude { minutes: "会议纪要".into(), decisions: units.into_iter().map(decision).collect() })
    };
    assert_eq!(refusal(world.step(&mut ticket, &conclude(vec![]), &market, meets_at)), "OPINIONS_MISSING");
    world.step(&mut ticket, &opine, &fire, meets_at).expect("signed");
    assert_eq!(refusal(world.step(&mut ticket, &opine, &fire, meets_at)), "SIGNED_ALREADY");
    assert_eq!(refusal(world.step(&mut ticket, &conclude(vec![]), &fire, meets_at)), "NOT_CONVENER");
    assert_eq!(refusal(world.step(&mut ticket, &conclude(vec![Uuid::from_u128(13)]), &market, meets_at)), "NOT_CALLED");
    world.step(&mut ticket, &conclude(vec![power]), &market, meets_at).expect("concluded");
    let consultation = ticket.side.consultations.last().expect("kept");
    let absent: Vec<bool> = consultation.called.iter().map(|called| called.absent).collect();
    assert_eq!((ticket.state, absent.as_slice()), (State::Handling, &[false, true][..]));
    let done = |waive_support| Command::ReportDone { result: ticket::Result::Resolved, waive_support, parts_open: 0, evidence: 0 };
    let bound = who(Uuid::from_u128(9), &[power]);
    let finish = Command::Beside(Beside::FinishTask { number: 1 });
    assert_eq!(refusal(world.step(&mut ticket, &finish, &fire, meets_at)), "NO_SUCH_TASK");
    world.step(&mut ticket, &finish, &bound, meets_at).expect("done");
    assert_eq!(refusal(world.step(&mut ticket, &finish, &bound, meets_at)), "DONE_ALREADY");
    assert_eq!(refusal(world.step(&mut ticket, &done(false), &market, meets_at)), "SUPPORT_OPEN");
    world.step(&mut ticket, &done(true), &market, meets_at).expect("reported");
}

#[test]
fn the_lead_units_own_tasks_come_before_its_report() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let market = who(HANDLER, &[MARKET]);
    let meets_at = now + SignedDuration::from_hours(1);
    let consult = Beside::Consult { units: vec![FIRE], meets_at, place: "现场".into() };
    world.step(&mut ticket, &Command::Beside(consult), &market, now).expect("called");
    let decisions = vec![Decision { unit: MARKET, text: "出具意见".into(), due_at: meets_at }];
    world.step(&mut ticket, &Command::Beside(Beside::Conclude { minutes: "纪要".into(), decisions }), &market, now).expect("concluded");
    let done = Command::ReportDone { result: ticket::Result::Resolved, waive_support: true, parts_open: 0, evidence: 0 };
    assert_eq!(refusal(world.step(&mut ticket, &done, &market, now)), "TASKS_OPEN");
    let late = Command::Fire { name: Name::Task, round: 1 };
    world.step(&mut ticket, &late, &Who::timer(), meets_at).expect("ran out");
    world.step(&mut ticket, &Command::Beside(Beside::FinishTask { number: 1 }), &market, meets_at).expect("done");
    world.step(&mut ticket, &done, &market, meets_at).expect("reported");
}

#[test]
fn a_request_redone_twice_is_supervised() {
    let world = World::new();
    let (mut ticket, mut now) = archived(&world, ticket::Result::Resolved, Outcome::Dissatisfied);
    for redone in 1..=2 {
        now += SignedDuration::from_mins(1);
        world.step(&mut ticket, &Command::Redo, &anyone(CALLER), now).expect("again");
        assert_eq!(ticket.side.supervision, if redone == 2 { 3 } else { 0 });
        let market = who(HANDLER, &[MARKET]);
        world.step(&mut ticket, &Command::Sign, &market, now).expect("signed");
        world
            .step(
                &mut ticket,
                &Command::ReportDone { result: ticket::Result::Resolved, waive_support: true, parts_open: 0, evidence: 0 },
                &market,
                now,
            )
            .expect("reported");
        world.step(&mut ticket, &Command::SignOff, &who(Uuid::from_u128(8), &[MARKET]), now).expect("signed off");
        world.step(&mut ticket, &Command::CallBack { outcome: Outcome::Unsolved }, &anyone(CALLER), now).expect("called back");
    }
}

#[test]
fn each_unit_on_site_has_its_own_arrival() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let (market, fire) = (who(HANDLER, &[MARKET]), who(Uuid::from_u128(7), &[FIRE]));
    world.step(&mut ticket, &Command::Sign, &fire, now).expect("signed");
    world.step(&mut ticket, &Command::Visit { planned_at: None }, &market, now).expect("on the way");
    let running = |ticket: &Ticket| ticket.clocks.iter().filter(|clock| clock.name == Name::C7 && clock.runs()).count();
    assert_eq!(running(&ticket), 2);
    let here = Position { latitude: 26.11, longitude: 119.26 };
    let check_in = Command::CheckIn { at: here, building: Some(here), device_time: None, proof: Proof::default() };
    world.step(&mut ticket, &check_in, &fire, now).expect("arrived");
    assert_eq!(running(&ticket), 1);
    world.step(&mut ticket, &check_in, &market, now).expect("arrived");
    assert_eq!(running(&ticket), 0);
}

#[test]
fn a_bad_rating_is_verified_put_right_and_rated_once_more() {
    let world = World::new();
    let (mut ticket, now) = archived(&world, ticket::Result::Resolved, Outcome::Satisfied);
    let (market, agent) = (who(HANDLER, &[MARKET]), anyone(CALLER));
    let beside = Command::Beside;
    let verify = |founded| beside(Beside::VerifyRating { founded });
    assert_eq!(refusal(world.step(&mut ticket, &verify(true), &agent, now)), "NO_CASE");
    assert_eq!(
        refusal(world.step(&mut ticket, &Command::Rate { score: 1, tags: vec![], attachments: vec![] }, &anyone(REQUESTER), now)),
        "REQUIRED"
    );
    assert_eq!(
        refusal(world.step(&mut ticket, &Command::Rate { score: 1, tags: vec![12], attachments: vec![] }, &anyone(REQUESTER), now)),
        "TAG_DOES_NOT_FIT"
    );
    assert_eq!(
        refusal(world.step(&mut ticket, &Command::Rate { score: 5, tags: vec![1], attachments: vec![] }, &anyone(REQUESTER), now)),
        "TAG_DOES_NOT_FIT"
    );
    world.step(&mut ticket, &rate(1), &anyone(REQUESTER), now).expect("rated");
    assert_eq!(ticket.running(Name::B1).expect("runs").due_at, at("2026-03-04T18:00:00+08:00"));
    assert_eq!(refusal(world.step(&mut ticket, &verify(true), &anyone(HANDLER), now)), "SEPARATION_OF_DUTIES");
    let rectify = beside(Beside::RectifyRating { answer: "已返工并致歉".into() });
    assert_eq!(refusal(world.step(&mut ticket, &rectify, &market, now)), "CASE_STATE");
    world.step(&mut ticket, &verify(true), &agent, now).expect("verified");
    assert_eq!(ticket.running(Name::B4).expect("runs").due_at, at("2026-03-10T18:00:00+08:00"));
    let more = |count| ask(Asked::Rectification { count });
    assert_eq!(refusal(world.step(&mut ticket, &more(11), &market, now)), "TOO_MUCH");
    world.step(&mut ticket, &more(10), &market, now).expect("asked");
    world.step(&mut ticket, &decide(1, true), &anyone(APPROVER), now).expect("granted");
    assert_eq!(ticket.running(Name::B4).expect("runs").due_at, at("2026-03-24T18:00:00+08:00"));
    world.step(&mut ticket, &rectify, &market, now).expect("put right");
    let follow_up = |score| beside(Beside::FollowUpRating { score });
    world.step(&mut ticket, &follow_up(2), &anyone(REQUESTER), now).expect("rated again");
    assert_eq!((ticket.score, ticket.side.supervision), (1, 3), "the original stays; a bad one again is supervised");
    assert_eq!(refusal(world.step(&mut ticket, &follow_up(5), &anyone(REQUESTER), now)), "FOLLOWED_UP");
    assert!(ticket.clocks.iter().all(|clock| !clock.runs()));
}

#[test]
fn a_unit_appeals_once_and_the_rating_office_decides() {
    let world = World::new();
    let (mut ticket, now) = archived(&world, ticket::Result::Resolved, Outcome::Satisfied);
    world.step(&mut ticket, &rate(2), &anyone(REQUESTER), now).expect("rated");
    let (appeal, decide) = (Command::Beside(Beside::AppealRating), |upheld| Command::Beside(Beside::DecideRatingAppeal { upheld }));
    assert_eq!(refusal(world.step(&mut ticket, &decide(true), &anyone(APPROVER), now)), "NOT_APPEALED");
    assert_eq!(refusal(world.step(&mut ticket, &appeal, &who(HANDLER, &[FIRE]), now)), "NOT_FOUND");
    world.step(&mut ticket, &appeal, &who(HANDLER, &[MARKET]), now).expect("appealed");
    assert_eq!(refusal(world.step(&mut ticket, &appeal, &who(HANDLER, &[MARKET]), now)), "APPEALED");
    assert_eq!(refusal(world.step(&mut ticket, &decide(true), &anyone(HANDLER), now)), "SEPARATION_OF_DUTIES");
    let mut denied = ticket.clone();
    world.step(&mut denied, &decide(false), &anyone(APPROVER), now).expect("denied");
    assert!(denied.running(Name::B4).is_some() && denied.running(Name::B1).is_none(), "denied means there is ground");
    world.step(&mut ticket, &decide(true), &anyone(APPROVER), now).expect("upheld");
    let case = ticket.side.case.as_ref().expect("kept");
    assert!(case.unfounded && ticket.score == 2, "the original is never edited");
}

#[test]
fn a_case_that_is_late_climbs_like_any_promise_and_closes_by_itself_after_the_answer() {
    let world = World::new();
    let (mut ticket, now) = archived(&world, ticket::Result::Resolved, Outcome::Satisfied);
    world.step(&mut ticket, &rate(2), &anyone(REQUESTER), now).expect("rated");
    let due = ticket.running(Name::B1).expect("runs").due_at;
    world.step(&mut ticket, &Command::Fire { name: Name::B1, round: 1 }, &Who::timer(), due).expect("late");
    assert_eq!(ticket.side.supervision, 2);
    let order = ticket.running(Name::C11).expect("the ladder").due_at;
    world.step(&mut ticket, &Command::Fire { name: Name::C11, round: 1 }, &Who::timer(), order).expect("climbs");
    assert_eq!(ticket.side.supervision, 3);
    world.step(&mut ticket, &Command::Beside(Beside::VerifyRating { founded: true }), &anyone(CALLER), order).expect("verified");
    let rectify = Command::Beside(Beside::RectifyRating { answer: "已整改".into() });
    world.step(&mut ticket, &rectify, &who(HANDLER, &[MARKET]), order).expect("put right");
    assert!(ticket.running(Name::C11).is_none());
    let end = ticket.running(Name::B6).expect("runs").due_at;
    world.step(&mut ticket, &Command::Fire { name: Name::B6, round: 1 }, &Who::timer(), end).expect("closed");
    assert!(ticket.clocks.iter().all(|clock| !clock.runs()));
}

#[test]
fn an_arrival_is_proved_by_place_by_code_or_stated_and_may_be_told_later() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let (market, fire) = (who(HANDLER, &[MARKET]), who(Uuid::from_u128(7), &[FIRE]));
    world.step(&mut ticket, &Command::Sign, &fire, now).expect("signed");
    world.step(&mut ticket, &Command::Visit { planned_at: None }, &market, now).expect("on the way");
    let building = Some(Position { latitude: 26.11, longitude: 119.26 });
    let away = Position { latitude: 26.12, longitude: 119.26 };
    let later = now + SignedDuration::from_hours(7);
    let check_in = |proof: Proof, device: Timestamp| Command::CheckIn { at: away, building, device_time: Some(device), proof };
    let with = |code: Option<bool>, reason: &str, taken_at: Option<Timestamp>| Proof { code, reason: reason.into(), taken_at, photo: None };
    assert_eq!(refusal(world.step(&mut ticket, &check_in(with(None, " ", None), later), &market, later)), "OUTSIDE_FENCE");
    assert_eq!(refusal(world.step(&mut ticket, &check_in(with(Some(false), "无信号", None), later), &market, later)), "WRONG_CODE");
    let old = with(Some(true), "", Some(later - SignedDuration::from_hours(25)));
    assert_eq!(refusal(world.step(&mut ticket, &check_in(old, later), &market, later)), "TOLD_TOO_LATE");
    // Told seven hours later: it counts from when it happened, within the promise.
    let taken = now + SignedDuration::from_mins(30);
    let change = world.step(&mut ticket, &check_in(with(Some(true), "", Some(taken)), later), &market, later).expect("arrived");
    assert!(matches!(&change, Change::CheckedIn { how, offline: true, arrived_at: Some(at), .. } if how == "CODE" && *at == taken));
    let clock = ticket.clocks.iter().find(|clock| clock.name == Name::C7 && clock.unit == Some(MARKET)).expect("a clock");
    assert_eq!(clock.stopped_at, Some(taken));
    // A device whose clock is off is not believed about the past, and stated arrivals are marked as such.
    let off = later + SignedDuration::from_mins(20);
    let stated = with(None, "地下室无信号", Some(taken));
    assert_eq!(refusal(world.step(&mut ticket, &check_in(stated.clone(), off), &fire, later)), "PHOTO_NEEDED");
    let photo = Some(Uuid::from_u128(77));
    let change = world.step(&mut ticket, &check_in(Proof { photo, ..stated }, off), &fire, later).expect("arrived");
    assert!(matches!(&change, Change::CheckedIn { how, offline: true, clock_skewed: true, arrived_at: None, .. } if how == "STATED"));
    assert!(matches!(&change, Change::CheckedIn { photo: kept, .. } if *kept == photo), "the history says which photo");
}

#[test]
fn a_report_shows_as_much_as_the_district_asks_for_its_result() {
    let mut world = World::new();
    world.machine.limits.evidence.resolved = 2;
    let (mut ticket, now) = handling(&world);
    let market = who(HANDLER, &[MARKET]);
    let done = |result, evidence| Command::ReportDone { result, waive_support: true, parts_open: 0, evidence };
    assert_eq!(refusal(world.step(&mut ticket, &done(ticket::Result::Resolved, 1), &market, now)), "EVIDENCE_NEEDED");
    world.step(&mut ticket.clone(), &done(ticket::Result::Policy, 0), &market, now).expect("another result needs none");
    world.step(&mut ticket, &done(ticket::Result::Resolved, 2), &market, now).expect("reported");
}

#[test]
fn the_whole_is_reported_done_when_its_parts_are_over() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let split = Command::Beside(Beside::Split { children: vec![Uuid::from_u128(60)] });
    world.step(&mut ticket, &split, &anyone(DISPATCHER), now).expect("split");
    let done = |parts_open| Command::ReportDone { result: ticket::Result::Resolved, waive_support: true, parts_open, evidence: 0 };
    assert_eq!(refusal(world.step(&mut ticket, &done(1), &who(HANDLER, &[MARKET]), now)), "PARTS_OPEN");
    world.step(&mut ticket, &done(0), &who(HANDLER, &[MARKET]), now).expect("reported");
}

#[test]
fn what_was_asked_for_in_one_state_is_not_granted_in_another() {
    let world = World::new();
    let (mut ticket, now) = archived(&world, ticket::Result::Partly, Outcome::Unsolved);
    let market = who(HANDLER, &[MARKET]);
    world.step(&mut ticket, &Command::Redo, &anyone(CALLER), now).expect("again");
    let ledger = ask(Asked::Ledger { owner: None, condition: "待管网改造".into(), review_on: date(2026, 4, 1) });
    world.step(&mut ticket, &ledger, &market, now).expect("asked");
    world.step(&mut ticket, &Command::Sign, &market, now).expect("signed meanwhile");
    assert_eq!(refusal(world.step(&mut ticket, &decide(1, true), &anyone(APPROVER), now)), "ILLEGAL_TRANSITION");
    world.step(&mut ticket, &decide(1, false), &anyone(APPROVER), now).expect("declined all the same");
    let elsewhere = ask(Asked::Ledger { owner: Some(Uuid::from_u128(13)), condition: "x".into(), review_on: date(2026, 4, 1) });
    let (mut other, now) = archived(&world, ticket::Result::Partly, Outcome::Unsolved);
    assert_eq!(refusal(world.step(&mut other, &elsewhere, &market, now)), "NOT_A_PART");
}

#[test]
fn attempts_to_reach_the_requester_are_counted_anew_after_the_work_is_done_again() {
    let world = World::new();
    let (mut ticket, _) = archived(&world, ticket::Result::Resolved, Outcome::Unreached);
    let afternoon = at("2026-03-03T15:00:00+08:00");
    let call = |outcome| Command::CallBack { outcome };
    world.step(&mut ticket, &call(Outcome::Unreached), &anyone(CALLER), afternoon).expect("noted");
    world.step(&mut ticket, &call(Outcome::Unsolved), &anyone(CALLER), afternoon).expect("noted");
    assert!(ticket.running(Name::C9).is_some(), "a bad callback is not the end of it");
    world.step(&mut ticket, &Command::Redo, &anyone(CALLER), afternoon).expect("again");
    let market = who(HANDLER, &[MARKET]);
    world.step(&mut ticket, &Command::Sign, &market, afternoon).expect("signed");
    let done = Command::ReportDone { result: ticket::Result::Resolved, waive_support: true, parts_open: 0, evidence: 0 };
    world.step(&mut ticket, &done, &market, afternoon).expect("reported");
    world.step(&mut ticket, &Command::SignOff, &who(Uuid::from_u128(8), &[MARKET]), afternoon).expect("signed off");
    world.step(&mut ticket, &call(Outcome::Unreached), &anyone(CALLER), at("2026-03-04T09:00:00+08:00")).expect("noted");
    assert_eq!(ticket.state, State::Callback, "one attempt of three");
}

#[test]
fn whoever_contacted_or_signed_off_does_not_call_back() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    world.step(&mut ticket, &Command::Contact, &who(CALLER, &[MARKET]), now).expect("contacted");
    let done = Command::ReportDone { result: ticket::Result::Resolved, waive_support: true, parts_open: 0, evidence: 0 };
    world.step(&mut ticket, &done, &who(HANDLER, &[MARKET]), now).expect("reported");
    world.step(&mut ticket, &Command::SignOff, &who(SUPERVISOR, &[MARKET]), now).expect("signed off");
    for person in [CALLER, SUPERVISOR, HANDLER] {
        let call = Command::CallBack { outcome: Outcome::Satisfied };
        assert_eq!(refusal(world.step(&mut ticket, &call, &anyone(person), now)), "SEPARATION_OF_DUTIES");
    }
}

#[test]
fn who_refused_does_not_merge_an_appeal_away_and_followers_go_along() {
    let world = World::new();
    let now = at("2026-03-02T09:00:00+08:00");
    let (mut ticket, _) = world.submitted(now);
    world.step(&mut ticket, &Command::Refuse { reason: Reason::OutOfScope }, &anyone(DISPATCHER), now).expect("refused");
    world.step(&mut ticket, &Command::Beside(Beside::Appeal), &anyone(REQUESTER), now).expect("appealed");
    let merge = Command::Beside(Beside::Merge { into: Uuid::from_u128(51) });
    assert_eq!(refusal(world.step(&mut ticket, &merge, &anyone(DISPATCHER), now)), "SEPARATION_OF_DUTIES");
    let mut target = dispatched(&world);
    let absorb = Beside::Absorb { ticket: Uuid::from_u128(50), requester: CALLER, followers: vec![APPROVER, REQUESTER] };
    world.step(&mut target, &Command::Beside(absorb), &anyone(DISPATCHER), now).expect("taken in");
    assert_eq!(target.side.followers, [CALLER, APPROVER], "its own requester needs no second notice");
}

#[test]
fn the_ladder_of_a_late_case_stands_until_the_case_is_answered() {
    let world = World::new();
    let (mut ticket, now) = archived(&world, ticket::Result::Resolved, Outcome::Satisfied);
    world.step(&mut ticket, &rate(2), &anyone(REQUESTER), now).expect("rated");
    world.step(&mut ticket, &Command::Beside(Beside::VerifyRating { founded: true }), &anyone(CALLER), now).expect("verified");
    world.step(&mut ticket, &Command::Beside(Beside::AppealRating), &who(HANDLER, &[MARKET]), now).expect("appealed");
    let due = ticket.running(Name::B4).expect("runs").due_at;
    while ticket.running(Name::B4).is_some_and(|clock| clock.breached_at.is_none()) {
        world.step(&mut ticket, &Command::Fire { name: Name::B4, round: 1 }, &Who::timer(), due).expect("late");
    }
    world.step(&mut ticket, &Command::Beside(Beside::DecideRatingAppeal { upheld: false }), &anyone(APPROVER), due).expect("denied");
    assert!(ticket.running(Name::C11).is_some(), "it is late still");
    let rectify = Command::Beside(Beside::RectifyRating { answer: "已整改".into() });
    world.step(&mut ticket, &rectify, &who(HANDLER, &[MARKET]), due).expect("put right");
    assert!(ticket.running(Name::C11).is_none());
}
