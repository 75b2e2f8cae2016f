//! What an event says to the log, and whom it tells: the next hand, and the requester when something is answered. Never personal data.

use drumtower_proto::{log::Notify, ticketing::assignment};
use drumtower_runtime::log::{NewEvent, to_person, to_role};
use uuid::Uuid;

use super::{
    rules::{Change, Event, State, Ticket},
    store::Matter,
};

/// The event for the log.
pub fn event(matter: &Matter, before: &Ticket, after: &Ticket, event: &Event) -> NewEvent {
    let facts = serde_json::json!({
        "number": matter.number,
        "verb": event.verb,
        "from": before.state.as_str_name(),
        "state": after.state.as_str_name(),
        "lead": after.lead,
    });
    let told = NewEvent::new(kind(&event.change), matter.id, event.version).facts(facts);
    notices(matter, after, &event.change).into_iter().fold(told, NewEvent::tell)
}

/// `<noun>.<past participle>`.
pub fn kind(change: &Change) -> &'static str {
    match change {
        Change::Submitted { .. } => "ticket.submitted",
        Change::Accepted { .. } => "ticket.accepted",
        Change::Refused { .. } => "ticket.refused",
        Change::Dispatched { .. } => "ticket.dispatched",
        Change::Signed { .. } => "ticket.signed",
        Change::Returned { .. } => "ticket.returned",
        Change::Transferred { .. } => "ticket.transferred",
        Change::Contacted { .. } => "ticket.contacted",
        Change::SetOut { .. } => "ticket.visited",
        Change::CheckedIn { .. } => "ticket.checked_in",
        Change::Reported { .. } => "ticket.reported",
        Change::SignedOff { .. } => "ticket.signed_off",
        Change::SentBack => "ticket.sent_back",
        Change::CalledBack { .. } => "ticket.called_back",
        Change::Redone { .. } => "ticket.redone",
        Change::Rated { .. } => "ticket.rated",
        Change::Withdrawn => "ticket.withdrawn",
        Change::Urged { .. } => "ticket.urged",
        Change::Breached { .. } => "clock.breached",
    }
}

fn notices(matter: &Matter, ticket: &Ticket, change: &Change) -> Vec<Notify> {
    let kind = kind(change);
    let number = &matter.number;
    let role =
        |role: &str, unit: Option<Uuid>, zh: &str, en: &str| to_role(role, unit, kind, format!("{number} {zh}"), format!("{number}: {en}"));
    let requester =
        |zh: &str, en: &str| to_person(ticket.requester, kind, format!("您的诉求 {number} {zh}"), format!("Your request {number} {en}"));
    match change {
        Change::Dispatched { lead, support, .. } => {
            std::iter::once(role("LIAISON", Some(*lead), "已派单（主办），请签收", "dispatched to you as lead; sign"))
                .chain(
                    support.iter().map(|unit| role("LIAISON", Some(*unit), "已派单（协办），请签收", "dispatched to you in support; sign")),
                )
                .collect()
        }
        Change::Accepted { .. } => vec![requester("已受理", "was accepted")],
        Change::Refused { .. } => vec![requester("不予受理，请查看说明", "was refused; see why")],
        Change::Signed { unit, .. } if ticket.lead == Some(*unit) => {
            vec![
                role("HANDLER", Some(*unit), "已签收，请办理", "signed; handle it"),
                requester("已由承办单位签收", "was signed by the lead unit"),
            ]
        }
        Change::Returned { .. } => vec![role("DISPATCHER", None, "被退单，请重新派单", "returned; dispatch again")],
        Change::Transferred { handler, .. } => {
            vec![to_person(*handler, kind, format!("{number} 已转您办理"), format!("{number}: given to you"))]
        }
        Change::Reported { unit, .. } if ticket.state == State::Review => {
            vec![role("UNIT_LEAD", Some(*unit), "已办结，请审核签发", "reported done; sign off")]
        }
        Change::SignedOff { .. } => {
            vec![role("CALLBACK_AGENT", None, "待回访", "to be called back"), requester("已办结，请评价", "was resolved; please rate it")]
        }
        Change::SentBack => part_holders(ticket, |unit| role("HANDLER", Some(unit), "被退回，请继续办理", "sent back; go on")),
        Change::Redone { .. } => part_holders(ticket, |unit| role("LIAISON", Some(unit), "须重办，请签收", "to be done again; sign")),
        Change::Urged { .. } => part_holders(ticket, |unit| role("LIAISON", Some(unit), "被催办", "urged")),
        Change::Withdrawn => part_holders(ticket, |unit| role("LIAISON", Some(unit), "已撤回", "withdrawn")),
        _ => Vec::new(),
    }
}

/// The lead unit, whether its part is open or was just closed.
fn part_holders(ticket: &Ticket, notify: impl Fn(Uuid) -> Notify) -> Vec<Notify> {
    ticket
        .assignments
        .iter()
        .filter(|part| part.kind == assignment::Kind::Lead && Some(part.unit) == ticket.lead)
        .map(|part| notify(part.unit))
        .collect()
}
