//! RPCs of role assignments.

use drumtower_proto::{
    identity::{
        Assignment, CreateAssignmentRequest, EndAssignmentRequest, ListAssignmentsRequest, ListAssignmentsResponse,
        assignment_service_server::AssignmentService,
    },
    options::Role,
    party::{LookupOrganisationRequest, organisation_service_client::OrganisationServiceClient},
};
use drumtower_runtime::{Call, Db, Fault, Refusal, TenantTx, call, clock::from_proto, log::NewEvent, peers::Peers};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{rules, rules::Grant, store};
use crate::{tenant, unit, user};

/// Role assignments.
#[derive(Debug)]
pub struct Assignments {
    /// The database.
    pub db: Db,
    /// To ask whether a party organisation is there.
    pub peers: Peers,
}

impl Assignments {
    async fn create(&self, request: Request<CreateAssignmentRequest>) -> Result<Response<Assignment>, Fault> {
        let (call, ask) = Call::take(request)?;
        let grant = Grant {
            id: Uuid::now_v7(),
            user: call::needed_id("user_id", &ask.user_id)?,
            role: Role::try_from(ask.role).unwrap_or_default(),
            node: call::id("node_id", &ask.node_id)?,
            valid_to: ask.valid_to.as_ref().and_then(from_proto),
        };
        rules::may_grant(&grant, call.person()?.sub, call.now)?;
        if rules::is_of_platform(grant.role) {
            tenant::api::of_platform(&self.db, &call).await?;
        }
        self.node_exists(&call, grant.node).await?;
        let mut tx = self.db.write(&call).await?;
        let version = user::store::touch(&mut tx, grant.user).await?.ok_or_else(|| Refusal::not_found("user"))?;
        let row = store::insert(&mut tx, &grant, &call.actor_name()).await.map_err(third_officer)?;
        changed(&mut tx, grant.user, version, "granted", grant.role);
        tx.commit(row.into()).await
    }

    /// A node is a unit of the district or one of its party organisations.
    async fn node_exists(&self, call: &Call, node: Option<Uuid>) -> Result<(), Fault> {
        let Some(node) = node else { return Ok(()) };
        if unit::store::by_id(&mut self.db.read(call).await?, node).await?.is_some() {
            return Ok(());
        }
        let own = Call::of_service("identity", call.tenant, call.now, call.remaining());
        let request = LookupOrganisationRequest { organisation_id: node.to_string() };
        let found = OrganisationServiceClient::new(self.peers.to("party", &own)?).lookup_organisation(request).await;
        match found {
            Err(status) if status.code() == tonic::Code::NotFound => Err(Refusal::not_found("node").into()),
            other => Ok(other.map(drop)?),
        }
    }

    async fn end(&self, request: Request<EndAssignmentRequest>) -> Result<Response<Assignment>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("assignment_id", &ask.assignment_id)?;
        let mut tx = self.db.write(&call).await?;
        let row = store::end(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("assignment"))?;
        if row.user_id == call.person()?.sub {
            return Err(Refusal::state("ONESELF", "不能变更自己的授权", "nobody changes their own roles").into());
        }
        let version = user::store::touch(&mut tx, row.user_id).await?.ok_or_else(|| Refusal::not_found("user"))?;
        changed(&mut tx, row.user_id, version, "ended", Role::try_from(i32::from(row.role)).unwrap_or_default());
        tx.commit(row.into()).await
    }

    async fn list(&self, request: Request<ListAssignmentsRequest>) -> Result<Response<ListAssignmentsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let user = call::needed_id("user_id", &ask.user_id)?;
        let mut tx = self.db.read(&call).await?;
        user::store::by_id(&mut tx, user).await?.ok_or_else(|| Refusal::not_found("user"))?;
        let assignments = store::of_user(&mut tx, user).await?.into_iter().map(Into::into).collect();
        Ok(Response::new(ListAssignmentsResponse { assignments }))
    }
}

/// The exclusion constraint is the second officer's role of one person.
fn third_officer(error: sqlx::Error) -> Fault {
    let excluded = error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "23P01");
    if !excluded {
        return error.into();
    }
    let (zh, en) = ("系统、安全、审计管理员不得由同一人兼任", "system, security and audit administrator are three people");
    Refusal::state("THREE_OFFICERS", zh, en).into()
}

fn changed(tx: &mut TenantTx, user: Uuid, version: i64, how: &str, role: Role) {
    let facts = serde_json::json!({ "how": how, "role": role.as_str_name() });
    tx.emit(NewEvent::new("user.roles_changed", user, version).facts(facts));
}

#[tonic::async_trait]
impl AssignmentService for Assignments {
    async fn create_assignment(&self, request: Request<CreateAssignmentRequest>) -> Result<Response<Assignment>, Status> {
        Ok(self.create(request).await?)
    }

    async fn end_assignment(&self, request: Request<EndAssignmentRequest>) -> Result<Response<Assignment>, Status> {
        Ok(self.end(request).await?)
    }

    async fn list_assignments(&self, request: Request<ListAssignmentsRequest>) -> Result<Response<ListAssignmentsResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
