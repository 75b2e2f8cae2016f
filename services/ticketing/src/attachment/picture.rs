//! A picture that comes within a message. It goes the way of every photo: announced, kept as a piece, scanned, written anew, sealed. It belongs
//! to no request until the message's own transaction says to which; when that never comes, it goes like any upload that nobody wants.

use drumtower_runtime::{Call, Fault, Refusal, TenantTx};
use uuid::Uuid;

use super::{
    Examiner,
    api::ANSWERING,
    blob::Of,
    examine::{LEASE, added},
    rules::{self, Attachment, Kind, State, Visibility},
    store,
    watch::GRACE,
};

/// Pictures of one request that messages brought: people still find room for their own (our decision).
const MOST: i64 = 10;

impl Examiner {
    /// Keeps a picture, and waits for what its examination says; one that is rejected is refused. `None` when the district's space is used up:
    /// the message is worth more than its picture. While the scanner is away it stays to be examined.
    pub async fn keep_picture(&self, call: &Call, (uploader, name): (Uuid, &str), bytes: &[u8]) -> Result<Option<Uuid>, Fault> {
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        if size > rules::PIECE_MOST {
            return Err(Refusal::invalid("data.picture", "TOO_LARGE", "图片最大 4 MiB", "a picture is at most 4 MiB").into());
        }
        let new = loose(uploader, name, size, call.now);
        let mut tx = self.db.write(call).await?;
        if !store::reserve(&mut tx, size, self.quota).await? {
            tracing::warn!(tenant = call.tenant, "the space for attachments is used up: a picture is not kept");
            return Ok(None);
        }
        store::insert(&mut tx, &new, call.now + rules::KEPT_LOOSE).await?;
        tx.done().await?;
        let sealer = self.sealers.of(&self.db, call).await?;
        let object = self.blobs.keep_piece(Of { sealer: &sealer, tenant: call.tenant, id: new.id }, 0, bytes).await?;
        let mut tx = self.db.write(call).await?;
        store::append(&mut tx, new.id, (0, size), &object).await?;
        store::begin(&mut tx, new.id, call.now + LEASE).await?;
        tx.done().await?;
        self.soon(call.tenant, new.id, call.remaining().saturating_sub(ANSWERING)).await;
        rules::accepted(&store::by_id(&mut self.db.read(call).await?, new.id).await?)?;
        Ok(Some(new.id))
    }
}

/// Only units see what a camera saw: people may be in it who asked for nothing.
fn loose(uploader: Uuid, name: &str, size: i64, now: jiff::Timestamp) -> Attachment {
    Attachment {
        id: Uuid::now_v7(),
        ticket: None,
        name: name.to_owned(),
        kind: Kind::Photo,
        state: State::Uploading,
        visibility: Visibility::Internal,
        content_type: String::new(),
        size,
        stored: 0,
        announced_sha256: String::new(),
        sha256: String::new(),
        scanned: false,
        thumbnail: false,
        reason: String::new(),
        uploader,
        unit: None,
        used: false,
        created_at: now,
    }
}

/// A request gets a picture, unless it has enough. What still waits to be examined is told of when it is ready.
pub async fn show(tx: &mut TenantTx, ticket: Uuid, picture: Uuid) -> Result<(), Fault> {
    let attachment = store::lock(tx, picture).await?;
    if store::count_of_ticket(tx, ticket, false).await? >= MOST {
        let at = tx.now() + GRACE;
        store::abandon(tx, picture, at).await?;
        return Ok(());
    }
    store::attach(tx, ticket, picture).await?;
    if attachment.state == State::Ready {
        tx.emit(added(&Attachment { ticket: Some(ticket), ..attachment }));
    }
    Ok(())
}
