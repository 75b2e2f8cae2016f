//! What a command beside the main course changes, or why it is refused.

use drumtower_proto::ticketing::{ask, ticket};
use drumtower_runtime::{
    Refusal,
    calendar::{Span, month_end, start_of, today},
};
use jiff::Timestamp;

use super::{
    super::{
        Book, Clock, Kind, State, Ticket, Who,
        decide::{lead_part, matter},
    },
    Aside, Ask, Asked, Beside, CIRCULAR, Hold, Ledger, ORDERED, Order, Sought,
};
use crate::clock::rules::Name;

pub fn decide(ticket: &Ticket, command: &Beside, who: &Who, at: Timestamp, book: Book<'_>) -> Result<Aside, Refusal> {
    let run = |name| book.promises.start(name, ticket.round(name) + 1, matter(ticket), at);
    match command {
        Beside::Answer => {
            if ticket.kind != Kind::Consult {
                return Err(Refusal::state("NOT_A_QUESTION", "仅咨询件可直接答复", "only a question is answered on the spot"));
            }
            independent_of_refusal(ticket, who)?;
            Ok(Aside::Answered { user: Some(who.user), clocks: vec![run(Name::C10)] })
        }
        Beside::Appeal if ticket.side.appealed => Err(Refusal::state("APPEALED", "只能申诉一次", "one appeal only")),
        Beside::Appeal => Ok(Aside::Appealed { clocks: vec![run(Name::C1)] }),
        Beside::Merge { into } => {
            independent_of_refusal(ticket, who)?;
            Ok(Aside::Merged { into: *into })
        }
        Beside::Absorb { ticket: merged, requester, followers } => absorb(ticket, *merged, *requester, followers),
        Beside::Split { children } => Ok(Aside::Split { children: children.clone() }),
        Beside::Ask(asked) => ask(ticket, asked, who, at, book),
        Beside::Decide { number, granted } => answer(ticket, *number, *granted, who, at, book),
        Beside::Consent { agreed } => {
            lead_part(ticket, who)?;
            if !ticket.side.withdrawal_asked {
                return Err(Refusal::state("NOT_ASKED", "诉求人未申请撤回", "the requester did not ask to take it back"));
            }
            Ok(Aside::WithdrawalAnswered { agreed: *agreed })
        }
        Beside::Supervise { level, reply_due } => supervise(ticket, *level, *reply_due, who, at),
        Beside::Instruct { due_at } => instruct(ticket, *due_at, at, book),
        Beside::Reopen => reopen(ticket, at, book),
        Beside::Resume => resume(ticket, who, at, book),
        Beside::Consult { .. } | Beside::Attend | Beside::Opine { .. } | Beside::Conclude { .. } | Beside::FinishTask { .. } => {
            super::consult::decide(ticket, command, who, at, book)
        }
        Beside::VerifyRating { .. }
        | Beside::AppealRating
        | Beside::DecideRatingAppeal { .. }
        | Beside::RectifyRating { .. }
        | Beside::FollowUpRating { .. } => super::rating::decide(ticket, command, who, at, book),
    }
}

/// After an appeal somebody else looks at it.
pub fn independent_of_refusal(ticket: &Ticket, who: &Who) -> Result<(), Refusal> {
    if ticket.side.appealed && ticket.side.refused_by == Some(who.user) && !who.importing {
        let (zh, en) = ("申诉件须由其他派单员处理", "an appeal is decided by another dispatcher");
        return Err(Refusal::state("SEPARATION_OF_DUTIES", zh, en));
    }
    Ok(())
}

/// Only a request that is open takes another in: so there are no circles.
fn absorb(ticket: &Ticket, merged: uuid::Uuid, requester: uuid::Uuid, followers: &[uuid::Uuid]) -> Result<Aside, Refusal> {
    if ticket.closed() {
        let state = ticket.state.as_str_name();
        let (zh, en) = (format!("目标诉求已结束（{state}）"), format!("the other request is over: {state}"));
        return Err(Refusal::state("TARGET_CLOSED", zh, en).fact("state", state));
    }
    Ok(Aside::Absorbed { ticket: merged, requester, followers: followers.to_vec() })
}

fn ask(ticket: &Ticket, asked: &Asked, who: &Who, at: Timestamp, book: Book<'_>) -> Result<Aside, Refusal> {
    let unit = lead_part(ticket, who)?;
    if let Some(open) = ticket.side.waiting().find(|open| open.asked.sought() == asked.sought()) {
        let (zh, en) = ("同类申请尚未答复", "the same was asked for and waits for an answer");
        return Err(Refusal::state("ASKED_ALREADY", zh, en).fact("number", open.number.to_string()));
    }
    match asked {
        Asked::Extension { count } => extension(ticket, *count, at, book)?,
        Asked::Hold { .. } => {
            fits(ticket, &[State::Handling, State::OnSite])?;
            if ticket.side.hold.is_some() {
                return Err(Refusal::state("ON_HOLD", "已暂停计时", "it stands still already"));
            }
            still_running(ticket, at)?;
        }
        Asked::Ledger { review_on, owner, .. } => {
            let part = |owner: &uuid::Uuid| ticket.assignments.iter().any(|part| part.unit == *owner);
            if owner.as_ref().is_some_and(|owner| !part(owner)) {
                let (zh, en) = ("挂账单位须为主办或协办单位", "is a unit that has a part in the request");
                return Err(Refusal::invalid("owner_unit_id", "NOT_A_PART", zh, en));
            }
            fits(ticket, &[State::Callback, State::Redo])?;
            let days = review_on.duration_since(today(at)).as_hours() / 24;
            if !(1..=i64::from(book.machine.limits.ledger_days)).contains(&days) {
                let most = book.machine.limits.ledger_days;
                let (zh, en) = (format!("复核日期须在 {most} 日内"), format!("is within {most} days"));
                return Err(Refusal::invalid("review_on", "TOO_FAR", zh, en));
            }
            if !matches!(ticket.result, ticket::Result::Partly | ticket::Result::Policy) {
                let (zh, en) =
                    ("仅部分解决或条件不具备的可挂账", "only what was solved in part, or cannot be solved yet, goes on the ledger");
                return Err(Refusal::state("RESULT_DOES_NOT_FIT", zh, en));
            }
        }
        Asked::Exclusion { .. } => exclusion(ticket, at, book)?,
        Asked::Rectification { count } => super::rating::room_to_rectify(ticket, *count, at).map(drop)?,
    }
    let number = i32::try_from(ticket.side.asks.len()).unwrap_or(i32::MAX).saturating_add(1);
    let state = ask::State::Asked as i32;
    Ok(Aside::Asked { ask: Ask { number, asked: asked.clone(), by: who.user, unit: Some(unit), at, state, decided_by: Vec::new() } })
}

fn fits(ticket: &Ticket, states: &[State]) -> Result<(), Refusal> {
    if states.contains(&ticket.state) {
        return Ok(());
    }
    let state = ticket.state.as_str_name();
    let (zh, en) = (format!("当前状态不能提出该申请（{state}）"), format!("this is not asked for in {state}"));
    Err(Refusal::state("ILLEGAL_TRANSITION", zh, en).fact("state", state))
}

/// The resolution clock, which must not have run out: what is late stays late.
fn still_running(ticket: &Ticket, at: Timestamp) -> Result<&Clock, Refusal> {
    let clock = ticket.running(Name::C5).ok_or_else(|| Refusal::state("NO_CLOCK", "没有办理时限", "no time is running"))?;
    if clock.breached_at.is_some() || (!clock.paused() && at >= clock.due_at) {
        let (zh, en) = ("已超过办理时限，不能再申请", "the time has run out: too late to ask");
        return Err(Refusal::state("TOO_LATE", zh, en).fact("due_at", clock.due_at.to_string()));
    }
    Ok(clock)
}

fn extension(ticket: &Ticket, count: u32, at: Timestamp, book: Book<'_>) -> Result<(), Refusal> {
    fits(ticket, &[State::Handling, State::OnSite, State::Consulting])?;
    let clock = still_running(ticket, at)?;
    let limits = book.machine.limits;
    let granted = granted_extensions(ticket);
    if granted >= limits.extensions as usize {
        let (zh, en) = (format!("最多延期 {} 次", limits.extensions), format!("at most {} extensions", limits.extensions));
        return Err(Refusal::state("EXTENSIONS_USED_UP", zh, en));
    }
    let most = u64::from(clock.span.count()) * u64::from(limits.extension_percent) / 100;
    let whole = u64::from(clock.extended) + u64::from(unit_of(clock.span) * count);
    if count == 0 || whole > most {
        let left = most.saturating_sub(u64::from(clock.extended)) / u64::from(unit_of(clock.span));
        let (zh, en) = (format!("最多还可延长 {left}"), format!("at most {left} more"));
        return Err(Refusal::invalid("count", "TOO_MUCH", zh, en).fact("left", left.to_string()));
    }
    Ok(())
}

/// Extensions are asked for in days, or in minutes where the clock counts seconds.
fn unit_of(span: Span) -> u32 {
    match span {
        Span::WorkSeconds(_) | Span::Natural(_) => 60,
        Span::WorkDays(_) | Span::NaturalDays(_) => 1,
    }
}

fn granted_extensions(ticket: &Ticket) -> usize {
    let granted = |ask: &&Ask| ask.asked.sought() == Sought::Extension && ask.state() == ask::State::Granted;
    ticket.side.asks.iter().filter(granted).count()
}

/// Until some working days after the month in which it was archived.
fn exclusion(ticket: &Ticket, at: Timestamp, book: Book<'_>) -> Result<(), Refusal> {
    fits(ticket, &[State::Archived])?;
    let archived = ticket.side.archived_at.unwrap_or(ticket.updated_at);
    if ticket.side.excluded {
        return Err(Refusal::state("EXCLUDED", "已剔除", "it is left out already"));
    }
    let close = month_end(today(archived));
    let days = book.machine.limits.exclusion_work_days;
    let last = book.promises.calendar.nth_workday_counting_start(close.tomorrow().unwrap_or(close), days).date;
    if days == 0 || at >= start_of(last.tomorrow().unwrap_or(last)) {
        let (zh, en) = (format!("剔除申请已于 {last} 截止"), format!("exclusions could be asked for until {last}"));
        return Err(Refusal::state("TOO_LATE", zh, en).fact("last_day", last.to_string()));
    }
    Ok(())
}

/// Grants or declines. Nobody decides what they asked for; a second extension needs a leader; the ledger needs two words.
fn answer(ticket: &Ticket, number: i32, granted: bool, who: &Who, at: Timestamp, book: Book<'_>) -> Result<Aside, Refusal> {
    let ask = ticket.side.waiting().find(|ask| ask.number == number).ok_or_else(|| {
        Refusal::state("NOT_WAITING", "没有待答复的该申请", "nothing of this number waits for an answer").fact("number", number.to_string())
    })?;
    if ask.by == who.user || ask.decided_by.contains(&who.user) {
        let (zh, en) = ("申请人不得审批本人的申请，一人不得两次审批", "nobody decides on their own, or twice");
        return Err(Refusal::state("SEPARATION_OF_DUTIES", zh, en));
    }
    let leader_needed = match &ask.asked {
        Asked::Extension { .. } => granted_extensions(ticket) > 0,
        Asked::Ledger { .. } => ask.state() == ask::State::Endorsed,
        Asked::Hold { .. } | Asked::Exclusion { .. } | Asked::Rectification { .. } => false,
    };
    if leader_needed && !who.chief {
        return Err(Refusal::state("LEADER_NEEDED", "须由区领导审批", "a district leader decides on this"));
    }
    let by = who.user;
    if !granted {
        return Ok(Aside::Declined { number, by });
    }
    // What was asked for in one state may make no sense in another.
    match &ask.asked {
        Asked::Extension { .. } => fits(ticket, &[State::Handling, State::OnSite, State::Consulting])?,
        Asked::Hold { .. } => fits(ticket, &[State::Handling, State::OnSite])?,
        Asked::Ledger { .. } => fits(ticket, &[State::Callback, State::Redo])?,
        Asked::Exclusion { .. } => fits(ticket, &[State::Archived])?,
        Asked::Rectification { .. } => {}
    }
    match &ask.asked {
        Asked::Extension { count } => {
            let clock = still_running(ticket, at)?;
            let extended = clock.extended.saturating_add(count.saturating_mul(unit_of(clock.span)));
            let clock = book.promises.reckoned(Clock { extended, ..clock.clone() }, at);
            Ok(Aside::Extended { number, by, clocks: vec![clock] })
        }
        Asked::Hold { reason } => {
            still_running(ticket, at)?;
            let still = ticket.clocks.iter().filter(|clock| clock.runs() && clock.name.pauses());
            let mut clocks: Vec<Clock> = still
                .map(|clock| {
                    let pauses = clock.pauses.iter().copied().chain([(at, None)]).collect();
                    Clock { pauses, ..clock.clone() }
                })
                .collect();
            let span = Span::WorkDays(book.machine.limits.hold_work_days);
            clocks.push(book.promises.lasting(Name::Hold, ticket.round(Name::Hold) + 1, span, at));
            Ok(Aside::Held { number, by, hold: Hold { reason: *reason, since: at }, clocks })
        }
        Asked::Ledger { .. } if ask.state() == ask::State::Asked => Ok(Aside::Endorsed { number, by }),
        Asked::Ledger { owner, condition, review_on } => {
            let owner = owner.or(ticket.lead).ok_or_else(|| Refusal::not_found("ticket"))?;
            let ledger = Ledger { owner, condition: condition.clone(), review_on: *review_on };
            let review = book.promises.until(Name::Ledger, ticket.round(Name::Ledger) + 1, start_of(*review_on).max(at), at);
            Ok(Aside::Entered { number, by, ledger, clocks: vec![review] })
        }
        Asked::Exclusion { .. } => Ok(Aside::Excluded { number, by }),
        Asked::Rectification { count } => {
            let clock = super::rating::room_to_rectify(ticket, *count, at)?;
            let clock = book.promises.reckoned(Clock { extended: clock.extended.saturating_add(*count), ..clock.clone() }, at);
            Ok(Aside::Extended { number, by, clocks: vec![clock] })
        }
    }
}

/// Levels go up by a supervisor, a leader or by themselves; down by a supervisor only. From 督办 on there is an order with a number.
fn supervise(ticket: &Ticket, level: i32, reply_due: Option<Timestamp>, who: &Who, at: Timestamp) -> Result<Aside, Refusal> {
    if ticket.requester == who.user {
        let (zh, en) = ("诉求人不得督办本件", "whoever asked does not supervise");
        return Err(Refusal::state("SEPARATION_OF_DUTIES", zh, en));
    }
    let now = ticket.side.supervision;
    if level == now || !(0..=CIRCULAR).contains(&level) {
        return Err(Refusal::invalid("level", "LEVEL", "督办级别未变化", "is another level than now").fact("level", now.to_string()));
    }
    if level < now && !who.supervisor {
        return Err(Refusal::state("ONLY_SUPERVISORS_LOWER", "仅督办员可降级", "only a supervisor lowers the level"));
    }
    if level >= ORDERED && level > now && reply_due.is_none_or(|due| due <= at) {
        let (zh, en) = ("督办单须有答复期限", "an order says until when it is answered");
        return Err(Refusal::invalid("reply_due", "REQUIRED", zh, en));
    }
    let known = ticket.side.order.as_ref();
    let order = if level < ORDERED || level < now {
        known.cloned()
    } else {
        Some(Order { number: known.map_or(1, |order| order.number + 1), reply_due })
    };
    Ok(Aside::Supervised { level, order })
}

/// A leader's word may shorten the time, never lengthen it.
fn instruct(ticket: &Ticket, due_at: Option<Timestamp>, at: Timestamp, book: Book<'_>) -> Result<Aside, Refusal> {
    let Some(due) = due_at else { return Ok(Aside::Instructed { clocks: Vec::new() }) };
    let clock = ticket.running(Name::C5).ok_or_else(|| Refusal::state("NO_CLOCK", "没有办理时限", "no time is running"))?;
    if due <= at {
        return Err(Refusal::invalid("due_at", "PAST", "期限须在将来", "is in the future"));
    }
    if due > clock.due_at {
        let (zh, en) = ("批示只能缩短期限", "an instruction may shorten the time, not lengthen it");
        return Err(Refusal::invalid("due_at", "LATER_THAN_DUE", zh, en).fact("due_at", clock.due_at.to_string()));
    }
    Ok(Aside::Instructed { clocks: vec![book.promises.reckoned(Clock { latest: Some(due), ..clock.clone() }, at)] })
}

fn reopen(ticket: &Ticket, at: Timestamp, book: Book<'_>) -> Result<Aside, Refusal> {
    let closed = ticket.side.first_closed_at.unwrap_or(ticket.updated_at);
    if ticket.side.reopened {
        return Err(Refusal::state("REOPENED", "只能重启一次，请提交新诉求", "reopened once already: submit a new request"));
    }
    let until = closed + jiff::SignedDuration::from_hours(i64::from(book.machine.limits.reopen_hours));
    if at >= until {
        let (zh, en) = ("已超过重启期限，请提交新诉求", "the time to reopen has passed: submit a new request");
        return Err(Refusal::state("REOPEN_WINDOW_CLOSED", zh, en).fact("closed_at", until.to_string()));
    }
    let clock = match ticket.lead {
        Some(_) => again(ticket, at, book),
        None => book.promises.start(Name::C1, ticket.round(Name::C1) + 1, matter(ticket), at),
    };
    Ok(Aside::Reopened { clocks: vec![clock] })
}

/// Another resolution clock of the lead unit.
fn again(ticket: &Ticket, at: Timestamp, book: Book<'_>) -> Clock {
    Clock { unit: ticket.lead, ..book.promises.start_again(ticket.round(Name::C5) + 1, matter(ticket), at) }
}

/// Ends a pause, or takes a request off the ledger because its condition is met.
fn resume(ticket: &Ticket, who: &Who, at: Timestamp, book: Book<'_>) -> Result<Aside, Refusal> {
    if ticket.state == State::Ledger {
        let owner = ticket.side.ledger.as_ref().map(|ledger| ledger.owner);
        if owner.is_none_or(|owner| !who.stands_for(owner)) {
            lead_part(ticket, who)?;
        }
        return Ok(resumed(ticket, at, book));
    }
    lead_part(ticket, who)?;
    if ticket.side.hold.is_none() {
        return Err(Refusal::state("NOT_ON_HOLD", "未暂停计时", "nothing stands still"));
    }
    Ok(resumed(ticket, at, book))
}

/// What the end of a pause, or of a stay on the ledger, makes of the clocks.
pub fn resumed(ticket: &Ticket, at: Timestamp, book: Book<'_>) -> Aside {
    if ticket.state == State::Ledger {
        return Aside::Resumed { clocks: vec![again(ticket, at, book)] };
    }
    let still = ticket.clocks.iter().filter(|clock| clock.runs() && clock.paused());
    let clocks = still.map(|clock| {
        let mut clock = clock.clone();
        if let Some((_, to)) = clock.pauses.last_mut() {
            *to = Some(at);
        }
        book.promises.reckoned(clock, at)
    });
    Aside::Resumed { clocks: clocks.collect() }
}
