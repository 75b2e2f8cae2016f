//! What somebody works by: how many requests are in each of their lists, at one moment. A count is asked by the filter that lists what is
//! counted, so that the two agree by their making.

use drumtower_proto::ticketing::{
    CountTicketsRequest, CountTicketsResponse, Worklist, ticket::State, worklist::Kind, worklist_service_server::WorklistService,
};
use drumtower_runtime::{Call, Db, Fault, Reach, TenantTx};
use jiff::{SignedDuration, Timestamp};
use sqlx::{Postgres, QueryBuilder};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    query::{AT_WORK, Filter, OPEN, by_unit_alone, filtered},
    rules::Sought,
};

/// Counting stops here: nobody works by a larger number.
const MOST: i64 = 1000;
/// Requests looked at of those that somebody reaches by unit or company: so many take some 20 ms, whatever else the district has.
const LOOKED_AT: i64 = 10_000;
/// What runs out so soon is due soon (our decision: half a working day).
const SOON: SignedDuration = SignedDuration::from_hours(4);

/// Worklists.
#[derive(Debug)]
pub struct Worklists {
    pub db: Db,
}

impl Worklists {
    async fn count(&self, request: Request<CountTicketsRequest>) -> Result<Response<CountTicketsResponse>, Fault> {
        let (call, _) = Call::take(request)?;
        let reach = call.reach("ticket.read");
        let mut worklists = worklists(&reach, call.person()?.sub, call.now);
        let filters = worklists.iter().map(|list| Filter::read(&list.filter)).collect::<Result<Vec<_>, _>>()?;
        let counted = count(&mut self.db.read(&call).await?, &filters, &reach).await?;
        for (list, count) in worklists.iter_mut().zip(&counted.counts) {
            list.count = i32::try_from((*count).min(MOST)).unwrap_or(i32::MAX);
            list.more = *count > MOST || counted.cut;
        }
        Ok(Response::new(CountTicketsResponse { worklists }))
    }
}

#[tonic::async_trait]
impl WorklistService for Worklists {
    async fn count_tickets(&self, request: Request<CountTicketsRequest>) -> Result<Response<CountTicketsResponse>, Status> {
        Ok(self.count(request).await?)
    }
}

/// The lists of somebody, not counted yet. Before it is dispatched a request is no unit's.
fn worklists(reach: &Reach, user: Uuid, now: Timestamp) -> Vec<Worklist> {
    let list = |kind: Kind, of: &str, filter: String| Worklist { kind: kind as i32, of: of.to_owned(), filter, ..Worklist::default() };
    let before: &[State] = if by_unit_alone(reach) { &[] } else { &[State::Submitted, State::Accepted] };
    let states = before.iter().chain(&AT_WORK).map(|state| state.as_str_name());
    let mut lists: Vec<Worklist> = states.map(|state| list(Kind::State, state, format!("open = true AND state = \"{state}\""))).collect();
    lists.push(list(Kind::Overdue, "", "open = true AND overdue = true".to_owned()));
    let soon = now + SOON;
    lists.push(list(Kind::DueSoon, "", format!("open = true AND overdue = false AND due_before = \"{soon}\"")));
    // To be left out of assessment, or more days for what a bad rating named, is asked for when the request is over.
    let matters = [Sought::Extension, Sought::Hold, Sought::Ledger, Sought::Exclusion, Sought::Rectification];
    lists.extend(matters.map(|matter| list(Kind::Waiting, matter.as_str_name(), format!("waits = \"{}\"", matter.as_str_name()))));
    lists.push(list(Kind::Ordered, "", "open = true AND ordered = true".to_owned()));
    if !reach.nodes.is_empty() {
        lists.push(list(Kind::ToAttend, "", "open = true AND to_attend = true".to_owned()));
    }
    lists.push(list(Kind::Mine, "", format!("open = true AND handler_id = \"{user}\"")));
    lists
}

/// What was counted.
struct Counts {
    /// In the order of the filters, each at most one above [`MOST`].
    counts: Vec<i64>,
    /// There was more than was looked at.
    cut: bool,
}

/// Counts all lists in one statement. Of the whole district each is found by an index of its own; what somebody reaches by unit or company is
/// gathered once and looked through.
#[tracing::instrument(name = "db.ticket.count", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn count(tx: &mut TenantTx, filters: &[Filter], reach: &Reach) -> Result<Counts, Fault> {
    let tenant = tx.tenant();
    let mut query = QueryBuilder::<Postgres>::new("");
    if reach.all {
        tx.by_index().await?;
        query.push("select -1 as place, 0::int8 as count");
    } else {
        gathered(&mut query, tenant, reach);
        query.push(") select -1 as place, count(*) as count from mine");
    }
    for (filter, place) in filters.iter().zip(0i32..) {
        query.push(format_args!(" union all select {place}, count(*) from (select 1 from "));
        if reach.all {
            query.push("ticket t where t.tenant_id = ").push_bind(tenant);
        } else if filter.asks_for_open_work() {
            // As their list: a part that is closed is no work in hand, though something of the request waits.
            query.push("mine t where t.held");
        } else {
            query.push("mine t where true");
        }
        filtered(&mut query, tenant, filter, reach);
        query.push(format_args!(" limit {}) n", MOST + 1));
    }
    query.push(" order by place");
    let mut rows: Vec<(i32, i64)> = query.build_query_as().fetch_all(tx.conn()).await?;
    let (_, looked_at) = rows.remove(0);
    Ok(Counts { counts: rows.into_iter().map(|(_, count)| count).collect(), cut: looked_at > LOOKED_AT })
}

/// Everything open that somebody reaches by unit or company, and what of theirs waits for a word. The bracket is left open.
fn gathered(query: &mut QueryBuilder<Postgres>, tenant: i32, reach: &Reach) {
    let limit = LOOKED_AT + 1;
    query.push(
        "with mine as materialized (select t.id, t.state, t.overdue, t.due_at, t.waits, t.supervision, g.held
         from (select id, bool_or(held) as held from ((select null::uuid as id, false as held)",
    );
    if !reach.nodes.is_empty() {
        query.push(" union all (select distinct a.ticket_id, true from assignment a where a.tenant_id = ").push_bind(tenant);
        query.push(" and a.unit_id = any(").push_bind(reach.nodes.clone()).push(") and a.state <> 5 limit ").push_bind(limit);
        query.push(") union all (select t.id, false from ticket t where t.tenant_id = ").push_bind(tenant);
        query.push(" and t.waits <> '{}' and exists (select 1 from assignment a where a.tenant_id = ").push_bind(tenant);
        query.push(" and a.ticket_id = t.id and a.unit_id = any(").push_bind(reach.nodes.clone()).push(")) limit ").push_bind(limit);
        query.push(")");
    }
    let people = [("enterprise_id", reach.enterprise), ("requester_id", reach.own)];
    for (column, of) in people.into_iter().filter_map(|(column, of)| Some((column, of?))) {
        query.push(" union all (select t.id, true from ticket t where t.tenant_id = ").push_bind(tenant);
        query.push(format_args!(" and t.{column} = ")).push_bind(of);
        query.push(format_args!(" and ({OPEN} or t.waits <> '{{}}') limit ")).push_bind(limit).push(")");
    }
    query.push(") found group by id) g join ticket t on t.tenant_id = ").push_bind(tenant).push(" and t.id = g.id");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_a_filter_that_can_be_read_and_units_have_none_of_what_is_not_theirs() {
        let now: Timestamp = "2026-11-24T09:00:00Z".parse().expect("a time");
        let unit = Reach { nodes: vec![Uuid::from_u128(1)], ..Reach::default() };
        let all = Reach { all: true, ..Reach::default() };
        let kinds = |reach: &Reach| worklists(reach, Uuid::nil(), now).into_iter().map(|list| (list.kind(), list.of)).collect::<Vec<_>>();
        for reach in [&unit, &all] {
            for list in worklists(reach, Uuid::nil(), now) {
                Filter::read(&list.filter).unwrap_or_else(|refusal| panic!("{}: {}", list.filter, refusal.en()));
            }
        }
        assert!(
            kinds(&all).contains(&(Kind::State, "SUBMITTED".to_owned())) && !kinds(&unit).contains(&(Kind::State, "SUBMITTED".to_owned()))
        );
        assert!(kinds(&unit).contains(&(Kind::ToAttend, String::new())) && !kinds(&all).contains(&(Kind::ToAttend, String::new())));
        let soon = worklists(&all, Uuid::nil(), now).into_iter().find(|list| list.kind() == Kind::DueSoon).expect("a list");
        assert!(soon.filter.contains("2026-11-24T13:00:00Z"), "{}", soon.filter);
    }
}
