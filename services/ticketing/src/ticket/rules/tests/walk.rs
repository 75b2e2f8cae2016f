//! Random walks: whatever is tried by whomever, every invariant holds, and the events alone make the same request again.

use drumtower_proto::ticketing::{assignment, call_back_ticket_request::Outcome, refuse_ticket_request::Reason, ticket};
use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use super::{super::*, CALLER, DISPATCHER, FIRE, HANDLER, MARKET, REQUESTER, World, at};

/// Any command, by anyone.
fn command() -> impl Strategy<Value = (Command, Who, i64)> {
    let here = Position { latitude: 26.11, longitude: 119.26 };
    let unit = prop_oneof![Just(MARKET), Just(FIRE), Just(Uuid::from_u128(12))];
    let outcome = prop_oneof![Just(Outcome::Satisfied), Just(Outcome::Unsolved), Just(Outcome::Dissatisfied), Just(Outcome::Unreached)];
    let command = prop_oneof![
        Just(Command::Accept { kind: None, urgency: Urgency::Normal }),
        Just(Command::Refuse { reason: Reason::OutOfScope }),
        (unit.clone(), proptest::collection::vec(unit.clone(), 0..2)).prop_map(|(lead, support)| Command::Dispatch { lead, support }),
        Just(Command::Sign),
        Just(Command::Sign),
        unit.clone().prop_map(|suggested| Command::Return { clause: "x".into(), suggested, attachments: vec![] }),
        Just(Command::Transfer { handler: HANDLER, handler_units: vec![MARKET] }),
        Just(Command::Contact),
        Just(Command::Visit { planned_at: None }),
        Just(Command::CheckIn { at: here, building: Some(here), device_time: None, proof: Proof::default() }),
        any::<[bool; 2]>().prop_map(|[waive_support, partly]| Command::ReportDone {
            result: if partly { ticket::Result::Partly } else { ticket::Result::Resolved },
            waive_support,
            parts_open: 0,
            evidence: 0,
        }),
        Just(Command::SignOff),
        Just(Command::SendBack),
        outcome.prop_map(|outcome| Command::CallBack { outcome }),
        Just(Command::Redo),
        (1..=5i32).prop_map(|score| Command::Rate { score, tags: if score < 3 { vec![4] } else { vec![] }, attachments: vec![] }),
        Just(Command::Urge),
        Just(Command::Withdraw),
        unit.clone().prop_map(|lead| Command::CallUp { lead, support: vec![] }),
        beside(unit.clone()).prop_map(Command::Beside),
        beside(unit.clone()).prop_map(Command::Beside),
        beside(unit.clone()).prop_map(Command::Beside),
        (0..17usize, 1..4i32).prop_map(|(name, round)| Command::Fire { name: Name::ALL[name], round }),
    ];
    let person = prop_oneof![Just(REQUESTER), Just(DISPATCHER), Just(HANDLER), Just(CALLER)];
    let who = (person, proptest::option::of(unit), any::<[bool; 3]>()).prop_map(|(user, unit, [arbiter, chief, supervisor])| Who {
        user,
        units: unit.map(|unit| vec![unit]),
        arbiter,
        chief,
        supervisor,
        importing: false,
    });
    (command, who, 0..20_000i64)
}

/// Anything beside the main course.
fn beside(unit: impl Strategy<Value = Uuid> + Clone + 'static) -> impl Strategy<Value = Beside> {
    let soon = at("2026-02-20T09:00:00+08:00");
    let asked = prop_oneof![
        (1..4u32).prop_map(|count| Asked::Extension { count }),
        Just(Asked::Hold { reason: 1 }),
        Just(Asked::Ledger { owner: None, condition: "待规划".into(), review_on: jiff::civil::date(2026, 3, 20) }),
        Just(Asked::Exclusion { reason: 1 }),
        (1..12u32).prop_map(|count| Asked::Rectification { count }),
    ];
    prop_oneof![
        Just(Beside::Answer),
        Just(Beside::Appeal),
        Just(Beside::Split { children: vec![Uuid::from_u128(96)] }),
        Just(Beside::Merge { into: Uuid::from_u128(99) }),
        Just(Beside::Absorb { ticket: Uuid::from_u128(98), requester: Uuid::from_u128(97), followers: vec![] }),
        asked.clone().prop_map(Beside::Ask),
        asked.prop_map(Beside::Ask),
        (1..6i32, any::<bool>()).prop_map(|(number, granted)| Beside::Decide { number, granted }),
        (1..6i32).prop_map(|number| Beside::Decide { number, granted: true }),
        any::<bool>().prop_map(|agreed| Beside::Consent { agreed }),
        (0..5i32).prop_map(move |level| Beside::Supervise { level, reply_due: Some(soon) }),
        (0..40i64).prop_map(move |hours| Beside::Instruct { due_at: Some(soon - SignedDuration::from_hours(hours)) }),
        Just(Beside::Reopen),
        Just(Beside::Resume),
        proptest::collection::vec(unit.clone(), 1..3).prop_map(move |units| Beside::Consult {
            units,
            meets_at: soon,
            place: "会议室".into()
        }),
        Just(Beside::Attend),
        Just(Beside::Attend),
        Just(Beside::Opine { stance: 1, text: "同意".into() }),
        proptest::collection::vec(unit, 0..2).prop_map(move |units| Beside::Conclude {
            minutes: "纪要".into(),
            decisions: units.into_iter().map(|unit| Decision { unit, text: "落实".into(), due_at: soon }).collect(),
        }),
        (1..3i32).prop_map(|number| Beside::FinishTask { number }),
        any::<bool>().prop_map(|founded| Beside::VerifyRating { founded }),
        Just(Beside::AppealRating),
        any::<bool>().prop_map(|upheld| Beside::DecideRatingAppeal { upheld }),
        Just(Beside::RectifyRating { answer: "已整改".into() }),
        (1..=5i32).prop_map(|score| Beside::FollowUpRating { score }),
    ]
}

fn invariants(ticket: &Ticket, machine: &Machine) {
    let leads = ticket.assignments.iter().filter(|part| part.kind == assignment::Kind::Lead && part.state != assignment::State::Closed);
    let no_work = matches!(ticket.state, State::Submitted | State::Accepted) || ticket.closed();
    assert_eq!(leads.count(), usize::from(!no_work), "exactly one lead unit while there is work: {ticket:?}");
    if ticket.closed() {
        assert!(ticket.assignments.iter().all(|part| part.state == assignment::State::Closed), "closed means all parts are closed");
        let runs_on = |name| matches!(name, Name::C10 | Name::C11) || Name::outlives(name);
        assert!(
            ticket.clocks.iter().all(|clock| !clock.runs() || runs_on(clock.name)),
            "nothing runs on but what a rating began: {ticket:?}"
        );
        assert!(ticket.side.case.is_some() || ticket.clocks.iter().all(|clock| !clock.runs() || clock.name == Name::C10));
        assert!(ticket.state != State::Archived || ticket.side.archived_at.is_some());
    } else {
        assert!(!possible(ticket, machine).is_empty(), "no state without a way out");
    }
    for name in Name::ALL {
        let running: Vec<_> = ticket.clocks.iter().filter(|clock| clock.name == name && clock.runs()).collect();
        let mut units: Vec<_> = running.iter().map(|clock| clock.unit).collect();
        units.sort_unstable();
        units.dedup();
        assert!(units.len() == running.len() || name == Name::Task, "one clock of a name and unit runs at a time: {name:?} in {ticket:?}");
        let mut rounds: Vec<_> = ticket.clocks.iter().filter(|clock| clock.name == name).map(|clock| clock.round).collect();
        rounds.sort_unstable();
        assert!(rounds.iter().zip(1..).all(|(round, counted)| *round == counted), "rounds are counted through: {name:?} in {ticket:?}");
    }
    for clock in &ticket.clocks {
        assert!(clock.due_at >= clock.started_at, "{clock:?}");
        assert!(clock.stopped_at.is_none_or(|stopped| stopped >= clock.started_at));
        assert!(clock.pauses.iter().rev().skip(1).all(|(_, to)| to.is_some()), "two pauses are never open at once: {clock:?}");
        assert!(!clock.runs() || clock.paused() == (ticket.side.hold.is_some() && clock.name.pauses()), "{clock:?} in {:?}", ticket.side);
        assert!(clock.warns.iter().all(|warn| *warn <= clock.due_at && *warn >= clock.started_at));
    }
    assert!(ticket.return_count <= 2);
    assert!((0..=side::CIRCULAR).contains(&ticket.side.supervision));
    assert_eq!(ticket.side.consultation().is_some(), ticket.state == State::Consulting, "{ticket:?}");
    assert_eq!(ticket.side.ledger.is_some(), ticket.state == State::Ledger);
    if let Some(case) = &ticket.side.case {
        use drumtower_proto::ticketing::rating_case::State as Step;
        let runs = |name| ticket.running(name).is_some();
        let steps = [(Step::Verifying, Name::B1), (Step::Rectifying, Name::B4), (Step::Answered, Name::B6)];
        assert!(steps.iter().all(|(step, name)| runs(*name) == (case.state() == *step)), "{case:?} in {ticket:?}");
    }
    let mut waiting: Vec<_> = ticket.side.waiting().map(|ask| ask.asked.sought()).collect();
    waiting.sort_unstable();
    waiting.dedup();
    assert_eq!(waiting.len(), ticket.side.waiting().count(), "one of a kind waits");
    assert!(ticket.side.asks.iter().all(|ask| !ask.decided_by.contains(&ask.by)), "nobody decides their own");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Six hundred walks of up to eighty commands: invariants hold after each, versions have no gaps, and the events alone make the
    /// same request again, through JSON.
    #[test]
    fn random_walks_keep_every_invariant(commands in proptest::collection::vec(command(), 1..80)) {
        thread_local! { static WORLD: World = World::new(); }
        WORLD.with(|world| {
            let mut now = at("2026-01-28T09:00:00+08:00");
            let (mut ticket, change) = world.submitted(now);
            let mut history = vec![(now, serde_json::to_string(&change).expect("JSON"))];
            for (command, who, seconds) in commands {
                now += SignedDuration::from_secs(seconds);
                let before = ticket.clone();
                match world.step(&mut ticket, &command, &who, now) {
                    Ok(change) => {
                        assert_eq!(ticket.version, before.version + 1);
                        history.push((now, serde_json::to_string(&change).expect("JSON")));
                        invariants(&ticket, &world.machine);
                    }
                    Err(_) => assert_eq!(ticket, before, "a refusal changes nothing"),
                }
            }
            let mut events = history.iter().map(|(at, json)| (*at, serde_json::from_str::<Change>(json).expect("read back")));
            let (first_at, first) = events.next().expect("a submission");
            let mut again = Ticket::begin(&first, first_at).expect("a submission");
            events.for_each(|(at, change)| again.apply(&change, at));
            assert_eq!(again, ticket, "reading the events again makes the same request");
        });
    }
}

/// A million commands, drawn once and put to a thousand requests in ever other orders. Every state is met.
#[test]
fn a_million_steps_keep_every_invariant() {
    let world = World::new();
    let mut runner = TestRunner::deterministic();
    let strategy = command();
    let drawn: Vec<_> = (0..4096).map(|_| strategy.new_tree(&mut runner).expect("drawn").current()).collect();
    let mut met = std::collections::BTreeSet::new();
    let mut place = 1u64;
    for _ in 0..1000 {
        let mut now: Timestamp = at("2026-01-28T09:00:00+08:00");
        let (mut ticket, _) = world.submitted(now);
        for _ in 0..1100 {
            // A linear congruential step: another order every time, the same in every run.
            place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (command, who, seconds) = &drawn[(place >> 33) as usize % drawn.len()];
            // What ends a request at once is tried seldom, so that most go a long way.
            let ends = matches!(command, Command::Refuse { .. } | Command::Withdraw | Command::Beside(Beside::Merge { .. }));
            if ends && !(place >> 40).is_multiple_of(12) {
                continue;
            }
            now += SignedDuration::from_secs(*seconds / 8);
            if world.step(&mut ticket, command, who, now).is_ok() {
                invariants(&ticket, &world.machine);
                met.insert(ticket.state);
            }
        }
    }
    assert_eq!(met.len(), 14, "states met: {met:?}");
}
