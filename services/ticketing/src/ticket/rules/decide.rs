//! What a command changes, or why it is refused.

use drumtower_proto::ticketing::{assignment, call_back_ticket_request::Outcome, ticket};
use drumtower_runtime::Refusal;
use jiff::{SignedDuration, Timestamp, tz};
use uuid::Uuid;

use super::{
    Aside, Beside, Book, Change, Command, Machine, Position, Proof, State, Ticket, Who,
    machine::Limits,
    side::{self, CIRCULAR, ORDERED, RED},
};
use crate::clock::rules::{Clock, Matter, Name, Promises, Word};

/// What is told within this time was told at once.
const LATELY: SignedDuration = SignedDuration::from_mins(2);
/// An arrival without a network is told within this time.
const TOLD_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// Verbs that fit a request's state.
pub fn possible<'a>(ticket: &Ticket, machine: &'a Machine) -> Vec<&'a str> {
    let side = &ticket.side;
    let fits = |verb: &&str| match *verb {
        "rate" => ticket.score == 0,
        "appeal" => !side.appealed,
        "reopen" => !side.reopened,
        "answer" => ticket.kind == super::Kind::Consult,
        "consent" => side.withdrawal_asked,
        "decide" => side.waiting().next().is_some(),
        "resume" => side.hold.is_some() || ticket.state == State::Ledger,
        "finishTask" => side.tasks.iter().any(|task| task.done_at.is_none()),
        _ => true,
    };
    machine.verbs(ticket.state).into_iter().filter(fits).collect()
}

/// What a command changes at an instant.
pub fn decide(ticket: &Ticket, command: &Command, who: &Who, at: Timestamp, book: Book<'_>) -> Result<Change, Refusal> {
    let verb = command.verb();
    let by_itself = matches!(command, Command::Fire { .. } | Command::Reckon | Command::Beside(Beside::Absorb { .. }));
    if !by_itself && !book.machine.allows(verb, ticket.state) {
        return Err(wrong_state(ticket, verb, book.machine));
    }
    let promises = book.promises;
    let run = |name| promises.start(name, ticket.round(name) + 1, matter(ticket), at);
    match command {
        Command::Accept { kind, urgency } => {
            side::independent_of_refusal(ticket, who)?;
            let (kind, urgency) = (kind.unwrap_or(ticket.kind) as i32, *urgency as i32);
            Ok(Change::Accepted { kind, urgency, clocks: vec![run(Name::C2)] })
        }
        Command::Refuse { reason } => {
            side::independent_of_refusal(ticket, who)?;
            Ok(Change::Refused { reason: *reason as i32, by: Some(who.user) })
        }
        Command::Dispatch { lead, support } | Command::CallUp { lead, support } => {
            dispatch(ticket, *lead, support, who, book.machine.limits.returns, run)
        }
        Command::Sign => sign(ticket, who, run),
        Command::Return { clause, suggested, attachments } => {
            let change = give_back(ticket, clause, *suggested, who, at, run(Name::C2))?;
            Ok(showing(change, attachments))
        }
        Command::Transfer { handler, handler_units } => transfer(ticket, *handler, handler_units, who),
        Command::Contact => Ok(Change::Contacted { user: Some(who.user), unit: signed_part(ticket, who)? }),
        Command::Visit { planned_at } => {
            let unit = signed_part(ticket, who)?;
            Ok(Change::SetOut { user: Some(who.user), unit, planned_at: *planned_at, clocks: arrivals(ticket, &run) })
        }
        Command::CheckIn { at: position, building, device_time, proof } => {
            let (unit, distance, how) = arrived(ticket, *position, *building, proof, who, book.machine.limits)?;
            let times = (*device_time, proof.taken_at);
            let change = arrival(ticket, (unit, distance, how), times, who, at, book.machine.limits)?;
            Ok(showing(change, proof.photo.as_slice()))
        }
        Command::ReportDone { result, waive_support, parts_open, evidence } => {
            let needed = book.machine.limits.evidence.of(*result);
            report(ticket, *result, *waive_support, *parts_open, (*evidence, needed), who)
        }
        Command::SignOff => {
            lead_part(ticket, who)?;
            Ok(Change::SignedOff { user: Some(who.user), clocks: vec![run(Name::C9), run(Name::C10)] })
        }
        Command::SendBack => lead_part(ticket, who).map(|_| Change::SentBack),
        Command::CallBack { outcome } => call_back(ticket, *outcome, who, at, book.machine.limits.unreached),
        Command::Redo => redo(ticket, who, at, book),
        Command::Rate { score, tags, attachments } => {
            let change = rate(ticket, *score, tags, who, || run(Name::B1))?;
            Ok(showing(change, attachments))
        }
        Command::Withdraw => withdraw(ticket, who),
        Command::Urge => urge(ticket, who, at, book.machine.limits.urge_hours),
        Command::Fire { name, round } => fire(ticket, *name, *round, at, book),
        Command::Reckon => reckon(ticket, at, promises),
        Command::Beside(beside) => side::decide(ticket, beside, who, at, book).map(Change::Beside),
    }
}

pub(super) fn matter(ticket: &Ticket) -> Matter {
    Matter { kind: ticket.kind, urgency: ticket.urgency, danger: ticket.danger }
}

/// What a change rests on, kept with it.
fn showing(mut change: Change, shown: &[Uuid]) -> Change {
    match &mut change {
        Change::Returned { attachments, .. } | Change::Rated { attachments, .. } => *attachments = shown.to_vec(),
        Change::CheckedIn { photo, .. } => *photo = shown.first().copied(),
        _ => {}
    }
    change
}

fn wrong_state(ticket: &Ticket, verb: &str, machine: &Machine) -> Refusal {
    let possible = possible(ticket, machine).join(", ");
    let state = ticket.state.as_str_name();
    Refusal::state(
        "ILLEGAL_TRANSITION",
        format!("当前状态不能执行该操作（{state}）"),
        format!("{verb} does not fit the state {state}; possible: {possible}"),
    )
    .fact("state", state)
    .fact("possible", possible)
}

fn dispatch(
    ticket: &Ticket,
    lead: Uuid,
    support: &[Uuid],
    who: &Who,
    most_returns: i32,
    run: impl Fn(Name) -> Clock,
) -> Result<Change, Refusal> {
    if support.contains(&lead) {
        let (zh, en) = ("主办单位不能同时为协办单位", "the lead unit is not a support unit too");
        return Err(Refusal::invalid("support_unit_ids", "LEAD_IS_SUPPORT", zh, en));
    }
    let contested = ticket.return_count >= most_returns;
    if contested && !who.arbiter {
        let (zh, en) = ("退单已达上限，须由仲裁员裁定派单", "returned as often as it may be: an arbiter decides");
        return Err(Refusal::state("ARBITRATION_NEEDED", zh, en));
    }
    // The resolution clock starts with the first dispatch and never stops for a dispute.
    let of_lead = |name| Clock { unit: Some(lead), ..run(name) };
    let mut clocks = vec![of_lead(Name::C3), of_lead(Name::C6)];
    if ticket.running(Name::C5).is_none() {
        clocks.push(of_lead(Name::C5));
    }
    Ok(Change::Dispatched { lead, support: support.to_vec(), arbitrated: contested, clocks })
}

fn sign(ticket: &Ticket, who: &Who, run: impl Fn(Name) -> Clock) -> Result<Change, Refusal> {
    let part = ticket.assignments.iter().find(|part| part.state == assignment::State::ToSign && who.stands_for(part.unit));
    let Some(part) = part else {
        let held = ticket.assignments.iter().any(|part| part.state != assignment::State::Closed && who.stands_for(part.unit));
        let (zh, en) = ("本单位没有待签收的任务", "nothing waits for this unit's signature");
        return Err(if held { Refusal::state("NOTHING_TO_SIGN", zh, en) } else { Refusal::not_found("ticket") });
    };
    let clocks = if ticket.lead == Some(part.unit) { vec![Clock { unit: Some(part.unit), ..run(Name::C4) }] } else { Vec::new() };
    Ok(Change::Signed { user: Some(who.user), unit: part.unit, clocks })
}

fn give_back(ticket: &Ticket, clause: &str, suggested: Uuid, who: &Who, at: Timestamp, dispatch_clock: Clock) -> Result<Change, Refusal> {
    let unit = lead_part(ticket, who)?;
    if ticket.arbitrated {
        return Err(Refusal::state("ARBITRATED", "已仲裁，不得再退单", "arbitrated: no further return"));
    }
    if suggested == unit {
        let (zh, en) = ("建议单位不能是本单位", "another unit is to be suggested");
        return Err(Refusal::invalid("suggested_unit_id", "SAME_UNIT", zh, en));
    }
    if let Some(window) = ticket.running(Name::C6).filter(|window| at >= window.due_at) {
        let (zh, en) = ("已超过退单时限", "the window for a return has closed");
        return Err(Refusal::state("RETURN_WINDOW_CLOSED", zh, en).fact("closed_at", window.due_at.to_string()));
    }
    Ok(Change::Returned { unit, clause: clause.to_owned(), suggested, clocks: vec![dispatch_clock], attachments: Vec::new() })
}

fn transfer(ticket: &Ticket, handler: Uuid, handler_units: &[Uuid], who: &Who) -> Result<Change, Refusal> {
    let unit = open_part(ticket, who)?;
    if !handler_units.contains(&unit) {
        let (zh, en) = ("经办人不属于本单位", "is not of this unit");
        return Err(Refusal::invalid("handler_id", "NOT_OF_UNIT", zh, en));
    }
    Ok(Change::Transferred { unit, handler })
}

/// One arrival clock for each unit that signed and has work.
fn arrivals(ticket: &Ticket, run: &impl Fn(Name) -> Clock) -> Vec<Clock> {
    let signed = |part: &&super::Assignment| part.open() && part.state != assignment::State::ToSign;
    let units = ticket.assignments.iter().filter(signed).map(|part| part.unit);
    (0..)
        .zip(units)
        .map(|(place, unit)| {
            let clock = run(Name::C7);
            Clock { unit: Some(unit), round: clock.round + place, ..clock }
        })
        .collect()
}

/// Where an arrival is proved by: the position, the code of the building's sign, or only the word of who arrived.
fn arrived(
    ticket: &Ticket,
    position: Position,
    building: Option<Position>,
    proof: &Proof,
    who: &Who,
    limits: Limits,
) -> Result<(Uuid, Option<u32>, &'static str), Refusal> {
    let unit = signed_part(ticket, who)?;
    if ticket.side.checked_in.contains(&who.user) {
        return Err(Refusal::state("ALREADY_CHECKED_IN", "您已到场签到", "checked in already"));
    }
    let distance = building.map(|building| distance_m(position, building));
    let away = distance.filter(|away| *away > limits.fence_metres && !who.importing);
    let how = match (proof.code, away) {
        (Some(false), _) => {
            let (zh, en) = ("扫描的不是本楼宇的签到码", "is not the code of this building");
            return Err(Refusal::invalid("building_code", "WRONG_CODE", zh, en));
        }
        (Some(true), _) => "CODE",
        (None, None) => "GPS",
        (None, Some(_)) if !proof.reason.trim().is_empty() && proof.photo.is_none() => {
            let (zh, en) = ("定位和签到码均无法证明时，须附现场照片", "with neither position nor code, a photo of the site is needed");
            return Err(Refusal::invalid("photo_id", "PHOTO_NEEDED", zh, en));
        }
        (None, Some(_)) if !proof.reason.trim().is_empty() => "STATED",
        (None, Some(away)) => {
            let fence = limits.fence_metres;
            let (zh, en) = (format!("距离现场 {away} 米，超出 {fence} 米范围"), format!("{away} m away; at most {fence} m"));
            return Err(Refusal::state("OUTSIDE_FENCE", zh, en).fact("distance_m", away.to_string()));
        }
    };
    Ok((unit, distance, how))
}

/// An arrival told later counts from when it happened, if the device's clock can be believed; never from before the way began.
fn arrival(
    ticket: &Ticket,
    (unit, distance_m, how): (Uuid, Option<u32>, &'static str),
    (device_time, taken_at): (Option<Timestamp>, Option<Timestamp>),
    who: &Who,
    at: Timestamp,
    limits: Limits,
) -> Result<Change, Refusal> {
    let skew = SignedDuration::from_mins(i64::from(limits.skew_minutes));
    let clock_skewed = device_time.is_some_and(|device| device.duration_since(at).abs() > skew);
    let offline = taken_at.filter(|taken| *taken < at - LATELY);
    if offline.is_some_and(|taken| taken < at - TOLD_WITHIN) {
        let (zh, en) = ("离线签到须在 24 小时内补传", "an arrival is told within 24 hours");
        return Err(Refusal::state("TOLD_TOO_LATE", zh, en));
    }
    let began = ticket.clocks.iter().filter(|clock| clock.name == Name::C7).map(|clock| clock.started_at).max().unwrap_or(at);
    // A device that does not say what time it has is not believed about the past.
    let arrived_at = offline.filter(|_| device_time.is_some() && !clock_skewed).map(|taken| taken.max(began));
    let how = how.to_owned();
    Ok(Change::CheckedIn { unit, user: who.user, distance_m, clock_skewed, how, offline: offline.is_some(), arrived_at, photo: None })
}

fn report(
    ticket: &Ticket,
    result: ticket::Result,
    waive: bool,
    parts_open: i64,
    (evidence, needed): (u64, u32),
    who: &Who,
) -> Result<Change, Refusal> {
    let unit = signed_part(ticket, who)?;
    if ticket.lead != Some(unit) {
        return Ok(Change::Reported { unit, user: who.user, result: 0, waived: Vec::new() });
    }
    if parts_open > 0 {
        let (zh, en) = ("拆分出的诉求尚未办结", "parts that were split off are not over");
        return Err(Refusal::state("PARTS_OPEN", zh, en).fact("open", parts_open.to_string()));
    }
    if ticket.side.hold.is_some() {
        return Err(Refusal::state("ON_HOLD", "已暂停计时，请先恢复", "it stands still: resume first"));
    }
    if result == ticket::Result::Unspecified {
        return Err(Refusal::invalid("result", "REQUIRED", "主办单位须填写办理结果", "the lead unit says what came of it"));
    }
    if evidence < u64::from(needed) && !who.importing {
        let (zh, en) = (format!("须附 {needed} 份办理证据"), format!("{needed} attachments of the lead unit are needed"));
        return Err(Refusal::state("EVIDENCE_NEEDED", zh, en).fact("needed", needed.to_string()).fact("there", evidence.to_string()));
    }
    let waiting: Vec<Uuid> =
        ticket.assignments.iter().filter(|part| part.kind == assignment::Kind::Support && part.open()).map(|part| part.unit).collect();
    if !waiting.is_empty() && !waive {
        let units = waiting.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
        let (zh, en) = ("仍有协办单位未反馈", "support units have not reported yet");
        return Err(Refusal::state("SUPPORT_OPEN", zh, en).fact("units", units));
    }
    let open = ticket.side.tasks.iter().filter(|task| task.done_at.is_none() && !waiting.contains(&task.unit));
    let open: Vec<String> = open.map(|task| task.number.to_string()).collect();
    if !open.is_empty() {
        let (zh, en) = ("会商任务尚未完成", "tasks of the consultation are not done yet");
        return Err(Refusal::state("TASKS_OPEN", zh, en).fact("tasks", open.join(", ")));
    }
    Ok(Change::Reported { unit, user: who.user, result: result as i32, waived: waiting })
}

/// Somebody who handled the request, or asked for it, does not call back about it.
pub fn independent(ticket: &Ticket, who: &Who) -> Result<(), Refusal> {
    if !who.importing && (ticket.handled_by.contains(&who.user) || ticket.requester == who.user) {
        let (zh, en) = ("经办人和诉求人不得回访、核实本件", "whoever handled or asked does not call back, or verify");
        return Err(Refusal::state("SEPARATION_OF_DUTIES", zh, en));
    }
    Ok(())
}

fn call_back(ticket: &Ticket, outcome: Outcome, who: &Who, at: Timestamp, unreached: u32) -> Result<Change, Refusal> {
    independent(ticket, who)?;
    if outcome != Outcome::Unreached {
        return Ok(Change::CalledBack {
            outcome: outcome as i32,
            half_day: None,
            archived: outcome == Outcome::Satisfied || who.importing,
        });
    }
    let half = half_day(at);
    let fresh = !ticket.unreached.contains(&half);
    let archived = who.importing || ticket.unreached.len() + usize::from(fresh) >= unreached as usize;
    Ok(Change::CalledBack { outcome: outcome as i32, half_day: fresh.then_some(half), archived })
}

/// A morning or an afternoon in China.
fn half_day(at: Timestamp) -> String {
    let civil = at.to_zoned(tz::TimeZone::fixed(tz::offset(8)));
    format!("{} {}", civil.date(), if civil.hour() < 12 { "AM" } else { "PM" })
}

fn redo(ticket: &Ticket, who: &Who, at: Timestamp, book: Book<'_>) -> Result<Change, Refusal> {
    independent(ticket, who)?;
    if !matches!(ticket.last_callback, Some(Outcome::Unsolved | Outcome::Dissatisfied)) {
        let (zh, en) = ("须先回访并记录未解决或不满意", "a callback that says not solved or dissatisfied comes first");
        return Err(Refusal::state("NO_BAD_CALLBACK", zh, en));
    }
    let promises = book.promises;
    let sign = promises.start(Name::C3, ticket.round(Name::C3) + 1, matter(ticket), at);
    let resolve = promises.start_again(ticket.round(Name::C5) + 1, matter(ticket), at);
    let supervised = ticket.redo_count + 1 >= book.machine.limits.redos_before_supervision && ticket.side.supervision < ORDERED;
    let clocks = [sign, resolve].map(|clock| Clock { unit: ticket.lead, ..clock }).to_vec();
    Ok(Change::Redone { clocks, supervised })
}

fn rate(ticket: &Ticket, score: i32, tags: &[i32], who: &Who, verify: impl Fn() -> Clock) -> Result<Change, Refusal> {
    if ticket.score != 0 {
        return Err(Refusal::state("ALREADY_RATED", "每件只评价一次", "rated already; one rating a matter"));
    }
    if ticket.running(Name::C10).is_none_or(|clock| clock.breached_at.is_some()) && !who.importing {
        return Err(Refusal::state("RATING_CLOSED", "评价已截止", "the time for a rating has passed"));
    }
    // A rating of before the platform is a fact: nobody verifies it now.
    if who.importing {
        return Ok(Change::Rated { score, tags: tags.to_vec(), clocks: Vec::new(), attachments: Vec::new() });
    }
    side::tags_fit(score, tags)?;
    let clocks = side::bad(score).then(verify).into_iter().collect();
    Ok(Change::Rated { score, tags: tags.to_vec(), clocks, attachments: Vec::new() })
}

/// Before a unit signed it is simply taken back; after that the unit is asked.
fn withdraw(ticket: &Ticket, who: &Who) -> Result<Change, Refusal> {
    if ticket.danger && !who.importing {
        return Err(Refusal::state("DANGER", "涉及安全隐患的诉求不能撤回", "a dangerous matter is not taken back"));
    }
    if matches!(ticket.state, State::Submitted | State::Accepted | State::Dispatched) {
        return Ok(Change::Withdrawn);
    }
    if ticket.side.withdrawal_asked {
        return Err(Refusal::state("ASKED_ALREADY", "已申请撤回，等待承办单位同意", "asked already; the unit has not answered"));
    }
    Ok(Change::Beside(Aside::WithdrawalAsked))
}

fn urge(ticket: &Ticket, who: &Who, at: Timestamp, hours: u32) -> Result<Change, Refusal> {
    // Somebody of the same company is no supervisor either.
    let by_requester = ticket.requester == who.user || who.units.is_some();
    let pace = SignedDuration::from_hours(i64::from(hours));
    if let Some(last) = ticket.urged_at.filter(|last| by_requester && at < *last + pace) {
        let next = last + pace;
        let (zh, en) = (format!("{hours} 小时内只能催办一次"), format!("once in {hours} hours"));
        return Err(Refusal::state("URGED_LATELY", zh, en).fact("possible_at", next.to_string()));
    }
    Ok(Change::Urged { by_requester })
}

/// Clocks that another calendar moves: those that run and have not run out.
fn reckon(ticket: &Ticket, at: Timestamp, promises: Promises<'_>) -> Result<Change, Refusal> {
    let clocks: Vec<Clock> = ticket.clocks.iter().filter_map(|clock| promises.moved(clock, at)).collect();
    if clocks.is_empty() {
        return Err(Refusal::state("NOT_DUE", "时限未变化", "no clock moves"));
    }
    Ok(Change::Reckoned { clocks })
}

/// What a clock has to say when its time has come: a warning, a broken promise, the end of a pause, the next step of the ladder.
fn fire(ticket: &Ticket, name: Name, round: i32, at: Timestamp, book: Book<'_>) -> Result<Change, Refusal> {
    let clock = ticket.clocks.iter().find(|clock| clock.name == name && clock.round == round);
    let clock = clock.ok_or_else(|| Refusal::state("NOT_DUE", "时限未到", "this clock is not due"))?;
    if clock.says(at)? == Word::Warning {
        return Ok(Change::Warned { name, round });
    }
    let ladder = |from: i32| {
        let level = from.max(ticket.side.supervision);
        // The policy counts the steps of the ladder; the clocks of one request are counted through.
        let step = if level < ORDERED { 1 } else { 2 };
        let next = (level < CIRCULAR && (name == Name::C11 || ticket.running(Name::C11).is_none())).then(|| {
            let clock = book.promises.start(Name::C11, step, matter(ticket), at);
            Clock { round: ticket.round(Name::C11) + 1, ..clock }
        });
        Change::Breached { name, round, level, clocks: next.into_iter().collect() }
    };
    Ok(match name {
        Name::Hold | Name::Ledger => Change::Beside(side::resumed(ticket, at, book)),
        Name::C5 | Name::B1 | Name::B4 => ladder(RED),
        Name::B6 => Change::Beside(Aside::RatingClosed),
        Name::C11 => ladder((ticket.side.supervision + 1).clamp(ORDERED, CIRCULAR)),
        _ => Change::Breached { name, round, level: 0, clocks: Vec::new() },
    })
}

/// The lead unit, if the person stands for it; else the request does not exist for them.
pub(super) fn lead_part(ticket: &Ticket, who: &Who) -> Result<Uuid, Refusal> {
    ticket.lead.filter(|lead| who.stands_for(*lead)).ok_or_else(|| Refusal::not_found("ticket"))
}

/// The person's unit among those with open work, the lead first.
fn open_part(ticket: &Ticket, who: &Who) -> Result<Uuid, Refusal> {
    let part = ticket.assignments.iter().find(|part| part.open() && who.stands_for(part.unit));
    part.map(|part| part.unit).ok_or_else(|| Refusal::not_found("ticket"))
}

/// The person's unit among those that signed, the lead first.
pub(super) fn signed_part(ticket: &Ticket, who: &Who) -> Result<Uuid, Refusal> {
    let unit = open_part(ticket, who)?;
    let signed = |part: &&super::Assignment| part.open() && part.state != assignment::State::ToSign && who.stands_for(part.unit);
    let part = ticket.assignments.iter().find(signed);
    let (zh, en) = ("本单位尚未签收", "this unit has not signed yet");
    part.map(|part| part.unit).ok_or_else(|| Refusal::state("NOT_SIGNED", zh, en).fact("unit", unit.to_string()))
}

/// Metres between two positions, by the haversine formula on a sphere of 6,371 km.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a distance on Earth fits, and is not negative")]
pub fn distance_m(a: Position, b: Position) -> u32 {
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let (d_lat, d_lon) = (lat_b - lat_a, (b.longitude - a.longitude).to_radians());
    let h = (d_lat / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * (d_lon / 2.0).sin().powi(2);
    (2.0 * 6_371_000.0 * h.sqrt().min(1.0).asin()).round() as u32
}
