//! The list of requests: newest first, only those that the caller's roles reach, by a filter.

use std::fmt::Write as _;

use drumtower_proto::ticketing::ticket::{Kind, Source, State, Urgency};
use drumtower_runtime::{
    Fault, Reach, Refusal, TenantTx,
    page::{self, Term},
};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{
    rules::{Sought, Ticket},
    store::{COLUMNS, Row},
};

/// Fields that a filter may name.
const OFFERED: [&str; 18] = [
    "number",
    "state",
    "kind",
    "urgency",
    "lead_unit_id",
    "enterprise_id",
    "building_id",
    "zone_id",
    "overdue",
    "waits",
    "supervision",
    "parent_id",
    "source",
    "open",
    "due_before",
    "ordered",
    "to_attend",
    "handler_id",
];

/// Of requests `t` that are not over. Written out, so that indexes of those alone are found.
pub const OPEN: &str = "t.state not in (10, 11, 12, 13)";

/// What a filter asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter {
    number: Option<String>,
    state: Option<State>,
    kind: Option<Kind>,
    urgency: Option<Urgency>,
    lead: Option<Uuid>,
    enterprise: Option<Uuid>,
    building: Option<Uuid>,
    zone: Option<Uuid>,
    overdue: Option<bool>,
    waits: Option<Sought>,
    supervision: Option<i16>,
    parent: Option<Uuid>,
    source: Option<Source>,
    open: Option<bool>,
    due_before: Option<Timestamp>,
    ordered: Option<bool>,
    to_attend: Option<bool>,
    handler: Option<Uuid>,
}

impl Filter {
    /// Reads a filter; a field or value that does not exist is refused.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let mut filter = Self::default();
        for Term { field, value } in page::filter(text)? {
            let bad = || {
                Refusal::invalid(
                    "filter",
                    "FILTER_VALUE",
                    format!("{field} 没有取值 {value}"),
                    format!("{value} is not a value of {field}"),
                )
            };
            match field.as_str() {
                // Any text may be asked for: what nothing is called finds nothing.
                "number" => filter.number = Some(value),
                "state" => filter.state = Some(State::from_str_name(&value).ok_or_else(bad)?),
                "kind" => filter.kind = Some(Kind::from_str_name(&value).ok_or_else(bad)?),
                "urgency" => filter.urgency = Some(Urgency::from_str_name(&value).ok_or_else(bad)?),
                "lead_unit_id" => filter.lead = Some(Uuid::try_parse(&value).map_err(|_| bad())?),
                "enterprise_id" => filter.enterprise = Some(Uuid::try_parse(&value).map_err(|_| bad())?),
                "building_id" => filter.building = Some(Uuid::try_parse(&value).map_err(|_| bad())?),
                "zone_id" => filter.zone = Some(Uuid::try_parse(&value).map_err(|_| bad())?),
                "overdue" => filter.overdue = Some(value.parse().map_err(|_| bad())?),
                "waits" => filter.waits = Some(Sought::from_str_name(&value).ok_or_else(bad)?),
                "parent_id" => filter.parent = Some(Uuid::try_parse(&value).map_err(|_| bad())?),
                "source" => filter.source = Some(Source::from_str_name(&value).ok_or_else(bad)?),
                "supervision" => filter.supervision = Some(value.parse().map_err(|_| bad())?),
                "open" => filter.open = Some(value.parse().map_err(|_| bad())?),
                "due_before" => filter.due_before = Some(value.parse().map_err(|_| bad())?),
                "ordered" => filter.ordered = Some(value.parse().map_err(|_| bad())?),
                "to_attend" => filter.to_attend = Some(value.parse().map_err(|_| bad())?),
                "handler_id" => filter.handler = Some(Uuid::try_parse(&value).map_err(|_| bad())?),
                _ => return Err(page::unknown_field(&field, &OFFERED)),
            }
        }
        Ok(filter)
    }
}

/// States in which units have parts that are open.
pub const AT_WORK: [State; 8] =
    [State::Dispatched, State::Handling, State::OnSite, State::Consulting, State::Review, State::Callback, State::Redo, State::Ledger];

impl Filter {
    /// Whether only requests fit in which no unit's part that matters is closed: those that are at work.
    pub fn asks_for_open_work(&self) -> bool {
        self.state.is_some_and(|state| AT_WORK.contains(&state)) || [self.overdue, self.open, self.to_attend].contains(&Some(true))
    }
}

/// Where a page begins.
pub type After = Option<(Timestamp, Uuid)>;

/// One page of requests.
#[tracing::instrument(name = "db.ticket.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page(tx: &mut TenantTx, filter: &Filter, reach: &Reach, after: After, limit: i64) -> Result<Vec<Row>, Fault> {
    let mut text = String::new();
    write!(text, "select {COLUMNS} from ticket t where t.tenant_id = ").map_err(|error| Fault::broken(error.to_string()))?;
    let mut query = QueryBuilder::<Postgres>::new(text);
    query.push_bind(tx.tenant());
    // A unit's requests are few among all, or very many: they are found in the order of its own index, not by looking at all others. Those
    // for which something waits are few in the whole district.
    if by_unit_alone(reach) && filter.waits.is_none() {
        newest_of_units(&mut query, tx.tenant(), filter, reach, after, limit);
    } else {
        within(&mut query, tx.tenant(), reach, filter.asks_for_open_work());
        filtered(&mut query, tx.tenant(), filter, reach);
        if let Some((at, id)) = after {
            query.push(" and (t.submitted_at, t.id) < (").push_bind(at.to_sqlx()).push(", ").push_bind(id).push(")");
        }
    }
    query.push(" order by t.submitted_at desc, t.id desc limit ").push_bind(limit);
    Ok(query.build_query_as::<Row>().fetch_all(tx.conn()).await?)
}

/// Whether somebody reads by what units have to do with it, and in no other way.
pub fn by_unit_alone(reach: &Reach) -> bool {
    !reach.all && !reach.nodes.is_empty() && reach.enterprise.is_none() && reach.own.is_none()
}

/// The newest of each unit, so many that the newest of all units are among them.
fn newest_of_units(query: &mut QueryBuilder<Postgres>, tenant: i32, filter: &Filter, reach: &Reach, after: After, limit: i64) {
    query.push(" and t.id in (select n.ticket_id from unnest(").push_bind(reach.nodes.clone());
    query
        .push("::uuid[]) u (id) cross join lateral (select a.ticket_id from assignment a join ticket t on t.tenant_id = ")
        .push_bind(tenant);
    query.push(" and t.id = a.ticket_id where a.tenant_id = ").push_bind(tenant).push(" and a.unit_id = u.id");
    if filter.asks_for_open_work() {
        query.push(" and a.state <> 5");
    }
    filtered(query, tenant, filter, reach);
    if let Some((at, id)) = after {
        query.push(" and (a.submitted_at, a.ticket_id) < (").push_bind(at.to_sqlx()).push(", ").push_bind(id).push(")");
    }
    query.push(" order by a.submitted_at desc, a.ticket_id desc limit ").push_bind(limit).push(") n)");
}

/// What the filter says of a request `t`. What has an index of its own is written out, not bound: only then the index is found, and a plan kept
/// for all values knows how many have it.
pub fn filtered(query: &mut QueryBuilder<Postgres>, tenant: i32, filter: &Filter, reach: &Reach) {
    if let Some(number) = &filter.number {
        query.push(" and t.number = ").push_bind(number.clone());
    }
    if let Some(state) = filter.state {
        query.push(format_args!(" and t.state = {}", state as i32));
    }
    if let Some(kind) = filter.kind {
        query.push(" and t.kind = ").push_bind(super::store::small(kind as i32));
    }
    if let Some(urgency) = filter.urgency {
        query.push(" and t.urgency = ").push_bind(super::store::small(urgency as i32));
    }
    if let Some(lead) = filter.lead {
        query.push(" and t.lead_unit_id = ").push_bind(lead);
    }
    if let Some(enterprise) = filter.enterprise {
        query.push(" and t.enterprise_id = ").push_bind(enterprise);
    }
    if let Some(building) = filter.building {
        query.push(" and t.building_id = ").push_bind(building);
    }
    if let Some(zone) = filter.zone {
        query.push(" and t.zone_id = ").push_bind(zone);
    }
    if let Some(overdue) = filter.overdue {
        query.push(if overdue { " and t.overdue" } else { " and not t.overdue" });
    }
    if let Some(waits) = filter.waits {
        // Said twice, for the index holds only requests for which something waits.
        query.push(format_args!(" and t.waits <> '{{}}' and t.waits @> array[{}::int2]", waits as i32));
    }
    if let Some(parent) = filter.parent {
        query.push(" and t.parent_id = ").push_bind(parent);
    }
    if let Some(source) = filter.source {
        query.push(" and t.source = ").push_bind(super::store::small(source as i32));
    }
    if let Some(level) = filter.supervision {
        query.push(" and t.supervision = ").push_bind(level);
    }
    at_work(query, tenant, filter, reach);
}

/// What the filter says of work that is to be done.
fn at_work(query: &mut QueryBuilder<Postgres>, tenant: i32, filter: &Filter, reach: &Reach) {
    let not = |wanted: bool| if wanted { "" } else { "not " };
    if let Some(open) = filter.open {
        query.push(format_args!(" and {}({OPEN})", not(open)));
    }
    if let Some(before) = filter.due_before {
        query.push(" and t.due_at < ").push_bind(before.to_sqlx());
    }
    if let Some(ordered) = filter.ordered {
        query.push(if ordered { " and t.supervision >= 3" } else { " and t.supervision < 3" });
    }
    if let Some(wanted) = filter.to_attend {
        query.push(format_args!(" and t.id {}in (select c.ticket_id from clock c where c.tenant_id = ", not(wanted))).push_bind(tenant);
        query.push(" and c.name = 'C8' and c.stopped_at is null");
        if !reach.all {
            query.push(" and c.unit_id = any(").push_bind(reach.nodes.clone()).push(")");
        }
        query.push(")");
    }
    if let Some(handler) = filter.handler {
        query.push(" and t.id in (select h.ticket_id from assignment h where h.tenant_id = ").push_bind(tenant);
        query.push(" and h.handler_id = ").push_bind(handler).push(" and h.state <> 5)");
    }
}

/// Only rows that the caller's roles reach; by a unit only those in which its part is open, when that is what is asked for.
pub fn within(query: &mut QueryBuilder<Postgres>, tenant: i32, reach: &Reach, open: bool) {
    if reach.all {
        return;
    }
    query.push(" and (false");
    if let Some(enterprise) = reach.enterprise {
        query.push(" or t.enterprise_id = ").push_bind(enterprise);
    }
    if let Some(own) = reach.own {
        query.push(" or t.requester_id = ").push_bind(own);
    }
    if !reach.nodes.is_empty() {
        query.push(" or t.id in (select a.ticket_id from assignment a where a.tenant_id = ").push_bind(tenant);
        query.push(" and a.unit_id = any(").push_bind(reach.nodes.clone()).push(if open { ") and a.state <> 5)" } else { "))" });
    }
    query.push(")");
}

/// Whether the caller's roles reach one request. One that they do not is answered like one that does not exist.
pub fn reaches(reach: &Reach, ticket: &Ticket) -> Result<(), Refusal> {
    let reached = reach.all
        || reach.enterprise.is_some_and(|enterprise| ticket.enterprise == Some(enterprise))
        || reach.own.is_some_and(|own| own == ticket.requester)
        || ticket.assignments.iter().any(|part| reach.nodes.contains(&part.unit));
    if reached { Ok(()) } else { Err(Refusal::not_found("ticket")) }
}

/// Whether somebody stands on the units' side of a request, not the company's.
pub fn is_inside(reach: &Reach, ticket: &Ticket) -> bool {
    reach.all || ticket.assignments.iter().any(|part| reach.nodes.contains(&part.unit))
}

/// Whether somebody stands on the units' side of everything that they list. Who reads as a company too is shown what a company sees.
pub fn lists_inside(reach: &Reach) -> bool {
    reach.all || by_unit_alone(reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_all_that_is_not_over() {
        let over: Vec<String> = super::super::store::over().iter().map(i16::to_string).collect();
        assert_eq!(OPEN, format!("t.state not in ({})", over.join(", ")));
        assert!(AT_WORK.iter().all(|state| !super::super::store::over().contains(&super::super::store::small(*state as i32))));
    }

    #[test]
    fn a_filter_names_fields_and_values_that_exist() {
        let filter = Filter::read(r#"state = "HANDLING" AND urgency = "NORMAL" AND overdue = true"#).expect("read");
        let wanted = Filter { state: Some(State::Handling), urgency: Some(Urgency::Normal), overdue: Some(true), ..Filter::default() };
        assert_eq!(filter, wanted);
        let filter = Filter::read(r#"number = "20260105-0001""#).expect("read");
        assert_eq!(filter, Filter { number: Some("20260105-0001".to_owned()), ..Filter::default() });
        for (bad, reason) in [
            ("state = X", "FILTER_VALUE"),
            ("title = x", "FILTER_FIELD"),
            ("state", "FILTER"),
            ("overdue = 1", "FILTER_VALUE"),
            ("due_before = \"soon\"", "FILTER_VALUE"),
            ("handler_id = me", "FILTER_VALUE"),
            ("building_id = A1", "FILTER_VALUE"),
            ("zone_id = north", "FILTER_VALUE"),
        ] {
            assert_eq!(Filter::read(bad).expect_err("refused").reason(), reason, "{bad}");
        }
    }
}
