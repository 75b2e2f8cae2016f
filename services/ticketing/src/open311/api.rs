//! RPCs of Open311.

use std::sync::Arc;

use drumtower_proto::{
    google::rpc::HttpResponse,
    ticketing::{
        GetOpen311Request, PostOpen311Request,
        channel::Kind,
        channel_message::Outcome,
        open311_service_server::Open311Service,
        ticket::{Kind as Asked, Source, State},
    },
};
use drumtower_runtime::{Call, Fault, Refusal, TenantTx};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    form::{Form, Node, answer, error},
    rules::{self, Catalogue, Resource, SAME_FORM, Sent, Service},
    store::{self, Row},
};
use crate::{
    channel::{
        api::hash,
        intake::{Brought, Called},
        rules::{Settings, in_words, titled},
        store::{self as channels, Row as Channel},
    },
    ticket::{api::Tickets, store as tickets},
};

/// Requests on a page when nobody says how many; the standard's "first 1000" in pages.
const PAGE: i64 = 50;
const MOST: i64 = 200;

/// Open311.
#[derive(Debug)]
pub struct Open311 {
    pub tickets: Arc<Tickets>,
}

/// Why a client gets no answer: in Open311's own form, or ours where it is our fault.
enum No {
    Told(i32, String),
    Fault(Fault),
}

impl<F: Into<Fault>> From<F> for No {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

fn no(status: i32, why: impl Into<String>) -> No {
    No::Told(status, why.into())
}

fn bad(why: String) -> No {
    no(400, why)
}

/// What is refused by our own rules is the client's fault, and told in English.
fn refused(fault: Fault) -> No {
    match fault {
        Fault::Refused(refusal) => bad(refusal.en().to_owned()),
        Fault::Peer(status) if status.code() == tonic::Code::NotFound => bad("it names something that is not there".to_owned()),
        other => No::Fault(other),
    }
}

fn told(form: Form, answered: Result<HttpResponse, No>) -> Result<Response<HttpResponse>, Fault> {
    match answered {
        Ok(answer) => Ok(Response::new(answer)),
        Err(No::Told(status, why)) => Ok(Response::new(error(form, status, &why))),
        Err(No::Fault(fault)) => Err(fault),
    }
}

/// A client: its channel with what it is offered, and whether it showed its key.
struct Client {
    channel: Channel,
    catalogue: Catalogue,
    known: bool,
}

impl Open311 {
    async fn get(&self, request: Request<GetOpen311Request>) -> Result<Response<HttpResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        match rules::resource(&ask.path) {
            Ok((resource, form)) => told(form, self.read(&call, &ask, resource, form).await),
            Err(form) => told(form, Err(no(404, "no such resource"))),
        }
    }

    async fn read(&self, call: &Call, ask: &GetOpen311Request, resource: Resource, form: Form) -> Result<HttpResponse, No> {
        let mut tx = self.tickets.db.read(call).await?;
        let client = client(&mut tx, &ask.api_key).await?;
        match resource {
            Resource::Discovery => Ok(answer(form, 200, "discovery", &discovery(&client))),
            Resource::Services => {
                let services = client.catalogue.services.iter().map(of_service).collect();
                Ok(answer(form, 200, "services", &Node::List("service", services)))
            }
            Resource::Service(code) => {
                let service = client.catalogue.service(&code).ok_or_else(|| no(404, format!("service_code {code} is not there")))?;
                Ok(answer(form, 200, "service_definition", &definition(service)))
            }
            Resource::Requests => {
                client.may_read()?;
                let rows = self.asked(&mut tx, call, &client, ask).await?;
                drop(tx);
                let shown = self.shown(call, &client.catalogue, rows).await?;
                Ok(answer(form, 200, "service_requests", &Node::List("request", shown)))
            }
            Resource::Request(number) => {
                client.may_read()?;
                let rows = store::by_number(&mut tx, client.channel.id, std::slice::from_ref(&number)).await?;
                if rows.is_empty() {
                    return Err(no(404, format!("service_request_id {number} is not there")));
                }
                drop(tx);
                let shown = self.shown(call, &client.catalogue, rows).await?;
                Ok(answer(form, 200, "service_requests", &Node::List("request", shown)))
            }
            Resource::Token(token) => {
                let unknown = || no(404, format!("token {token} is not there"));
                let id = Uuid::try_parse(&token).map_err(|_| unknown())?;
                let number = store::of_token(&mut tx, client.channel.id, id).await?.ok_or_else(unknown)?;
                let fields = vec![("token", Node::text(&token)), ("service_request_id", Node::text(number))];
                Ok(answer(form, 200, "service_requests", &Node::List("request", vec![Node::Fields(fields)])))
            }
        }
    }

    async fn asked(&self, tx: &mut TenantTx, call: &Call, client: &Client, ask: &GetOpen311Request) -> Result<Vec<Row>, No> {
        let many = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|one| !one.is_empty()).take(MOST as usize).map(str::to_owned).collect()
        };
        let numbers = many(&ask.service_request);
        if !numbers.is_empty() {
            return Ok(store::by_number(tx, client.channel.id, &numbers).await?);
        }
        let (open, closed) = rules::status(&ask.status).map_err(bad)?;
        let limit = if ask.page_size == 0 { PAGE } else { i64::from(ask.page_size).min(MOST) };
        let asked = store::Asked {
            topics: &many(&ask.service_code),
            span: rules::span(&ask.start_date, &ask.end_date, call.now).map_err(bad)?,
            open,
            closed,
            limit,
            offset: i64::from(ask.page.max(1) - 1) * limit,
        };
        Ok(store::requests(tx, client.channel.id, &asked).await?)
    }

    /// Requests as GeoReport shows them. Nobody's name, number or company is among it.
    async fn shown(&self, call: &Call, catalogue: &Catalogue, rows: Vec<Row>) -> Result<Vec<Node>, No> {
        let mut shown = Vec::with_capacity(rows.len());
        for row in rows {
            let agency = match row.lead_unit_id {
                Some(unit) => self.tickets.cards.unit(call, unit).await?.name,
                None => String::new(),
            };
            shown.push(of_request(catalogue, row, agency));
        }
        Ok(shown)
    }

    async fn post(&self, request: Request<PostOpen311Request>) -> Result<Response<HttpResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        match rules::resource(&ask.path) {
            Ok((Resource::Requests, form)) => told(form, self.submit(&call, ask, form).await),
            Ok((_, form)) | Err(form) => told(form, Err(no(404, "only requests are posted"))),
        }
    }

    async fn submit(&self, call: &Call, ask: PostOpen311Request, form: Form) -> Result<HttpResponse, No> {
        let content = ask.content.unwrap_or_default();
        if !content.content_type.is_empty() && !content.content_type.starts_with("application/x-www-form-urlencoded") {
            return Err(bad("send a form: application/x-www-form-urlencoded".to_owned()));
        }
        let sent = rules::sent(form_urlencoded::parse(&content.data).into_owned()).map_err(bad)?;
        let key = if sent.api_key.is_empty() { &ask.api_key } else { &sent.api_key };
        let client = client(&mut self.tickets.db.read(call).await?, key).await?;
        if !client.known {
            return Err(no(403, "api_key is missing or wrong"));
        }
        let service = client.catalogue.service(&sent.service_code);
        let service = service.ok_or_else(|| no(404, "service_code is missing or not there"))?.clone();
        let description = sent.described(&service).map_err(bad)?;
        let phone = sent.phone.clone();
        crate::channel::rules::phone("phone", &phone).map_err(|refusal| bad(refusal.en().to_owned()))?;
        let message = Sha256::digest(&content.data).to_vec();
        let ready = self.tickets.ready(call, client.channel.account_id, brought(&sent, &service, description)).await.map_err(refused)?;
        let number_of = ready.number().to_owned();
        let setting = self.tickets.settings.of(call).await?;
        let mut tx = self.tickets.db.write(call).await?;
        let key = format!("form:{}", hex::encode(&message));
        let taken = channels::take(&mut tx, client.channel.id, &key, &message, Some(SAME_FORM)).await?;
        if let Some(ticket) = taken.and_then(|taken| taken.ticket_id) {
            let (matter, _) = tickets::by_id(&mut tx, ticket).await?;
            return Ok(accepted(form, &client.catalogue, &matter.number, ticket));
        }
        let called = Called { foreign: &number_of, topic: &service.code };
        let (matter, _) = self.tickets.bring(&mut tx, &setting, client.channel.id, ready, &called).await?;
        channels::became(&mut tx, client.channel.id, &key, Outcome::Created, Some(matter.id)).await?;
        let answer = accepted(form, &client.catalogue, &matter.number, matter.id);
        Ok(tx.commit(answer).await?.into_inner())
    }
}

impl Client {
    fn may_read(&self) -> Result<(), No> {
        if self.known || self.catalogue.public { Ok(()) } else { Err(no(403, "api_key is missing or wrong")) }
    }
}

/// The client of a key; without one, the district's first that is open.
async fn client(tx: &mut TenantTx, key: &str) -> Result<Client, No> {
    let channel = match key {
        "" => channels::all(tx).await?.into_iter().find(|channel| channel.open && channel.kind() == Kind::Open311),
        key => channels::by_secret(tx, &hash(key)).await?.filter(|channel| channel.kind() == Kind::Open311),
    };
    let channel = match (channel, key) {
        (Some(channel), _) => channel,
        (None, "") => return Err(no(404, "this district has no Open311")),
        (None, _) => return Err(no(403, "api_key is missing or wrong")),
    };
    let Settings::Open311(catalogue) = Settings::read(Kind::Open311, &channel.settings)? else {
        return Err(Refusal::not_found("channel").into());
    };
    Ok(Client { channel, catalogue, known: !key.is_empty() })
}

fn brought(sent: &Sent, service: &Service, description: String) -> Brought {
    Brought {
        source: Source::Open311,
        title: titled("", &description),
        description,
        kind: Asked::from_str_name(&service.kind).unwrap_or(Asked::Help),
        danger: service.danger,
        credit_code: String::new(),
        building: sent.building,
        at: sent.at,
        place: sent.place.clone(),
        contact_name: sent.name.clone(),
        contact_phone: sent.phone.clone(),
    }
}

fn accepted(form: Form, catalogue: &Catalogue, number: &str, ticket: Uuid) -> HttpResponse {
    let named = if catalogue.tokens { ("token", Node::text(ticket.to_string())) } else { ("service_request_id", Node::text(number)) };
    let fields = vec![named, ("service_notice", Node::text(&catalogue.notice)), ("account_id", Node::Nothing)];
    answer(form, 201, "service_requests", &Node::List("request", vec![Node::Fields(fields)]))
}

fn discovery(client: &Client) -> Node {
    let changed = || Node::text(client.channel.created_at.to_jiff().to_string());
    let formats = vec![Node::text("text/xml"), Node::text("application/json")];
    let endpoint = Node::Fields(vec![
        ("specification", Node::text("http://wiki.open311.org/GeoReport_v2")),
        // From the address of this document, where the district does not say its own.
        ("url", Node::text(if client.catalogue.endpoint.is_empty() { "v2" } else { &client.catalogue.endpoint })),
        ("changeset", changed()),
        ("type", Node::text("production")),
        ("formats", Node::List("format", formats)),
    ]);
    Node::Fields(vec![
        ("changeset", changed()),
        ("contact", Node::text(&client.catalogue.contact)),
        ("key_service", Node::text(&client.catalogue.key_service)),
        ("endpoints", Node::List("endpoint", vec![endpoint])),
    ])
}

fn of_service(service: &Service) -> Node {
    Node::Fields(vec![
        ("service_code", Node::text(&service.code)),
        ("service_name", Node::text(&service.name)),
        ("description", Node::text(&service.description)),
        ("metadata", Node::Flag(!service.attributes.is_empty())),
        ("type", Node::text("realtime")),
        ("keywords", Node::text(service.keywords.join(","))),
        ("group", Node::text(&service.group)),
    ])
}

fn definition(service: &Service) -> Node {
    let attributes = (1..).zip(&service.attributes).map(|(order, attribute)| {
        let choice = |choice: &rules::Choice| Node::Fields(vec![("key", Node::text(&choice.key)), ("name", Node::text(&choice.name))]);
        Node::Fields(vec![
            ("variable", Node::Flag(true)),
            ("code", Node::text(&attribute.code)),
            ("datatype", Node::text(&attribute.datatype)),
            ("required", Node::Flag(attribute.required)),
            ("datatype_description", Node::text(&attribute.datatype_description)),
            ("order", Node::Whole(order)),
            ("description", Node::text(&attribute.description)),
            ("values", Node::List("value", attribute.values.iter().map(choice).collect())),
        ])
    });
    Node::Fields(vec![("service_code", Node::text(&service.code)), ("attributes", Node::List("attribute", attributes.collect()))])
}

fn of_request(catalogue: &Catalogue, row: Row, agency: String) -> Node {
    let state = State::try_from(i32::from(row.state)).unwrap_or_default();
    let closed = matches!(state, State::Archived | State::Refused | State::Withdrawn | State::Merged);
    // A report counts when it is signed off.
    let signed_off = matches!(state, State::Callback | State::Archived | State::Ledger) && !row.result_text.is_empty();
    let name = catalogue.service(&row.topic).map(|service| service.name.clone()).unwrap_or_default();
    let degrees = |degrees: Option<f64>| degrees.map_or(Node::Nothing, Node::Decimal);
    Node::Fields(vec![
        ("service_request_id", Node::text(row.number)),
        ("status", Node::text(if closed { "closed" } else { "open" })),
        ("status_notes", Node::text(if signed_off { row.result_text } else { in_words(state).to_owned() })),
        ("service_name", Node::text(name)),
        ("service_code", Node::text(row.topic)),
        ("description", Node::text(row.description)),
        ("agency_responsible", Node::text(agency)),
        ("service_notice", Node::Nothing),
        ("requested_datetime", Node::text(row.submitted_at.to_jiff().to_string())),
        ("updated_datetime", Node::text(row.updated_at.to_jiff().to_string())),
        ("expected_datetime", row.due_at.map_or(Node::Nothing, |at| Node::text(at.to_jiff().to_string()))),
        ("address", Node::text(row.place)),
        ("address_id", row.building_id.map_or(Node::Nothing, |id| Node::text(id.to_string()))),
        ("zipcode", Node::Nothing),
        ("lat", degrees(row.latitude)),
        ("long", degrees(row.longitude)),
        ("media_url", Node::Nothing),
    ])
}

#[tonic::async_trait]
impl Open311Service for Open311 {
    async fn get_open311(&self, request: Request<GetOpen311Request>) -> Result<Response<HttpResponse>, Status> {
        Ok(self.get(request).await?)
    }

    async fn post_open311(&self, request: Request<PostOpen311Request>) -> Result<Response<HttpResponse>, Status> {
        Ok(self.post(request).await?)
    }
}
