//! Whom calls over direct lines concern. Never what was asked.

use drumtower_proto::log::Notify;
use drumtower_runtime::{
    Refusal,
    log::{NewEvent, to_person, to_role},
};
use jiff::Timestamp;
use uuid::Uuid;

use super::rules::DirectCall;
use crate::{
    clock::rules::Word,
    outreach::{Clocked, Kept},
};

fn event(kind: &'static str, call: &Kept<DirectCall>) -> NewEvent {
    let facts = serde_json::json!({
        "state": call.thing.state().as_str_name(),
        "enterprise": call.thing.enterprise,
        "unit": call.thing.unit,
        "ticket": call.thing.made.as_ref().map(|made| made.ticket),
    });
    NewEvent::new(kind, call.id, call.version).facts(facts)
}

/// The contact, or when they had left the liaisons of their unit.
fn called(call: &DirectCall, kind: &str, zh: &str, en: &str) -> Notify {
    match call.contact {
        Some(contact) => to_person(contact, kind, zh, en),
        None => to_role("LIAISON", Some(call.unit), kind, zh, en),
    }
}

pub fn opened(call: &Kept<DirectCall>) -> NewEvent {
    let kind = "direct_call.opened";
    event(kind, call).tell(called(&call.thing, kind, "企业通过直通车来问，请按时答复", "a company calls you directly; answer in time"))
}

pub fn answered(call: &Kept<DirectCall>) -> NewEvent {
    let kind = "direct_call.answered";
    event(kind, call).tell(to_person(call.thing.requester, kind, "您的直通车来问已答复", "your direct call was answered"))
}

pub fn converted(call: &Kept<DirectCall>, by: Uuid) -> NewEvent {
    let kind = "direct_call.converted";
    let number = call.thing.made.as_ref().map(|made| made.number.as_str()).unwrap_or_default();
    let (zh, en) = (format!("直通车来问已转为诉求 {number}"), format!("a direct call became request {number}"));
    // Whoever did it knows.
    let concerned = [to_person(call.thing.requester, kind, &zh, &en), called(&call.thing, kind, &zh, &en)];
    concerned.into_iter().filter(|notify| notify.user_id != by.to_string()).fold(event(kind, call), NewEvent::tell)
}

pub fn closed(call: &Kept<DirectCall>) -> NewEvent {
    let kind = "direct_call.closed";
    event(kind, call).tell(called(&call.thing, kind, "企业已关闭直通车来问", "the company closed its direct call"))
}

/// A line has another contact now, or none any more: who comes and who goes are told.
pub fn line(id: Uuid, version: i64, before: Option<Uuid>, after: Option<Uuid>) -> NewEvent {
    let kind = if after.is_some() { "direct_line.set" } else { "direct_line.ended" };
    let told = NewEvent::new(kind, id, version);
    if before == after {
        return told;
    }
    let comes = after.map(|contact| to_person(contact, kind, "您已被指定为直通车联系人", "you are the contact of a direct line now"));
    let goes =
        before.map(|contact| to_person(contact, kind, "您不再担任该直通车联系人", "you are no contact of this direct line any more"));
    comes.into_iter().chain(goes).fold(told, NewEvent::tell)
}

impl Clocked for DirectCall {
    fn fired(&self, _number: i32, at: Timestamp) -> Result<(Self, Word), Refusal> {
        self.spoken(at)
    }

    fn unit_of(&self, _number: i32) -> Option<Uuid> {
        Some(self.unit)
    }

    /// A warning is the contact's affair; a broken promise also the unit head's and the supervisor's.
    fn spoke(kept: &Kept<Self>, _number: i32, word: Word) -> NewEvent {
        let (kind, zh, en) = match word {
            Word::Warning => ("direct_call.warned", "直通车来问即将到答复时限", "a direct call is nearly due"),
            Word::RanOut => ("direct_call.breached", "直通车来问超时未答复", "a direct call was not answered in time"),
        };
        let told = event(kind, kept).tell(called(&kept.thing, kind, zh, en));
        if word == Word::Warning {
            return told;
        }
        told.tell(to_role("UNIT_LEAD", Some(kept.thing.unit), kind, zh, en)).tell(to_role("SUPERVISOR", None, kind, zh, en))
    }
}
