//! Where the bytes are: objects in a folder or in an S3-compatible store, one folder a district, sealed in frames under the district's key.
//! Pieces are put together in their order: those of an upload once, those of an export whenever it is loaded.
//! A frame says which object it is of, where it stands and whether it is the last: nothing is cut off, reordered or moved unnoticed.

use std::{os::unix::fs::DirBuilderExt as _, path::Path as Folder, sync::Arc};

use bytes::Bytes;
use drumtower_runtime::{
    Config, Failure, Fault,
    fault::unavailable,
    seal::{OVERHEAD, Place, Sealer},
};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, local::LocalFileSystem, path::Path};
use uuid::Uuid;

use super::bucket;

/// Bytes of one frame before it is sealed.
const FRAME: usize = 1024 * 1024;
/// What is kept of an attachment, by the last part of the object's path.
pub const CONTENT: &str = "content";
/// The small picture.
pub const THUMBNAIL: &str = "thumbnail";

/// The objects of all districts.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// Below which everything lies.
    root: Path,
}

/// The objects of one attachment.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    pub sealer: &'a Sealer,
    pub tenant: i32,
    pub id: Uuid,
}

impl Blobs {
    /// Opens what the settings name: `file:///folder`, or `s3://bucket/prefix`.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let url = config.store.url.as_str();
        if let Some(folder) = url.strip_prefix("file://") {
            // Sealed, and still nobody else's.
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| format!("store.url: {folder}: {error}"))?;
            let folder = LocalFileSystem::new_with_prefix(Folder::new(folder))?.with_automatic_cleanup(true).with_fsync(true);
            return Ok(Self { store: Arc::new(folder), root: Path::default() });
        }
        let Some(bucket) = url.strip_prefix("s3://") else { return Err(format!("store.url: {url} is neither file:// nor s3://").into()) };
        let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        Ok(Self { store: Arc::new(bucket::open(config, name)?), root: Path::parse(prefix)? })
    }

    fn path(&self, parts: &[&str]) -> Path {
        parts.iter().fold(self.root.clone(), |path, part| path.join(*part))
    }

    fn kept(&self, of: Of<'_>) -> Path {
        self.path(&[&of.tenant.to_string(), "attachment", &of.id.to_string()])
    }

    fn pieces(&self, of: Of<'_>) -> Path {
        self.path(&[&of.tenant.to_string(), "upload", &of.id.to_string()])
    }

    /// Keeps a piece of an upload or an export; the name of its object. Two that come at once do not touch each other: the row says which counts.
    #[tracing::instrument(name = "blob.keep_piece", skip_all, err(level = "debug", Debug))]
    pub async fn keep_piece(&self, of: Of<'_>, offset: i64, piece: &[u8]) -> Result<String, Fault> {
        let object = format!("{offset:012}-{}", Uuid::now_v7().simple());
        let sealed = seal(of.sealer, "piece", &row(of.id, &object), piece)?;
        self.store.put(&self.pieces(of).join(object.as_str()), PutPayload::from(sealed)).await.map_err(away)?;
        Ok(object)
    }

    /// A piece that does not count after all. Left behind when it fails: whoever drops the upload finds it.
    pub async fn forget_piece(&self, of: Of<'_>, object: &str) {
        if let Err(error) = self.store.delete(&self.pieces(of).join(object)).await {
            tracing::debug!(%error, "a piece that does not count stays a while");
        }
    }

    /// Puts pieces together, in order.
    #[tracing::instrument(name = "blob.assemble", skip_all, err(level = "debug", Debug))]
    pub async fn assemble(&self, of: Of<'_>, pieces: &[String], size: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::with_capacity(size);
        for object in pieces {
            let sealed = self.get(&self.pieces(of).join(object.as_str())).await?;
            bytes.extend(open(of.sealer, "piece", &row(of.id, object), &sealed)?);
        }
        Ok(bytes)
    }

    /// Keeps what an attachment shows under one of its names.
    #[tracing::instrument(name = "blob.keep", skip_all, err(level = "debug", Debug))]
    pub async fn keep(&self, of: Of<'_>, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let sealed = seal(of.sealer, name, &row(of.id, name), bytes)?;
        self.store.put(&self.kept(of).join(name), PutPayload::from(sealed)).await.map_err(away)?;
        Ok(())
    }

    /// What is kept under a name.
    #[tracing::instrument(name = "blob.read", skip_all, err(level = "debug", Debug))]
    pub async fn read(&self, of: Of<'_>, name: &str) -> Result<Vec<u8>, Fault> {
        let sealed = self.get(&self.kept(of).join(name)).await?;
        open(of.sealer, name, &row(of.id, name), &sealed)
    }

    /// Drops what an upload or an export left, whether the rows know of it or not.
    #[tracing::instrument(name = "blob.drop_pieces", skip_all, err(level = "debug", Debug))]
    pub async fn drop_pieces(&self, of: Of<'_>) -> Result<(), Fault> {
        self.drop_below(self.pieces(of)).await
    }

    /// Drops everything of an attachment.
    #[tracing::instrument(name = "blob.drop_all", skip_all, err(level = "debug", Debug))]
    pub async fn drop_all(&self, of: Of<'_>) -> Result<(), Fault> {
        self.drop_below(self.pieces(of)).await?;
        self.drop_below(self.kept(of)).await
    }

    async fn drop_below(&self, folder: Path) -> Result<(), Fault> {
        let found: Vec<Path> = self.store.list(Some(&folder)).map_ok(|object| object.location).try_collect().await.map_err(away)?;
        let all = futures::stream::iter(found.into_iter().map(Ok)).boxed();
        let dropped: Result<Vec<Path>, object_store::Error> = self.store.delete_stream(all).try_collect().await;
        match dropped {
            // Somebody else drops the same.
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(away(error)),
        }
    }

    async fn get(&self, path: &Path) -> Result<Bytes, Fault> {
        let found = self.store.get(path).await.map_err(away)?;
        found.bytes().await.map_err(away)
    }
}

/// What the store could not do. An object that a row names and that is not there is no outage.
fn away(error: object_store::Error) -> Fault {
    match error {
        object_store::Error::NotFound { path, .. } => Fault::broken(format!("the object {path} is gone")),
        error => {
            tracing::warn!(%error, "the object store did not do what was asked");
            unavailable().into()
        }
    }
}

/// What a frame is bound to, beside its place among the frames.
fn row(id: Uuid, object: &str) -> String {
    format!("{id}/{object}")
}

fn place<'a>(column: &'a str, row: &'a str) -> Place<'a> {
    Place { table: "attachment", column, row }
}

/// The row of a frame.
fn frame(row: &str, number: usize, last: bool) -> String {
    format!("{row}/{number}/{}", if last { "last" } else { "more" })
}

fn seal(sealer: &Sealer, column: &str, row: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let frames = bytes.len().div_ceil(FRAME);
    let mut sealed = Vec::with_capacity(bytes.len() + frames * OVERHEAD);
    for (number, part) in bytes.chunks(FRAME).enumerate() {
        let row = frame(row, number, number + 1 == frames);
        sealed.extend(sealer.seal_bytes(place(column, &row), part)?);
    }
    Ok(sealed)
}

fn open(sealer: &Sealer, column: &str, row: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
    if sealed.is_empty() {
        return Err(Fault::broken(format!("the object of {row} is empty")));
    }
    let frames = sealed.len().div_ceil(FRAME + OVERHEAD);
    let mut bytes = Vec::with_capacity(sealed.len());
    for (number, part) in sealed.chunks(FRAME + OVERHEAD).enumerate() {
        let row = frame(row, number, number + 1 == frames);
        bytes.extend(sealer.open_bytes(place(column, &row), part)?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use drumtower_runtime::seal::Kek;
    use secrecy::SecretString;

    use super::*;

    fn sealer(tenant: i32) -> Sealer {
        Kek::new(SecretString::from("11".repeat(32))).expect("a key").of_tenant(tenant, &[7; 32]).expect("derived")
    }

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|place| (place * 31 % 251) as u8).collect()
    }

    #[test]
    fn what_is_sealed_opens_whole_whatever_its_length() {
        for length in [1, 100, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME + 7] {
            let sealed = seal(&sealer(1), CONTENT, "a", &bytes(length)).expect("sealed");
            assert_eq!(open(&sealer(1), CONTENT, "a", &sealed).expect("opens"), bytes(length), "{length}");
        }
    }

    #[test]
    fn what_is_cut_off_reordered_lengthened_or_moved_does_not_open() {
        let whole = FRAME + OVERHEAD;
        let sealed = seal(&sealer(1), CONTENT, "a", &bytes(3 * FRAME)).expect("sealed");
        let opens = |sealed: &[u8]| open(&sealer(1), CONTENT, "a", sealed).is_ok();
        assert!(opens(&sealed));
        for cut in [0, 1, OVERHEAD, whole, 2 * whole, 2 * whole + 1, 3 * whole - 1] {
            assert!(!opens(&sealed[..cut]), "cut to {cut}");
        }
        let (first, second, third) = (&sealed[..whole], &sealed[whole..2 * whole], &sealed[2 * whole..]);
        assert!(!opens(&[second, first, third].concat()), "reordered");
        assert!(!opens(&[first, second, second, third].concat()), "a frame twice");
        assert!(!opens(&[first, second, third, third].concat()), "lengthened");
        assert!(!opens(&sealed[whole..]), "without its beginning");
        let mut bent = sealed.clone();
        bent[whole + 20] ^= 1;
        assert!(!opens(&bent), "one bit");
        assert!(open(&sealer(2), CONTENT, "a", &sealed).is_err(), "another district");
        assert!(open(&sealer(1), CONTENT, "b", &sealed).is_err(), "another row");
        assert!(open(&sealer(1), THUMBNAIL, "a", &sealed).is_err(), "another object");
        assert!(!sealed.windows(16).any(|window| window == &bytes(16)[..]), "nothing readable");
    }
}
