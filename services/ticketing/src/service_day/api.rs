//! RPCs of service days.

use std::sync::Arc;

use drumtower_proto::ticketing::{
    self as wire, CancelServiceDayRequest, CloseServiceDayRequest, CreateServiceDayRequest, Demand, GetServiceDayRequest, Invitation,
    InviteToServiceDayRequest, ListInvitationsRequest, ListInvitationsResponse, ListServiceDayDemandsRequest,
    ListServiceDayDemandsResponse, ListServiceDaysRequest, ListServiceDaysResponse, PublishServiceDayRequest, ReplyServiceDayRequest,
    TakeDemandRequest, service_day_service_server::ServiceDayService, ticket::Source,
};
use drumtower_runtime::{
    Call, Fault, Reach, Refusal, TenantTx,
    call::{id, needed_id},
    clock::to_proto,
    page,
};
use jiff::Timestamp;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{Desk, ServiceDay, State},
    store, tell,
};
use crate::{
    dispatch::auto,
    outreach::{
        Kept,
        store::{self as outreach, Said},
        told,
    },
    ticket::{
        api::{Tickets, needed_instant, who},
        change::{Said as Words, change},
        rules::{Beside, Command, Kind, Urgency},
        submit::{Draft, Submission, submit},
    },
};

/// Service days, which take requests.
#[derive(Debug)]
pub struct ServiceDays {
    pub tickets: Arc<Tickets>,
}

impl ServiceDays {
    async fn create(&self, request: Request<CreateServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Fault> {
        let (call, ask) = Call::take(request)?;
        let building = id("building_id", &ask.building_id)?;
        if let Some(building) = building {
            self.tickets.cards.building(&call, building).await?;
        }
        let desks: Vec<Desk> = (1..).zip(&ask.desks).map(desk).collect::<Result<_, _>>()?;
        self.tickets.cards.open_units(&call, &desks.iter().map(|desk| desk.unit).collect::<Vec<_>>()).await?;
        let planned = ServiceDay {
            state: State::Planned as i32,
            title: ask.title,
            starts_at: needed_instant("starts_at", ask.starts_at.as_ref())?,
            ends_at: needed_instant("ends_at", ask.ends_at.as_ref())?,
            building,
            place: ask.place,
            desks,
            published: false,
            reason: String::new(),
        };
        planned.check(call.now)?;
        let mut tx = self.tickets.db.write(&call).await?;
        let planned = outreach::insert(&mut tx, Uuid::now_v7(), planned, said("create", &call.actor_name(), "")).await?;
        tx.emit(tell::event("service_day.created", &planned));
        tx.commit(as_shown(planned)).await
    }

    async fn get(&self, request: Request<GetServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Fault> {
        let (call, ask) = Call::take(request)?;
        let mut tx = self.tickets.db.read(&call).await?;
        let (found, company) = seen(&mut tx, &ask.service_day_id, &call.reach("service_day.read")).await?;
        let id = found.id;
        if company.is_some() {
            return Ok(Response::new(as_shown(found)));
        }
        let (invited, coming, people) = store::count(&mut tx, id).await?;
        let events = outreach::events(&mut tx, id).await?.into_iter().map(told).collect();
        let number = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        let (invited, coming, people) = (number(invited), number(coming), number(people));
        Ok(Response::new(wire::ServiceDay { invited, coming, people, events, ..as_shown(found) }))
    }

    async fn list(&self, request: Request<ListServiceDaysRequest>) -> Result<Response<ListServiceDaysResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let size = page::size(ask.page_size, 20);
        let question = format!("service days {}", ask.state);
        let after: outreach::After = page::after(&question, &ask.page_token)?;
        let reach = call.reach("service_day.read");
        let rows = outreach::page::<ServiceDay>(&mut self.tickets.db.read(&call).await?, ask.state, &reach, after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| (row.thing.starts_at, row.id));
        Ok(Response::new(ListServiceDaysResponse { days: rows.into_iter().map(as_shown).collect(), next_page_token }))
    }

    /// The names are asked for before anything is locked.
    async fn invite(&self, request: Request<InviteToServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Fault> {
        let (call, ask) = Call::take(request)?;
        let mut companies = Vec::with_capacity(ask.enterprise_ids.len());
        for company in &ask.enterprise_ids {
            let company = needed_id("enterprise_ids", company)?;
            companies.push((company, self.tickets.cards.enterprise(&call, company).await?.name));
        }
        let (mut tx, before) = self.begin(&call, &ask.service_day_id, &ask.etag).await?;
        before.thing.may_invite(call.now)?;
        let new = store::invite(&mut tx, before.id, &companies).await?;
        let text = new.len().to_string();
        let after = outreach::save(&mut tx, &before, before.thing.clone(), said("invite", &call.actor_name(), &text)).await?;
        if after.thing.published {
            outreach::admit(&mut tx, &after, &new).await?;
            tell::invited(&after, &new).into_iter().for_each(|event| tx.emit(event));
        }
        tx.commit(as_shown(after)).await
    }

    async fn publish(&self, request: Request<PublishServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (mut tx, before) = self.begin(&call, &ask.service_day_id, &ask.etag).await?;
        let invited = store::invited(&mut tx, before.id).await?;
        let after = before.thing.publish(invited.len(), call.now)?;
        let after = outreach::save(&mut tx, &before, after, said("publish", &call.actor_name(), "")).await?;
        outreach::admit(&mut tx, &after, &invited).await?;
        tx.emit(tell::published(&after));
        tell::invited(&after, &invited).into_iter().for_each(|event| tx.emit(event));
        tx.commit(as_shown(after)).await
    }

    async fn reply(&self, request: Request<ReplyServiceDayRequest>) -> Result<Response<Invitation>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("service_day_id", &ask.service_day_id)?;
        let person = call.person()?.sub;
        let not_invited = || Refusal::not_found("service_day");
        let enterprise = call.reach("service_day.reply").enterprise.ok_or_else(not_invited)?;
        let mut tx = self.tickets.db.write(&call).await?;
        let day = outreach::lock::<ServiceDay>(&mut tx, id).await?;
        if !day.thing.published || store::invitation(&mut tx, id, enterprise).await?.is_none() {
            return Err(not_invited().into());
        }
        let reply = day.thing.reply(ask.coming, ask.people, call.now)?;
        let replied = store::reply(&mut tx, id, enterprise, reply, ask.people, person).await?.ok_or_else(not_invited)?;
        let text = format!("{} {}", enterprise, reply.as_str_name());
        outreach::happened(&mut tx, id, day.version, said("reply", &call.actor_name(), &text)).await?;
        tx.emit(tell::event("service_day.replied", &day));
        tx.commit(replied.into()).await
    }

    async fn invitations(&self, request: Request<ListInvitationsRequest>) -> Result<Response<ListInvitationsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("invitations {}", ask.service_day_id);
        let after: Uuid = page::after(&question, &ask.page_token)?.unwrap_or_default();
        let mut tx = self.tickets.db.read(&call).await?;
        let (day, company) = seen(&mut tx, &ask.service_day_id, &call.reach("service_day.read")).await?;
        let rows = match company {
            Some(company) => store::invitation(&mut tx, day.id, company).await?.into_iter().collect(),
            None => store::invitations(&mut tx, day.id, after, size + 1).await?,
        };
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| row.enterprise_id);
        Ok(Response::new(ListInvitationsResponse { invitations: rows.into_iter().map(Into::into).collect(), next_page_token }))
    }

    /// The request is drafted before anything is locked, for a draft asks other services; where a day takes place never changes.
    async fn take(&self, request: Request<TakeDemandRequest>) -> Result<Response<Demand>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (id, enterprise) = (needed_id("service_day_id", &ask.service_day_id)?, needed_id("enterprise_id", &ask.enterprise_id)?);
        let reach = call.reach("service_day.take");
        let who = who(&call, &reach)?;
        let mut looking = self.tickets.db.read(&call).await?;
        let day = outreach::by_id::<ServiceDay>(&mut looking, id).await?.reached(&reach)?.thing;
        // Who replied for the company asks in its name; whom nobody announced is asked for by the desk.
        let invited = store::invitation(&mut looking, id, enterprise).await?;
        drop(looking);
        let requester = invited.and_then(|invited| invited.replied_by).unwrap_or(who.user);
        let matter = self.tickets.drafted(&call, draft(&ask, &day, enterprise, requester)).await?;
        let setting = self.tickets.settings.of(&call).await?;
        let mut tx = self.tickets.db.write(&call).await?;
        let before = outreach::lock::<ServiceDay>(&mut tx, id).await?;
        let (desk, held) = before.thing.take(ask.desk, &who, call.now)?;
        let (actor, settled) = (call.actor_name(), !ask.answer.trim().is_empty());
        let kind = Kind::try_from(ask.kind).unwrap_or_default();
        let submission = Submission { kind, danger: false, requester, enterprise: Some(enterprise) };
        let begun = submit(&mut tx, &setting, matter, submission, &actor).await?;
        let words = Words { by: &actor, text: &ask.answer };
        let changed = change(&mut tx, &call, &setting, &who, begun, outcome(&ask, settled), words).await?;
        let (matter, ticket) = auto::dispatched(&mut tx, &call, &setting, &self.tickets.cards, changed).await?;
        store::take(&mut tx, id, matter.id, desk.number, settled).await?;
        let taken = Said { verb: "take", by: &actor, unit: Some(desk.unit), text: &matter.number };
        let after = match held {
            Some(held) => outreach::save(&mut tx, &before, held, taken).await?,
            None => {
                outreach::happened(&mut tx, id, before.version, taken).await?;
                before
            }
        };
        tx.emit(tell::taken(&after, &matter, &ticket, requester == who.user));
        let demand = store::demand(&mut tx, matter.id).await?;
        tx.commit(demand.into()).await
    }

    async fn demands(&self, request: Request<ListServiceDayDemandsRequest>) -> Result<Response<ListServiceDayDemandsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("demands {}", ask.service_day_id);
        let after: (Timestamp, Uuid) = page::after(&question, &ask.page_token)?.unwrap_or_default();
        let mut tx = self.tickets.db.read(&call).await?;
        let (day, company) = seen(&mut tx, &ask.service_day_id, &call.reach("service_day.read")).await?;
        let rows = store::demands(&mut tx, day.id, company, after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| (row.taken_at.to_jiff(), row.ticket_id));
        Ok(Response::new(ListServiceDayDemandsResponse { demands: rows.into_iter().map(Into::into).collect(), next_page_token }))
    }

    async fn close(&self, request: Request<CloseServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (mut tx, before) = self.begin(&call, &ask.service_day_id, &ask.etag).await?;
        let open = store::open(&mut tx, before.id).await?;
        let after = before.thing.close(open, &ask.reason, call.now)?;
        let after = outreach::save(&mut tx, &before, after, said("close", &call.actor_name(), &ask.reason)).await?;
        tx.emit(tell::event("service_day.closed", &after));
        tx.commit(as_shown(after)).await
    }

    async fn cancel(&self, request: Request<CancelServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (mut tx, before) = self.begin(&call, &ask.service_day_id, &ask.etag).await?;
        let invited = store::invited(&mut tx, before.id).await?;
        let after = before.thing.cancel(&ask.reason, call.now)?;
        let after = outreach::save(&mut tx, &before, after, said("cancel", &call.actor_name(), &ask.reason)).await?;
        tell::cancelled(&after, &invited).into_iter().for_each(|event| tx.emit(event));
        tx.commit(as_shown(after)).await
    }

    /// A day that the caller plans, locked and as the caller saw it.
    async fn begin(&self, call: &Call, id: &str, etag: &str) -> Result<(TenantTx, Kept<ServiceDay>), Fault> {
        let mut tx = self.tickets.db.write(call).await?;
        let before = outreach::lock::<ServiceDay>(&mut tx, needed_id("service_day_id", id)?).await?;
        Ok((tx, before.reached(&call.reach("service_day.plan"))?.fresh(etag)?))
    }
}

/// A day that the caller sees; the company, when it is seen as one that was invited.
async fn seen(tx: &mut TenantTx, id: &str, reach: &Reach) -> Result<(Kept<ServiceDay>, Option<Uuid>), Fault> {
    let found = outreach::by_id::<ServiceDay>(tx, needed_id("service_day_id", id)?).await?;
    if let Some(company) = reach.enterprise.filter(|_| !reach.all && found.thing.published)
        && store::invitation(tx, found.id, company).await?.is_some()
    {
        return Ok((found, Some(company)));
    }
    Ok((found.reached(reach)?, None))
}

fn said<'a>(verb: &'static str, by: &'a str, text: &'a str) -> Said<'a> {
    Said { verb, by, unit: None, text }
}

fn desk((number, desk): (i32, &wire::service_day::Desk)) -> Result<Desk, Refusal> {
    Ok(Desk { number, unit: needed_id("desks.unit_id", &desk.unit_id)?, covers: desk.covers.clone() })
}

/// The request that a demand becomes.
fn draft(ask: &TakeDemandRequest, day: &ServiceDay, enterprise: Uuid, requester: Uuid) -> Draft {
    Draft {
        title: ask.title.clone(),
        description: ask.description.clone(),
        enterprise: Some(enterprise),
        building: day.building,
        at: None,
        source: Source::ServiceDay,
        place: day.place.clone(),
        contact_name: ask.contact_name.clone(),
        contact_phone: ask.contact_phone.clone(),
        requester,
    }
}

/// Accepted at once, or when it was settled answered at once; the machine knows what may be answered.
fn outcome(ask: &TakeDemandRequest, settled: bool) -> Command {
    if settled {
        return Command::Beside(Beside::Answer);
    }
    let urgency = Urgency::try_from(ask.urgency).ok().filter(|urgency| *urgency != Urgency::Unspecified);
    Command::Accept { kind: None, urgency: urgency.unwrap_or(Urgency::Normal) }
}

fn as_shown(kept: Kept<ServiceDay>) -> wire::ServiceDay {
    let day = kept.thing;
    let desk = |desk: Desk| wire::service_day::Desk { number: desk.number, unit_id: desk.unit.to_string(), covers: desk.covers };
    wire::ServiceDay {
        id: kept.id.to_string(),
        state: day.state,
        title: day.title,
        starts_at: Some(to_proto(day.starts_at)),
        ends_at: Some(to_proto(day.ends_at)),
        building_id: day.building.map(|building| building.to_string()).unwrap_or_default(),
        place: day.place,
        desks: day.desks.into_iter().map(desk).collect(),
        invited: 0,
        coming: 0,
        people: 0,
        reason: day.reason,
        etag: kept.version.to_string(),
        events: Vec::new(),
    }
}

#[tonic::async_trait]
impl ServiceDayService for ServiceDays {
    async fn create_service_day(&self, request: Request<CreateServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_service_day(&self, request: Request<GetServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_service_days(&self, request: Request<ListServiceDaysRequest>) -> Result<Response<ListServiceDaysResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn invite_to_service_day(&self, request: Request<InviteToServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Status> {
        Ok(self.invite(request).await?)
    }

    async fn publish_service_day(&self, request: Request<PublishServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Status> {
        Ok(self.publish(request).await?)
    }

    async fn reply_service_day(&self, request: Request<ReplyServiceDayRequest>) -> Result<Response<Invitation>, Status> {
        Ok(self.reply(request).await?)
    }

    async fn list_invitations(&self, request: Request<ListInvitationsRequest>) -> Result<Response<ListInvitationsResponse>, Status> {
        Ok(self.invitations(request).await?)
    }

    async fn take_demand(&self, request: Request<TakeDemandRequest>) -> Result<Response<Demand>, Status> {
        Ok(self.take(request).await?)
    }

    async fn list_service_day_demands(
        &self,
        request: Request<ListServiceDayDemandsRequest>,
    ) -> Result<Response<ListServiceDayDemandsResponse>, Status> {
        Ok(self.demands(request).await?)
    }

    async fn close_service_day(&self, request: Request<CloseServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Status> {
        Ok(self.close(request).await?)
    }

    async fn cancel_service_day(&self, request: Request<CancelServiceDayRequest>) -> Result<Response<wire::ServiceDay>, Status> {
        Ok(self.cancel(request).await?)
    }
}
