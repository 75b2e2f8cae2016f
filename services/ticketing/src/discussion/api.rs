//! RPCs of discussions.

use std::sync::Arc;

use drumtower_proto::ticketing::{
    self as wire, AttendDiscussionRequest, CloseDiscussionRequest, ConcludeDiscussionRequest, ConfirmDiscussionTaskRequest,
    FinishDiscussionTaskRequest, GetDiscussionRequest, ListDiscussionsRequest, ListDiscussionsResponse, OpenDiscussionRequest,
    discussion_service_server::DiscussionService,
};
use drumtower_runtime::{Call, Fault, Refusal, TenantTx, call::needed_id, clock::to_proto, page};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{self, Calling, Discussion, Seat, Task},
    tell,
};
use crate::{
    outreach::{
        Kept,
        store::{self, Said},
        told,
    },
    ticket::{
        api::{Tickets, needed_instant, who},
        rules::{Decision, Who},
    },
};

/// Discussions.
#[derive(Debug)]
pub struct Discussions {
    pub tickets: Arc<Tickets>,
}

impl Discussions {
    async fn open(&self, request: Request<OpenDiscussionRequest>) -> Result<Response<wire::Discussion>, Fault> {
        let (call, ask) = Call::take(request)?;
        let enterprise = needed_id("enterprise_id", &ask.enterprise_id)?;
        let convener = needed_id("convener_unit_id", &ask.convener_unit_id)?;
        let units: Vec<Uuid> = ask.unit_ids.iter().map(|unit| needed_id("unit_ids", unit)).collect::<Result<_, _>>()?;
        let meets_at = needed_instant("meets_at", ask.meets_at.as_ref())?;
        let card = self.tickets.cards.enterprise(&call, enterprise).await?;
        self.tickets.cards.open_units(&call, &[&[convener], units.as_slice()].concat()).await?;
        let calling = Calling { enterprise, enterprise_name: card.name, topic: ask.topic, convener, units, meets_at, place: ask.place };
        let opened = rules::called(calling, &who(&call, &call.reach("discussion.open"))?, call.now)?;
        let mut tx = self.tickets.db.write(&call).await?;
        let said = Said { verb: "open", by: &call.actor_name(), unit: Some(convener), text: "" };
        let opened = store::insert(&mut tx, Uuid::now_v7(), opened, said).await?;
        tx.emit(tell::opened(&opened));
        tx.commit(as_shown(opened)).await
    }

    async fn get(&self, request: Request<GetDiscussionRequest>) -> Result<Response<wire::Discussion>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("discussion_id", &ask.discussion_id)?;
        let mut tx = self.tickets.db.read(&call).await?;
        let found = store::by_id(&mut tx, id).await?.reached(&call.reach("discussion.read"))?;
        let events = store::events(&mut tx, id).await?.into_iter().map(told).collect();
        Ok(Response::new(wire::Discussion { events, ..as_shown(found) }))
    }

    async fn list(&self, request: Request<ListDiscussionsRequest>) -> Result<Response<ListDiscussionsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let size = page::size(ask.page_size, 20);
        let question = format!("discussions {}", ask.state);
        let after: store::After = page::after(&question, &ask.page_token)?;
        let reach = call.reach("discussion.read");
        let rows = store::page::<Discussion>(&mut self.tickets.db.read(&call).await?, ask.state, &reach, after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| (row.thing.meets_at, row.id));
        Ok(Response::new(ListDiscussionsResponse { discussions: rows.into_iter().map(as_shown).collect(), next_page_token }))
    }

    async fn attend(&self, request: Request<AttendDiscussionRequest>) -> Result<Response<wire::Discussion>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (mut tx, before, who) = self.begin(&call, "discussion.attend", (&ask.discussion_id, &ask.etag)).await?;
        let (after, unit) = before.thing.attended(&who, call.now)?;
        let said = Said { verb: "attend", by: &call.actor_name(), unit: Some(unit), text: "" };
        let after = store::save(&mut tx, &before, after, said).await?;
        tx.emit(tell::attended(&after));
        tx.commit(as_shown(after)).await
    }

    async fn conclude(&self, request: Request<ConcludeDiscussionRequest>) -> Result<Response<wire::Discussion>, Fault> {
        let (call, ask) = Call::take(request)?;
        let decisions: Vec<Decision> = ask.decisions.iter().map(decision).collect::<Result<_, _>>()?;
        let units: Vec<Uuid> = decisions.iter().map(|decision| decision.unit).collect();
        self.tickets.cards.open_units(&call, &units).await?;
        let setting = self.tickets.settings.of(&call).await?;
        let (mut tx, before, who) = self.begin(&call, "discussion.conclude", (&ask.discussion_id, &ask.etag)).await?;
        let after = before.thing.concluded(&ask.minutes, &decisions, &who, call.now, setting.promises())?;
        let said = Said { verb: "conclude", by: &call.actor_name(), unit: Some(before.thing.convener), text: &ask.minutes };
        let after = store::save(&mut tx, &before, after, said).await?;
        tx.emit(tell::concluded(&after));
        tx.commit(as_shown(after)).await
    }

    async fn finish(&self, request: Request<FinishDiscussionTaskRequest>) -> Result<Response<wire::Discussion>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (mut tx, before, who) = self.begin(&call, "discussion.attend", (&ask.discussion_id, &ask.etag)).await?;
        let (after, unit) = before.thing.finished(ask.number, &ask.text, &who, call.now)?;
        let text = format!("{}: {}", ask.number, ask.text);
        let said = Said { verb: "finishTask", by: &call.actor_name(), unit: Some(unit), text: &text };
        let after = store::save(&mut tx, &before, after, said).await?;
        tx.emit(tell::finished(&after));
        tx.commit(as_shown(after)).await
    }

    async fn confirm(&self, request: Request<ConfirmDiscussionTaskRequest>) -> Result<Response<wire::Discussion>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (mut tx, before, who) = self.begin(&call, "discussion.conclude", (&ask.discussion_id, &ask.etag)).await?;
        let (after, unit) = before.thing.judged(ask.number, ask.confirmed, &ask.text, &who)?;
        let text = format!("{}: {}", ask.number, ask.text);
        let verb = if ask.confirmed { "confirmTask" } else { "sendBackTask" };
        let said = Said { verb, by: &call.actor_name(), unit: Some(before.thing.convener), text: &text };
        let after = store::save(&mut tx, &before, after, said).await?;
        tx.emit(tell::judged(&after, unit, ask.confirmed));
        tx.commit(as_shown(after)).await
    }

    async fn close(&self, request: Request<CloseDiscussionRequest>) -> Result<Response<wire::Discussion>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (mut tx, before, who) = self.begin(&call, "discussion.conclude", (&ask.discussion_id, &ask.etag)).await?;
        let after = before.thing.closed(&who, call.now)?;
        let said = Said { verb: "close", by: &call.actor_name(), unit: Some(before.thing.convener), text: "" };
        let after = store::save(&mut tx, &before, after, said).await?;
        tx.emit(tell::closed(&after));
        tx.commit(as_shown(after)).await
    }

    /// A discussion that the caller's permission reaches, locked and as the caller saw it, with who asks.
    async fn begin(&self, call: &Call, permission: &str, (id, etag): (&str, &str)) -> Result<(TenantTx, Kept<Discussion>, Who), Fault> {
        let reach = call.reach(permission);
        let mut tx = self.tickets.db.write(call).await?;
        let before = store::lock::<Discussion>(&mut tx, needed_id("discussion_id", id)?).await?.reached(&reach)?.fresh(etag)?;
        Ok((tx, before, who(call, &reach)?))
    }
}

fn decision(said: &wire::conclude_discussion_request::Decision) -> Result<Decision, Refusal> {
    let due_at = needed_instant("decisions.due_at", said.due_at.as_ref())?;
    Ok(Decision { unit: needed_id("decisions.unit_id", &said.unit_id)?, text: said.text.clone(), due_at })
}

fn as_shown(kept: Kept<Discussion>) -> wire::Discussion {
    let thing = kept.thing;
    wire::Discussion {
        id: kept.id.to_string(),
        state: thing.state,
        enterprise_id: thing.enterprise.to_string(),
        overdue: thing.tasks.iter().any(|task| task.clock.breached_at.is_some()),
        seats: thing.seats.iter().map(seat).collect(),
        tasks: thing.tasks.iter().map(task).collect(),
        enterprise_name: thing.enterprise_name,
        topic: thing.topic,
        convener_unit_id: thing.convener.to_string(),
        meets_at: Some(to_proto(thing.meets_at)),
        place: thing.place,
        minutes: thing.minutes,
        etag: kept.version.to_string(),
        concluded_at: thing.concluded_at.map(to_proto),
        closed_at: thing.closed_at.map(to_proto),
        events: Vec::new(),
    }
}

fn seat(seat: &Seat) -> wire::discussion::Seat {
    wire::discussion::Seat {
        unit_id: seat.unit.to_string(),
        arrived_at: seat.arrived_at.map(to_proto),
        arrived_by_id: seat.arrived_by.map(|person| person.to_string()).unwrap_or_default(),
        absent: seat.absent,
    }
}

fn task(task: &Task) -> wire::discussion::Task {
    wire::discussion::Task {
        number: task.number,
        unit_id: task.unit.to_string(),
        text: task.text.clone(),
        due_at: Some(to_proto(task.clock.due_at)),
        state: task.state,
        overdue: task.clock.breached_at.is_some(),
        report: task.report.clone(),
        done_at: task.done_at.map(to_proto),
        sent_back: task.sent_back,
    }
}

#[tonic::async_trait]
impl DiscussionService for Discussions {
    async fn open_discussion(&self, request: Request<OpenDiscussionRequest>) -> Result<Response<wire::Discussion>, Status> {
        Ok(self.open(request).await?)
    }

    async fn get_discussion(&self, request: Request<GetDiscussionRequest>) -> Result<Response<wire::Discussion>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_discussions(&self, request: Request<ListDiscussionsRequest>) -> Result<Response<ListDiscussionsResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn attend_discussion(&self, request: Request<AttendDiscussionRequest>) -> Result<Response<wire::Discussion>, Status> {
        Ok(self.attend(request).await?)
    }

    async fn conclude_discussion(&self, request: Request<ConcludeDiscussionRequest>) -> Result<Response<wire::Discussion>, Status> {
        Ok(self.conclude(request).await?)
    }

    async fn finish_discussion_task(&self, request: Request<FinishDiscussionTaskRequest>) -> Result<Response<wire::Discussion>, Status> {
        Ok(self.finish(request).await?)
    }

    async fn confirm_discussion_task(&self, request: Request<ConfirmDiscussionTaskRequest>) -> Result<Response<wire::Discussion>, Status> {
        Ok(self.confirm(request).await?)
    }

    async fn close_discussion(&self, request: Request<CloseDiscussionRequest>) -> Result<Response<wire::Discussion>, Status> {
        Ok(self.close(request).await?)
    }
}
