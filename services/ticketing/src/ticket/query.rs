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
const OFFERED: [&str; 10] =
    ["state", "kind", "urgency", "lead_unit_id", "enterprise_id", "overdue", "waits", "supervision", "parent_id", "source"];

/// What a filter asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter {
    state: Option<State>,
    kind: Option<Kind>,
    urgency: Option<Urgency>,
    lead: Option<Uuid>,
    enterprise: Option<Uuid>,
    overdue: Option<bool>,
    waits: Option<Sought>,
    supervision: Option<i16>,
    parent: Option<Uuid>,
    source: Option<Source>,
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
                "state" => filter.state = Some(State::from_str_name(&value).ok_or_else(bad)?),
                "kind" => filter.kind = Some(Kind::from_str_name(&value).ok_or_else(bad)?),
                "urgency" => filter.urgency = Some(Urgency::from_str_name(&value).ok_or_else(bad)?),
                "lead_unit_id" => filter.lead = Some(Uuid::try_parse(&value).map_err(|_| bad())?),
                "enterprise_id" => filter.enterprise = Some(Uuid::try_parse(&value).map_err(|_| bad())?),
                "overdue" => filter.overdue = Some(value.parse().map_err(|_| bad())?),
                "waits" => filter.waits = Some(Sought::from_str_name(&value).ok_or_else(bad)?),
                "parent_id" => filter.parent = Some(Uuid::try_parse(&value).map_err(|_| bad())?),
                "source" => filter.source = Some(Source::from_str_name(&value).ok_or_else(bad)?),
                "supervision" => filter.supervision = Some(value.parse().map_err(|_| bad())?),
                _ => return Err(page::unknown_field(&field, &OFFERED)),
            }
        }
        Ok(filter)
    }
}

impl Filter {
    /// Whether only requests fit in which no unit's part that matters is closed: those that are at work.
    fn asks_for_open_work(&self) -> bool {
        let at_work = [
            State::Dispatched,
            State::Handling,
            State::OnSite,
            State::Consulting,
            State::Review,
            State::Callback,
            State::Redo,
            State::Ledger,
        ];
        self.state.is_some_and(|state| at_work.contains(&state)) || self.overdue == Some(true)
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
    // A unit's requests are few among all, or very many: they are found in the order of its own index, not by looking at all others.
    let of_units = !reach.all && !reach.nodes.is_empty() && reach.enterprise.is_none() && reach.own.is_none();
    if of_units {
        newest_of_units(&mut query, tx.tenant(), filter, reach, after, limit);
    } else {
        within(&mut query, tx.tenant(), reach);
        filtered(&mut query, filter);
        if let Some((at, id)) = after {
            query.push(" and (t.submitted_at, t.id) < (").push_bind(at.to_sqlx()).push(", ").push_bind(id).push(")");
        }
    }
    query.push(" order by t.submitted_at desc, t.id desc limit ").push_bind(limit);
    Ok(query.build_query_as::<Row>().fetch_all(tx.conn()).await?)
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
    filtered(query, filter);
    if let Some((at, id)) = after {
        query.push(" and (a.submitted_at, a.ticket_id) < (").push_bind(at.to_sqlx()).push(", ").push_bind(id).push(")");
    }
    query.push(" order by a.submitted_at desc, a.ticket_id desc limit ").push_bind(limit).push(") n)");
}

/// What the filter says of a request `t`.
fn filtered(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    if let Some(state) = filter.state {
        query.push(" and t.state = ").push_bind(super::store::small(state as i32));
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
    if let Some(overdue) = filter.overdue {
        query.push(" and t.overdue = ").push_bind(overdue);
    }
    if let Some(waits) = filter.waits {
        // Said twice, for the index holds only requests for which something waits.
        query.push(" and t.waits <> '{}' and t.waits @> array[").push_bind(super::store::small(waits as i32)).push("]");
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
}

/// Only rows that the caller's roles reach.
pub fn within(query: &mut QueryBuilder<Postgres>, tenant: i32, reach: &Reach) {
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
        query.push(" and a.unit_id = any(").push_bind(reach.nodes.clone()).push("))");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_fields_and_values_that_exist() {
        let filter = Filter::read(r#"state = "HANDLING" AND urgency = "NORMAL" AND overdue = true"#).expect("read");
        let wanted = Filter { state: Some(State::Handling), urgency: Some(Urgency::Normal), overdue: Some(true), ..Filter::default() };
        assert_eq!(filter, wanted);
        for (bad, reason) in
            [("state = X", "FILTER_VALUE"), ("title = x", "FILTER_FIELD"), ("state", "FILTER"), ("overdue = 1", "FILTER_VALUE")]
        {
            assert_eq!(Filter::read(bad).expect_err("refused").reason(), reason, "{bad}");
        }
    }
}
