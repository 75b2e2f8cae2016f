//! RPCs of people.

use std::sync::Arc;

use drumtower_proto::{
    enterprise::{LookupEnterpriseRequest, enterprise_service_client::EnterpriseServiceClient},
    identity::{
        CreateUserRequest, DisableUserRequest, EnableUserRequest, GetMeRequest, GetUserRequest, ListUsersRequest, ListUsersResponse,
        LookupUserRequest, User, user_service_server::UserService,
    },
};
use drumtower_runtime::{Call, Db, Fault, Refusal, TenantTx, call, log::NewEvent, page, peers::Peers, seal::Sealer, seal::Sealers};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{rules, store};
use crate::{assignment, password, unit};

/// People.
#[derive(Debug)]
pub struct Users {
    /// The database.
    pub db: Db,
    /// Seals phones.
    pub sealers: Sealers,
    /// To ask whether a company exists.
    pub peers: Peers,
}

/// A person with the roles held now.
pub async fn whole(tx: &mut TenantTx, sealer: &Sealer, row: store::Row) -> Result<User, Fault> {
    let now = tx.now();
    let assignments = assignment::store::of_user(tx, row.id).await?;
    let mut user = row.open(sealer)?;
    user.assignments = assignments.into_iter().filter(|held| held.holds(now)).map(Into::into).collect();
    Ok(user)
}

impl Users {
    async fn one(&self, call: &Arc<Call>, id: Uuid) -> Result<Response<User>, Fault> {
        let sealer = self.sealers.of(&self.db, call).await?;
        let mut tx = self.db.read(call).await?;
        let row = store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("user"))?;
        Ok(Response::new(whole(&mut tx, &sealer, row).await?))
    }

    async fn list(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let unit = call::id("unit_id", &ask.unit_id)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("users {unit:?}");
        let after: String = page::after(&question, &ask.page_token)?.unwrap_or_default();
        let sealer = self.sealers.of(&self.db, &call).await?;
        let rows = store::page(&mut self.db.read(&call).await?, unit, &after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| row.login.clone());
        let users = rows.into_iter().map(|row| row.open(&sealer)).collect::<Result<_, _>>()?;
        Ok(Response::new(ListUsersResponse { users, next_page_token }))
    }

    async fn create(&self, request: Request<CreateUserRequest>) -> Result<Response<User>, Fault> {
        let (call, ask) = Call::take(request)?;
        let unit = call::id("unit_id", &ask.unit_id)?;
        let enterprise = call::id("enterprise_id", &ask.enterprise_id)?;
        rules::belonging(unit, enterprise)?;
        password::rules::password(&ask.login, &ask.password)?;
        if enterprise.is_some() {
            self.enterprise_exists(&call, &ask.enterprise_id).await?;
        }
        let sealer = self.sealers.of(&self.db, &call).await?;
        let hash = password::hash::hash(ask.password).await?;
        let mut tx = self.db.write(&call).await?;
        if let Some(unit) = unit {
            unit::store::by_id(&mut tx, unit).await?.ok_or_else(|| Refusal::not_found("unit"))?;
        }
        let id = Uuid::now_v7();
        let new = store::New { id, login: &ask.login, name: &ask.name, phone: &ask.phone, unit, enterprise, password: &hash };
        store::insert(&mut tx, &sealer, &new).await?;
        let row = store::by_id(&mut tx, id).await?.ok_or_else(|| Fault::broken("the person just written is not there"))?;
        tx.emit(NewEvent::new("user.created", id, 1));
        tx.commit(row.open(&sealer)?).await
    }

    /// Asked of the registry on this service's own account: the administrator need not be able to read companies.
    async fn enterprise_exists(&self, call: &Call, enterprise_id: &str) -> Result<(), Fault> {
        let request = LookupEnterpriseRequest { enterprise_id: enterprise_id.to_owned(), credit_code: String::new() };
        EnterpriseServiceClient::new(self.peers.to("enterprise", call)?).lookup_enterprise(request).await?;
        Ok(())
    }

    async fn disable(&self, request: Request<DisableUserRequest>) -> Result<Response<User>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("user_id", &ask.user_id)?;
        if call.person()?.sub == id {
            return Err(Refusal::state("ONESELF", "不能停用自己的账号", "nobody shuts out themselves").into());
        }
        let sealer = self.sealers.of(&self.db, &call).await?;
        let mut tx = self.db.write(&call).await?;
        let version = store::disable(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("user"))?;
        tx.emit(NewEvent::new("user.disabled", id, version).facts(serde_json::json!({ "reason": ask.reason })));
        let row = store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("user"))?;
        let user = row.open(&sealer)?;
        tx.commit(user).await
    }

    async fn enable(&self, request: Request<EnableUserRequest>) -> Result<Response<User>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("user_id", &ask.user_id)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let mut tx = self.db.write(&call).await?;
        let version = store::enable(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("user"))?;
        tx.emit(NewEvent::new("user.enabled", id, version).facts(serde_json::json!({ "reason": ask.reason })));
        let row = store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("user"))?;
        let user = whole(&mut tx, &sealer, row).await?;
        tx.commit(user).await
    }
}

#[tonic::async_trait]
impl UserService for Users {
    async fn get_me(&self, request: Request<GetMeRequest>) -> Result<Response<User>, Status> {
        let (call, _) = Call::take(request)?;
        let me = call.person().map_err(Fault::from)?.sub;
        Ok(self.one(&call, me).await?)
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("user_id", &ask.user_id).map_err(Fault::from)?;
        Ok(self.one(&call, id).await?)
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<User>, Status> {
        Ok(self.create(request).await?)
    }

    async fn disable_user(&self, request: Request<DisableUserRequest>) -> Result<Response<User>, Status> {
        Ok(self.disable(request).await?)
    }

    async fn enable_user(&self, request: Request<EnableUserRequest>) -> Result<Response<User>, Status> {
        Ok(self.enable(request).await?)
    }

    async fn lookup_user(&self, request: Request<LookupUserRequest>) -> Result<Response<User>, Status> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("user_id", &ask.user_id).map_err(Fault::from)?;
        Ok(self.one(&call, id).await?)
    }
}
