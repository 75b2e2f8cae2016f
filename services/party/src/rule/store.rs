//! Questions to the table of rules. Rules belong to no district, so it is read beyond tenants.

use drumtower_runtime::{Db, Fault};

use super::rules::{Cadence, Rule};

#[derive(Debug, sqlx::FromRow)]
struct Row {
    code: String,
    effective_from: jiff_sqlx::Date,
    text_zh: String,
    text_en: String,
    source: String,
    cadence: String,
    severity: i16,
    parameters: String,
}

/// Every version of every rule.
#[tracing::instrument(name = "db.rule.all", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn all(db: &Db) -> Result<Vec<Rule>, Fault> {
    let rows: Vec<Row> = sqlx::query_as(
        "select code, effective_from, text_zh, text_en, source, cadence, severity, parameters::text as parameters from rule
         order by code, effective_from",
    )
    .fetch_all(db.beyond_tenants())
    .await?;
    rows.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<Rule, Fault> {
    let broken = |what: String| Fault::broken(format!("rule {} of {}: {what}", row.code, row.effective_from.to_jiff()));
    let cadence = Cadence::read(&row.cadence).ok_or_else(|| broken(format!("cadence {}", row.cadence)))?;
    let parameters = serde_json::from_str(&row.parameters).map_err(|error| broken(error.to_string()))?;
    Ok(Rule {
        effective_from: row.effective_from.to_jiff(),
        code: row.code,
        text_zh: row.text_zh,
        text_en: row.text_en,
        source: row.source,
        cadence,
        severity: row.severity,
        parameters,
    })
}
