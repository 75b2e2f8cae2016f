//! RPCs of obligations.

use drumtower_proto::party::{
    EvaluateObligationsRequest, EvaluateObligationsResponse, GetObligationRequest, ListObligationsRequest, ListObligationsResponse,
    ListRulesRequest, ListRulesResponse, Obligation, WaiveObligationRequest, obligation::State,
    obligation_service_server::ObligationService,
};
use drumtower_runtime::{
    Call, Fault, Refusal,
    calendar::today,
    call::{id, needed_id},
    log::NewEvent,
    page,
};
use serde_json::json;
use tonic::{Request, Response, Status};

use super::{
    evaluator::Evaluator,
    rules,
    store::{self, Asked},
};
use crate::{day, organisation::api::reached, rule};

/// Obligations.
#[derive(Debug)]
pub struct Obligations {
    /// What evaluates a district, with the database.
    pub evaluator: Evaluator,
}

/// The states asked for; unspecified means what is still to be done.
fn states(asked: State) -> Vec<i16> {
    if asked == State::Unspecified { vec![State::Open as i16, State::Overdue as i16] } else { vec![asked as i16] }
}

impl Obligations {
    async fn list(&self, request: Request<ListObligationsRequest>) -> Result<Response<ListObligationsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let organisation = id("organisation_id", &ask.organisation_id)?;
        let state = ask.state();
        let due_from = day::given("due_from", &ask.due_from)?;
        let question = format!("obligations of {} in {} from {due_from:?}", ask.organisation_id, state.as_str_name());
        let (size, after) = (page::size(ask.page_size, 50), page::after(&question, &ask.page_token)?);
        let mut tx = self.evaluator.db.read(&call).await?;
        let reach = reached(&mut tx, &call, "obligation.read").await?;
        let (all, organisations) = match organisation {
            None => reach.listed(),
            Some(one) => {
                reach.must_include(one, "organisation")?;
                (false, vec![one])
            }
        };
        let rows = store::page(&mut tx, &Asked { all, organisations, states: states(state), due_from, after, limit: size + 1 }).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| (row.due_on.to_jiff(), row.id));
        Ok(Response::new(ListObligationsResponse { obligations: rows.into_iter().map(Into::into).collect(), next_page_token }))
    }

    async fn get(&self, request: Request<GetObligationRequest>) -> Result<Response<Obligation>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("obligation_id", &ask.obligation_id)?;
        let mut tx = self.evaluator.db.read(&call).await?;
        let row = store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("obligation"))?;
        reached(&mut tx, &call, "obligation.read").await?.must_include(row.organisation_id, "obligation")?;
        Ok(Response::new(row.into()))
    }

    async fn waive(&self, request: Request<WaiveObligationRequest>) -> Result<Response<Obligation>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("obligation_id", &ask.obligation_id)?;
        let until = day::needed("until", &ask.until)?;
        let mut tx = self.evaluator.db.write(&call).await?;
        let version = store::lock(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("obligation"))?;
        if !ask.etag.is_empty() && ask.etag != version.to_string() {
            return Err(Refusal::stale(version.to_string()).into());
        }
        let vanished = || Fault::broken("an obligation vanished");
        let row = store::by_id(&mut tx, id).await?.ok_or_else(vanished)?;
        rules::waive(row.state(), until, today(call.now))?;
        store::waive(&mut tx, id, &ask.reason, &call.actor_name(), until).await?;
        let row = store::by_id(&mut tx, id).await?.ok_or_else(vanished)?;
        let facts = json!({ "rule": row.rule, "organisation": row.organisation_id, "period": row.period, "until": until });
        tx.emit(NewEvent::new("obligation.waived", id, row.version).facts(facts));
        tx.commit(row.into()).await
    }

    async fn evaluate(&self, request: Request<EvaluateObligationsRequest>) -> Result<Response<EvaluateObligationsResponse>, Fault> {
        let (call, _) = Call::take(request)?;
        let (tally, seen) = self.evaluator.district(&call).await?;
        let mut tx = self.evaluator.db.write(&call).await?;
        store::evaluated(&mut tx, seen).await?;
        tx.commit(tally).await
    }
}

#[tonic::async_trait]
impl ObligationService for Obligations {
    async fn list_obligations(&self, request: Request<ListObligationsRequest>) -> Result<Response<ListObligationsResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn get_obligation(&self, request: Request<GetObligationRequest>) -> Result<Response<Obligation>, Status> {
        Ok(self.get(request).await?)
    }

    async fn waive_obligation(&self, request: Request<WaiveObligationRequest>) -> Result<Response<Obligation>, Status> {
        Ok(self.waive(request).await?)
    }

    async fn list_rules(&self, request: Request<ListRulesRequest>) -> Result<Response<ListRulesResponse>, Status> {
        Ok(rule::api::list(&self.evaluator.db, request).await?)
    }

    async fn evaluate_obligations(
        &self,
        request: Request<EvaluateObligationsRequest>,
    ) -> Result<Response<EvaluateObligationsResponse>, Status> {
        Ok(self.evaluate(request).await?)
    }
}
