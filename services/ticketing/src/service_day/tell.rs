//! Whom service days concern: units with desks, companies that are invited, dispatchers who go on with what was brought.

use drumtower_runtime::log::{NewEvent, to_company, to_role};
use uuid::Uuid;

use super::rules::ServiceDay;
use crate::{
    outreach::Kept,
    ticket::{
        rules::{State, Ticket},
        store::Matter,
    },
};

/// Companies told by one event.
const MANY: usize = 100;

pub fn event(kind: &'static str, day: &Kept<ServiceDay>) -> NewEvent {
    let facts = serde_json::json!({ "state": day.thing.state().as_str_name(), "date": day.thing.date().to_string() });
    NewEvent::new(kind, day.id, day.version).facts(facts)
}

/// The units with desks, each once.
fn to_units(told: NewEvent, day: &ServiceDay, kind: &'static str, zh: &str, en: &str) -> NewEvent {
    let mut units: Vec<Uuid> = day.desks.iter().map(|desk| desk.unit).collect();
    units.sort_unstable();
    units.dedup();
    units.into_iter().map(|unit| to_role("LIAISON", Some(unit), kind, zh, en)).fold(told, NewEvent::tell)
}

pub fn published(day: &Kept<ServiceDay>) -> NewEvent {
    let kind = "service_day.published";
    let (zh, en) =
        (format!("{} 企业服务日请派员值守", day.thing.date()), format!("keep your desk at the service day of {}", day.thing.date()));
    to_units(event(kind, day), &day.thing, kind, &zh, &en)
}

/// Tells those invited, some at a time.
pub fn invited(day: &Kept<ServiceDay>, companies: &[Uuid]) -> Vec<NewEvent> {
    let date = day.thing.date();
    to_companies(
        "service_day.invited",
        day,
        companies,
        &format!("邀请贵企业参加 {date} 企业服务日，请回复"),
        &format!("you are invited to the service day of {date}; please reply"),
    )
}

/// Called off: whoever was told of it is told.
pub fn cancelled(day: &Kept<ServiceDay>, companies: &[Uuid]) -> Vec<NewEvent> {
    let (kind, date) = ("service_day.cancelled", day.thing.date());
    let (zh, en) = (format!("{date} 企业服务日已取消"), format!("the service day of {date} was called off"));
    if !day.thing.published {
        return vec![event(kind, day)];
    }
    let mut events = to_companies(kind, day, companies, &zh, &en);
    events.push(to_units(event(kind, day), &day.thing, kind, &zh, &en));
    events
}

fn to_companies(kind: &'static str, day: &Kept<ServiceDay>, companies: &[Uuid], zh: &str, en: &str) -> Vec<NewEvent> {
    let some = |some: &[Uuid]| some.iter().map(|company| to_company(*company, kind, zh, en)).fold(event(kind, day), NewEvent::tell);
    companies.chunks(MANY).map(some).collect()
}

/// What was brought: the dispatchers go on with what is to be dealt with, unless a rule has dispatched it; the company hears of it when
/// nobody of it asked in person.
pub fn taken(day: &Kept<ServiceDay>, matter: &Matter, ticket: &Ticket, by_desk: bool) -> NewEvent {
    let (kind, number) = ("service_day.demand_taken", &matter.number);
    let settled = ticket.state == State::Archived;
    let facts = serde_json::json!({ "ticket": matter.id, "number": number, "settled": settled });
    let dispatchers = (ticket.state == State::Accepted).then(|| {
        let (zh, en) = (format!("服务日诉求 {number} 已受理，请派单"), format!("{number} was taken at a service day; dispatch it"));
        to_role("DISPATCHER", None, kind, zh, en)
    });
    let company = ticket.enterprise.filter(|_| by_desk).map(|company| {
        let (zh, en) = (
            format!("贵企业在服务日提出的诉求已登记，编号 {number}"),
            format!("your company's matter was taken at the service day: {number}"),
        );
        to_company(company, kind, zh, en)
    });
    dispatchers.into_iter().chain(company).fold(NewEvent::new(kind, day.id, day.version).facts(facts), NewEvent::tell)
}
