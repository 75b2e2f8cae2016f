//! What a command changes, or why it is refused.

use drumtower_proto::ticketing::{assignment, call_back_ticket_request::Outcome, ticket};
use drumtower_runtime::Refusal;
use jiff::{SignedDuration, Timestamp, tz};
use uuid::Uuid;

use super::{Change, Command, Position, State, Ticket, Who};
use crate::clock::rules::{Clock, Matter, Name, Promises};

/// A unit may return a request twice at most; then it is arbitrated.
const MAX_RETURNS: i32 = 2;
/// How far from the building a person may check in, metres.
const FENCE_M: u32 = 150;
/// How far a device's clock may be off before the check-in is flagged.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The requester urges once in this time.
const URGE_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Attempts on different half-days after which the requester counts as not reached.
const UNREACHED: usize = 3;

/// Which verbs fit which states. What a machine allows, whoever asks.
const VERBS: &[(&str, &[State])] = &[
    ("accept", &[State::Submitted]),
    ("refuse", &[State::Submitted]),
    ("withdraw", &[State::Submitted, State::Accepted, State::Dispatched]),
    ("dispatch", &[State::Accepted]),
    ("sign", &[State::Dispatched, State::Redo, State::Handling, State::OnSite]),
    ("return", &[State::Dispatched]),
    ("transfer", &[State::Dispatched, State::Handling, State::OnSite, State::Redo]),
    ("contact", &[State::Handling, State::OnSite]),
    ("visit", &[State::Handling]),
    ("checkIn", &[State::OnSite]),
    ("reportDone", &[State::Handling, State::OnSite]),
    ("signOff", &[State::Review]),
    ("sendBack", &[State::Review]),
    ("callBack", &[State::Callback]),
    ("redo", &[State::Callback]),
    ("rate", &[State::Callback, State::Archived]),
    (
        "urge",
        &[
            State::Submitted,
            State::Accepted,
            State::Dispatched,
            State::Handling,
            State::OnSite,
            State::Review,
            State::Callback,
            State::Redo,
        ],
    ),
];

/// Verbs that fit a request's state.
pub fn possible(ticket: &Ticket) -> Vec<&'static str> {
    let fits = VERBS.iter().filter(|(_, states)| states.contains(&ticket.state)).map(|(verb, _)| *verb);
    fits.filter(|verb| *verb != "rate" || ticket.score == 0).collect()
}

/// What a command changes at an instant.
pub fn decide(ticket: &Ticket, command: &Command, who: &Who, at: Timestamp, promises: Promises<'_>) -> Result<Change, Refusal> {
    let verb = command.verb();
    let states = VERBS.iter().find(|(known, _)| *known == verb).map_or(&[][..], |(_, states)| states);
    if !matches!(command, Command::Breach { .. }) && !states.contains(&ticket.state) {
        return Err(wrong_state(ticket, verb));
    }
    let run = |name| promises.start(name, ticket.round(name) + 1, matter(ticket), at);
    match command {
        Command::Accept { kind, urgency } => {
            let (kind, urgency) = (kind.unwrap_or(ticket.kind) as i32, *urgency as i32);
            Ok(Change::Accepted { kind, urgency, clocks: vec![run(Name::C2)] })
        }
        Command::Refuse { reason } => Ok(Change::Refused { reason: *reason as i32 }),
        Command::Dispatch { lead, support } => dispatch(ticket, *lead, support, who, run),
        Command::Sign => sign(ticket, who, run),
        Command::Return { clause, suggested } => give_back(ticket, clause, *suggested, who, at, run(Name::C2)),
        Command::Transfer { handler, handler_units } => transfer(ticket, *handler, handler_units, who),
        Command::Contact => Ok(Change::Contacted { unit: signed_part(ticket, who)? }),
        Command::Visit { planned_at } => {
            Ok(Change::SetOut { unit: signed_part(ticket, who)?, planned_at: *planned_at, clocks: vec![run(Name::C7)] })
        }
        Command::CheckIn { at: position, building, device_time } => check_in(ticket, *position, *building, *device_time, who, at),
        Command::ReportDone { result, waive_support } => report(ticket, *result, *waive_support, who),
        Command::SignOff => {
            lead_part(ticket, who)?;
            Ok(Change::SignedOff { clocks: vec![run(Name::C9), run(Name::C10)] })
        }
        Command::SendBack => lead_part(ticket, who).map(|_| Change::SentBack),
        Command::CallBack { outcome } => call_back(ticket, *outcome, who, at),
        Command::Redo => redo(ticket, who, at, promises),
        Command::Rate { score } => rate(ticket, *score, who),
        Command::Withdraw => withdraw(ticket, who),
        Command::Urge => urge(ticket, who, at),
        Command::Breach { name, round } => breach(ticket, *name, *round, at),
    }
}

fn matter(ticket: &Ticket) -> Matter {
    Matter { kind: ticket.kind, urgency: ticket.urgency, danger: ticket.danger }
}

fn wrong_state(ticket: &Ticket, verb: &str) -> Refusal {
    let possible = possible(ticket).join(", ");
    let state = ticket.state.as_str_name();
    Refusal::state(
        "ILLEGAL_TRANSITION",
        format!("当前状态不能执行该操作（{state}）"),
        format!("{verb} does not fit the state {state}; possible: {possible}"),
    )
    .fact("state", state)
    .fact("possible", possible)
}

fn dispatch(ticket: &Ticket, lead: Uuid, support: &[Uuid], who: &Who, run: impl Fn(Name) -> Clock) -> Result<Change, Refusal> {
    if support.contains(&lead) {
        let (zh, en) = ("主办单位不能同时为协办单位", "the lead unit is not a support unit too");
        return Err(Refusal::invalid("support_unit_ids", "LEAD_IS_SUPPORT", zh, en));
    }
    let contested = ticket.return_count >= MAX_RETURNS;
    if contested && !who.arbiter {
        let (zh, en) = ("已退单两次，须由仲裁员裁定派单", "returned twice: an arbiter decides");
        return Err(Refusal::state("ARBITRATION_NEEDED", zh, en));
    }
    // The resolution clock starts with the first dispatch and never stops for a dispute.
    let mut clocks = vec![run(Name::C3), run(Name::C6)];
    if ticket.running(Name::C5).is_none() {
        clocks.push(run(Name::C5));
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
    let clocks = if ticket.lead == Some(part.unit) { vec![run(Name::C4)] } else { Vec::new() };
    Ok(Change::Signed { unit: part.unit, clocks })
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
    Ok(Change::Returned { unit, clause: clause.to_owned(), suggested, clocks: vec![dispatch_clock] })
}

fn transfer(ticket: &Ticket, handler: Uuid, handler_units: &[Uuid], who: &Who) -> Result<Change, Refusal> {
    let unit = open_part(ticket, who)?;
    if !handler_units.contains(&unit) {
        let (zh, en) = ("经办人不属于本单位", "is not of this unit");
        return Err(Refusal::invalid("handler_id", "NOT_OF_UNIT", zh, en));
    }
    Ok(Change::Transferred { unit, handler })
}

fn check_in(
    ticket: &Ticket,
    position: Position,
    building: Option<Position>,
    device_time: Option<Timestamp>,
    who: &Who,
    at: Timestamp,
) -> Result<Change, Refusal> {
    let unit = signed_part(ticket, who)?;
    if ticket.checked_in.contains(&who.user) {
        return Err(Refusal::state("ALREADY_CHECKED_IN", "您已到场签到", "checked in already"));
    }
    let distance = building.map(|building| distance_m(position, building));
    if let Some(away) = distance.filter(|away| *away > FENCE_M && !who.importing) {
        let (zh, en) = (format!("距离现场 {away} 米，超出 {FENCE_M} 米范围"), format!("{away} m away; at most {FENCE_M} m"));
        return Err(Refusal::state("OUTSIDE_FENCE", zh, en).fact("distance_m", away.to_string()));
    }
    let clock_skewed = device_time.is_some_and(|device| device.duration_since(at).abs() > SKEW);
    Ok(Change::CheckedIn { unit, user: who.user, distance_m: distance, clock_skewed })
}

fn report(ticket: &Ticket, result: ticket::Result, waive: bool, who: &Who) -> Result<Change, Refusal> {
    let unit = signed_part(ticket, who)?;
    if ticket.lead != Some(unit) {
        return Ok(Change::Reported { unit, user: who.user, result: 0, waived: Vec::new() });
    }
    if result == ticket::Result::Unspecified {
        return Err(Refusal::invalid("result", "REQUIRED", "主办单位须填写办理结果", "the lead unit says what came of it"));
    }
    let waiting: Vec<Uuid> =
        ticket.assignments.iter().filter(|part| part.kind == assignment::Kind::Support && part.open()).map(|part| part.unit).collect();
    if !waiting.is_empty() && !waive {
        let units = waiting.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
        let (zh, en) = ("仍有协办单位未反馈", "support units have not reported yet");
        return Err(Refusal::state("SUPPORT_OPEN", zh, en).fact("units", units));
    }
    Ok(Change::Reported { unit, user: who.user, result: result as i32, waived: waiting })
}

/// Somebody who handled the request, or asked for it, does not call back about it.
fn independent(ticket: &Ticket, who: &Who) -> Result<(), Refusal> {
    if !who.importing && (ticket.handled_by.contains(&who.user) || ticket.requester == who.user) {
        let (zh, en) = ("经办人和诉求人不得回访本件", "whoever handled or asked does not call back");
        return Err(Refusal::state("SEPARATION_OF_DUTIES", zh, en));
    }
    Ok(())
}

fn call_back(ticket: &Ticket, outcome: Outcome, who: &Who, at: Timestamp) -> Result<Change, Refusal> {
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
    let archived = who.importing || ticket.unreached.len() + usize::from(fresh) >= UNREACHED;
    Ok(Change::CalledBack { outcome: outcome as i32, half_day: fresh.then_some(half), archived })
}

/// A morning or an afternoon in China.
fn half_day(at: Timestamp) -> String {
    let civil = at.to_zoned(tz::TimeZone::fixed(tz::offset(8)));
    format!("{} {}", civil.date(), if civil.hour() < 12 { "AM" } else { "PM" })
}

fn redo(ticket: &Ticket, who: &Who, at: Timestamp, promises: Promises<'_>) -> Result<Change, Refusal> {
    independent(ticket, who)?;
    if !matches!(ticket.last_callback, Some(Outcome::Unsolved | Outcome::Dissatisfied)) {
        let (zh, en) = ("须先回访并记录未解决或不满意", "a callback that says not solved or dissatisfied comes first");
        return Err(Refusal::state("NO_BAD_CALLBACK", zh, en));
    }
    let sign = promises.start(Name::C3, ticket.round(Name::C3) + 1, matter(ticket), at);
    let resolve = promises.start_again(ticket.round(Name::C5) + 1, matter(ticket), at);
    Ok(Change::Redone { clocks: vec![sign, resolve] })
}

fn rate(ticket: &Ticket, score: i32, who: &Who) -> Result<Change, Refusal> {
    if ticket.score != 0 {
        return Err(Refusal::state("ALREADY_RATED", "每件只评价一次", "rated already; one rating a matter"));
    }
    if ticket.running(Name::C10).is_none_or(|clock| clock.breached_at.is_some()) && !who.importing {
        return Err(Refusal::state("RATING_CLOSED", "评价已截止", "the time for a rating has passed"));
    }
    Ok(Change::Rated { score })
}

fn withdraw(ticket: &Ticket, who: &Who) -> Result<Change, Refusal> {
    if ticket.danger && !who.importing {
        return Err(Refusal::state("DANGER", "涉及安全隐患的诉求不能撤回", "a dangerous matter is not taken back"));
    }
    Ok(Change::Withdrawn)
}

fn urge(ticket: &Ticket, who: &Who, at: Timestamp) -> Result<Change, Refusal> {
    let by_requester = ticket.requester == who.user;
    if let Some(last) = ticket.urged_at.filter(|last| by_requester && at < *last + URGE_EVERY) {
        let next = last + URGE_EVERY;
        let (zh, en) = ("24 小时内只能催办一次", "once in 24 hours");
        return Err(Refusal::state("URGED_LATELY", zh, en).fact("possible_at", next.to_string()));
    }
    Ok(Change::Urged { by_requester })
}

fn breach(ticket: &Ticket, name: Name, round: i32, at: Timestamp) -> Result<Change, Refusal> {
    let due = ticket
        .clocks
        .iter()
        .any(|clock| clock.name == name && clock.round == round && clock.runs() && clock.breached_at.is_none() && clock.due_at <= at);
    if due { Ok(Change::Breached { name, round }) } else { Err(Refusal::state("NOT_DUE", "时限未到", "this clock is not due")) }
}

/// The lead unit, if the person stands for it; else the request does not exist for them.
fn lead_part(ticket: &Ticket, who: &Who) -> Result<Uuid, Refusal> {
    ticket.lead.filter(|lead| who.stands_for(*lead)).ok_or_else(|| Refusal::not_found("ticket"))
}

/// The person's unit among those with open work, the lead first.
fn open_part(ticket: &Ticket, who: &Who) -> Result<Uuid, Refusal> {
    let part = ticket.assignments.iter().find(|part| part.open() && who.stands_for(part.unit));
    part.map(|part| part.unit).ok_or_else(|| Refusal::not_found("ticket"))
}

/// The person's unit among those that signed, the lead first.
fn signed_part(ticket: &Ticket, who: &Who) -> Result<Uuid, Refusal> {
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
