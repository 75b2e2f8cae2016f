//! RPCs of exports.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use drumtower_proto::{
    google::api::HttpBody,
    ticketing::{
        self as wire, CancelExportRequest, DownloadExportRequest, ExportLink, GetExportRequest, LinkExportRequest, ListExportsRequest,
        ListExportsResponse, StartExportRequest, export_service_server::ExportService,
    },
};
use drumtower_runtime::{
    Call, Db, Fault, Refusal, TenantTx,
    call::needed_id,
    clock::to_proto,
    log::NewEvent,
    page,
    seal::{Place, Sealer, Sealers},
};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{self, Export, State},
    store,
    watch::ended,
};
use crate::{
    attachment::blob::{Blobs, Of},
    ticket::query::Filter,
};

/// Files loaded at once from one process: each is held whole until it is sent.
pub const DOWNLOADS: usize = 4;

/// Exports.
#[derive(Debug)]
pub struct Exports {
    pub db: Db,
    pub sealers: Sealers,
    pub blobs: Blobs,
    pub downloads: Semaphore,
}

impl Exports {
    async fn start(&self, request: Request<StartExportRequest>) -> Result<Response<wire::Export>, Fault> {
        let (call, ask) = Call::take(request)?;
        let purpose = rules::purpose(&ask.purpose)?;
        Filter::read(&ask.filter)?;
        let new = Export {
            id: Uuid::now_v7(),
            user: call.person()?.sub,
            what: ask.what(),
            units: rules::reached(&call.reach("ticket.export"))?,
            unmasked: call.may("ticket.contact_data"),
            english: call.english,
            state: State::Queued,
            reason: String::new(),
            total: 0,
            rows: 0,
            bytes: 0,
            pieces: Vec::new(),
            after: None,
            attempts: 0,
            created_at: call.now,
            finished_at: None,
            expires_at: None,
            purpose: purpose.to_owned(),
            filter: ask.filter,
        };
        let mut tx = self.db.write(&call).await?;
        store::insert(&mut tx, &new).await?.ok_or_else(rules::enough)?;
        let facts = json!({
            "what": new.what.as_str_name(), "filter": new.filter, "purpose": new.purpose, "unmasked": new.unmasked, "units": new.units,
        });
        tx.emit(NewEvent::new("export.started", new.id, 1).facts(facts));
        tx.commit(shown(new)).await
    }

    async fn get(&self, request: Request<GetExportRequest>) -> Result<Response<wire::Export>, Fault> {
        let (call, ask) = Call::take(request)?;
        let found = own(&mut self.db.read(&call).await?, &call, &ask.export_id).await?;
        Ok(Response::new(shown(found)))
    }

    async fn list(&self, request: Request<ListExportsRequest>) -> Result<Response<ListExportsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let size = page::size(ask.page_size, 20);
        let before: (Timestamp, Uuid) = page::after("exports", &ask.page_token)?.unwrap_or((Timestamp::MAX, Uuid::max()));
        let rows = store::of_user(&mut self.db.read(&call).await?, call.person()?.sub, before, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, "exports", |export| (export.created_at, export.id));
        Ok(Response::new(ListExportsResponse { exports: rows.into_iter().map(shown).collect(), next_page_token }))
    }

    async fn cancel(&self, request: Request<CancelExportRequest>) -> Result<Response<wire::Export>, Fault> {
        let (call, ask) = Call::take(request)?;
        let mut tx = self.db.write(&call).await?;
        let export = own(&mut tx, &call, &ask.export_id).await?;
        if !store::end(&mut tx, export.id, State::Cancelled, "").await? {
            let (zh, en) = ("导出已结束", "this export is over");
            return Err(Refusal::state("OVER", zh, en).fact("state", export.state.as_str_name()).into());
        }
        tx.emit(ended(&export, State::Cancelled, ""));
        let after = store::by_id(&mut tx, export.id).await?;
        tx.commit(shown(after)).await
    }

    async fn link(&self, request: Request<LinkExportRequest>) -> Result<Response<ExportLink>, Fault> {
        let (call, ask) = Call::take(request)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let mut tx = self.db.write(&call).await?;
        let export = own(&mut tx, &call, &ask.export_id).await?;
        rules::link(&export, &call.reach("ticket.export"), call.may("ticket.contact_data"))?;
        let until = call.now + rules::LINK_GOOD;
        let token = Link { id: export.id, until }.sealed(&sealer)?;
        tx.emit(NewEvent::new("export.fetched", export.id, 3).facts(json!({ "rows": export.rows, "unmasked": export.unmasked })));
        let path = format!("/v1/exports:download?token={token}");
        tx.commit(ExportLink { path, expires_at: Some(to_proto(until)), file_name: export.file_name() }).await
    }

    async fn download(&self, request: Request<DownloadExportRequest>) -> Result<Response<HttpBody>, Fault> {
        let (call, ask) = Call::take(request)?;
        let own = Call::of_service("ticketing", call.tenant, call.now, call.remaining());
        let sealer = self.sealers.of(&self.db, &own).await?;
        let link = Link::read(&sealer, &ask.token).ok_or_else(bad_link)?;
        if call.now >= link.until {
            return Err(Refusal::state("LINK_EXPIRED", "链接已过期，请重新打开", "this link has run out; ask for a new one").into());
        }
        let export = store::by_id(&mut self.db.read(&own).await?, link.id).await?;
        if export.state != State::Ready {
            return Err(bad_link().into());
        }
        let _place = self.downloads.acquire().await.map_err(|error| Fault::broken(error.to_string()))?;
        let of = Of { sealer: &sealer, tenant: call.tenant, id: export.id };
        let data = self.blobs.assemble(of, &export.pieces, usize::try_from(export.bytes).unwrap_or_default()).await?;
        Ok(Response::new(HttpBody { content_type: "text/csv; charset=utf-8".to_owned(), data }))
    }
}

/// The caller's own; another's is as if it were not there.
async fn own(tx: &mut TenantTx, call: &Call, id: &str) -> Result<Export, Fault> {
    let found = store::by_id(tx, needed_id("export_id", id)?).await?;
    if found.user == call.person()?.sub { Ok(found) } else { Err(Refusal::not_found("export").into()) }
}

fn bad_link() -> Refusal {
    Refusal::invalid("token", "BAD_LINK", "链接无效", "is no link of this district's")
}

/// What a link stands for.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    id: Uuid,
    until: Timestamp,
}

/// Where a link's seal belongs: nothing else is sealed for it, and what is sealed elsewhere is no link.
const LINK: Place<'_> = Place { table: "export", column: "link", row: "" };

impl Link {
    fn sealed(&self, sealer: &Sealer) -> Result<String, Fault> {
        let bytes = [&self.id.as_bytes()[..], &self.until.as_second().to_be_bytes()].concat();
        Ok(URL_SAFE_NO_PAD.encode(sealer.seal_bytes(LINK, &bytes)?))
    }

    fn read(sealer: &Sealer, token: &str) -> Option<Self> {
        let bytes = sealer.open_bytes(LINK, &URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (id, until) = bytes.split_first_chunk::<16>()?;
        let until = Timestamp::from_second(i64::from_be_bytes(until.try_into().ok()?)).ok()?;
        Some(Self { id: Uuid::from_bytes(*id), until })
    }
}

fn shown(export: Export) -> wire::Export {
    wire::Export {
        id: export.id.to_string(),
        what: export.what as i32,
        filter: export.filter,
        purpose: export.purpose,
        state: export.state as i32,
        rows: export.rows,
        total: export.total,
        size_bytes: export.bytes,
        unmasked: export.unmasked,
        reason: export.reason,
        created_at: Some(to_proto(export.created_at)),
        finished_at: export.finished_at.map(to_proto),
        expires_at: export.expires_at.map(to_proto),
    }
}

#[tonic::async_trait]
impl ExportService for Exports {
    async fn start_export(&self, request: Request<StartExportRequest>) -> Result<Response<wire::Export>, Status> {
        Ok(self.start(request).await?)
    }

    async fn get_export(&self, request: Request<GetExportRequest>) -> Result<Response<wire::Export>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_exports(&self, request: Request<ListExportsRequest>) -> Result<Response<ListExportsResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn cancel_export(&self, request: Request<CancelExportRequest>) -> Result<Response<wire::Export>, Status> {
        Ok(self.cancel(request).await?)
    }

    async fn link_export(&self, request: Request<LinkExportRequest>) -> Result<Response<ExportLink>, Status> {
        Ok(self.link(request).await?)
    }

    async fn download_export(&self, request: Request<DownloadExportRequest>) -> Result<Response<HttpBody>, Status> {
        Ok(self.download(request).await?)
    }
}
