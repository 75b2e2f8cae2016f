//! Looking at an attachment that has come whole: put together, compared, recognised, scanned, written anew, kept. Whoever ends an upload
//! does it at once; the watch does it again when that did not end. Twice changes nothing: the row says once what came of it.

use std::{sync::Arc, time::Duration};

use drumtower_runtime::{
    Call, Clock, Config, Db, Failure, Fault, Kind as Refused,
    log::{NewEvent, to_role},
    seal::Sealers,
};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{
    blob::{Blobs, CONTENT, Of, THUMBNAIL},
    photo,
    rules::{self, Attachment, Kind, Rejection, State},
    scan::{Scanner, Verdict},
    store::{self, Kept},
};

/// How long somebody who looks at one has it for themselves.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How soon a scanner that is away is asked again.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How often one is looked at that never ends, for example because the process dies of it.
const ATTEMPTS: i16 = 5;
/// Attachments looked at in one process at once: each may take some 300 MB of memory for a while.
pub const ROOM: usize = 2;

/// Looks at attachments.
#[derive(Debug, Clone)]
pub struct Examiner {
    pub db: Db,
    pub clock: Clock,
    pub sealers: Sealers,
    pub blobs: Blobs,
    /// Bytes that a district may keep.
    pub quota: i64,
    scanner: Option<Scanner>,
    room: Arc<Semaphore>,
}

/// What came of it.
enum Found {
    Good(Good),
    Bad(Rejection),
    /// The scanner is away.
    Later,
}

struct Good {
    media: &'static str,
    bytes: Vec<u8>,
    thumbnail: Vec<u8>,
}

impl Examiner {
    /// Over the store and the scanner that the settings name.
    pub fn new(config: &Config, db: Db, clock: Clock, sealers: Sealers) -> Result<Self, Failure> {
        let scanner = config.store.scanner.as_deref().map(Scanner::new);
        let (blobs, quota) = (Blobs::open(config)?, config.store.quota_bytes);
        Ok(Self { db, clock, sealers, blobs, quota, scanner, room: Arc::new(Semaphore::new(ROOM)) })
    }

    /// A call on our own account, as long as the lease.
    pub fn call(&self, tenant: i32) -> Call {
        Call::of_service("ticketing", tenant, self.clock.now(), Duration::from_secs(LEASE.as_secs().unsigned_abs()))
    }

    /// Looks at one in a task of its own, and waits for it for some time.
    pub async fn soon(&self, tenant: i32, id: Uuid, patience: Duration) {
        let own = self.clone();
        let work = tokio::spawn(async move {
            if let Err(error) = own.in_turn(tenant, id).await {
                tracing::warn!(%id, ?error, "the watch looks at this attachment again");
            }
        });
        let _ended_or_goes_on = tokio::time::timeout(patience, work).await;
    }

    /// Whether what waits can be looked at now: a scanner that is away is not asked about each of them.
    pub async fn is_able(&self) -> bool {
        match &self.scanner {
            Some(scanner) => scanner.is_there().await,
            None => true,
        }
    }

    /// Looks again at one that somebody else began with and did not end. What waits for room was not tried.
    pub async fn take_over(&self, tenant: i32, id: Uuid) -> Result<(), Fault> {
        let _place = self.room.acquire().await.map_err(|error| Fault::broken(error.to_string()))?;
        let mut tx = self.db.write(&self.call(tenant)).await?;
        let until = tx.now() + LEASE;
        let attempts = store::take_over(&mut tx, id, until).await?;
        tx.done().await?;
        match attempts {
            None => Ok(()),
            Some(attempts) if attempts > ATTEMPTS => self.reject(tenant, id, Rejection::Unreadable).await,
            Some(_) => self.examine(tenant, id).await,
        }
    }

    async fn in_turn(&self, tenant: i32, id: Uuid) -> Result<(), Fault> {
        let _place = self.room.acquire().await.map_err(|error| Fault::broken(error.to_string()))?;
        self.examine(tenant, id).await
    }

    async fn examine(&self, tenant: i32, id: Uuid) -> Result<(), Fault> {
        let call = self.call(tenant);
        let sealer = self.sealers.of(&self.db, &call).await?;
        let of = Of { sealer: &sealer, tenant, id };
        let mut tx = self.db.read(&call).await?;
        let attachment = store::by_id(&mut tx, id).await?;
        let pieces = store::pieces(&mut tx, id).await?;
        drop(tx);
        if attachment.state != State::Scanning {
            return Ok(());
        }
        let size = usize::try_from(attachment.size).unwrap_or_default();
        let found = match self.blobs.assemble(of, &pieces, size).await {
            Ok(bytes) => self.look(&attachment, bytes).await?,
            Err(fault) => away(fault)?,
        };
        match found {
            Found::Good(good) => match self.keep(of, good).await {
                Err(fault) => away(fault).map(drop)?,
                Ok(()) => return Ok(()),
            },
            Found::Bad(rejection) => return self.reject(tenant, id, rejection).await,
            Found::Later => {}
        }
        let mut tx = self.db.write(&self.call(tenant)).await?;
        let at = tx.now() + AGAIN;
        store::wait(&mut tx, id, at).await?;
        tx.done().await
    }

    /// What bytes are. They are scanned as they came, and before anything else reads them but their first few.
    async fn look(&self, attachment: &Attachment, bytes: Vec<u8>) -> Result<Found, Fault> {
        if !attachment.announced_sha256.is_empty() && attachment.announced_sha256 != digest(&bytes) {
            return Ok(Found::Bad(Rejection::HashMismatch));
        }
        let media = match rules::recognise(attachment.kind, &bytes) {
            Ok(media) => media,
            Err(rejection) => return Ok(Found::Bad(rejection)),
        };
        if let Some(scanner) = &self.scanner {
            match scanner.scan(&bytes).await {
                Ok(Verdict::Clean) => {}
                Ok(Verdict::Found(name)) => {
                    tracing::warn!(id = %attachment.id, name, "a scanner found something");
                    return Ok(Found::Bad(Rejection::Infected));
                }
                Err(error) => {
                    tracing::warn!(id = %attachment.id, %error, "the scanner is away; what was not scanned waits");
                    return Ok(Found::Later);
                }
            }
        }
        if attachment.kind != Kind::Photo {
            return Ok(Found::Good(Good { media, bytes, thumbnail: Vec::new() }));
        }
        // A decoder that panics says that the file is damaged.
        let anew = tokio::task::spawn_blocking(move || photo::anew(media, &bytes)).await.unwrap_or(Err(Rejection::Unreadable));
        Ok(match anew {
            Ok(photo) => Found::Good(Good { media: photo.media, bytes: photo.bytes, thumbnail: photo.thumbnail }),
            Err(rejection) => Found::Bad(rejection),
        })
    }

    /// Objects first, then the row: one that is ready has them.
    async fn keep(&self, of: Of<'_>, good: Good) -> Result<(), Fault> {
        self.blobs.keep(of, CONTENT, &good.bytes).await?;
        if !good.thumbnail.is_empty() {
            self.blobs.keep(of, THUMBNAIL, &good.thumbnail).await?;
        }
        let length = |bytes: &[u8]| i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let kept = Kept {
            content_type: good.media,
            size: length(&good.bytes),
            sha256: digest(&good.bytes),
            scanned: self.scanner.is_some(),
            thumbnail: length(&good.thumbnail),
        };
        let mut tx = self.db.write(&self.call(of.tenant)).await?;
        if store::ready(&mut tx, of.id, &kept).await? {
            let attachment = store::by_id(&mut tx, of.id).await?;
            if attachment.ticket.is_some() {
                tx.emit(added(&attachment));
            }
            return tx.done().await;
        }
        drop(tx);
        // Taken back meanwhile: when the row is gone nobody else finds what was just kept.
        let there = store::by_id(&mut self.db.read(&self.call(of.tenant)).await?, of.id).await;
        match there {
            Err(Fault::Refused(_)) => self.blobs.drop_all(of).await,
            other => other.map(drop),
        }
    }

    async fn reject(&self, tenant: i32, id: Uuid, rejection: Rejection) -> Result<(), Fault> {
        let mut tx = self.db.write(&self.call(tenant)).await?;
        if store::reject(&mut tx, id, rejection.text()).await? {
            let attachment = store::by_id(&mut tx, id).await?;
            let facts = serde_json::json!({
                "ticket": attachment.ticket, "kind": attachment.kind.as_str_name(), "uploader": attachment.uploader, "reason": rejection.text(),
            });
            tx.emit(refused(id, rejection).facts(facts));
        }
        tx.done().await
    }
}

/// A store that is away says nothing of what is in it: it is looked at again, however often.
fn away(fault: Fault) -> Result<Found, Fault> {
    match fault {
        Fault::Refused(refusal) if refusal.kind() == Refused::Unavailable => Ok(Found::Later),
        other => Err(other),
    }
}

/// Something was not taken. A virus is somebody's affair beside the uploader's.
fn refused(id: Uuid, rejection: Rejection) -> NewEvent {
    let told = NewEvent::new("attachment.refused", id, 2);
    if rejection != Rejection::Infected {
        return told;
    }
    let (zh, en) = ("上传的附件查出病毒，已删除", "a scanner found something in an attachment; it was deleted");
    told.tell(to_role("SECADMIN", None, "attachment.refused", zh, en))
}

/// A request has one attachment more. Its version is always 2: it was announced, and now it is there.
pub fn added(attachment: &Attachment) -> NewEvent {
    let facts = serde_json::json!({
        "ticket": attachment.ticket, "kind": attachment.kind.as_str_name(), "visibility": attachment.visibility.as_str_name(),
        "uploader": attachment.uploader, "unit": attachment.unit, "sha256": attachment.sha256, "scanned": attachment.scanned,
    });
    NewEvent::new("attachment.added", attachment.id, 2).facts(facts)
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
