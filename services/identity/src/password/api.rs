//! RPCs of passwords.

use drumtower_proto::{
    identity::{
        ChangePasswordRequest, ChangePasswordResponse, ResetPasswordRequest, ResetPasswordResponse,
        password_service_server::PasswordService,
    },
    options::Role,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, TenantTx, call, log::NewEvent};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{hash, rules, store};
use crate::{assignment, session, user};

/// Passwords.
#[derive(Debug)]
pub struct Passwords {
    /// The database.
    pub db: Db,
}

impl Passwords {
    async fn change(&self, request: Request<ChangePasswordRequest>) -> Result<Response<ChangePasswordResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let me = call.person()?;
        let (person, session) = (me.sub, me.sid);
        let found = user::store::by_id(&mut self.db.read(&call).await?, person).await?.ok_or_else(|| Refusal::not_found("user"))?;
        rules::password(&found.login, &ask.password)?;
        if ask.password == ask.current_password {
            let (zh, en) = ("新密码不能与当前密码相同", "must be another than before");
            return Err(Refusal::invalid("password", "SAME_PASSWORD", zh, en).into());
        }
        let new = hash::hash(ask.password).await?;
        let (mut tx, _) = session::api::prove(&self.db, &call, &found.login, ask.current_password).await.map_err(wrong)?;
        let ended = renew(&mut tx, person, &new, Some(session)).await?;
        tx.emit(NewEvent::new("user.password_changed", person, 0));
        tx.commit(ChangePasswordResponse { ended_sessions: ended }).await
    }

    async fn reset(&self, request: Request<ResetPasswordRequest>) -> Result<Response<ResetPasswordResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let person = call::needed_id("user_id", &ask.user_id)?;
        let found = user::store::by_id(&mut self.db.read(&call).await?, person).await?.ok_or_else(|| Refusal::not_found("user"))?;
        rules::password(&found.login, &ask.password)?;
        let new = hash::hash(ask.password).await?;
        let mut tx = self.db.write(&call).await?;
        // Counted like a change of roles: one that is granted at the same moment waits, and is seen.
        user::store::touch(&mut tx, person).await?;
        let held = assignment::store::of_user(&mut tx, person).await?.into_iter().filter(|held| held.holds(call.now));
        rules::may_reset(person, held.map(|held| Role::try_from(i32::from(held.role)).unwrap_or_default()), call.person()?.sub)?;
        let ended = renew(&mut tx, person, &new, None).await?;
        tx.emit(NewEvent::new("user.password_reset", person, 0));
        tx.commit(ResetPasswordResponse { ended_sessions: ended }).await
    }
}

/// Sets a password and ends the person's sessions but for one; how many ended. Each is told of, so that its tokens are void at once.
pub async fn renew(tx: &mut TenantTx, person: Uuid, hash: &str, but: Option<Uuid>) -> Result<i32, Fault> {
    store::set(tx, person, hash).await?;
    let ended = store::end_sessions(tx, person, but).await?;
    for session in &ended {
        tx.emit(NewEvent::new("session.ended", *session, 2).facts(serde_json::json!({ "why": "a new password" })));
    }
    Ok(i32::try_from(ended.len()).unwrap_or(i32::MAX))
}

/// A wrong password is a wrong field here; the caller's session is good.
fn wrong(fault: Fault) -> Fault {
    match fault {
        Fault::Refused(refusal) if refusal.reason() == session::api::WRONG => {
            Refusal::invalid("current_password", "WRONG_PASSWORD", "当前密码不正确", "is not the password").into()
        }
        other => other,
    }
}

#[tonic::async_trait]
impl PasswordService for Passwords {
    async fn change_password(&self, request: Request<ChangePasswordRequest>) -> Result<Response<ChangePasswordResponse>, Status> {
        Ok(self.change(request).await?)
    }

    async fn reset_password(&self, request: Request<ResetPasswordRequest>) -> Result<Response<ResetPasswordResponse>, Status> {
        Ok(self.reset(request).await?)
    }
}
