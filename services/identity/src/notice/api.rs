//! RPCs of the inbox.

use drumtower_proto::identity::{ListNoticesRequest, ListNoticesResponse, Notice, ReadNoticeRequest, notice_service_server::NoticeService};
use drumtower_runtime::{Call, Db, Fault, Refusal, call, page};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::store;

/// The inbox.
#[derive(Debug)]
pub struct Inbox {
    /// The database.
    pub db: Db,
}

impl Inbox {
    async fn list(&self, request: Request<ListNoticesRequest>) -> Result<Response<ListNoticesResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let me = call.person()?.sub;
        let size = page::size(ask.page_size, 50);
        let question = format!("notices {}", ask.unread);
        let before: Uuid = page::after(&question, &ask.page_token)?.unwrap_or(Uuid::max());
        let mut tx = self.db.read(&call).await?;
        let rows = store::page(&mut tx, me, ask.unread, before, size + 1).await?;
        let unread = store::unread(&mut tx, me).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| row.id);
        let notices = rows.into_iter().map(|row| row.told(call.english)).collect();
        Ok(Response::new(ListNoticesResponse { notices, next_page_token, unread_count: i32::try_from(unread).unwrap_or(1000) }))
    }

    async fn read(&self, request: Request<ReadNoticeRequest>) -> Result<Response<Notice>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("notice_id", &ask.notice_id)?;
        let mut tx = self.db.write(&call).await?;
        let row = store::mark_read(&mut tx, call.person()?.sub, id).await?.ok_or_else(|| Refusal::not_found("notice"))?;
        tx.commit(row.told(call.english)).await
    }
}

#[tonic::async_trait]
impl NoticeService for Inbox {
    async fn list_notices(&self, request: Request<ListNoticesRequest>) -> Result<Response<ListNoticesResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn read_notice(&self, request: Request<ReadNoticeRequest>) -> Result<Response<Notice>, Status> {
        Ok(self.read(request).await?)
    }
}
