//! What every channel does with what it brings: it is submitted in the name of the channel's account, once, and the channel's own name
//! for it is remembered.

use drumtower_proto::ticketing::ticket::{Kind as Asked, Source, Urgency};
use drumtower_runtime::{Call, Fault, Refusal, TenantTx, call::needed_id};
use tonic::Code;
use uuid::Uuid;

use super::store;
use crate::{
    dispatch::auto,
    setting::Setting,
    ticket::{
        api::Tickets,
        change::{Said, change},
        rules::{Command, Position, Ticket, Who},
        store::Matter,
        submit::{self, Draft, Submission},
    },
};

/// Something that a channel brings.
#[derive(Debug)]
pub struct Brought {
    pub source: Source,
    pub title: String,
    pub description: String,
    pub kind: Asked,
    pub danger: bool,
    /// The company's credit code; empty for none.
    pub credit_code: String,
    pub building: Option<Uuid>,
    pub at: Option<Position>,
    pub place: String,
    pub contact_name: String,
    pub contact_phone: String,
}

/// What it is called in its channel.
#[derive(Debug)]
pub struct Called<'a> {
    pub foreign: &'a str,
    pub topic: &'a str,
}

/// Something ready to be submitted: other services were asked, no transaction has begun.
#[derive(Debug)]
pub struct Ready {
    matter: Matter,
    submission: Submission,
}

impl Ready {
    /// The number that it will have.
    pub fn number(&self) -> &str {
        &self.matter.number
    }
}

impl Tickets {
    /// Makes something ready to be submitted in the name of a channel's account.
    pub async fn ready(&self, call: &Call, account: Uuid, brought: Brought) -> Result<Ready, Fault> {
        let enterprise = match brought.credit_code.trim() {
            "" => None,
            code => {
                let card = self.cards.enterprise_by_code(call, code).await.map_err(|fault| names("data.credit_code", fault))?;
                Some(needed_id("enterprise_id", &card.id)?)
            }
        };
        if let Some(building) = brought.building {
            self.cards.building(call, building).await.map_err(|fault| names("data.building_id", fault))?;
        }
        let submission = Submission { kind: brought.kind, danger: brought.danger, requester: account, enterprise };
        let draft = Draft {
            title: brought.title,
            description: brought.description,
            enterprise,
            building: brought.building,
            at: brought.at,
            place: brought.place,
            contact_name: brought.contact_name,
            contact_phone: brought.contact_phone,
            requester: account,
            source: brought.source,
        };
        Ok(Ready { matter: self.drafted(call, draft).await?, submission })
    }

    /// Submits it within the transaction of the message that brought it.
    pub async fn bring(
        &self,
        tx: &mut TenantTx,
        setting: &Setting,
        channel: Uuid,
        ready: Ready,
        called: &Called<'_>,
    ) -> Result<(Matter, Ticket), Fault> {
        let (matter, ticket) = submit::submit(tx, setting, ready.matter, ready.submission, &actor(channel)).await?;
        store::link(tx, channel, matter.id, called.foreign, called.topic).await?;
        tx.emit(submit::submitted(&matter, &ticket));
        Ok((matter, ticket))
    }

    /// Takes a dangerous matter straight to dispatch: nobody has to accept it first, and a rule may send it on at once.
    pub async fn straight_on(
        &self,
        tx: &mut TenantTx,
        call: &Call,
        setting: &Setting,
        channel: Uuid,
        (found, urgency): ((Matter, Ticket), Urgency),
    ) -> Result<(Matter, Ticket), Fault> {
        let said = Said { by: &actor(channel), text: "" };
        let accept = Command::Accept { kind: None, urgency };
        let accepted = change(tx, call, setting, &Who::timer(), found, accept, said).await?;
        auto::dispatched(tx, call, setting, &self.cards, accepted).await
    }
}

/// A field names something that is not in this district's register: the message's fault, and no missing channel.
pub fn names(field: &'static str, fault: Fault) -> Fault {
    match fault {
        Fault::Peer(status) if status.code() == Code::NotFound => {
            Refusal::invalid(field, "NOT_REGISTERED", "本区未登记", "is not in this district's register").into()
        }
        other => other,
    }
}

/// Who acts, as the history names a channel.
pub fn actor(channel: Uuid) -> String {
    format!("channel:{channel}")
}
