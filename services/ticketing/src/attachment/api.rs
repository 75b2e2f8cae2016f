//! RPCs of attachments. Bytes go to the store before the row says that they are there, and leave it before the row goes.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use drumtower_proto::{
    google::api::HttpBody,
    ticketing::{
        self as wire, AppendUploadRequest, AttachmentLink, CreateUploadRequest, DeleteAttachmentRequest, DownloadAttachmentRequest,
        FinishUploadRequest, GetAttachmentLinkRequest, GetAttachmentRequest, ListAttachmentsRequest, ListAttachmentsResponse,
        attachment_service_server::AttachmentService,
    },
};
use drumtower_runtime::{
    Call, Fault, Refusal, TenantTx,
    call::{id, needed_id},
    clock::to_proto,
    log::NewEvent,
    seal::{Place, Sealer},
};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    Examiner,
    blob::{CONTENT, Of, THUMBNAIL},
    examine::{LEASE, added},
    rules::{self, Attachment, Piece, State, Visibility},
    store,
    watch::GRACE,
};
use crate::ticket::{self, query};

/// Downloads at once in one process: each holds its bytes a few times over until they are sent.
pub const DOWNLOADS: usize = 8;
/// What is left of a call's time for its answer, when an examination takes longer.
pub const ANSWERING: Duration = Duration::from_millis(400);

/// Attachments.
#[derive(Debug)]
pub struct Attachments {
    pub examiner: Examiner,
    pub downloads: Semaphore,
}

impl Attachments {
    async fn create(&self, request: Request<CreateUploadRequest>) -> Result<Response<wire::Attachment>, Fault> {
        let (call, ask) = Call::take(request)?;
        let uploader = call.person()?.sub;
        rules::announce(ask.kind(), &ask.name, ask.size_bytes)?;
        let ticket = id("ticket_id", &ask.ticket_id)?;
        let visibility = if ask.visibility() == Visibility::Internal { Visibility::Internal } else { Visibility::Enterprise };
        let reach = call.reach("attachment.write");
        let mut tx = self.examiner.db.write(&call).await?;
        let whole = match ticket {
            Some(ticket) => Some(ticket::store::hold(&mut tx, ticket).await?.1),
            None => None,
        };
        if let Some(ticket) = &whole {
            query::reaches(&reach, ticket)?;
        }
        let quota = self.examiner.quota;
        if ask.size_bytes > quota || !store::reserve(&mut tx, ask.size_bytes, quota).await? {
            return Err(rules::quota_full(quota).into());
        }
        let unit = whole.as_ref().and_then(|ticket| rules::unit_of(&reach, ticket));
        let there = match ticket {
            Some(ticket) => store::count_of_ticket(&mut tx, ticket, unit.is_some()).await?,
            None => store::count_loose(&mut tx, uploader).await?,
        };
        match &whole {
            Some(ticket) => rules::add(ticket, &reach, visibility, there)?,
            None => rules::add_loose(visibility, there)?,
        }
        let new = Attachment {
            id: Uuid::now_v7(),
            ticket,
            name: ask.name.clone(),
            kind: ask.kind(),
            state: State::Uploading,
            visibility,
            content_type: String::new(),
            size: ask.size_bytes,
            stored: 0,
            announced_sha256: ask.sha256,
            sha256: String::new(),
            scanned: false,
            thumbnail: false,
            reason: String::new(),
            uploader,
            unit,
            used: false,
            created_at: call.now,
        };
        store::insert(&mut tx, &new, call.now + rules::KEPT_LOOSE).await?;
        tx.commit(shown(new)).await
    }

    /// The piece is kept before the row is locked; whether it counts is decided again under the lock, for another may have come first.
    async fn append(&self, request: Request<AppendUploadRequest>) -> Result<Response<wire::Attachment>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (id, user) = (needed_id("attachment_id", &ask.attachment_id)?, call.person()?.sub);
        let piece = ask.content.unwrap_or_default().data;
        let length = i64::try_from(piece.len()).unwrap_or(i64::MAX);
        let before = store::by_id(&mut self.examiner.db.read(&call).await?, id).await?;
        if rules::append(&before, user, ask.offset, length)? == Piece::There {
            return Ok(Response::new(shown(before)));
        }
        let sealer = self.examiner.sealers.of(&self.examiner.db, &call).await?;
        let of = Of { sealer: &sealer, tenant: call.tenant, id };
        let object = self.examiner.blobs.keep_piece(of, ask.offset, &piece).await?;
        let mut tx = self.examiner.db.write(&call).await?;
        let now = store::lock(&mut tx, id).await?;
        match rules::append(&now, user, ask.offset, length) {
            Ok(Piece::Take) => {
                store::append(&mut tx, id, (ask.offset, length), &object).await?;
                tx.commit(shown(Attachment { stored: now.stored + length, ..now })).await
            }
            Ok(Piece::There) => {
                self.examiner.blobs.forget_piece(of, &object).await;
                tx.commit(shown(now)).await
            }
            Err(refusal) => {
                self.examiner.blobs.forget_piece(of, &object).await;
                Err(refusal.into())
            }
        }
    }

    /// That everything came is committed first; what comes of it is found by whoever looks, this call or the watch.
    async fn finish(&self, request: Request<FinishUploadRequest>) -> Result<Response<wire::Attachment>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (id, user) = (needed_id("attachment_id", &ask.attachment_id)?, call.person()?.sub);
        let mut tx = self.examiner.db.write(&call).await?;
        let attachment = store::lock(&mut tx, id).await?;
        if !rules::finish(&attachment, user)? {
            return Ok(Response::new(shown(attachment)));
        }
        store::begin(&mut tx, id, call.now + LEASE).await?;
        tx.done().await?;
        self.examiner.soon(call.tenant, id, call.remaining().saturating_sub(ANSWERING)).await;
        let attachment = store::by_id(&mut self.examiner.db.read(&call).await?, id).await?;
        rules::accepted(&attachment)?;
        Ok(Response::new(shown(attachment)))
    }

    /// An attachment that the caller may read.
    async fn readable(&self, call: &Call, id: Uuid) -> Result<Attachment, Fault> {
        let mut tx = self.examiner.db.read(call).await?;
        let attachment = store::by_id(&mut tx, id).await?;
        let ticket = match attachment.ticket {
            Some(ticket) => Some(ticket::store::by_id(&mut tx, ticket).await?.1),
            None => None,
        };
        rules::read(&attachment, call.person()?.sub, &call.reach("ticket.read"), ticket.as_ref())?;
        Ok(attachment)
    }

    async fn get(&self, request: Request<GetAttachmentRequest>) -> Result<Response<wire::Attachment>, Fault> {
        let (call, ask) = Call::take(request)?;
        let attachment = self.readable(&call, needed_id("attachment_id", &ask.attachment_id)?).await?;
        Ok(Response::new(shown(attachment)))
    }

    async fn list(&self, request: Request<ListAttachmentsRequest>) -> Result<Response<ListAttachmentsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (id, user) = (needed_id("ticket_id", &ask.ticket_id)?, call.person()?.sub);
        let reach = call.reach("ticket.read");
        let mut tx = self.examiner.db.read(&call).await?;
        let (_, ticket) = ticket::store::by_id(&mut tx, id).await?;
        query::reaches(&reach, &ticket)?;
        let all = store::of_ticket(&mut tx, id).await?;
        let attachments = all.into_iter().filter(|attachment| rules::shows(attachment, user, &reach, &ticket)).map(shown).collect();
        Ok(Response::new(ListAttachmentsResponse { attachments }))
    }

    async fn link(&self, request: Request<GetAttachmentLinkRequest>) -> Result<Response<AttachmentLink>, Fault> {
        let (call, ask) = Call::take(request)?;
        let attachment = self.readable(&call, needed_id("attachment_id", &ask.attachment_id)?).await?;
        rules::link(&attachment, ask.thumbnail)?;
        let sealer = self.examiner.sealers.of(&self.examiner.db, &call).await?;
        let until = call.now + rules::LINK_GOOD;
        let token = Link { id: attachment.id, thumbnail: ask.thumbnail, until }.sealed(&sealer)?;
        let path = format!("/v1/attachments:download?token={token}");
        Ok(Response::new(AttachmentLink { path, expires_at: Some(to_proto(until)) }))
    }

    async fn download(&self, request: Request<DownloadAttachmentRequest>) -> Result<Response<HttpBody>, Fault> {
        let (call, ask) = Call::take(request)?;
        let own = Call::of_service("ticketing", call.tenant, call.now, call.remaining());
        let sealer = self.examiner.sealers.of(&self.examiner.db, &own).await?;
        let link = Link::read(&sealer, &ask.token).ok_or_else(bad_link)?;
        if call.now >= link.until {
            return Err(Refusal::state("LINK_EXPIRED", "链接已过期，请重新打开", "this link has run out; ask for a new one").into());
        }
        let attachment = store::by_id(&mut self.examiner.db.read(&own).await?, link.id).await.map_err(|fault| match fault {
            // Taken back since.
            Fault::Refused(_) => bad_link().into(),
            fault => fault,
        })?;
        rules::link(&attachment, link.thumbnail)?;
        let _place = self.downloads.acquire().await.map_err(|error| Fault::broken(error.to_string()))?;
        let of = Of { sealer: &sealer, tenant: call.tenant, id: link.id };
        let (name, content_type) = if link.thumbnail { (THUMBNAIL, "image/jpeg".to_owned()) } else { (CONTENT, attachment.content_type) };
        let data = self.examiner.blobs.read(of, name).await?;
        Ok(Response::new(HttpBody { content_type, data }))
    }

    async fn delete(&self, request: Request<DeleteAttachmentRequest>) -> Result<Response<()>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (id, user) = (needed_id("attachment_id", &ask.attachment_id)?, call.person()?.sub);
        let mut tx = self.examiner.db.write(&call).await?;
        let attachment = store::lock(&mut tx, id).await?;
        rules::delete(&attachment, user)?;
        store::abandon(&mut tx, id, call.now + GRACE).await?;
        tx.emit(NewEvent::new("attachment.deleted", id, 3).facts(serde_json::json!({ "ticket": attachment.ticket })));
        tx.commit(()).await
    }
}

fn bad_link() -> Refusal {
    Refusal::invalid("token", "BAD_LINK", "链接无效", "is no link of this district's")
}

/// What a link stands for.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    id: Uuid,
    thumbnail: bool,
    until: Timestamp,
}

/// Where a link's seal belongs: nothing else is sealed for it, and what is sealed elsewhere is no link.
const LINK: Place<'_> = Place { table: "attachment", column: "link", row: "" };

impl Link {
    fn sealed(&self, sealer: &Sealer) -> Result<String, Fault> {
        let bytes = [&self.id.as_bytes()[..], &[u8::from(self.thumbnail)], &self.until.as_second().to_be_bytes()].concat();
        Ok(URL_SAFE_NO_PAD.encode(sealer.seal_bytes(LINK, &bytes)?))
    }

    fn read(sealer: &Sealer, token: &str) -> Option<Self> {
        let bytes = sealer.open_bytes(LINK, &URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (thumbnail, until) = rest.split_first()?;
        let until = Timestamp::from_second(i64::from_be_bytes(until.try_into().ok()?)).ok()?;
        Some(Self { id: Uuid::from_bytes(*id), thumbnail: *thumbnail == 1, until })
    }
}

/// Attachments that somebody sent before come to the request they submit: all of them, or nothing is submitted.
pub async fn claim(tx: &mut TenantTx, call: &Arc<Call>, ticket: Uuid, ids: &[Uuid]) -> Result<(), Fault> {
    let user = call.person()?.sub;
    // In one order, so that two submissions at once do not wait for each other for ever.
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    for id in &ids {
        let attachment = store::lock(tx, *id).await?;
        rules::claim(&attachment, user)?;
        tx.emit(added(&Attachment { ticket: Some(ticket), ..attachment }));
    }
    store::claim(tx, ticket, &ids).await?;
    Ok(())
}

/// Something done to a request rests on attachments of it; from now on they stay.
pub async fn rest_on(tx: &mut TenantTx, ticket: Uuid, user: Uuid, ids: &[Uuid], photo: bool) -> Result<(), Fault> {
    for id in ids {
        rules::rest_on(&store::lock(tx, *id).await?, ticket, user, photo)?;
    }
    store::use_up(tx, ids).await?;
    Ok(())
}

fn shown(attachment: Attachment) -> wire::Attachment {
    let text = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    wire::Attachment {
        id: attachment.id.to_string(),
        ticket_id: text(attachment.ticket),
        name: attachment.name,
        kind: attachment.kind as i32,
        state: attachment.state as i32,
        visibility: attachment.visibility as i32,
        content_type: attachment.content_type,
        size_bytes: attachment.size,
        stored_bytes: attachment.stored,
        sha256: attachment.sha256,
        scanned: attachment.scanned,
        has_thumbnail: attachment.thumbnail,
        reason: attachment.reason,
        uploader_id: attachment.uploader.to_string(),
        unit_id: text(attachment.unit),
        used: attachment.used,
        created_at: Some(to_proto(attachment.created_at)),
    }
}

#[tonic::async_trait]
impl AttachmentService for Attachments {
    async fn create_upload(&self, request: Request<CreateUploadRequest>) -> Result<Response<wire::Attachment>, Status> {
        Ok(self.create(request).await?)
    }

    async fn append_upload(&self, request: Request<AppendUploadRequest>) -> Result<Response<wire::Attachment>, Status> {
        Ok(self.append(request).await?)
    }

    async fn finish_upload(&self, request: Request<FinishUploadRequest>) -> Result<Response<wire::Attachment>, Status> {
        Ok(self.finish(request).await?)
    }

    async fn get_attachment(&self, request: Request<GetAttachmentRequest>) -> Result<Response<wire::Attachment>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_attachments(&self, request: Request<ListAttachmentsRequest>) -> Result<Response<ListAttachmentsResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn get_attachment_link(&self, request: Request<GetAttachmentLinkRequest>) -> Result<Response<AttachmentLink>, Status> {
        Ok(self.link(request).await?)
    }

    async fn download_attachment(&self, request: Request<DownloadAttachmentRequest>) -> Result<Response<HttpBody>, Status> {
        Ok(self.download(request).await?)
    }

    async fn delete_attachment(&self, request: Request<DeleteAttachmentRequest>) -> Result<Response<()>, Status> {
        Ok(self.delete(request).await?)
    }
}

#[cfg(test)]
mod tests {
    use drumtower_runtime::seal::Kek;
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_link_is_good_in_its_district_and_nothing_else_is_one() {
        let sealer = |tenant| Kek::new(SecretString::from("11".repeat(32))).expect("a key").of_tenant(tenant, &[7; 32]).expect("derived");
        let link = Link { id: Uuid::now_v7(), thumbnail: true, until: Timestamp::UNIX_EPOCH };
        let token = link.sealed(&sealer(1)).expect("sealed");
        assert_eq!(Link::read(&sealer(1), &token), Some(link));
        assert_eq!(Link::read(&sealer(2), &token), None, "another district");
        for place in 0..token.len() {
            let mut bent = token.clone().into_bytes();
            bent[place] = if bent[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(Link::read(&sealer(1), &String::from_utf8(bent).expect("text")), None, "letter {place}");
        }
        let name = sealer(1).seal(Place { table: "ticket", column: "contact_name", row: "" }, "x").expect("sealed");
        assert_eq!(Link::read(&sealer(1), &URL_SAFE_NO_PAD.encode(name)), None, "something else that is sealed");
    }
}
