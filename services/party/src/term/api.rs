//! RPCs of committee terms.

use drumtower_proto::party::{
    CreateTermRequest, ListTermsRequest, ListTermsResponse, Seat as SeatOfContract, Term, seat::Post, term_service_server::TermService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, call::needed_id, log::NewEvent};
use serde_json::json;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{self, Seat},
    store::{self, New, Row},
};
use crate::{
    day, member, obligation,
    organisation::store as organisations,
    rule::{rules::in_force_or_first, store as law},
};

/// Terms.
#[derive(Debug)]
pub struct Terms {
    /// The database.
    pub db: Db,
}

fn answer(row: &Row, seats: &[(Uuid, Seat)]) -> Term {
    let seat = |(_, seat): &(Uuid, Seat)| SeatOfContract { member_id: seat.member.to_string(), post: seat.post as i32 };
    Term {
        id: row.id.to_string(),
        organisation_id: row.organisation_id.to_string(),
        number: row.number,
        elected_on: row.elected_on.to_jiff().to_string(),
        planned_end: row.planned_end.to_jiff().to_string(),
        ended_on: day::text(row.ended_on.map(jiff_sqlx::Date::to_jiff)),
        seats: seats.iter().filter(|(term, _)| *term == row.id).map(seat).collect(),
    }
}

fn asked_seats(ask: &CreateTermRequest) -> Result<Vec<Seat>, Refusal> {
    let seat = |seat: &SeatOfContract| {
        Ok(Seat { member: needed_id("seats.member_id", &seat.member_id)?, post: Post::try_from(seat.post).unwrap_or_default() })
    };
    ask.seats.iter().map(seat).collect()
}

impl Terms {
    async fn create(&self, request: Request<CreateTermRequest>) -> Result<Response<Term>, Fault> {
        let (call, ask) = Call::take(request)?;
        let organisation = needed_id("organisation_id", &ask.organisation_id)?;
        let elected_on = day::past("elected_on", &ask.elected_on, call.now)?;
        let seats = asked_seats(&ask)?;
        let law = law::all(&self.db).await?;
        let rule = in_force_or_first(&law, "E1", elected_on).ok_or_else(|| Fault::broken("no rule E1"))?;
        let planned_end = rules::planned_end(elected_on, rule.parameters.months, day::given("planned_end", &ask.planned_end)?)?;
        let mut tx = self.db.write(&call).await?;
        let life = organisations::lock(&mut tx, organisation).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
        life.must_cover("elected_on", elected_on)?;
        let full = member::store::voting(&mut tx, organisation, elected_on).await?;
        rules::seats(&seats, &full.into_iter().collect())?;
        let ended_on = rules::succeed(&store::elections(&mut tx, organisation).await?, ask.number, elected_on)?;
        for (ended, version) in store::end_before(&mut tx, organisation, elected_on).await? {
            tx.emit(NewEvent::new("term.ended", ended, version).facts(json!({ "organisation": organisation, "ended_on": elected_on })));
        }
        let new = New { id: Uuid::now_v7(), organisation, number: ask.number, elected_on, planned_end, ended_on };
        store::insert(&mut tx, &new).await?;
        store::insert_seats(&mut tx, new.id, &seats).await?;
        obligation::store::changed(&mut tx).await?;
        let facts = json!({ "organisation": organisation, "number": ask.number, "elected_on": elected_on, "planned_end": planned_end });
        tx.emit(NewEvent::new("term.created", new.id, 1).facts(facts));
        tx.commit(Term {
            id: new.id.to_string(),
            organisation_id: ask.organisation_id,
            number: ask.number,
            elected_on: elected_on.to_string(),
            planned_end: planned_end.to_string(),
            ended_on: day::text(ended_on),
            seats: ask.seats,
        })
        .await
    }

    async fn list(&self, request: Request<ListTermsRequest>) -> Result<Response<ListTermsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let organisation = needed_id("organisation_id", &ask.organisation_id)?;
        let mut tx = self.db.read(&call).await?;
        organisations::life(&mut tx, organisation).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
        let rows = store::of_organisation(&mut tx, organisation).await?;
        let seats = store::seats(&mut tx, &rows.iter().map(|row| row.id).collect::<Vec<_>>()).await?;
        Ok(Response::new(ListTermsResponse { terms: rows.iter().map(|row| answer(row, &seats)).collect() }))
    }
}

#[tonic::async_trait]
impl TermService for Terms {
    async fn create_term(&self, request: Request<CreateTermRequest>) -> Result<Response<Term>, Status> {
        Ok(self.create(request).await?)
    }

    async fn list_terms(&self, request: Request<ListTermsRequest>) -> Result<Response<ListTermsResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
