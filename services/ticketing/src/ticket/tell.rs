//! What an event says to the log, and whom it tells: the next hand, and the requester when something is answered. Never personal data.

use drumtower_proto::{log::Notify, ticketing::assignment};
use drumtower_runtime::log::{NewEvent, to_person, to_role};
use uuid::Uuid;

use super::{
    rules::{
        Aside, Change, Event, State, Ticket, Urgency,
        side::{CIRCULAR, bad},
    },
    store::Matter,
};
use crate::clock::rules::Name;

/// The event for the log. What is dangerous or an emergency reaches people at any hour.
pub fn event(matter: &Matter, before: &Ticket, after: &Ticket, event: &Event) -> NewEvent {
    let told = told(matter, before, after, event);
    if after.danger || after.urgency == Urgency::Emergency { told.urgent() } else { told }
}

fn told(matter: &Matter, before: &Ticket, after: &Ticket, event: &Event) -> NewEvent {
    match event.change {
        Change::Breached { name, round, .. } => return of_clock(matter, (before, after), event, (name, round), true),
        Change::Warned { name, round } => return of_clock(matter, (before, after), event, (name, round), false),
        _ => {}
    }
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
        Change::Warned { .. } => "clock.warned",
        Change::Reckoned { .. } => "clock.reckoned",
        Change::Beside(aside) => kind_aside(aside),
    }
}

fn kind_aside(change: &Aside) -> &'static str {
    match change {
        Aside::Answered { .. } => "ticket.answered",
        Aside::Appealed { .. } => "ticket.appealed",
        Aside::Merged { .. } => "ticket.merged",
        Aside::Absorbed { .. } => "ticket.absorbed",
        Aside::Split { .. } => "ticket.split",
        Aside::Asked { .. } => "ticket.asked",
        Aside::Endorsed { .. } => "ticket.endorsed",
        Aside::Declined { .. } => "ticket.declined",
        Aside::Extended { .. } => "ticket.extended",
        Aside::Held { .. } => "ticket.held",
        Aside::Entered { .. } => "ticket.entered",
        Aside::Excluded { .. } => "ticket.excluded",
        Aside::WithdrawalAsked => "ticket.withdrawal_asked",
        Aside::WithdrawalAnswered { .. } => "ticket.withdrawal_answered",
        Aside::Supervised { .. } => "ticket.supervised",
        Aside::Instructed { .. } => "ticket.instructed",
        Aside::Reopened { .. } => "ticket.reopened",
        Aside::Resumed { .. } => "ticket.resumed",
        Aside::Conferred { .. } => "ticket.conferred",
        Aside::Attended { .. } => "ticket.attended",
        Aside::Opined { .. } => "ticket.opined",
        Aside::Concluded { .. } => "ticket.concluded",
        Aside::TaskFinished { .. } => "ticket.task_finished",
        Aside::RatingVerified { .. } => "rating.verified",
        Aside::RatingAppealed => "rating.appealed",
        Aside::RatingAppealDecided { .. } => "rating.appeal_decided",
        Aside::Rectified { .. } => "rating.rectified",
        Aside::FollowedUp { .. } => "rating.followed_up",
        Aside::RatingClosed => "rating.closed",
    }
}

/// What a clock had to say.
fn of_clock(matter: &Matter, (before, after): (&Ticket, &Ticket), event: &Event, (name, round): (Name, i32), ran_out: bool) -> NewEvent {
    let kind = kind(&event.change);
    let facts = serde_json::json!({ "clock": name.text(), "round": round, "level": after.side.supervision });
    let told = NewEvent::new(kind, matter.id, event.version).facts(facts);
    if ran_out && !name.is_duty() && name != Name::C11 {
        return told;
    }
    let (number, clock) = (&matter.number, name.text());
    let (zh, en) = if ran_out {
        (format!("{number} 时限 {clock} 已超"), format!("{number}: {clock} is overdue"))
    } else {
        (format!("{number} 时限 {clock} 即将到期"), format!("{number}: {clock} is nearly due"))
    };
    let whose = after.clocks.iter().find(|clock| clock.name == name && clock.round == round).and_then(|clock| clock.unit).or(after.lead);
    let to = |role: &str, unit: Option<Uuid>| to_role(role, unit, kind, zh.clone(), en.clone());
    let mut notices = match name {
        Name::C1 | Name::C2 => vec![to("DISPATCHER", None)],
        Name::C9 => vec![to("CALLBACK_AGENT", None)],
        _ => whose.map(|unit| to("LIAISON", Some(unit))).into_iter().collect(),
    };
    if ran_out {
        notices.push(to("SUPERVISOR", None));
    }
    if after.side.supervision >= CIRCULAR && before.side.supervision < CIRCULAR {
        notices.push(to("LEADER", None));
    }
    notices.into_iter().fold(told, NewEvent::tell)
}

fn notices(matter: &Matter, ticket: &Ticket, change: &Change) -> Vec<Notify> {
    let kind = kind(change);
    let number = &matter.number;
    let role =
        |role: &str, unit: Option<Uuid>, zh: &str, en: &str| to_role(role, unit, kind, format!("{number} {zh}"), format!("{number}: {en}"));
    // Those whose request was merged into this one hear what its own requester hears.
    let requesters = |zh: &str, en: &str| {
        let all = std::iter::once(&ticket.requester).chain(&ticket.side.followers);
        all.map(|person| to_person(*person, kind, format!("您的诉求 {number} {zh}"), format!("Your request {number} {en}")))
            .collect::<Vec<_>>()
    };
    match change {
        Change::Dispatched { lead, support, .. } => {
            std::iter::once(role("LIAISON", Some(*lead), "已派单（主办），请签收", "dispatched to you as lead; sign"))
                .chain(
                    support.iter().map(|unit| role("LIAISON", Some(*unit), "已派单（协办），请签收", "dispatched to you in support; sign")),
                )
                .collect()
        }
        Change::Accepted { .. } => requesters("已受理", "was accepted"),
        Change::Refused { .. } => requesters("不予受理，请查看说明", "was refused; see why"),
        Change::Signed { unit, .. } if ticket.lead == Some(*unit) => {
            let mut told = requesters("已由承办单位签收", "was signed by the lead unit");
            told.push(role("HANDLER", Some(*unit), "已签收，请办理", "signed; handle it"));
            told
        }
        Change::Returned { .. } => vec![role("DISPATCHER", None, "被退单，请重新派单", "returned; dispatch again")],
        Change::Transferred { handler, .. } => {
            vec![to_person(*handler, kind, format!("{number} 已转您办理"), format!("{number}: given to you"))]
        }
        Change::Reported { unit, .. } if ticket.state == State::Review => {
            vec![role("UNIT_LEAD", Some(*unit), "已办结，请审核签发", "reported done; sign off")]
        }
        Change::SignedOff { .. } => {
            let mut told = requesters("已办结，请评价", "was resolved; please rate it");
            told.push(role("CALLBACK_AGENT", None, "待回访", "to be called back"));
            told
        }
        Change::SentBack => part_holders(ticket, |unit| role("HANDLER", Some(unit), "被退回，请继续办理", "sent back; go on")),
        Change::Redone { .. } => part_holders(ticket, |unit| role("LIAISON", Some(unit), "须重办，请签收", "to be done again; sign")),
        Change::Urged { .. } => part_holders(ticket, |unit| role("LIAISON", Some(unit), "被催办", "urged")),
        Change::Rated { score, .. } if bad(*score) => vec![role("CALLBACK_AGENT", None, "差评待核实", "was rated badly; verify")],
        Change::Withdrawn => part_holders(ticket, |unit| role("LIAISON", Some(unit), "已撤回", "withdrawn")),
        Change::Beside(aside) => beside(matter, ticket, aside, kind),
        _ => Vec::new(),
    }
}

/// Whom a change beside the main course concerns.
fn beside(matter: &Matter, ticket: &Ticket, change: &Aside, kind: &'static str) -> Vec<Notify> {
    let number = &matter.number;
    let role =
        |role: &str, unit: Option<Uuid>, zh: &str, en: &str| to_role(role, unit, kind, format!("{number} {zh}"), format!("{number}: {en}"));
    let requesters = |zh: &str, en: &str| {
        let all = std::iter::once(&ticket.requester).chain(&ticket.side.followers);
        all.map(|person| to_person(*person, kind, format!("您的诉求 {number} {zh}"), format!("Your request {number} {en}")))
            .collect::<Vec<_>>()
    };
    let lead = |zh: &str, en: &str| part_holders(ticket, |unit| role("LIAISON", Some(unit), zh, en));
    match change {
        Aside::Answered { .. } => requesters("已答复，请评价", "was answered; please rate it"),
        Aside::Appealed { .. } => vec![role("DISPATCHER", None, "已申诉，须由其他派单员处理", "appealed; another dispatcher decides")],
        Aside::Merged { .. } => requesters("已并入相同诉求办理", "goes on as part of the same matter"),
        Aside::Split { .. } => requesters("已拆分办理，可分别查看进度", "was split; each part has its own progress"),
        Aside::Asked { .. } => vec![role("APPROVER", None, "有申请待审批", "something was asked for; decide")],
        Aside::Endorsed { .. } => vec![role("LEADER", None, "挂账申请待区领导审批", "the ledger needs a leader's word")],
        Aside::Declined { .. } | Aside::Excluded { .. } => lead("申请已答复", "what was asked for was decided"),
        Aside::Extended { .. } => {
            lead("已同意延期", "more time was granted").into_iter().chain(requesters("办理期限已延长", "was given more time")).collect()
        }
        Aside::Held { .. } => lead("已暂停计时", "its time stands still")
            .into_iter()
            .chain(requesters("暂停计时，请查看原因", "stands still; see why"))
            .collect(),
        Aside::Entered { .. } => requesters("已挂账，条件具备后继续办理", "waits for a condition and goes on then"),
        Aside::WithdrawalAsked => lead("诉求人申请撤回，请答复", "the requester wants to take it back; answer"),
        Aside::WithdrawalAnswered { agreed: true } => requesters("已撤回", "was taken back"),
        Aside::WithdrawalAnswered { agreed: false } => requesters("承办单位未同意撤回，继续办理", "goes on; the unit did not agree"),
        Aside::Supervised { .. } => lead("督办级别已调整", "is supervised at another level"),
        Aside::Instructed { .. } => lead("有领导批示", "has a leader's instruction"),
        Aside::Reopened { .. } if ticket.lead.is_none() => vec![role("DISPATCHER", None, "已重启，待受理", "reopened; accept it")],
        Aside::Reopened { .. } => lead("已重启，请继续办理", "reopened; go on"),
        Aside::Resumed { .. } => lead("已恢复计时", "goes on"),
        Aside::Conferred { consultation, .. } => consultation
            .called
            .iter()
            .map(|called| role("LIAISON", Some(called.unit), "召集会商，请按时到场", "calls you to a consultation"))
            .collect(),
        Aside::Concluded { tasks, .. } => {
            let mut units: Vec<Uuid> = tasks.iter().map(|task| task.unit).collect();
            units.sort_unstable();
            units.dedup();
            units.into_iter().map(|unit| role("LIAISON", Some(unit), "会商已定，请落实任务", "was decided; carry out your tasks")).collect()
        }
        Aside::TaskFinished { .. } => lead("会商任务已完成一项", "a task is done"),
        Aside::RatingVerified { founded: true, .. } => {
            part_holders(ticket, |unit| role("HANDLER", Some(unit), "差评属实，须限期整改", "was rated badly with ground; put it right"))
        }
        Aside::RatingVerified { .. } => lead("差评经核实不属实", "was rated badly without ground"),
        Aside::RatingAppealed => vec![role("RATING_OFFICER", None, "差评申诉待裁定", "a rating is appealed against; decide")],
        Aside::RatingAppealDecided { .. } => lead("差评申诉已裁定", "the appeal against its rating was decided"),
        Aside::Rectified { .. } => requesters("差评已整改，可追评一次", "was put right; you may rate once more"),
        Aside::FollowedUp { score } if bad(*score) => vec![role("SUPERVISOR", None, "追评仍为差评", "was rated badly again")],
        Aside::FollowedUp { .. } | Aside::RatingClosed => Vec::new(),
        Aside::Absorbed { .. } | Aside::Attended { .. } | Aside::Opined { .. } => Vec::new(),
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
