//! Field encryption: AES-256-GCM-SIV under a key of the district, bound to the row it belongs to, so that a ciphertext moved to another
//! row, column or district does not open; and a blind index for equality. The district's key is derived from the installation's key
//! and a random salt kept with the district: destroy the salt and everything sealed with it is gone, backups included.

use std::{sync::Arc, time::Duration};

use aes_gcm_siv::{
    Aes256GcmSiv, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use moka::sync::Cache;
use ring::rand::SecureRandom as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::{
    call::Call,
    db::{Db, TenantTx},
    fault::Fault,
};

/// The installation's key.
#[derive(Debug, Clone)]
pub struct Kek(SecretString);

/// Keys of one district.
pub struct Sealer {
    tenant: i32,
    cipher: Aes256GcmSiv,
    index: [u8; 32],
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({})", self.tenant)
    }
}

/// The sealers of the districts, derived once each.
#[derive(Debug, Clone)]
pub struct Sealers {
    kek: Kek,
    known: Cache<i32, Arc<Sealer>>,
}

impl Sealers {
    /// Over the installation's key.
    pub fn new(kek: Kek) -> Self {
        Self { kek, known: Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(300)).build() }
    }

    /// The call's district's sealer; its salt is made the first time.
    pub async fn of(&self, db: &Db, call: &Call) -> Result<Arc<Sealer>, Fault> {
        if let Some(sealer) = self.known.get(&call.tenant) {
            return Ok(sealer);
        }
        let own = Call::of_service(db.service(), call.tenant, call.now, call.remaining());
        let salt = match read_salt(&mut db.read(&own).await?).await? {
            Some(salt) => salt,
            None => first_salt(db, &own).await?,
        };
        let sealer = Arc::new(self.kek.of_tenant(call.tenant, &salt)?);
        self.known.insert(call.tenant, Arc::clone(&sealer));
        Ok(sealer)
    }
}

async fn read_salt(tx: &mut TenantTx) -> sqlx::Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> =
        sqlx::query_as("select salt from data_key where tenant_id = $1").bind(tx.tenant()).fetch_optional(tx.conn()).await?;
    Ok(row.map(|(salt,)| salt))
}

/// Two processes may come here at once: the first salt stays, both read it.
async fn first_salt(db: &Db, own: &Call) -> Result<Vec<u8>, Fault> {
    let mut tx = db.write(own).await?;
    sqlx::query("insert into data_key (tenant_id, salt) values ($1, $2) on conflict (tenant_id) do nothing")
        .bind(tx.tenant())
        .bind(new_salt()?)
        .execute(tx.conn())
        .await?;
    let salt = read_salt(&mut tx).await?.ok_or_else(|| Fault::broken("no data key"))?;
    tx.done().await?;
    Ok(salt)
}

/// Where a sealed value belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Table.
    pub table: &'a str,
    /// Column.
    pub column: &'a str,
    /// Row.
    pub row: &'a str,
}

/// First byte of a sealed value: how it was sealed.
const VERSION: u8 = 1;
const NONCE: usize = 12;
/// Bytes by which a sealed value is longer than what was sealed: how it was sealed, the nonce, the tag.
pub const OVERHEAD: usize = 1 + NONCE + 16;

impl Kek {
    /// From the secret: 32 bytes in hexadecimal.
    pub fn new(secret: SecretString) -> Result<Self, Fault> {
        match hex::decode(secret.expose_secret()) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(secret)),
            _ => Err(Fault::broken("the kek secret must be 32 bytes in hexadecimal")),
        }
    }

    /// A district's keys from its salt.
    pub fn of_tenant(&self, tenant: i32, salt: &[u8]) -> Result<Sealer, Fault> {
        let kek = hex::decode(self.0.expose_secret()).map_err(|error| Fault::broken(error.to_string()))?;
        let derived = Hkdf::<Sha256>::new(Some(salt), &kek);
        let broken = |_| Fault::broken("key derivation");
        let (mut enc, mut index) = ([0; 32], [0; 32]);
        derived.expand(format!("drumtower:{tenant}:enc").as_bytes(), &mut enc).map_err(broken)?;
        derived.expand(format!("drumtower:{tenant}:index").as_bytes(), &mut index).map_err(broken)?;
        let cipher = Aes256GcmSiv::new_from_slice(&enc).map_err(|error| Fault::broken(error.to_string()))?;
        Ok(Sealer { tenant, cipher, index })
    }
}

/// A new random salt of a district.
pub fn new_salt() -> Result<Vec<u8>, Fault> {
    random(32)
}

fn random(length: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; length];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| Fault::broken("no randomness"))?;
    Ok(bytes)
}

impl Sealer {
    /// Seals a text for its place; the empty text stays empty.
    pub fn seal(&self, place: Place<'_>, text: &str) -> Result<Vec<u8>, Fault> {
        self.seal_bytes(place, text.as_bytes())
    }

    /// Seals bytes for their place; none stay none.
    pub fn seal_bytes(&self, place: Place<'_>, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let nonce = random(NONCE)?;
        let aad = self.aad(place);
        let payload = Payload { msg: bytes, aad: &aad };
        let nonce_bytes: [u8; NONCE] = nonce.clone().try_into().map_err(|_| Fault::broken("nonce"))?;
        let sealed = self.cipher.encrypt(&Nonce::from(nonce_bytes), payload).map_err(|_| Fault::broken("sealing failed"))?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<String, Fault> {
        let broken = |_| Fault::broken(format!("{}.{} of {} is not text", place.table, place.column, place.row));
        String::from_utf8(self.open_bytes(place, sealed)?).map_err(broken)
    }

    /// Opens bytes that were sealed for this place.
    pub fn open_bytes(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        if sealed.is_empty() {
            return Ok(Vec::new());
        }
        let broken = || Fault::broken(format!("{}.{} of {} does not open", place.table, place.column, place.row));
        let (head, text) = sealed.split_at_checked(1 + NONCE).filter(|(head, _)| head[0] == VERSION).ok_or_else(broken)?;
        let nonce: [u8; NONCE] = head[1..].try_into().map_err(|_| broken())?;
        let payload = Payload { msg: text, aad: &self.aad(place) };
        self.cipher.decrypt(&Nonce::from(nonce), payload).map_err(|_| broken())
    }

    /// Blind index of a value, for equality in the district: never for a column of few values. Empty for an empty text.
    pub fn blind(&self, column: &str, text: &str) -> Option<Vec<u8>> {
        if text.is_empty() {
            return None;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.index).ok()?;
        mac.update(column.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        Some(mac.finalize().into_bytes()[..16].to_vec())
    }

    fn aad(&self, place: Place<'_>) -> Vec<u8> {
        format!("{}|{}|{}|{}|{VERSION}", self.tenant, place.table, place.column, place.row).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(tenant: i32) -> Sealer {
        Kek::new(SecretString::from("11".repeat(32))).expect("a key").of_tenant(tenant, &[7; 32]).expect("derived")
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place() {
        let place = Place { table: "member", column: "phone", row: "a" };
        let sealed = sealer(1).seal(place, "19900001234").expect("sealed");
        assert_eq!(sealer(1).open(place, &sealed).expect("opens"), "19900001234");
        assert!(sealer(2).open(place, &sealed).is_err());
        assert!(sealer(1).open(Place { row: "b", ..place }, &sealed).is_err());
        assert!(sealer(1).open(Place { column: "name", ..place }, &sealed).is_err());
        assert!(!sealed.windows(5).any(|window| window == b"19900"));
        assert_eq!(sealer(1).seal(place, "").expect("empty"), Vec::<u8>::new());
    }

    #[test]
    fn blind_indexes_are_equal_for_equal_values_of_one_district() {
        assert_eq!(sealer(1).blind("id", "x"), sealer(1).blind("id", "x"));
        assert_ne!(sealer(1).blind("id", "x"), sealer(2).blind("id", "x"));
        assert_ne!(sealer(1).blind("id", "x"), sealer(1).blind("phone", "x"));
        assert_eq!(sealer(1).blind("id", ""), None);
    }
}
