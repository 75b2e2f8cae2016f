//! Asks ticketing in the name of whoever writes.

use drumtower_proto::ticketing::{
    CreateTicketRequest, ListTicketsRequest, Ticket,
    ticket::{Kind, Source, State},
    ticket_service_client::TicketServiceClient,
};
use drumtower_runtime::{Call, Fault, TenantTx, token};
use jiff::Timestamp;
use tonic::{Request, metadata::MetadataValue};
use uuid::Uuid;

use super::api::Wechat;
use crate::{session, user};

/// Requests shown when somebody asks how far theirs are.
const SHOWN: i32 = 5;

impl Wechat {
    /// The same call in a person's name: with a token of a few minutes, that counts as no recent sign-in. `None` for who may not sign in.
    pub(super) async fn in_the_name_of(&self, tx: &mut TenantTx, call: &Call, user: Uuid) -> Result<Option<Call>, Fault> {
        let Some(person) = user::store::by_id(tx, user).await?.filter(|person| person.active) else { return Ok(None) };
        let roles = session::api::held(tx, user, call.now).await?;
        let (unit, company) = (person.unit_id, person.enterprise_id);
        let long_ago = Timestamp::UNIX_EPOCH;
        let claims = token::claims(user, call.tenant, Uuid::now_v7(), long_ago, unit, company, person.version, roles, call.now);
        Ok(Some(Call { bearer: Some(self.signer.access(&claims)), ..call.clone() }))
    }

    /// Submits a request: the key makes a second attempt the same request.
    pub(super) async fn submit(&self, call: &Call, key: &str, kind: Kind, words: String) -> Result<Ticket, Fault> {
        let title = words.lines().next().unwrap_or_default().chars().take(40).collect();
        let ask = CreateTicketRequest {
            title,
            description: words,
            kind: kind as i32,
            source: Source::Wechat as i32,
            ..CreateTicketRequest::default()
        };
        let mut request = Request::new(ask);
        let key = MetadataValue::try_from(key).map_err(|error| Fault::broken(error.to_string()))?;
        request.metadata_mut().insert("idempotency-key", key);
        Ok(TicketServiceClient::new(self.peers.to("ticketing", call)?).create_ticket(request).await?.into_inner())
    }

    /// How far somebody's latest requests are, in words.
    pub(super) async fn progress(&self, call: &Call) -> Result<String, Fault> {
        let ask = ListTicketsRequest { page_size: SHOWN, ..ListTicketsRequest::default() };
        let found = TicketServiceClient::new(self.peers.to("ticketing", call)?).list_tickets(ask).await?.into_inner().tickets;
        if found.is_empty() {
            return Ok("您还没有诉求。发送“诉求 内容”即可提交。".to_owned());
        }
        let line = |ticket: &Ticket| format!("{} {} {}", ticket.number, stands(ticket.state()), ticket.title);
        Ok(found.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// Where a request stands, as people call it.
fn stands(state: State) -> &'static str {
    match state {
        State::Unspecified => "",
        State::Submitted => "待受理",
        State::Accepted => "待派单",
        State::Dispatched => "待签收",
        State::Handling => "办理中",
        State::OnSite => "现场处置",
        State::Consulting => "会商中",
        State::Review => "待审核",
        State::Callback => "待回访",
        State::Redo => "重办",
        State::Archived => "已办结",
        State::Refused => "不予受理",
        State::Withdrawn => "已撤回",
        State::Merged => "已并单",
        State::Ledger => "挂账",
    }
}
