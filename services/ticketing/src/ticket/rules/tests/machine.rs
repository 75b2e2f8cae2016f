//! Published machines: what is refused, and that the standard one is none of it.

use super::super::{Machine, State};

fn reason(bend: impl FnOnce(&mut Machine)) -> &'static str {
    let standard = Machine::standard().expect("valid");
    let mut machine = standard.clone();
    bend(&mut machine);
    machine.check(&standard).expect_err("refused").reason()
}

#[test]
fn the_standard_machine_is_in_order_and_survives_its_own_json() {
    let standard = Machine::standard().expect("valid");
    standard.check(&standard).expect("in order");
    let text = serde_json::to_string(&standard).expect("JSON");
    assert_eq!(serde_json::from_str::<Machine>(&text).expect("read back"), standard);
}

#[test]
fn what_is_left_out_may_leave_no_state_without_a_way_in_or_out() {
    let without =
        |verbs: &'static [&'static str]| move |machine: &mut Machine| machine.transitions.retain(|t| !verbs.contains(&t.verb.as_str()));
    assert_eq!(reason(without(&["accept"])), "UNREACHABLE_STATE");
    assert_eq!(reason(without(&["dispatch", "callUp"])), "UNREACHABLE_STATE");
    assert_eq!(reason(without(&["conclude", "consent"])), "NO_WAY_OUT");
    assert_eq!(reason(|machine| machine.transitions.retain(|t| !(t.verb == "resume" && t.from.contains(&State::Ledger)))), "NO_WAY_OUT");
    // A district that answers nothing on the spot, and lets nobody merge, is fine.
    let standard = Machine::standard().expect("valid");
    let mut machine = standard.clone();
    machine.transitions.retain(|transition| !matches!(transition.verb.as_str(), "answer" | "merge" | "callUp"));
    machine.check(&standard).expect("in order");
}

#[test]
fn a_version_invents_nothing() {
    assert_eq!(reason(|machine| machine.transitions[0].verb = "conjure".into()), "UNKNOWN_TRANSITION");
    assert_eq!(reason(|machine| machine.transitions[0].from.push(State::Review)), "UNKNOWN_TRANSITION");
    assert_eq!(reason(|machine| machine.transitions[0].to.push(State::Archived)), "UNKNOWN_TRANSITION");
    assert_eq!(reason(|machine| machine.transitions[0].from.clear()), "UNKNOWN_TRANSITION");
    assert_eq!(reason(|machine| machine.transitions[0].to.clear()), "UNKNOWN_TRANSITION");
}

#[test]
fn limits_have_limits() {
    assert_eq!(reason(|machine| machine.limits.extensions = 3), "LIMIT");
    assert_eq!(reason(|machine| machine.limits.returns = 0), "LIMIT");
    assert_eq!(reason(|machine| machine.limits.fence_metres = 5000), "LIMIT");
}
