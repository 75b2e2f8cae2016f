//! What figures count, and what moved a clock.

use jiff::SignedDuration;

use super::{
    super::{side::Asked, *},
    HANDLER, MARKET, REQUESTER, World, anyone,
    side::handling,
    who,
};
use crate::clock::rules::Name;

#[test]
fn what_held_is_kept_when_a_clock_is_moved_stands_still_or_goes_on() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    let market = who(HANDLER, &[MARKET]);
    let approver = anyone(uuid::Uuid::from_u128(20));
    let mut step = |command: Command, who: &Who, minutes: i64| {
        let before = ticket.clone();
        world.step(&mut ticket, &command, who, now + SignedDuration::from_mins(minutes)).expect("fits");
        let due = ticket.running(Name::C5).expect("runs").due_at;
        (moved(&before, &ticket).into_iter().filter(|moved| moved.name == Name::C5).collect::<Vec<_>>(), due)
    };
    let c5 = |due_at| vec![Moved { name: Name::C5, round: 1, due_at }];
    let beside = |beside| Command::Beside(beside);
    let (none, first) = step(beside(Beside::Ask(Asked::Extension { count: 2 })), &market, 1);
    assert_eq!(none, [], "a question moves nothing");
    let (extended, second) = step(beside(Beside::Decide { number: 1, granted: true }), &approver, 2);
    assert!(extended == c5(Some(first)) && second > first);
    step(beside(Beside::Ask(Asked::Hold { reason: 1 })), &market, 3);
    let (held, still) = step(beside(Beside::Decide { number: 2, granted: true }), &approver, 4);
    assert_eq!((held, still), (c5(Some(second)), second), "it keeps its time and owes nothing");
    let (resumed, third) = step(beside(Beside::Resume), &market, 3 * 24 * 60);
    assert!(resumed == c5(None) && third > second);
}

#[test]
fn what_was_solved_is_not_when_it_is_reopened() {
    let world = World::new();
    let (mut ticket, now) = handling(&world);
    (ticket.state, ticket.result, ticket.side.archived_at) = (State::Archived, ticket::Result::Resolved, Some(now));
    ticket.side.first_closed_at = Some(now);
    let names = |ticket: &Ticket| {
        let mut after = ticket.clone();
        let change = world.step(&mut after, &Command::Beside(Beside::Reopen), &anyone(REQUESTER), now).expect("reopened");
        facts(ticket, &after, &change).into_iter().map(|fact| fact.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&ticket), ["REOPEN", "UNSOLVE"]);
    ticket.result = ticket::Result::Policy;
    assert_eq!(names(&ticket), ["REOPEN"]);
}
