//! Tokens: short EdDSA JWTs that say who a person is, and shorter ones (JWT-SVID) that say which service calls. Both are verified
//! locally; an answer is remembered by the token's hash until it ends.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// `typ` of a person's access token; an id token or a service's token is never taken for one.
pub const ACCESS: &str = "at+jwt";
/// `typ` of a service's token.
pub const SERVICE: &str = "svid+jwt";
const ISSUER: &str = "drumtower";
/// How far two machines' clocks may differ.
const SKEW_SECONDS: i64 = 30;

/// What a person's access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// The person.
    pub sub: Uuid,
    /// The district.
    pub tid: i32,
    /// The session.
    pub sid: Uuid,
    /// Issued, Unix seconds.
    pub iat: i64,
    /// Ends, Unix seconds.
    pub exp: i64,
    /// When the person proved who they are, Unix seconds.
    pub auth_time: i64,
    /// Unit the person works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Uuid>,
    /// Company the person works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ent: Option<Uuid>,
    /// Version of the person's record when it was issued: a later one, with other rights, voids it.
    pub ep: i64,
    /// Roles held, each with the nodes it reaches (none: the whole district).
    pub roles: Vec<Held>,
}

/// A role held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The role's number in the contract.
    pub r: i32,
    /// Units or organisations it reaches; empty for the whole district.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub n: Vec<Uuid>,
}

/// What a service's token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ServiceClaims {
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// Why a token is not believed. Told to nobody outside: all of them answer the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Not three parts of base64url JSON, or another algorithm or kind than allowed.
    #[error("malformed")]
    Malformed,
    /// Signed with a key nobody here knows.
    #[error("unknown key")]
    UnknownKey,
    /// The signature does not hold.
    #[error("bad signature")]
    Signature,
    /// Ended, or not begun.
    #[error("expired")]
    Expired,
    /// Meant for somebody else.
    #[error("wrong audience or issuer")]
    Audience,
}

/// A key that signs.
pub struct Signer {
    kid: String,
    key: Ed25519KeyPair,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.kid)
    }
}

impl Signer {
    /// From PKCS#8 bytes; the key id is the beginning of the public key's hash.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, Distrust> {
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| Distrust::Malformed)?;
        Ok(Self { kid: kid(key.public_key().as_ref()), key })
    }

    /// A new key as PKCS#8 bytes.
    pub fn generate() -> Result<Vec<u8>, Distrust> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).map_err(|_| Distrust::Malformed)?;
        Ok(pkcs8.as_ref().to_vec())
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The raw public key.
    pub fn public(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    /// Signs a person's claims.
    pub fn access(&self, claims: &Claims) -> String {
        self.sign(ACCESS, claims)
    }

    /// Signs that `service` calls `audience`, for a minute.
    pub fn service(&self, service: &str, audience: &str, now: Timestamp) -> String {
        let iat = now.as_second();
        self.sign(SERVICE, &ServiceClaims { sub: format!("spiffe://drumtower/{service}"), aud: audience.to_owned(), iat, exp: iat + 60 })
    }

    /// Signs any bytes, for the heads of the log.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign(bytes).as_ref().to_vec()
    }

    fn sign(&self, typ: &str, claims: &impl Serialize) -> String {
        let header = Header { alg: "EdDSA".into(), typ: typ.into(), kid: self.kid.clone() };
        let mut token = encode(&header);
        token.push('.');
        token.push_str(&encode(claims));
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature.as_ref()));
        token
    }
}

fn encode(value: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

/// Id of a public key.
pub fn kid(public: &[u8]) -> String {
    hex::encode(&Sha256::digest(public)[..8])
}

/// Keys that are believed, swapped as a whole.
#[derive(Debug, Default)]
pub struct Keys {
    keys: ArcSwap<HashMap<String, Vec<u8>>>,
    known: Remembered<Claims>,
    services: Remembered<String>,
}

/// Tokens verified before, by their hash.
#[derive(Debug)]
struct Remembered<T: Clone + Send + Sync + 'static>(moka::sync::Cache<[u8; 32], (i64, Arc<T>)>);

impl<T: Clone + Send + Sync + 'static> Default for Remembered<T> {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(50_000).time_to_live(Duration::from_secs(300)).build())
    }
}

impl Keys {
    /// Believes these raw public keys and no others.
    pub fn replace(&self, publics: impl IntoIterator<Item = Vec<u8>>) {
        let keys: HashMap<String, Vec<u8>> = publics.into_iter().map(|public| (kid(&public), public)).collect();
        if **self.keys.load() != keys {
            self.keys.store(Arc::new(keys));
            self.known.0.invalidate_all();
            self.services.0.invalidate_all();
        }
    }

    /// Whether any key is known.
    pub fn any(&self) -> bool {
        !self.keys.load().is_empty()
    }

    /// Whether a key id is known; an unknown one is worth one look at the source.
    pub fn knows(&self, token: &str) -> bool {
        header(token).is_ok_and(|header| self.keys.load().contains_key(&header.kid))
    }

    /// Verifies a person's access token.
    pub fn access(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, Distrust> {
        let id: [u8; 32] = Sha256::digest(token).into();
        let second = now.as_second();
        if let Some((exp, claims)) = self.known.0.get(&id) {
            return if second < exp + SKEW_SECONDS { Ok(claims) } else { Err(Distrust::Expired) };
        }
        let claims: Claims = self.verify(token, ACCESS)?;
        if claims.iss != ISSUER || claims.aud != ISSUER {
            return Err(Distrust::Audience);
        }
        check_time(claims.iat, claims.exp, second)?;
        let claims = Arc::new(claims);
        self.known.0.insert(id, (claims.exp, Arc::clone(&claims)));
        Ok(claims)
    }

    /// Verifies a service's token for this audience and returns the service's name.
    pub fn service(&self, token: &str, audience: &str, now: Timestamp) -> Result<Arc<String>, Distrust> {
        let id: [u8; 32] = Sha256::digest(token).into();
        let second = now.as_second();
        if let Some((exp, name)) = self.services.0.get(&id) {
            return if second < exp + SKEW_SECONDS { Ok(name) } else { Err(Distrust::Expired) };
        }
        let claims: ServiceClaims = self.verify(token, SERVICE)?;
        if claims.aud != audience {
            return Err(Distrust::Audience);
        }
        check_time(claims.iat, claims.exp, second)?;
        let name = claims.sub.strip_prefix("spiffe://drumtower/").ok_or(Distrust::Audience)?;
        let name = Arc::new(name.to_owned());
        self.services.0.insert(id, (claims.exp, Arc::clone(&name)));
        Ok(name)
    }

    fn verify<T: DeserializeOwned>(&self, token: &str, typ: &str) -> Result<T, Distrust> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Distrust::Malformed)?;
        let header = header(token)?;
        if header.alg != "EdDSA" || header.typ != typ {
            return Err(Distrust::Malformed);
        }
        let keys = self.keys.load();
        let public = keys.get(&header.kid).ok_or(Distrust::UnknownKey)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Distrust::Malformed)?;
        UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).map_err(|_| Distrust::Signature)?;
        let (_, claims) = signed.split_once('.').ok_or(Distrust::Malformed)?;
        decode(claims)
    }
}

fn header(token: &str) -> Result<Header, Distrust> {
    decode(token.split('.').next().unwrap_or_default())
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, Distrust> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Distrust::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Distrust::Malformed)
}

fn check_time(iat: i64, exp: i64, now: i64) -> Result<(), Distrust> {
    if now >= exp + SKEW_SECONDS || iat > now + SKEW_SECONDS { Err(Distrust::Expired) } else { Ok(()) }
}

/// Claims of a new access token.
#[expect(clippy::too_many_arguments, reason = "each is a claim of the token")]
pub fn claims(
    sub: Uuid,
    tid: i32,
    sid: Uuid,
    auth_time: Timestamp,
    unit: Option<Uuid>,
    ent: Option<Uuid>,
    ep: i64,
    roles: Vec<Held>,
    now: Timestamp,
) -> Claims {
    let iat = now.as_second();
    Claims {
        iss: ISSUER.into(),
        aud: ISSUER.into(),
        sub,
        tid,
        sid,
        iat,
        exp: iat + 300,
        auth_time: auth_time.as_second(),
        unit,
        ent,
        ep,
        roles,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T02:00:00Z".parse().expect("a time")
    }

    fn signer() -> Signer {
        Signer::from_pkcs8(&Signer::generate().expect("a key")).expect("a key")
    }

    fn a_person() -> Claims {
        claims(Uuid::now_v7(), 7, Uuid::now_v7(), now(), None, None, 1, vec![Held { r: 2, n: vec![] }], now())
    }

    #[test]
    fn a_token_is_believed_until_it_ends_and_only_with_its_key() {
        let signer = signer();
        let keys = Keys::default();
        let token = signer.access(&a_person());
        assert_eq!(keys.access(&token, now()).err(), Some(Distrust::UnknownKey));
        keys.replace([signer.public()]);
        assert_eq!(keys.access(&token, now()).expect("believed").tid, 7);
        let later = now().checked_add(jiff::SignedDuration::from_secs(331)).expect("later");
        assert_eq!(keys.access(&token, later).err(), Some(Distrust::Expired));
        let mut forged = token.clone().into_bytes();
        let middle = token.find('.').expect("a dot") + 5;
        forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("text");
        assert_eq!(keys.access(&forged, now()).err(), Some(Distrust::Signature));
    }

    #[test]
    fn a_service_token_is_not_an_access_token_and_names_its_audience() {
        let signer = signer();
        let keys = Keys::default();
        keys.replace([signer.public()]);
        let svid = signer.service("gateway", "ticketing", now());
        assert_eq!(keys.access(&svid, now()).err(), Some(Distrust::Malformed));
        assert_eq!(keys.service(&svid, "identity", now()).err(), Some(Distrust::Audience));
        assert_eq!(*keys.service(&svid, "ticketing", now()).expect("believed"), "gateway");
        let person = signer.access(&a_person());
        assert_eq!(keys.service(&person, "ticketing", now()).err(), Some(Distrust::Malformed));
    }
}
