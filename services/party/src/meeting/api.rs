//! RPCs of meetings.

use drumtower_proto::party::{
    CreateMeetingRequest, GetMeetingRequest, ListMeetingsRequest, ListMeetingsResponse, Meeting, meeting::Kind,
    meeting_service_server::MeetingService,
};
use drumtower_runtime::{
    Call, Db, Fault, Refusal, TenantTx,
    calendar::today,
    call::needed_id,
    clock::{from_proto, to_proto},
    log::NewEvent,
    page,
};
use jiff::{Timestamp, civil::Date};
use serde_json::json;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{Body, Roll, body, quorate},
    store::{self, New, Row},
};
use crate::{
    member, obligation,
    organisation::{api::reached, store as organisations},
    term,
};

/// Meetings.
#[derive(Debug)]
pub struct Meetings {
    /// The database.
    pub db: Db,
}

impl From<Row> for Meeting {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            organisation_id: row.organisation_id.to_string(),
            kinds: row.kinds.into_iter().map(i32::from).collect(),
            held_at: Some(to_proto(row.held_at.to_jiff())),
            place: row.place,
            minutes: row.minutes,
            due: row.due,
            present: row.present,
            quorate: quorate(row.due, row.present),
        }
    }
}

fn held_at(ask: &CreateMeetingRequest, now: Timestamp) -> Result<Timestamp, Refusal> {
    let at = ask.held_at.as_ref().and_then(from_proto);
    let at = at.ok_or_else(|| Refusal::invalid("held_at", "NOT_A_TIME", "时间不正确", "is not a point in time"))?;
    if at > now { Err(Refusal::invalid("held_at", "IN_FUTURE", "会议时间不能晚于现在", "is in the future")) } else { Ok(at) }
}

/// The voting members due on the day. Of a committee before the first one on record nobody knows who sat: its roll is empty.
async fn due(tx: &mut TenantTx, organisation: Uuid, body: Body, on: Date) -> Result<Vec<Uuid>, Fault> {
    if body == Body::Members {
        return Ok(member::store::voting(tx, organisation, on).await?);
    }
    if let Some(committee) = term::store::committee_on(tx, organisation, on).await? {
        return Ok(committee);
    }
    if term::store::before_record(tx, organisation, on).await? {
        return Ok(Vec::new());
    }
    Err(Refusal::state("NO_COMMITTEE", "当日没有在任的委员会", "no committee was in office on that day").into())
}

impl Meetings {
    async fn create(&self, request: Request<CreateMeetingRequest>) -> Result<Response<Meeting>, Fault> {
        let (call, ask) = Call::take(request)?;
        let organisation = needed_id("organisation_id", &ask.organisation_id)?;
        let absent = ask.absent_member_ids.iter().map(|id| needed_id("absent_member_ids", id)).collect::<Result<Vec<_>, _>>()?;
        let body = body(&ask.kinds().collect::<Vec<Kind>>())?;
        let held_at = held_at(&ask, call.now)?;
        let held_on = today(held_at);
        let mut tx = self.db.write(&call).await?;
        reached(&mut tx, &call, "meeting.write").await?.must_include(organisation, "organisation")?;
        let life = organisations::life(&mut tx, organisation).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
        life.must_cover("held_at", held_on)?;
        let roll = Roll::call(&due(&mut tx, organisation, body, held_on).await?, &absent)?;
        let kinds = ask.kinds.iter().filter_map(|kind| i16::try_from(*kind).ok()).collect();
        let new = New { id: Uuid::now_v7(), organisation, kinds, held_at, held_on, place: &ask.place, minutes: &ask.minutes };
        let meeting = store::insert(&mut tx, &new, &roll).await?;
        store::insert_roll(&mut tx, new.id, &roll).await?;
        obligation::store::changed(&mut tx).await?;
        let facts = json!({ "organisation": organisation, "kinds": new.kinds, "due": roll.due(), "present": roll.present() });
        tx.emit(NewEvent::new("meeting.created", new.id, 1).facts(facts));
        tx.commit(meeting.into()).await
    }

    async fn get(&self, request: Request<GetMeetingRequest>) -> Result<Response<Meeting>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("meeting_id", &ask.meeting_id)?;
        let mut tx = self.db.read(&call).await?;
        let row = store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("meeting"))?;
        reached(&mut tx, &call, "meeting.read").await?.must_include(row.organisation_id, "meeting")?;
        Ok(Response::new(row.into()))
    }

    async fn list(&self, request: Request<ListMeetingsRequest>) -> Result<Response<ListMeetingsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let organisation = needed_id("organisation_id", &ask.organisation_id)?;
        let question = format!("meetings of {organisation}");
        let (size, before) = (page::size(ask.page_size, 50), page::after(&question, &ask.page_token)?);
        let mut tx = self.db.read(&call).await?;
        reached(&mut tx, &call, "meeting.read").await?.must_include(organisation, "organisation")?;
        organisations::life(&mut tx, organisation).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
        let rows = store::of_organisation(&mut tx, organisation, before, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| (row.held_at.to_jiff(), row.id));
        Ok(Response::new(ListMeetingsResponse { meetings: rows.into_iter().map(Into::into).collect(), next_page_token }))
    }
}

#[tonic::async_trait]
impl MeetingService for Meetings {
    async fn create_meeting(&self, request: Request<CreateMeetingRequest>) -> Result<Response<Meeting>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_meeting(&self, request: Request<GetMeetingRequest>) -> Result<Response<Meeting>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_meetings(&self, request: Request<ListMeetingsRequest>) -> Result<Response<ListMeetingsResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
