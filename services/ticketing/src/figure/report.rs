//! Reports: the figures of a month with their rows, as they were when they were published.

use drumtower_proto::ticketing::FigureGroup;
use drumtower_runtime::{Fault, Kind, Refusal, TenantTx};
use jiff_sqlx::ToSqlx as _;
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder};

use super::{
    rollup::at_one_moment,
    rules::{Counted, FIGURES, Period},
    store::{self, Row},
};

/// A figure as it was published: of which unit (empty for the district), code, version, counts.
pub type Published = (String, String, i32, Counted);

/// Freezes a month: once, whole or not at all.
#[tracing::instrument(name = "db.report.publish", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn publish(tx: &mut TenantTx, month: &str, period: Period, by: &str) -> Result<(), Fault> {
    // All questions see the same moment: the rows are those that are counted.
    at_one_moment(tx).await?;
    let unread: bool = sqlx::query_scalar("select exists (select 1 from ticket where tenant_id = $1 and not counted)")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?;
    if unread {
        let (zh, en) = ("历史办件的事实仍在整理，请稍后发布", "past requests are still being read: publish a little later");
        return Err(Refusal::state("FACTS_INCOMPLETE", zh, en).into());
    }
    let now = tx.now().to_sqlx();
    let new =
        sqlx::query("insert into report (tenant_id, month, published_at, published_by) values ($1, $2, $3, $4) on conflict do nothing")
            .bind(tx.tenant())
            .bind(month)
            .bind(now)
            .bind(by)
            .execute(tx.conn())
            .await?;
    if new.rows_affected() == 0 {
        let (zh, en) = (format!("{month} 的报告已发布"), format!("the report of {month} is published already"));
        return Err(Refusal::new(Kind::Exists, "PUBLISHED", zh, en).into());
    }
    for (figure, place) in FIGURES.iter().zip(0i16..) {
        let mut figures = store::count(tx, figure, period, FigureGroup::Unspecified).await?;
        figures.extend(store::count(tx, figure, period, FigureGroup::Unit).await?.into_iter().filter(|(unit, _)| !unit.is_empty()));
        let tenant = tx.tenant();
        if !figures.is_empty() {
            let mut insert = QueryBuilder::<Postgres>::new(
                "insert into report_figure (tenant_id, month, place, unit, code, version, numerator, denominator, numerator_all, denominator_all) ",
            );
            insert.push_values(&figures, |mut row, (unit, counted)| {
                row.push_bind(tenant).push_bind(month).push_bind(place).push_bind(unit).push_bind(figure.code).push_bind(figure.version);
                row.push_bind(counted.numerator).push_bind(counted.denominator);
                row.push_bind(counted.numerator_all).push_bind(counted.denominator_all);
            });
            insert.build().execute(tx.conn()).await?;
        }
        keep_rows(tx, month, figure, period).await?;
    }
    Ok(())
}

async fn keep_rows(tx: &mut TenantTx, month: &str, figure: &super::rules::Definition, period: Period) -> Result<(), Fault> {
    let text = format!(
        "insert into report_row (tenant_id, month, code, number, ticket_id, unit_id, at, counts, excluded)
         select $1, $5, $6, row_number() over (order by ticket_id, at, unit_id), ticket_id, unit_id, at, counts, excluded from ({}) g",
        store::rows(figure)
    );
    sqlx::query(AssertSqlSafe(text))
        .bind(tx.tenant())
        .bind(period.from.to_sqlx())
        .bind(period.before.to_sqlx())
        .bind(period.as_of.to_sqlx())
        .bind(month)
        .bind(figure.code)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// When a report was published, by whom.
#[tracing::instrument(name = "db.report.head", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn head(tx: &mut TenantTx, month: &str) -> Result<(jiff::Timestamp, String), Fault> {
    let found: Option<(jiff_sqlx::Timestamp, String)> =
        sqlx::query_as("select published_at, published_by from report where tenant_id = $1 and month = $2")
            .bind(tx.tenant())
            .bind(month)
            .fetch_optional(tx.conn())
            .await?;
    let (at, by) = found.ok_or_else(|| Refusal::not_found("report"))?;
    Ok((at.to_jiff(), by))
}

#[tracing::instrument(name = "db.report.figures", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn figures(tx: &mut TenantTx, month: &str) -> sqlx::Result<Vec<Published>> {
    let found: Vec<(String, String, i32, i64, i64, i64, i64)> = sqlx::query_as(
        "select unit, code, version, numerator, denominator, numerator_all, denominator_all from report_figure
         where tenant_id = $1 and month = $2 order by place, unit",
    )
    .bind(tx.tenant())
    .bind(month)
    .fetch_all(tx.conn())
    .await?;
    let published = |(unit, code, version, numerator, denominator, numerator_all, denominator_all)| {
        (unit, code, version, Counted { numerator, denominator, numerator_all, denominator_all })
    };
    Ok(found.into_iter().map(published).collect())
}

/// A page of the rows behind a published figure, with their numbers in it.
#[tracing::instrument(name = "db.report.rows", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn rows(tx: &mut TenantTx, month: &str, code: &str, after: i32, limit: i64) -> sqlx::Result<Vec<(i32, Row)>> {
    #[derive(sqlx::FromRow)]
    struct Numbered {
        place: i32,
        #[sqlx(flatten)]
        row: Row,
    }
    let found: Vec<Numbered> = sqlx::query_as(
        "select r.number as place, r.ticket_id, t.number, r.unit_id, r.at, r.counts, r.excluded
         from report_row r join ticket t on t.tenant_id = $1 and t.id = r.ticket_id
         where r.tenant_id = $1 and r.month = $2 and r.code = $3 and r.number > $4 order by r.number limit $5",
    )
    .bind(tx.tenant())
    .bind(month)
    .bind(code)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(found.into_iter().map(|numbered| (numbered.place, numbered.row)).collect())
}
