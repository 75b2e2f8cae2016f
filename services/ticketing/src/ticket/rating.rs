//! RPCs of ratings: by invitation, and what follows a bad one.

use drumtower_proto::ticketing::{
    self as wire, AppealRatingRequest, DecideRatingAppealRequest, FollowUpRatingRequest, InviteRatingRequest, RateByInvitationRequest,
    RateByInvitationResponse, RatingInvitation, RectifyRatingRequest, VerifyRatingRequest, rating_service_server::RatingService,
};
use drumtower_runtime::{Call, Fault, Refusal, TenantTx, call::needed_id, clock::to_proto, log::NewEvent};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    api::{Tickets, Wanted, wanted, who},
    change::{Said, change},
    query,
    rules::{self, Beside, Command, State, Who},
    store,
};
use crate::clock::rules::Name;

/// Who rates by invitation is nobody to the history.
const NOBODY: &str = "invitation";

wanted! {
    VerifyRatingRequest "rating.verify" text |ask| Command::Beside(Beside::VerifyRating { founded: ask.founded });
    AppealRatingRequest "rating.appeal" text |_ask| Command::Beside(Beside::AppealRating);
    DecideRatingAppealRequest "rating.decide" text |ask| Command::Beside(Beside::DecideRatingAppeal { upheld: ask.upheld });
    RectifyRatingRequest "ticket.handle" text |ask| Command::Beside(Beside::RectifyRating { answer: ask.text.clone() });
    FollowUpRatingRequest "ticket.rate" text |ask| Command::Beside(Beside::FollowUpRating { score: ask.score });
}

impl Tickets {
    /// Good until the time for a rating is over; the platform keeps its hash only, and one for a request.
    async fn invite(&self, request: Request<InviteRatingRequest>) -> Result<Response<RatingInvitation>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("ticket_id", &ask.ticket_id)?;
        let mut tx = self.db.write(&call).await?;
        let (_, ticket) = store::lock(&mut tx, id).await?;
        let reach = call.reach("rating.invite");
        query::reaches(&reach, &ticket)?;
        rules::independent(&ticket, &who(&call, &reach)?)?;
        let open = ticket.running(Name::C10).filter(|clock| clock.breached_at.is_none() && ticket.score == 0);
        let Some(open) = open.filter(|_| matches!(ticket.state, State::Callback | State::Archived)) else {
            let (zh, en) = ("当前不能评价", "is not to be rated now");
            return Err(Refusal::state("NOT_TO_BE_RATED", zh, en).fact("state", ticket.state.as_str_name()).into());
        };
        // Two random UUIDs: 244 random bits.
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        keep(&mut tx, id, &hash(&token), open.due_at).await?;
        tx.emit(NewEvent::new("rating.invited", id, ticket.version));
        let expires_at = Some(to_proto(open.due_at));
        tx.commit(RatingInvitation { token, expires_at }).await
    }

    async fn by_invitation(&self, request: Request<RateByInvitationRequest>) -> Result<Response<RateByInvitationResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let setting = self.settings.of(&call).await?;
        let mut tx = self.db.write(&call).await?;
        // The request is locked first, as by whoever makes an invitation: neither waits for the other for ever.
        let id = invited(&mut tx, &hash(&ask.token)).await?;
        let found = store::lock(&mut tx, id).await?;
        use_up(&mut tx, &hash(&ask.token)).await?;
        let command = Command::Rate { score: ask.score, tags: ask.tags, attachments: Vec::new() };
        let said = Said { by: NOBODY, text: &ask.text };
        let (matter, _) = change(&mut tx, &call, &setting, &Who::timer(), found, command, said).await?;
        tx.commit(RateByInvitationResponse { number: matter.number }).await
    }
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

#[tracing::instrument(name = "db.rating.keep", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn keep(tx: &mut TenantTx, ticket: Uuid, hash: &[u8], expires_at: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "insert into rating_invitation (tenant_id, ticket_id, hash, expires_at) values ($1, $2, $3, $4)
         on conflict (tenant_id, ticket_id) do update set hash = excluded.hash, expires_at = excluded.expires_at, used_at = null",
    )
    .bind(tx.tenant())
    .bind(ticket)
    .bind(hash)
    .bind(expires_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The request of an invitation.
#[tracing::instrument(name = "db.rating.invited", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn invited(tx: &mut TenantTx, hash: &[u8]) -> Result<Uuid, Fault> {
    let now = tx.now().to_sqlx();
    let found: Option<(Uuid, bool)> =
        sqlx::query_as("select ticket_id, expires_at <= $3 from rating_invitation where tenant_id = $1 and hash = $2")
            .bind(tx.tenant())
            .bind(hash)
            .bind(now)
            .fetch_optional(tx.conn())
            .await?;
    let unknown = || Refusal::invalid("token", "UNKNOWN_INVITATION", "评价邀请无效", "is no invitation");
    let (ticket, expired) = found.ok_or_else(unknown)?;
    if expired {
        return Err(Refusal::state("INVITATION_EXPIRED", "评价已截止", "this invitation has run out").into());
    }
    Ok(ticket)
}

/// An invitation is good once. Two at once: the second waits and finds it used.
#[tracing::instrument(name = "db.rating.use_up", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn use_up(tx: &mut TenantTx, hash: &[u8]) -> Result<(), Fault> {
    let now = tx.now().to_sqlx();
    let used = sqlx::query("update rating_invitation set used_at = $3 where tenant_id = $1 and hash = $2 and used_at is null")
        .bind(tx.tenant())
        .bind(hash)
        .bind(now)
        .execute(tx.conn())
        .await?;
    if used.rows_affected() == 0 {
        return Err(Refusal::state("INVITATION_USED", "该评价邀请已使用", "this invitation was used").into());
    }
    Ok(())
}

#[tonic::async_trait]
impl RatingService for Tickets {
    async fn invite_rating(&self, request: Request<InviteRatingRequest>) -> Result<Response<RatingInvitation>, Status> {
        Ok(self.invite(request).await?)
    }

    async fn rate_by_invitation(&self, request: Request<RateByInvitationRequest>) -> Result<Response<RateByInvitationResponse>, Status> {
        Ok(self.by_invitation(request).await?)
    }

    async fn verify_rating(&self, request: Request<VerifyRatingRequest>) -> Result<Response<wire::Ticket>, Status> {
        Ok(self.verb(request).await?)
    }

    async fn appeal_rating(&self, request: Request<AppealRatingRequest>) -> Result<Response<wire::Ticket>, Status> {
        Ok(self.verb(request).await?)
    }

    async fn decide_rating_appeal(&self, request: Request<DecideRatingAppealRequest>) -> Result<Response<wire::Ticket>, Status> {
        Ok(self.verb(request).await?)
    }

    async fn rectify_rating(&self, request: Request<RectifyRatingRequest>) -> Result<Response<wire::Ticket>, Status> {
        Ok(self.verb(request).await?)
    }

    async fn follow_up_rating(&self, request: Request<FollowUpRatingRequest>) -> Result<Response<wire::Ticket>, Status> {
        Ok(self.verb(request).await?)
    }
}
