//! Published machines: what is refused, and that the standard one is none of it.

use super::super::{Machine, State, machine::Overlay};

fn published(overlay: &str) -> Result<Machine, drumtower_runtime::Refusal> {
    let overlay: Overlay = serde_json::from_str(overlay).expect("an overlay");
    Machine::standard().expect("valid").without("machine@1".into(), &overlay)
}

fn reason(overlay: &str) -> &'static str {
    published(overlay).expect_err("refused").reason()
}

#[test]
fn the_standard_machine_is_in_order() {
    let standard = Machine::standard().expect("valid");
    standard.check(&standard).expect("in order");
    assert_eq!(published("{}").expect("nothing is otherwise").transitions, standard.transitions);
}

#[test]
fn what_is_left_out_may_leave_no_state_without_a_way_in_or_out() {
    assert_eq!(reason(r#"{"without":[{"verb":"accept","from":["SUBMITTED"]}]}"#), "UNREACHABLE_STATE");
    assert_eq!(
        reason(r#"{"without":[{"verb":"dispatch","from":["ACCEPTED"]},{"verb":"callUp","from":["ACCEPTED"]}]}"#),
        "UNREACHABLE_STATE"
    );
    let stuck = r#"{"without":[{"verb":"conclude","from":["CONSULTING"]},{"verb":"consent","from":["CONSULTING"]}]}"#;
    assert_eq!(reason(stuck), "NO_WAY_OUT");
    assert_eq!(reason(r#"{"without":[{"verb":"resume","from":["LEDGER"]}]}"#), "NO_WAY_OUT");
    let calmer = r#"{"without":[{"verb":"answer","from":["SUBMITTED"]},{"verb":"callUp","from":["ACCEPTED"]}],"limits":{"returns":1}}"#;
    let machine = published(calmer).expect("in order");
    assert!(!machine.allows("answer", State::Submitted) && machine.allows("accept", State::Submitted));
    assert_eq!((machine.limits.returns, machine.limits.fence_metres), (1, 150));
}

#[test]
fn what_is_not_there_cannot_be_left_out() {
    assert_eq!(reason(r#"{"without":[{"verb":"conjure","from":["SUBMITTED"]}]}"#), "UNKNOWN_TRANSITION");
    assert_eq!(reason(r#"{"without":[{"verb":"accept","from":["REVIEW"]}]}"#), "UNKNOWN_TRANSITION");
    assert!(serde_json::from_str::<Overlay>(r#"{"without":[{"verb":"accept","from":["NOWHERE"]}]}"#).is_err());
}

#[test]
fn limits_have_limits() {
    assert_eq!(reason(r#"{"limits":{"extensions":3}}"#), "LIMIT");
    assert_eq!(reason(r#"{"limits":{"returns":0}}"#), "LIMIT");
    assert_eq!(reason(r#"{"limits":{"fence_metres":5000}}"#), "LIMIT");
    assert_eq!(reason(r#"{"limits":{"wishes":3}}"#), "LIMIT");
    assert_eq!(reason(r#"{"limits":{"returns":"many"}}"#), "LIMIT");
    assert_eq!(reason(r#"{"limits":{"evidence":{"resolved":11}}}"#), "LIMIT");
    assert_eq!(reason(r#"{"limits":{"evidence":{"everything":1}}}"#), "LIMIT");
    let evidence = published(r#"{"limits":{"evidence":{"resolved":1}}}"#).expect("in order").limits.evidence;
    assert_eq!((evidence.resolved, evidence.partly), (1, 0));
}
