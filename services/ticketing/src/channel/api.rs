//! RPCs of channels.

use std::sync::Arc;

use drumtower_proto::ticketing::{
    self as wire, CallerTicket, ChannelDelivery, ChannelMessage, ChannelSecret, CreateChannelRequest, FindCallerRequest,
    FindCallerResponse, ListChannelDeliveriesRequest, ListChannelDeliveriesResponse, ListChannelMessagesRequest,
    ListChannelMessagesResponse, ListChannelsRequest, ListChannelsResponse, ReceiveChannelMessageRequest, ReceiveChannelMessageResponse,
    RetryChannelDeliveryRequest, RetryChannelDeliveryResponse, RotateChannelSecretRequest, UpdateChannelRequest, channel::Kind,
    channel_service_server::ChannelService,
};
use drumtower_runtime::{Call, Fault, Refusal, call::needed_id, clock::to_proto, delivery, log::NewEvent, page, seal::Place, web::Web};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::Settings,
    send::route,
    store::{self, New, Row},
};
use crate::{
    attachment::Examiner,
    ticket::{api::Tickets, submit},
};

/// Channels of a district.
#[derive(Debug)]
pub struct Channels {
    pub tickets: Arc<Tickets>,
    pub web: Web,
    pub examiner: Examiner,
}

/// Where a channel's sealed secret belongs.
pub fn place(row: &str) -> Place<'_> {
    Place { table: "channel", column: "secret", row }
}

/// A new secret. Open311 clients know a plain key; what is signed is signed with one as the standard writes it.
fn new_secret(kind: Kind) -> String {
    use base64::Engine as _;
    let random = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes).concat();
    match kind {
        Kind::Open311 => hex::encode(random),
        _ => format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(random)),
    }
}

/// What finds the channel of a secret.
pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

impl Channels {
    async fn create(&self, request: Request<CreateChannelRequest>) -> Result<Response<ChannelSecret>, Fault> {
        let (call, ask) = Call::take(request)?;
        let account = needed_id("account_id", &ask.account_id)?;
        self.tickets.cards.user(&call, account).await?;
        let settings = self.settings(ask.kind(), &ask.settings)?;
        let sealer = self.tickets.sealers.of(&self.tickets.db, &call).await?;
        let (id, secret) = (Uuid::now_v7(), new_secret(ask.kind()));
        let sealed = sealer.seal(place(&id.to_string()), &secret)?;
        let secret_hash = hash(&secret);
        let new = New { id, kind: ask.kind(), name: &ask.name, account, settings: &settings, secret: &sealed, secret_hash: &secret_hash };
        let mut tx = self.tickets.db.write(&call).await?;
        let row = store::insert(&mut tx, &new).await?;
        tx.emit(NewEvent::new("channel.opened", id, 1).facts(serde_json::json!({ "kind": ask.kind().as_str_name() })));
        tx.commit(ChannelSecret { channel: Some(shown(row)), secret }).await
    }

    async fn update(&self, request: Request<UpdateChannelRequest>) -> Result<Response<wire::Channel>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("channel_id", &ask.channel_id)?;
        let mut tx = self.tickets.db.write(&call).await?;
        let before = store::by_id(&mut tx, id).await?;
        if !ask.etag.is_empty() && ask.etag != before.version.to_string() {
            return Err(Refusal::stale(before.version.to_string()).into());
        }
        let settings = self.settings(before.kind(), &ask.settings)?;
        let row = store::update(&mut tx, id, before.version, &ask.name, &settings, ask.open).await?;
        let row = row.ok_or_else(|| Refusal::stale(""))?;
        tx.emit(NewEvent::new("channel.updated", id, row.version).facts(serde_json::json!({ "open": ask.open })));
        tx.commit(shown(row)).await
    }

    /// Reads settings, checks them, and the address they tell: nothing is sent into the house.
    fn settings(&self, kind: Kind, json: &str) -> Result<String, Fault> {
        let settings = Settings::read(kind, json)?;
        if let Settings::Hotline(hotline) = &settings
            && !hotline.url.is_empty()
            && let Err(trouble) = self.web.check(&hotline.url)
        {
            return Err(Refusal::invalid("settings.url", "ADDRESS", format!("地址不可用：{trouble:?}"), format!("{trouble:?}")).into());
        }
        settings.text().map_err(|error| Fault::broken(error.to_string()))
    }

    async fn rotate(&self, request: Request<RotateChannelSecretRequest>) -> Result<Response<ChannelSecret>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("channel_id", &ask.channel_id)?;
        let sealer = self.tickets.sealers.of(&self.tickets.db, &call).await?;
        let mut tx = self.tickets.db.write(&call).await?;
        let before = store::by_id(&mut tx, id).await?;
        let secret = new_secret(before.kind());
        let row = store::new_secret(&mut tx, id, &sealer.seal(place(&id.to_string()), &secret)?, &hash(&secret)).await?;
        tx.emit(NewEvent::new("channel.secret_rotated", id, row.version));
        tx.commit(ChannelSecret { channel: Some(shown(row)), secret }).await
    }

    async fn list(&self, request: Request<ListChannelsRequest>) -> Result<Response<ListChannelsResponse>, Fault> {
        let (call, _) = Call::take(request)?;
        let rows = store::all(&mut self.tickets.db.read(&call).await?).await?;
        Ok(Response::new(ListChannelsResponse { channels: rows.into_iter().map(shown).collect() }))
    }

    async fn messages(&self, request: Request<ListChannelMessagesRequest>) -> Result<Response<ListChannelMessagesResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("channel_id", &ask.channel_id)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("channel messages {id}");
        let before: Option<(Timestamp, String)> = page::after(&question, &ask.page_token)?;
        let mut tx = self.tickets.db.read(&call).await?;
        store::by_id(&mut tx, id).await?;
        let rows = store::messages(&mut tx, id, before, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| (row.at.to_jiff(), row.key.clone()));
        let shown = |row: store::Taken| ChannelMessage {
            outcome: row.outcome() as i32,
            message_key: row.key,
            ticket_id: row.ticket_id.map(|ticket| ticket.to_string()).unwrap_or_default(),
            at: Some(to_proto(row.at.to_jiff())),
        };
        Ok(Response::new(ListChannelMessagesResponse { messages: rows.into_iter().map(shown).collect(), next_page_token }))
    }

    async fn deliveries(&self, request: Request<ListChannelDeliveriesRequest>) -> Result<Response<ListChannelDeliveriesResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("channel_id", &ask.channel_id)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("channel deliveries {id} {}", ask.given_up);
        let before: Uuid = page::after(&question, &ask.page_token)?.unwrap_or(Uuid::max());
        let mut tx = self.tickets.db.read(&call).await?;
        store::by_id(&mut tx, id).await?;
        let rows = delivery::page(&mut tx, &route(id), ask.given_up, before, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| row.id);
        let deliveries = rows.into_iter().map(|row| ChannelDelivery {
            id: row.id.to_string(),
            body: if call.may("ticket.read") { row.body } else { without_words(&row.body) },
            state: i32::from(row.state),
            attempts: row.attempts,
            error: row.error,
            created_at: Some(to_proto(row.created_at.to_jiff())),
            next_at: row.due_at.map(|at| to_proto(at.to_jiff())),
            ended_at: row.ended_at.map(|at| to_proto(at.to_jiff())),
        });
        Ok(Response::new(ListChannelDeliveriesResponse { deliveries: deliveries.collect(), next_page_token }))
    }

    async fn retry(&self, request: Request<RetryChannelDeliveryRequest>) -> Result<Response<RetryChannelDeliveryResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (id, parcel) = (needed_id("channel_id", &ask.channel_id)?, needed_id("delivery_id", &ask.delivery_id)?);
        let mut tx = self.tickets.db.write(&call).await?;
        store::by_id(&mut tx, id).await?;
        let found = delivery::by_id(&mut tx, parcel).await?.filter(|row| row.route == route(id));
        found.ok_or_else(|| Refusal::not_found("delivery"))?;
        if !delivery::again(&mut tx, parcel).await? {
            return Err(Refusal::state("NOT_GIVEN_UP", "该消息未被放弃", "was not given up").into());
        }
        tx.emit(NewEvent::new("channel.delivery_retried", parcel, 0));
        tx.commit(RetryChannelDeliveryResponse {}).await
    }

    async fn caller(&self, request: Request<FindCallerRequest>) -> Result<Response<FindCallerResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let sealer = self.tickets.sealers.of(&self.tickets.db, &call).await?;
        let Some(index) = submit::caller(&sealer, &ask.phone) else { return Ok(Response::new(FindCallerResponse::default())) };
        let rows = store::earlier(&mut self.tickets.db.read(&call).await?, &index).await?;
        let tickets = rows.into_iter().map(|row| CallerTicket {
            ticket_id: row.id.to_string(),
            number: row.number,
            title: row.title,
            state: i32::from(row.state),
            enterprise_id: if row.enterprise_id.is_nil() { String::new() } else { row.enterprise_id.to_string() },
            enterprise_name: row.enterprise_name,
            submitted_at: Some(to_proto(row.submitted_at.to_jiff())),
        });
        Ok(Response::new(FindCallerResponse { tickets: tickets.collect() }))
    }
}

/// A message for who looks after the exchange and may not read requests: what was said in them is left out.
fn without_words(body: &str) -> String {
    let mut message: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(text) = message.pointer_mut("/data/text") {
        *text = serde_json::Value::String(String::new());
    }
    message.to_string()
}

fn shown(row: Row) -> wire::Channel {
    wire::Channel {
        id: row.id.to_string(),
        kind: row.kind() as i32,
        name: row.name,
        account_id: row.account_id.to_string(),
        settings: row.settings,
        open: row.open,
        etag: row.version.to_string(),
        created_at: Some(to_proto(row.created_at.to_jiff())),
    }
}

#[tonic::async_trait]
impl ChannelService for Channels {
    async fn create_channel(&self, request: Request<CreateChannelRequest>) -> Result<Response<ChannelSecret>, Status> {
        Ok(self.create(request).await?)
    }

    async fn update_channel(&self, request: Request<UpdateChannelRequest>) -> Result<Response<wire::Channel>, Status> {
        Ok(self.update(request).await?)
    }

    async fn rotate_channel_secret(&self, request: Request<RotateChannelSecretRequest>) -> Result<Response<ChannelSecret>, Status> {
        Ok(self.rotate(request).await?)
    }

    async fn list_channels(&self, request: Request<ListChannelsRequest>) -> Result<Response<ListChannelsResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn list_channel_messages(
        &self,
        request: Request<ListChannelMessagesRequest>,
    ) -> Result<Response<ListChannelMessagesResponse>, Status> {
        Ok(self.messages(request).await?)
    }

    async fn list_channel_deliveries(
        &self,
        request: Request<ListChannelDeliveriesRequest>,
    ) -> Result<Response<ListChannelDeliveriesResponse>, Status> {
        Ok(self.deliveries(request).await?)
    }

    async fn retry_channel_delivery(
        &self,
        request: Request<RetryChannelDeliveryRequest>,
    ) -> Result<Response<RetryChannelDeliveryResponse>, Status> {
        Ok(self.retry(request).await?)
    }

    async fn receive_channel_message(
        &self,
        request: Request<ReceiveChannelMessageRequest>,
    ) -> Result<Response<ReceiveChannelMessageResponse>, Status> {
        Ok(self.receive(request).await?)
    }

    async fn find_caller(&self, request: Request<FindCallerRequest>) -> Result<Response<FindCallerResponse>, Status> {
        Ok(self.caller(request).await?)
    }
}
