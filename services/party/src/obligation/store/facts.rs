//! The facts that obligations follow from, for some organisations at once: a handful of questions however many they are.

use std::collections::BTreeMap;

use drumtower_proto::party::{meeting, organisation};
use drumtower_runtime::TenantTx;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use crate::{
    obligation::rules::{Facts, TermFact},
    organisation::rules::Life,
};

/// Facts of some organisations, with meetings since a day; the backlog is left empty.
pub async fn facts(tx: &mut TenantTx, ids: &[Uuid], since: Date) -> sqlx::Result<BTreeMap<Uuid, Facts>> {
    let mut all = organisations(tx, ids).await?;
    for (id, term) in terms(tx, ids).await? {
        if let Some(facts) = all.get_mut(&id) {
            facts.terms.push(term);
        }
    }
    for (id, from, to) in full_members(tx, ids).await? {
        if let Some(facts) = all.get_mut(&id) {
            facts.full.push((from.to_jiff(), to.map(jiff_sqlx::Date::to_jiff)));
        }
    }
    for (id, day, kinds) in meetings(tx, ids, since).await? {
        if let Some(facts) = all.get_mut(&id) {
            let kinds = kinds.into_iter().filter_map(|kind| meeting::Kind::try_from(i32::from(kind)).ok());
            facts.meetings.extend(kinds.map(|kind| (day.to_jiff(), kind)));
        }
    }
    Ok(all)
}

#[tracing::instrument(name = "db.obligation.organisations", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn organisations(tx: &mut TenantTx, ids: &[Uuid]) -> sqlx::Result<BTreeMap<Uuid, Facts>> {
    let rows: Vec<(Uuid, i16, jiff_sqlx::Date, Option<jiff_sqlx::Date>)> =
        sqlx::query_as("select id, kind, founded_on, dissolved_on from organisation where tenant_id = $1 and id = any($2)")
            .bind(tx.tenant())
            .bind(ids)
            .fetch_all(tx.conn())
            .await?;
    let facts = |(id, kind, founded_on, dissolved_on): (Uuid, i16, jiff_sqlx::Date, Option<jiff_sqlx::Date>)| Facts {
        organisation: id,
        kind: organisation::Kind::try_from(i32::from(kind)).unwrap_or_default(),
        life: Life { founded_on: founded_on.to_jiff(), dissolved_on: dissolved_on.map(jiff_sqlx::Date::to_jiff) },
        terms: Vec::new(),
        full: Vec::new(),
        meetings: Vec::new(),
        backlog: Vec::new(),
    };
    Ok(rows.into_iter().map(|row| (row.0, facts(row))).collect())
}

#[tracing::instrument(name = "db.obligation.terms", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn terms(tx: &mut TenantTx, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, TermFact)>> {
    let rows: Vec<(Uuid, jiff_sqlx::Date, jiff_sqlx::Date, Option<jiff_sqlx::Date>, i64)> = sqlx::query_as(
        "select t.organisation_id, t.elected_on, t.planned_end, t.ended_on, count(distinct s.member_id)
         from term t join seat s on s.tenant_id = $1 and s.term_id = t.id
         where t.tenant_id = $1 and t.organisation_id = any($2)
         group by t.organisation_id, t.id, t.elected_on, t.planned_end, t.ended_on",
    )
    .bind(tx.tenant())
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    let term = |(id, elected_on, planned_end, ended_on, seats): (Uuid, jiff_sqlx::Date, jiff_sqlx::Date, Option<jiff_sqlx::Date>, i64)| {
        let (elected_on, planned_end, ended_on) = (elected_on.to_jiff(), planned_end.to_jiff(), ended_on.map(jiff_sqlx::Date::to_jiff));
        (id, TermFact { elected_on, planned_end, ended_on, seats })
    };
    Ok(rows.into_iter().map(term).collect())
}

#[tracing::instrument(name = "db.obligation.full_members", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn full_members(tx: &mut TenantTx, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, jiff_sqlx::Date, Option<jiff_sqlx::Date>)>> {
    sqlx::query_as(
        "select m.organisation_id, greatest(m.valid_from, p.full_on), m.valid_to
         from membership m join member p on p.tenant_id = $1 and p.id = m.member_id
         where m.tenant_id = $1 and m.organisation_id = any($2) and p.status = 2 and (m.valid_to is null or m.valid_to > p.full_on)",
    )
    .bind(tx.tenant())
    .bind(ids)
    .fetch_all(tx.conn())
    .await
}

#[tracing::instrument(name = "db.obligation.meetings", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn meetings(tx: &mut TenantTx, ids: &[Uuid], since: Date) -> sqlx::Result<Vec<(Uuid, jiff_sqlx::Date, Vec<i16>)>> {
    sqlx::query_as(
        "select organisation_id, held_on, kinds from meeting where tenant_id = $1 and organisation_id = any($2) and held_on >= $3",
    )
    .bind(tx.tenant())
    .bind(ids)
    .bind(since.to_sqlx())
    .fetch_all(tx.conn())
    .await
}
