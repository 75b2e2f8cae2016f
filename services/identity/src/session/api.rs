//! RPCs of sessions.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use drumtower_proto::identity::{
    CreateSessionRequest, DeleteSessionRequest, Key, ListKeysRequest, ListKeysResponse, RefreshSessionRequest, Session,
    session_service_server::SessionService,
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
    password,
    rules::{self, Verdict},
    store,
};
use crate::{assignment, unit, user};

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

/// Wrong login, wrong password, unknown person, shut-out person: always the same words.
fn refused() -> Refusal {
    Refusal::new(Kind::Unauthenticated, "SIGN_IN_FAILED", "登录名或密码错误", "wrong login or password")
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
        let (attempts, person) = self.who(&call, &ask.login).await?;
        must_be_open(attempts.as_ref(), call.now)?;
        // Outside the transaction, for it takes tens of milliseconds.
        let proved = password::verify(ask.password, person.as_ref().map(|person| person.password.clone())).await?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let person = person.filter(|person| proved && person.active);
        let mut tx = self.db.write(&call).await?;
        if person.is_none() {
            store::begin_attempts(&mut tx, &ask.login, &call.address).await?;
        }
        // Others tried in the meantime: who comes after the failure that locks is refused, whatever the password.
        let attempts = store::lock_attempts(&mut tx, &ask.login, &call.address).await?;
        must_be_open(attempts.as_ref(), call.now)?;
        let Some(person) = person else {
            return self.fail(tx, &call, &ask.login, attempts).await;
        };
        if attempts.is_some() {
            store::forget_attempts(&mut tx, &ask.login, &call.address).await?;
        }
        let session = store::insert(&mut tx, Uuid::now_v7(), person.id, call.now + rules::SESSION, &call.address).await?;
        tx.emit(NewEvent::new("session.created", session.id, 1).facts(serde_json::json!({ "user": person.id })));
        let refresh = new_token()?;
        store::insert_token(&mut tx, &hashed(&refresh), session.id).await?;
        let answer = self.answer(&mut tx, &sealer, &session, person, refresh).await?;
        tx.commit(answer).await
    }

    async fn who(&self, call: &Call, login: &str) -> Result<(Option<rules::Attempts>, Option<user::store::Row>), Fault> {
        let mut tx = self.db.read(call).await?;
        Ok((store::attempts(&mut tx, login, &call.address).await?, user::store::by_login(&mut tx, login).await?))
    }

    async fn fail(&self, mut tx: TenantTx, call: &Call, login: &str, before: Option<rules::Attempts>) -> Result<Response<Session>, Fault> {
        let attempts = rules::failed(before, call.now);
        store::save_attempts(&mut tx, login, &call.address, attempts).await?;
        tx.emit(NewEvent::new("session.refused", login.to_owned(), 0).facts(serde_json::json!({ "failures": attempts.failures })));
        tx.done().await?;
        Err(refused().into())
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
        let expires_at = Timestamp::from_second(claims.exp).unwrap_or(now);
        let user = user::api::whole(tx, sealer, person).await?;
        Ok(Session { access_token: self.signer.access(&claims), refresh_token, expires_at: Some(to_proto(expires_at)), user: Some(user) })
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

    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        Call::take(request)?;
        let key = Key { kid: self.signer.kid().to_owned(), x: URL_SAFE_NO_PAD.encode(self.signer.public()) };
        Ok(Response::new(ListKeysResponse { keys: vec![key] }))
    }
}
