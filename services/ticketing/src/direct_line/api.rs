//! RPCs of direct lines and of the calls over them.

use std::sync::Arc;

use drumtower_proto::ticketing::{
    self as wire, AnswerDirectCallRequest, CloseDirectCallRequest, ConvertDirectCallRequest, FindDirectLineRequest, GetDirectCallRequest,
    ListDirectCallsRequest, ListDirectCallsResponse, ListDirectLinesRequest, ListDirectLinesResponse, OpenDirectCallRequest,
    SetDirectLineRequest, direct_line_service_server::DirectLineService, ticket::Source,
};
use drumtower_runtime::{
    Call, Fault, Refusal,
    call::{id, needed_id},
    clock::to_proto,
    page,
    surface::SURFACE,
};
use jiff_sqlx::ToSqlx as _;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{self, DirectCall, Made, State},
    store::{self, Line},
    tell,
};
use crate::{
    outreach::{
        Kept,
        rules::fresh,
        store::{self as outreach, Said},
        told,
    },
    ticket::{
        api::{Tickets, enterprise_of, who},
        rules::Kind,
        shown,
        submit::{Draft, Submission, submit, submitted},
    },
};

/// Direct lines, which make requests of calls.
#[derive(Debug)]
pub struct DirectLines {
    pub tickets: Arc<Tickets>,
}

impl DirectLines {
    async fn set(&self, request: Request<SetDirectLineRequest>) -> Result<Response<wire::DirectLine>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (enterprise, zone) = (id("enterprise_id", &ask.enterprise_id)?, id("zone_id", &ask.zone_id)?);
        if let Some(enterprise) = enterprise {
            self.tickets.cards.enterprise(&call, enterprise).await?;
        }
        if let Some(zone) = zone {
            self.tickets.cards.zone(&call, zone).await?;
        }
        let contact = match id("contact_id", &ask.contact_id)? {
            Some(contact) => Some((contact, self.unit_of_contact(&call, contact).await?)),
            None => None,
        };
        rules::of_one(enterprise, zone)?;
        let mut tx = self.tickets.db.write(&call).await?;
        let known = store::lock(&mut tx, enterprise, zone).await?;
        fresh(&ask.etag, known.as_ref().map_or(0, |line| line.version))?;
        let actor = call.actor_name();
        let Some((contact_id, unit_id)) = contact else {
            let ended = known.ok_or_else(|| Refusal::not_found("direct_line"))?;
            store::end(&mut tx, ended.id).await?;
            let said = Said { verb: "end", by: &actor, unit: Some(ended.unit_id), text: "" };
            outreach::happened(&mut tx, ended.id, ended.version + 1, said).await?;
            tx.emit(tell::line(ended.id, ended.version + 1, Some(ended.contact_id), None));
            return tx.commit(wire::DirectLine { contact_id: String::new(), unit_id: String::new(), ..ended.into() }).await;
        };
        let line = Line {
            id: known.as_ref().map_or_else(Uuid::now_v7, |line| line.id),
            enterprise_id: enterprise,
            zone_id: zone,
            contact_id,
            unit_id,
            version: known.as_ref().map_or(0, |line| line.version) + 1,
            set_at: call.now.to_sqlx(),
        };
        store::save(&mut tx, &line).await?;
        outreach::happened(&mut tx, line.id, line.version, Said { verb: "set", by: &actor, unit: Some(unit_id), text: "" }).await?;
        tx.emit(tell::line(line.id, line.version, known.map(|line| line.contact_id), Some(contact_id)));
        tx.commit(line.into()).await
    }

    /// The open unit that somebody may be a contact of.
    async fn unit_of_contact(&self, call: &Call, contact: Uuid) -> Result<Uuid, Fault> {
        let card = self.tickets.cards.user(call, contact).await?;
        let answers = |role: i32| SURFACE.role(role).is_some_and(|rule| rule.grants.contains("direct_line.answer"));
        let held = card.assignments.iter().filter(|held| answers(held.role));
        let answers_at: Vec<Uuid> = held.filter_map(|held| Uuid::try_parse(&held.node_id).ok()).collect();
        let unit = rules::contact(card.active, id("unit_id", &card.unit_id)?, &answers_at)?;
        self.tickets.cards.open_units(call, &[unit]).await?;
        Ok(unit)
    }

    async fn lines(&self, request: Request<ListDirectLinesRequest>) -> Result<Response<ListDirectLinesResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let size = page::size(ask.page_size, 50);
        let after: Option<Uuid> = page::after("direct lines", &ask.page_token)?;
        let rows = store::page(&mut self.tickets.db.read(&call).await?, &call.reach("direct_line.read"), after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, "direct lines", |line| line.id);
        Ok(Response::new(ListDirectLinesResponse { lines: rows.into_iter().map(Into::into).collect(), next_page_token }))
    }

    async fn find(&self, request: Request<FindDirectLineRequest>) -> Result<Response<wire::DirectLine>, Fault> {
        let (call, ask) = Call::take(request)?;
        let enterprise = enterprise_of(&call, &call.reach("direct_line.read"), &ask.enterprise_id)?;
        let (line, contact) = self.line_of(&call, enterprise).await?;
        let line = wire::DirectLine::from(line);
        let Some((contact, name)) = contact else { return Ok(Response::new(wire::DirectLine { contact_id: String::new(), ..line })) };
        Ok(Response::new(wire::DirectLine { contact_id: contact.to_string(), contact_name: name, ..line }))
    }

    /// The line that a call of a company takes, with whom it reaches in person.
    async fn line_of(&self, call: &Call, enterprise: Uuid) -> Result<(Line, Option<(Uuid, String)>), Fault> {
        let cards = &self.tickets.cards;
        let card = cards.enterprise(call, enterprise).await?;
        let zone = match id("building_id", &card.building_id)? {
            Some(building) => id("zone_id", &cards.building(call, building).await?.zone_id)?,
            None => None,
        };
        let line = store::of(&mut self.tickets.db.read(call).await?, enterprise, zone).await?.ok_or_else(rules::no_line)?;
        match cards.open_units(call, &[line.unit_id]).await {
            Err(Fault::Refused(refusal)) if refusal.reason() == "UNIT_CLOSED" => return Err(rules::no_line().into()),
            known => known?,
        }
        let contact = cards.user(call, line.contact_id).await?;
        let reached = rules::reached(line.contact_id, contact.active, id("unit_id", &contact.unit_id)?, line.unit_id);
        Ok((line, reached.map(|reached| (reached, contact.name))))
    }

    async fn open(&self, request: Request<OpenDirectCallRequest>) -> Result<Response<wire::DirectCall>, Fault> {
        let (call, ask) = Call::take(request)?;
        let requester = call.person()?.sub;
        let enterprise = enterprise_of(&call, &call.reach("direct_line.open"), &ask.enterprise_id)?;
        let card = self.tickets.cards.enterprise(&call, enterprise).await?;
        let (line, contact) = self.line_of(&call, enterprise).await?;
        let setting = self.tickets.settings.of(&call).await?;
        let opened = DirectCall {
            state: State::Open as i32,
            enterprise,
            enterprise_name: card.name,
            requester,
            contact: contact.map(|(contact, _)| contact),
            unit: line.unit_id,
            text: ask.text,
            opened_at: call.now,
            clock: rules::clock(setting.promises(), line.unit_id, call.now),
            answer: None,
            made: None,
        };
        let mut tx = self.tickets.db.write(&call).await?;
        let said = Said { verb: "open", by: &call.actor_name(), unit: Some(line.unit_id), text: "" };
        let opened = outreach::insert(&mut tx, Uuid::now_v7(), opened, said).await?;
        tx.emit(tell::opened(&opened));
        tx.commit(as_shown(opened)).await
    }

    async fn get(&self, request: Request<GetDirectCallRequest>) -> Result<Response<wire::DirectCall>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("direct_call_id", &ask.direct_call_id)?;
        let mut tx = self.tickets.db.read(&call).await?;
        let found = outreach::by_id(&mut tx, id).await?.reached(&call.reach("direct_line.read"))?;
        let events = outreach::events(&mut tx, id).await?.into_iter().map(told).collect();
        Ok(Response::new(wire::DirectCall { events, ..as_shown(found) }))
    }

    async fn list(&self, request: Request<ListDirectCallsRequest>) -> Result<Response<ListDirectCallsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let reach = call.reach("direct_line.read");
        let mut tx = self.tickets.db.read(&call).await?;
        if let Some(ticket) = id("ticket_id", &ask.ticket_id)? {
            let Some(of_ticket) = store::of_ticket(&mut tx, ticket).await? else {
                return Ok(Response::new(ListDirectCallsResponse::default()));
            };
            let seen = outreach::by_id::<DirectCall>(&mut tx, of_ticket).await?.reached(&reach).ok();
            let calls = seen.into_iter().map(as_shown).collect();
            return Ok(Response::new(ListDirectCallsResponse { calls, next_page_token: String::new() }));
        }
        let size = page::size(ask.page_size, 20);
        let question = format!("direct calls {}", ask.state);
        let after: outreach::After = page::after(&question, &ask.page_token)?;
        let rows = outreach::page::<DirectCall>(&mut tx, ask.state, &reach, after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| (row.thing.opened_at, row.id));
        Ok(Response::new(ListDirectCallsResponse { calls: rows.into_iter().map(as_shown).collect(), next_page_token }))
    }

    async fn answer(&self, request: Request<AnswerDirectCallRequest>) -> Result<Response<wire::DirectCall>, Fault> {
        let (call, ask) = Call::take(request)?;
        let reach = call.reach("direct_line.answer");
        let mut tx = self.tickets.db.write(&call).await?;
        let before = outreach::lock::<DirectCall>(&mut tx, needed_id("direct_call_id", &ask.direct_call_id)?).await?;
        let before = before.reached(&reach)?.fresh(&ask.etag)?;
        let after = before.thing.answered(&ask.text, &who(&call, &reach)?, call.now)?;
        let said = Said { verb: "answer", by: &call.actor_name(), unit: Some(before.thing.unit), text: &ask.text };
        let after = outreach::save(&mut tx, &before, after, said).await?;
        tx.emit(tell::answered(&after));
        tx.commit(as_shown(after)).await
    }

    /// The request is drafted before anything is locked, for a draft asks other services; who called and what was asked never change.
    async fn convert(&self, request: Request<ConvertDirectCallRequest>) -> Result<Response<wire::DirectCall>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("direct_call_id", &ask.direct_call_id)?;
        let (person, reach) = (call.person()?.sub, call.reach("direct_line.convert"));
        let seen = outreach::by_id::<DirectCall>(&mut self.tickets.db.read(&call).await?, id).await?.reached(&reach)?;
        let matter = self.tickets.drafted(&call, draft(&seen.thing, &ask.title)).await?;
        let setting = self.tickets.settings.of(&call).await?;
        let mut tx = self.tickets.db.write(&call).await?;
        let before = outreach::lock::<DirectCall>(&mut tx, id).await?.fresh(&ask.etag)?;
        let after = before.thing.converted(Made { ticket: matter.id, number: matter.number.clone() }, call.now)?;
        let actor = call.actor_name();
        let kind = Kind::try_from(ask.kind).unwrap_or_default();
        let submission = Submission { kind, danger: false, requester: after.requester, enterprise: Some(after.enterprise) };
        let (matter, ticket) = submit(&mut tx, &setting, matter, submission, &actor).await?;
        let said = Said { verb: "convert", by: &actor, unit: None, text: &matter.number };
        let after = outreach::save(&mut tx, &before, after, said).await?;
        store::link(&mut tx, id, matter.id).await?;
        tx.emit(submitted(&matter, &ticket));
        tx.emit(tell::converted(&after, person));
        tx.commit(as_shown(after)).await
    }

    async fn close(&self, request: Request<CloseDirectCallRequest>) -> Result<Response<wire::DirectCall>, Fault> {
        let (call, ask) = Call::take(request)?;
        let mut tx = self.tickets.db.write(&call).await?;
        let before = outreach::lock::<DirectCall>(&mut tx, needed_id("direct_call_id", &ask.direct_call_id)?).await?;
        let before = before.reached(&call.reach("direct_line.open"))?.fresh(&ask.etag)?;
        let after = before.thing.closed(call.now)?;
        let said = Said { verb: "close", by: &call.actor_name(), unit: None, text: &ask.text };
        let after = outreach::save(&mut tx, &before, after, said).await?;
        tx.emit(tell::closed(&after));
        tx.commit(as_shown(after)).await
    }
}

/// The request that a call becomes, in the name of who called.
fn draft(call: &DirectCall, title: &str) -> Draft {
    Draft {
        title: call.title(title),
        description: call.text.clone(),
        enterprise: Some(call.enterprise),
        building: None,
        at: None,
        source: Source::DirectLine,
        place: String::new(),
        contact_name: String::new(),
        contact_phone: String::new(),
        requester: call.requester,
    }
}

fn as_shown(kept: Kept<DirectCall>) -> wire::DirectCall {
    let call = kept.thing;
    let (answer, made) = (call.answer.as_ref(), call.made.as_ref());
    wire::DirectCall {
        id: kept.id.to_string(),
        state: call.state,
        enterprise_id: call.enterprise.to_string(),
        enterprise_name: call.enterprise_name,
        requester_id: call.requester.to_string(),
        contact_id: call.contact.map(|contact| contact.to_string()).unwrap_or_default(),
        unit_id: call.unit.to_string(),
        text: call.text,
        answer: answer.map(|answer| answer.text.clone()).unwrap_or_default(),
        answered_by_id: answer.map(|answer| answer.by.to_string()).unwrap_or_default(),
        answered_at: answer.map(|answer| to_proto(answer.at)),
        clock: Some(shown::clock(&call.clock)),
        overdue: call.clock.breached_at.is_some(),
        ticket_id: made.map(|made| made.ticket.to_string()).unwrap_or_default(),
        ticket_number: made.map(|made| made.number.clone()).unwrap_or_default(),
        etag: kept.version.to_string(),
        opened_at: Some(to_proto(call.opened_at)),
        events: Vec::new(),
    }
}

#[tonic::async_trait]
impl DirectLineService for DirectLines {
    async fn set_direct_line(&self, request: Request<SetDirectLineRequest>) -> Result<Response<wire::DirectLine>, Status> {
        Ok(self.set(request).await?)
    }

    async fn list_direct_lines(&self, request: Request<ListDirectLinesRequest>) -> Result<Response<ListDirectLinesResponse>, Status> {
        Ok(self.lines(request).await?)
    }

    async fn find_direct_line(&self, request: Request<FindDirectLineRequest>) -> Result<Response<wire::DirectLine>, Status> {
        Ok(self.find(request).await?)
    }

    async fn open_direct_call(&self, request: Request<OpenDirectCallRequest>) -> Result<Response<wire::DirectCall>, Status> {
        Ok(self.open(request).await?)
    }

    async fn get_direct_call(&self, request: Request<GetDirectCallRequest>) -> Result<Response<wire::DirectCall>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_direct_calls(&self, request: Request<ListDirectCallsRequest>) -> Result<Response<ListDirectCallsResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn answer_direct_call(&self, request: Request<AnswerDirectCallRequest>) -> Result<Response<wire::DirectCall>, Status> {
        Ok(self.answer(request).await?)
    }

    async fn convert_direct_call(&self, request: Request<ConvertDirectCallRequest>) -> Result<Response<wire::DirectCall>, Status> {
        Ok(self.convert(request).await?)
    }

    async fn close_direct_call(&self, request: Request<CloseDirectCallRequest>) -> Result<Response<wire::DirectCall>, Status> {
        Ok(self.close(request).await?)
    }
}
