//! RPCs of sessions.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use drumtower_proto::identity::{
    BrowserSession, BrowserToken, CreateSessionRequest, DeleteSessionRequest, ExchangeBrowserSessionRequest, Key, ListKeysRequest,
    ListKeysResponse, OpenBrowserSessionRequest, RefreshSessionRequest, Session, session_service_server::SessionService,
};
use drumtower_runtime::{
    Call, Db, Fault, Kind, Refusal, TenantTx,
    clock::to_proto,
    log::NewEvent,
    seal::{Sealer, Sealers},
    token::{self, Held, Signer},
};
use jiff::Timestamp;
use ring::rand::SecureRandom as _;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{self, Verdict},
    store,
};
use crate::{assignment, password::hash, unit, user};

/// Sessions.
#[derive(Debug)]
pub struct Sessions {
    /// The database.
    pub db: Db,
    /// Seals phones.
    pub sealers: Sealers,
    /// Signs people's tokens.
    pub signer: Arc<Signer>,
}

/// Why a sign-in was refused.
pub const WRONG: &str = "SIGN_IN_FAILED";

/// Wrong login, wrong password, unknown person, shut-out person: always the same words.
fn refused() -> Refusal {
    Refusal::new(Kind::Unauthenticated, WRONG, "登录名或密码错误", "wrong login or password")
}

fn must_be_open(attempts: Option<&rules::Attempts>, now: Timestamp) -> Result<(), Refusal> {
    let Some(until) = rules::locked(attempts, now) else { return Ok(()) };
    let (zh, en) = ("登录失败次数过多，账号暂时锁定", "too many failures; locked for a while");
    Err(Refusal::new(Kind::Exhausted, "LOCKED", zh, en).fact("until", until.to_string()))
}

fn over() -> Refusal {
    Refusal::new(Kind::Unauthenticated, "SESSION_OVER", "登录已失效，请重新登录", "the session is over; sign in again")
}

impl Sessions {
    async fn create(&self, request: Request<CreateSessionRequest>) -> Result<Response<Session>, Fault> {
        let (call, ask) = Call::take(request)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let (mut tx, person) = prove(&self.db, &call, &ask.login, ask.password).await?;
        let session = begin(&mut tx, &call, &person, None).await?;
        tx.emit(NewEvent::new("session.created", session.id, 1).facts(serde_json::json!({ "user": person.id })));
        let refresh = new_token()?;
        store::insert_token(&mut tx, &hashed(&refresh), session.id).await?;
        let answer = self.answer(&mut tx, &sealer, &session, person, refresh).await?;
        tx.commit(answer).await
    }

    /// Like `create`; what stays with the browser is a secret that is good for as long as the session is.
    async fn open(&self, request: Request<OpenBrowserSessionRequest>) -> Result<Response<BrowserSession>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (mut tx, person) = prove(&self.db, &call, &ask.login, ask.password).await?;
        let secret = new_token()?;
        let session = begin(&mut tx, &call, &person, Some(&hashed(&secret))).await?;
        let former = match ask.former_secret.as_str() {
            "" => None,
            former => store::shorten(&mut tx, &hashed(former), call.now + rules::FORMER).await?,
        };
        let facts = serde_json::json!({ "user": person.id, "former": former });
        tx.emit(NewEvent::new("session.created", session.id, 1).facts(facts));
        let token = self.token(&mut tx, &session, &person).await?;
        tx.commit(BrowserSession { secret, ends_at: Some(to_proto(session.expires_at())), token: Some(token) }).await
    }

    /// Asked by many tabs at once: it changes nothing.
    async fn exchange(&self, request: Request<ExchangeBrowserSessionRequest>) -> Result<Response<BrowserToken>, Fault> {
        let (call, ask) = Call::take(request)?;
        let mut tx = self.db.read(&call).await?;
        let session = store::by_secret(&mut tx, &hashed(&ask.secret)).await?.filter(|session| !session.over(call.now)).ok_or_else(over)?;
        let person = user::store::by_id(&mut tx, session.user_id).await?.filter(|person| person.active).ok_or_else(over)?;
        Ok(Response::new(self.token(&mut tx, &session, &person).await?))
    }

    async fn refresh(&self, request: Request<RefreshSessionRequest>) -> Result<Response<Session>, Fault> {
        let (call, ask) = Call::take(request)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let hash = hashed(&ask.refresh_token);
        let mut tx = self.db.write(&call).await?;
        let token = store::lock_token(&mut tx, &hash).await?.ok_or_else(over)?;
        let successor_used = match &token.successor {
            Some(successor) => store::token_used(&mut tx, successor).await?,
            None => false,
        };
        let found = rules::Found { used: token.used_at.is_some(), successor_used, session_over: token.session.over(call.now) };
        let replaced = match rules::judge(found) {
            Verdict::Exchange => None,
            Verdict::Reissue => token.successor.as_deref(),
            Verdict::Over => return Err(over().into()),
            Verdict::Theft => {
                store::end(&mut tx, token.session.id).await?;
                tx.emit(
                    NewEvent::new("session.ended", token.session.id, 2).facts(serde_json::json!({ "why": "refresh token used twice" })),
                );
                tx.done().await?;
                return Err(over().into());
            }
        };
        let person = user::store::by_id(&mut tx, token.session.user_id).await?.filter(|person| person.active).ok_or_else(over)?;
        let refresh = new_token()?;
        let successor = hashed(&refresh);
        store::insert_token(&mut tx, &successor, token.session.id).await?;
        store::exchange(&mut tx, &hash, &successor, replaced).await?;
        let answer = self.answer(&mut tx, &sealer, &token.session, person, refresh).await?;
        tx.commit(answer).await
    }

    async fn answer(
        &self,
        tx: &mut TenantTx,
        sealer: &Sealer,
        session: &store::Row,
        person: user::store::Row,
        refresh_token: String,
    ) -> Result<Session, Fault> {
        let (access_token, expires_at) = self.sign(tx, session, &person).await?;
        let user = user::api::whole(tx, sealer, person).await?;
        Ok(Session { access_token, refresh_token, expires_at: Some(to_proto(expires_at)), user: Some(user) })
    }

    /// A token for the gateway, which uses it no longer than the session lasts.
    async fn token(&self, tx: &mut TenantTx, session: &store::Row, person: &user::store::Row) -> Result<BrowserToken, Fault> {
        let (access_token, expires_at) = self.sign(tx, session, person).await?;
        Ok(BrowserToken { access_token, ends_at: Some(to_proto(expires_at.min(session.expires_at()))) })
    }

    /// An access token with the roles held now, and when it ends.
    async fn sign(&self, tx: &mut TenantTx, session: &store::Row, person: &user::store::Row) -> Result<(String, Timestamp), Fault> {
        let now = tx.now();
        let roles = held(tx, person.id, now).await?;
        let claims = token::claims(
            person.id,
            tx.tenant(),
            session.id,
            session.auth_time(),
            person.unit_id,
            person.enterprise_id,
            person.version,
            roles,
            now,
        );
        Ok((self.signer.access(&claims), Timestamp::from_second(claims.exp).unwrap_or(now)))
    }

    async fn delete(&self, request: Request<DeleteSessionRequest>) -> Result<Response<()>, Fault> {
        let (call, _) = Call::take(request)?;
        let session = call.person()?.sid;
        let mut tx = self.db.write(&call).await?;
        if store::end(&mut tx, session).await? {
            tx.emit(NewEvent::new("session.ended", session, 2).facts(serde_json::json!({ "why": "signed out" })));
        }
        tx.commit(()).await
    }
}

/// Proves who signs in. The transaction in which that was counted goes on.
pub async fn prove(db: &Db, call: &Call, login: &str, password: String) -> Result<(TenantTx, user::store::Row), Fault> {
    let (attempts, person) = who(db, call, login).await?;
    must_be_open(attempts.as_ref(), call.now)?;
    // Outside the transaction, for it takes tens of milliseconds.
    let proved = hash::verify(password, person.as_ref().map(|person| person.password.clone())).await?;
    let person = person.filter(|person| proved && person.active);
    let mut tx = db.write(call).await?;
    if person.is_none() {
        store::begin_attempts(&mut tx, login, &call.address).await?;
    }
    // Others tried in the meantime: who comes after the failure that locks is refused, whatever the password.
    let attempts = store::lock_attempts(&mut tx, login, &call.address).await?;
    must_be_open(attempts.as_ref(), call.now)?;
    // Nor does a password count that was replaced in the meantime: whoever replaces it ends the sessions that it had begun.
    let person = match person {
        Some(person) if user::store::lock_password(&mut tx, person.id).await?.as_ref() == Some(&person.password) => person,
        _ => return fail(tx, call, login, attempts).await,
    };
    if attempts.is_some() {
        store::forget_attempts(&mut tx, login, &call.address).await?;
    }
    Ok((tx, person))
}

async fn who(db: &Db, call: &Call, login: &str) -> Result<(Option<rules::Attempts>, Option<user::store::Row>), Fault> {
    let mut tx = db.read(call).await?;
    Ok((store::attempts(&mut tx, login, &call.address).await?, user::store::by_login(&mut tx, login).await?))
}

async fn fail<T>(mut tx: TenantTx, call: &Call, login: &str, before: Option<rules::Attempts>) -> Result<T, Fault> {
    let attempts = rules::failed(before, call.now);
    store::save_attempts(&mut tx, login, &call.address, attempts).await?;
    tx.emit(NewEvent::new("session.refused", login.to_owned(), 0).facts(serde_json::json!({ "failures": attempts.failures })));
    tx.done().await?;
    Err(refused().into())
}

async fn begin(tx: &mut TenantTx, call: &Call, person: &user::store::Row, secret: Option<&[u8]>) -> Result<store::Row, Fault> {
    let (id, expires_at) = (Uuid::now_v7(), call.now + rules::SESSION);
    Ok(store::insert(tx, &store::New { id, user: person.id, expires_at, address: &call.address, secret }).await?)
}

/// Roles held now; those for a unit reach the units below it too.
pub async fn held(tx: &mut TenantTx, person: Uuid, now: Timestamp) -> Result<Vec<Held>, Fault> {
    let rows: Vec<_> = assignment::store::of_user(tx, person).await?.into_iter().filter(|row| row.holds(now)).collect();
    let edges = if rows.iter().any(|row| row.node_id.is_some()) { unit::store::edges(tx).await? } else { Vec::new() };
    let mut held: Vec<Held> = Vec::new();
    for row in rows {
        let role = i32::from(row.role);
        let nodes = row.node_id.map(|node| unit::rules::below(node, &edges)).unwrap_or_default();
        match held.iter_mut().find(|held| held.r == role && !held.n.is_empty() && !nodes.is_empty()) {
            Some(same) => same.n.extend(nodes),
            None => held.push(Held { r: role, n: nodes }),
        }
    }
    Ok(held)
}

fn new_token() -> Result<String, Fault> {
    let mut bytes = [0; 32];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| Fault::broken("no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn hashed(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

#[tonic::async_trait]
impl SessionService for Sessions {
    async fn create_session(&self, request: Request<CreateSessionRequest>) -> Result<Response<Session>, Status> {
        Ok(self.create(request).await?)
    }

    async fn refresh_session(&self, request: Request<RefreshSessionRequest>) -> Result<Response<Session>, Status> {
        Ok(self.refresh(request).await?)
    }

    async fn delete_session(&self, request: Request<DeleteSessionRequest>) -> Result<Response<()>, Status> {
        Ok(self.delete(request).await?)
    }

    async fn open_browser_session(&self, request: Request<OpenBrowserSessionRequest>) -> Result<Response<BrowserSession>, Status> {
        Ok(self.open(request).await?)
    }

    async fn exchange_browser_session(&self, request: Request<ExchangeBrowserSessionRequest>) -> Result<Response<BrowserToken>, Status> {
        Ok(self.exchange(request).await?)
    }

    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        Call::take(request)?;
        let key = Key { kid: self.signer.kid().to_owned(), x: URL_SAFE_NO_PAD.encode(self.signer.public()) };
        Ok(Response::new(ListKeysResponse { keys: vec![key] }))
    }
}
