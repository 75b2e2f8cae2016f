//! Questions to the tables of brands and root texts.

use drumtower_proto::identity::{Brand, RootText};
use drumtower_runtime::{TenantTx, clock::to_proto};
use jiff_sqlx::ToSqlx as _;

use super::rules;

/// A brand as stored.
#[derive(Debug, Default, sqlx::FromRow)]
pub struct Row {
    name: String,
    name_en: String,
    short_name: String,
    short_name_en: String,
    accent: String,
    logo: Vec<u8>,
    contact_phone: String,
    sponsor: String,
    icp_record: String,
    security_record: String,
    frame_ancestors: Vec<String>,
    pub version: i64,
}

impl From<Row> for Brand {
    fn from(row: Row) -> Self {
        Self {
            logo_type: rules::picture(&row.logo).map(|found| found.media().to_owned()).unwrap_or_default(),
            name: row.name,
            name_en: row.name_en,
            short_name: row.short_name,
            short_name_en: row.short_name_en,
            accent: row.accent,
            logo: row.logo,
            contact_phone: row.contact_phone,
            sponsor: row.sponsor,
            icp_record: row.icp_record,
            security_record: row.security_record,
            frame_ancestors: row.frame_ancestors,
            etag: row.version.to_string(),
        }
    }
}

/// The district's brand; none while nothing was set.
#[tracing::instrument(name = "db.brand.of", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of(tx: &mut TenantTx) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select name, name_en, short_name, short_name_en, accent, logo, contact_phone, sponsor, icp_record, security_record, frame_ancestors,
           version
         from brand where tenant_id = $1",
    )
    .bind(tx.tenant())
    .fetch_optional(tx.conn())
    .await
}

/// The version of the district's brand, locked until the transaction ends; an empty brand is made when there is none. Who changes the brand
/// or its root texts does so one after the other.
#[tracing::instrument(name = "db.brand.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx) -> sqlx::Result<i64> {
    sqlx::query(
        "insert into brand (tenant_id, name, name_en, short_name, short_name_en, accent, logo, contact_phone, sponsor, icp_record,
           security_record, frame_ancestors, version)
         values ($1, '', '', '', '', '', '', '', '', '', '', '{}', 0) on conflict (tenant_id) do nothing",
    )
    .bind(tx.tenant())
    .execute(tx.conn())
    .await?;
    sqlx::query_scalar("select version from brand where tenant_id = $1 for update").bind(tx.tenant()).fetch_one(tx.conn()).await
}

/// Sets a locked brand whole, as its next version.
#[tracing::instrument(name = "db.brand.set", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn set(tx: &mut TenantTx, brand: &Brand, version: i64) -> sqlx::Result<()> {
    sqlx::query(
        "update brand set name = $2, name_en = $3, short_name = $4, short_name_en = $5, accent = $6, logo = $7, contact_phone = $8,
           sponsor = $9, icp_record = $10, security_record = $11, frame_ancestors = $12, version = $13
         where tenant_id = $1",
    )
    .bind(tx.tenant())
    .bind(&brand.name)
    .bind(&brand.name_en)
    .bind(&brand.short_name)
    .bind(&brand.short_name_en)
    .bind(&brand.accent)
    .bind(&brand.logo)
    .bind(&brand.contact_phone)
    .bind(&brand.sponsor)
    .bind(&brand.icp_record)
    .bind(&brand.security_record)
    .bind(&brand.frame_ancestors)
    .bind(version)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A root text as stored.
#[derive(Debug, sqlx::FromRow)]
pub struct Text {
    name: String,
    text: String,
    set_at: jiff_sqlx::Timestamp,
}

impl From<Text> for RootText {
    fn from(row: Text) -> Self {
        Self { name: row.name, text: row.text, set_at: Some(to_proto(row.set_at.to_jiff())) }
    }
}

#[tracing::instrument(name = "db.brand.text", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn text(tx: &mut TenantTx, name: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select text from root_text where tenant_id = $1 and name = $2")
        .bind(tx.tenant())
        .bind(name)
        .fetch_optional(tx.conn())
        .await
}

#[tracing::instrument(name = "db.brand.texts", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn texts(tx: &mut TenantTx) -> sqlx::Result<Vec<Text>> {
    sqlx::query_as("select name, text, set_at from root_text where tenant_id = $1 order by name")
        .bind(tx.tenant())
        .fetch_all(tx.conn())
        .await
}

/// How many root texts there are beside one.
#[tracing::instrument(name = "db.brand.others", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn others(tx: &mut TenantTx, name: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from root_text where tenant_id = $1 and name <> $2")
        .bind(tx.tenant())
        .bind(name)
        .fetch_one(tx.conn())
        .await
}

#[tracing::instrument(name = "db.brand.set_text", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn set_text(tx: &mut TenantTx, name: &str, text: &str) -> sqlx::Result<Text> {
    let now = tx.now().to_sqlx();
    sqlx::query_as(
        "insert into root_text (tenant_id, name, text, set_at) values ($1, $2, $3, $4)
         on conflict (tenant_id, name) do update set text = excluded.text, set_at = excluded.set_at
         returning name, text, set_at",
    )
    .bind(tx.tenant())
    .bind(name)
    .bind(text)
    .bind(now)
    .fetch_one(tx.conn())
    .await
}

/// Takes a root text away; whether there was one.
#[tracing::instrument(name = "db.brand.drop_text", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn drop_text(tx: &mut TenantTx, name: &str) -> sqlx::Result<bool> {
    let dropped =
        sqlx::query("delete from root_text where tenant_id = $1 and name = $2").bind(tx.tenant()).bind(name).execute(tx.conn()).await?;
    Ok(dropped.rows_affected() > 0)
}
