//! RPCs of senders.

use drumtower_proto::identity::{
    ListSendersRequest, ListSendersResponse, ListSentRequest, ListSentResponse, Sender, Sent, SetSenderRequest,
    sender_service_server::SenderService,
};
use drumtower_runtime::{
    Call, Db, Fault, Refusal,
    clock::to_proto,
    delivery,
    log::NewEvent,
    page,
    seal::{Place, Sealer, Sealers},
    web::Web,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    route::{Route, What},
    rules::{Secrets, Security, Settings},
    store::{self, Row},
};

/// Senders of a district.
#[derive(Debug)]
pub struct Senders {
    pub db: Db,
    pub sealers: Sealers,
    pub web: Web,
}

/// A sender's secrets, opened.
pub fn opened(sealer: &Sealer, row: &Row) -> Result<Secrets, Fault> {
    let text = sealer.open(place(row.means().as_str_name()), &row.secrets)?;
    if text.is_empty() {
        return Ok(Secrets::new());
    }
    serde_json::from_str(&text).map_err(|error| Fault::broken(error.to_string()))
}

fn place(row: &str) -> Place<'_> {
    Place { table: "sender", column: "secrets", row }
}

impl Senders {
    async fn set(&self, request: Request<SetSenderRequest>) -> Result<Response<Sender>, Fault> {
        let (call, ask) = Call::take(request)?;
        let means = ask.means();
        let settings = Settings::read(means, &ask.settings)?;
        self.leads_outside(&settings).await?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let mut tx = self.db.write(&call).await?;
        let before = store::of(&mut tx, means).await?;
        let version = before.as_ref().map_or(0, |before| before.version);
        if !ask.etag.is_empty() && ask.etag != version.to_string() {
            return Err(Refusal::stale(version.to_string()).into());
        }
        let had = match &before {
            Some(before) => Some((Settings::read(means, &before.settings)?, opened(&sealer, before)?)),
            None => None,
        };
        let secrets = settings.secrets_with(had.as_ref().map(|(before, secrets)| (before, secrets.clone())), &ask.secrets)?;
        let text = serde_json::to_string(&secrets).map_err(|error| Fault::broken(error.to_string()))?;
        let sealed = sealer.seal(place(means.as_str_name()), &text)?;
        let settings = settings.text().map_err(|error| Fault::broken(error.to_string()))?;
        let row = store::set(&mut tx, means, version, &settings, &sealed, ask.open).await?.ok_or_else(|| Refusal::stale(""))?;
        tx.emit(NewEvent::new("sender.set", means.as_str_name(), row.version).facts(serde_json::json!({ "open": row.open })));
        tx.commit(shown(&sealer, row)?).await
    }

    /// What is sent goes out of the house, or where the operator said.
    async fn leads_outside(&self, settings: &Settings) -> Result<(), Refusal> {
        let (field, found) = match settings {
            Settings::Wechat(wechat) => ("settings.base_url", self.web.check(&wechat.base_url).map(drop)),
            Settings::Sms(sms) => ("settings.url", self.web.check(&sms.url).map(drop)),
            Settings::Email(email) if email.security == Security::None => ("settings.security", self.web.inside(&email.host, email.port)),
            Settings::Email(email) => ("settings.host", self.web.resolve(&email.host, email.port).await.map(drop)),
        };
        found.map_err(|trouble| Refusal::invalid(field, "ADDRESS", format!("地址不可用：{trouble:?}"), format!("{trouble:?}")))
    }

    async fn list(&self, request: Request<ListSendersRequest>) -> Result<Response<ListSendersResponse>, Fault> {
        let (call, _) = Call::take(request)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let rows = store::all(&mut self.db.read(&call).await?).await?;
        let senders = rows.into_iter().map(|row| shown(&sealer, row)).collect::<Result<_, Fault>>()?;
        Ok(Response::new(ListSendersResponse { senders }))
    }

    async fn sent(&self, request: Request<ListSentRequest>) -> Result<Response<ListSentResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("sent {}", ask.given_up);
        let before: Uuid = page::after(&question, &ask.page_token)?.unwrap_or(Uuid::max());
        let rows = delivery::page(&mut self.db.read(&call).await?, "", ask.given_up, before, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| row.id);
        Ok(Response::new(ListSentResponse { sent: rows.into_iter().filter_map(of_row).collect(), next_page_token }))
    }
}

/// What is sent, without what is nobody's to see.
fn of_row(row: delivery::Row) -> Option<Sent> {
    let route = Route::read(&row.route)?;
    Some(Sent {
        user_id: route.user.to_string(),
        means: route.means as i32,
        text: if route.what == What::Code { "验证码".to_owned() } else { row.body },
        state: i32::from(row.state),
        attempts: row.attempts,
        error: row.error,
        created_at: Some(to_proto(row.created_at.to_jiff())),
        next_at: row.due_at.map(|at| to_proto(at.to_jiff())),
    })
}

fn shown(sealer: &Sealer, row: Row) -> Result<Sender, Fault> {
    let secrets = opened(sealer, &row)?.into_keys().collect();
    Ok(Sender { means: row.means() as i32, settings: row.settings, open: row.open, etag: row.version.to_string(), secrets })
}

#[tonic::async_trait]
impl SenderService for Senders {
    async fn set_sender(&self, request: Request<SetSenderRequest>) -> Result<Response<Sender>, Status> {
        Ok(self.set(request).await?)
    }

    async fn list_senders(&self, request: Request<ListSendersRequest>) -> Result<Response<ListSendersResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn list_sent(&self, request: Request<ListSentRequest>) -> Result<Response<ListSentResponse>, Status> {
        Ok(self.sent(request).await?)
    }
}
