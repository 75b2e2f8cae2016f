//! Questions to terms and seats.

use drumtower_proto::party::seat::Post;
use drumtower_runtime::TenantTx;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::{Earlier, Seat};

/// A term.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    pub organisation_id: Uuid,
    pub number: i32,
    pub elected_on: jiff_sqlx::Date,
    pub planned_end: jiff_sqlx::Date,
    pub ended_on: Option<jiff_sqlx::Date>,
}

/// A term to be recorded.
#[derive(Debug)]
pub struct New {
    pub id: Uuid,
    pub organisation: Uuid,
    pub number: i32,
    pub elected_on: Date,
    pub planned_end: Date,
    pub ended_on: Option<Date>,
}

/// Terms of an organisation, newest first.
#[tracing::instrument(name = "db.term.of_organisation", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_organisation(tx: &mut TenantTx, organisation: Uuid) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, organisation_id, number, elected_on, planned_end, ended_on from term
         where tenant_id = $1 and organisation_id = $2 order by elected_on desc",
    )
    .bind(tx.tenant())
    .bind(organisation)
    .fetch_all(tx.conn())
    .await
}

/// Seats of some terms, each with its term, in the order they were recorded.
#[tracing::instrument(name = "db.term.seats", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn seats(tx: &mut TenantTx, terms: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Seat)>> {
    let rows: Vec<(Uuid, Uuid, i16)> =
        sqlx::query_as("select term_id, member_id, post from seat where tenant_id = $1 and term_id = any($2) order by term_id, place")
            .bind(tx.tenant())
            .bind(terms)
            .fetch_all(tx.conn())
            .await?;
    let seat = |(term, member, post): (Uuid, Uuid, i16)| (term, Seat { member, post: Post::try_from(i32::from(post)).unwrap_or_default() });
    Ok(rows.into_iter().map(seat).collect())
}

/// Number and day of election of every term of an organisation.
#[tracing::instrument(name = "db.term.elections", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn elections(tx: &mut TenantTx, organisation: Uuid) -> sqlx::Result<Vec<Earlier>> {
    let rows: Vec<(i32, jiff_sqlx::Date)> =
        sqlx::query_as("select number, elected_on from term where tenant_id = $1 and organisation_id = $2")
            .bind(tx.tenant())
            .bind(organisation)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(|(number, elected_on)| Earlier { number, elected_on: elected_on.to_jiff() }).collect())
}

/// Voting members of the committee in office on a day; `None` when there is no committee.
#[tracing::instrument(name = "db.term.committee_on", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn committee_on(tx: &mut TenantTx, organisation: Uuid, on: Date) -> sqlx::Result<Option<Vec<Uuid>>> {
    let rows: Vec<(Uuid, i16)> = sqlx::query_as(
        "select distinct p.id, p.status from term t
           join seat s on s.tenant_id = $1 and s.term_id = t.id
           join member p on p.tenant_id = $1 and p.id = s.member_id
         where t.tenant_id = $1 and t.organisation_id = $2 and t.elected_on <= $3 and (t.ended_on is null or t.ended_on > $3)
         order by p.id",
    )
    .bind(tx.tenant())
    .bind(organisation)
    .bind(on.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    let full = |(id, status): &(Uuid, i16)| (*status == 2).then_some(*id);
    Ok((!rows.is_empty()).then(|| rows.iter().filter_map(full).collect()))
}

/// Whether a day lies before the first term on record while there were terms before it (its number is not 1).
#[tracing::instrument(name = "db.term.before_record", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn before_record(tx: &mut TenantTx, organisation: Uuid, on: Date) -> sqlx::Result<bool> {
    let row: Option<(bool,)> = sqlx::query_as(
        "select elected_on > $3 and number > 1 from term where tenant_id = $1 and organisation_id = $2 order by elected_on limit 1",
    )
    .bind(tx.tenant())
    .bind(organisation)
    .bind(on.to_sqlx())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.is_some_and(|(before,)| before))
}

/// Ends the terms that were in office on the day a newer one was elected.
#[tracing::instrument(name = "db.term.end_before", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn end_before(tx: &mut TenantTx, organisation: Uuid, elected_on: Date) -> sqlx::Result<Vec<(Uuid, i64)>> {
    sqlx::query_as(
        "update term set ended_on = $3, version = version + 1
         where tenant_id = $1 and organisation_id = $2 and elected_on < $3 and (ended_on is null or ended_on > $3)
         returning id, version",
    )
    .bind(tx.tenant())
    .bind(organisation)
    .bind(elected_on.to_sqlx())
    .fetch_all(tx.conn())
    .await
}

#[tracing::instrument(name = "db.term.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &New) -> sqlx::Result<()> {
    sqlx::query(
        "insert into term (tenant_id, id, organisation_id, number, elected_on, planned_end, ended_on, version)
         values ($1, $2, $3, $4, $5, $6, $7, 1)",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.organisation)
    .bind(new.number)
    .bind(new.elected_on.to_sqlx())
    .bind(new.planned_end.to_sqlx())
    .bind(new.ended_on.map(|day| day.to_sqlx()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[tracing::instrument(name = "db.term.insert_seats", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert_seats(tx: &mut TenantTx, term: Uuid, seats: &[Seat]) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    let mut insert = QueryBuilder::<Postgres>::new("insert into seat (tenant_id, term_id, member_id, post, place) ");
    insert.push_values(seats.iter().zip(0_i16..), |mut row, (seat, place)| {
        row.push_bind(tenant).push_bind(term).push_bind(seat.member).push_bind(seat.post as i16).push_bind(place);
    });
    insert.build().execute(tx.conn()).await?;
    Ok(())
}
