//! Messages that come in, signed. Whoever is not who they say, or says it late, is refused before anything is looked at; the same message
//! again is answered as the first time.

use drumtower_proto::ticketing::{
    ReceiveChannelMessageRequest, ReceiveChannelMessageResponse,
    channel::Kind,
    channel_message::Outcome,
    ticket::{Kind as Asked, Source, Urgency},
};
use drumtower_runtime::{Call, Fault, Kind as Refused, Refusal, TenantTx, call::needed_id, web};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, metadata::MetadataMap};
use uuid::Uuid;

use super::{
    api::{Channels, place},
    intake::{Brought, Called, Ready, actor, names},
    rules::{self, Envelope, Hotline, Said, Settings, Sight, Sighting, Verdict, Vision},
    store::{self, Around, Row, Seen},
};
use crate::{
    attachment::picture,
    setting::Setting,
    ticket::{
        change::{Said as Words, change},
        rules::{Command, Position, Who},
        store as tickets,
    },
};

/// What a camera's picture is called.
const PICTURE: &str = "摄像头画面";

/// What the headers of a signed message say.
struct Signed {
    id: String,
    at: String,
    signature: String,
}

impl Signed {
    fn of(metadata: &MetadataMap) -> Result<Self, Refusal> {
        let said = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let signed = Self { id: said("webhook-id"), at: said("webhook-timestamp"), signature: said("webhook-signature") };
        let whole = (1..=200).contains(&signed.id.len()) && !signed.at.is_empty() && !signed.signature.is_empty();
        if whole { Ok(signed) } else { Err(unsigned("UNSIGNED", "消息未签名", "is not signed")) }
    }

    fn check(&self, secret: &str, body: &[u8], now: Timestamp) -> Result<(), Refusal> {
        if !web::signed(&web::secret_bytes(secret), &self.id, &self.at, body, &self.signature) {
            return Err(unsigned("BAD_SIGNATURE", "签名不正确", "the signature is wrong"));
        }
        let at = self.at.parse::<i64>().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let fresh = at.is_some_and(|at| now.duration_since(at).abs() <= rules::FRESH);
        if fresh { Ok(()) } else { Err(unsigned("TOO_OLD", "消息已过期", "is older than five minutes, or from the future")) }
    }
}

fn unsigned(reason: &'static str, zh: &str, en: &str) -> Refusal {
    Refusal::new(Refused::Unauthenticated, reason, zh, en)
}

/// A message of a channel, with what other services said of it.
enum Message {
    Created(Box<Ready>, String),
    Verb {
        request: String,
        command: Command,
        text: String,
    },
    /// Ready only when it looks like a matter of its own.
    Seen {
        sighting: Sighting,
        sight: Sight,
        at: Position,
        picture: Option<Uuid>,
        ready: Option<Box<Ready>>,
    },
}

impl Channels {
    pub(super) async fn receive(
        &self,
        request: Request<ReceiveChannelMessageRequest>,
    ) -> Result<Response<ReceiveChannelMessageResponse>, Fault> {
        let signed = Signed::of(request.metadata());
        let (call, ask) = Call::take(request)?;
        let channel = store::by_id(&mut self.tickets.db.read(&call).await?, needed_id("channel_id", &ask.channel_id)?).await?;
        if !channel.open || channel.kind() == Kind::Open311 {
            return Err(Refusal::not_found("channel").into());
        }
        let body = ask.content.unwrap_or_default().data;
        let sealer = self.tickets.sealers.of(&self.tickets.db, &call).await?;
        let signed = signed?;
        signed.check(&sealer.open(place(&channel.id.to_string()), &channel.secret)?, &body, call.now)?;
        let envelope: Envelope = serde_json::from_slice(&body).map_err(|error| rules::malformed("content", &error))?;
        let settings = Settings::read(channel.kind(), &channel.settings)?;
        if let Some(answer) = self.known(&call, &channel, &signed.id, &body).await? {
            return Ok(Response::new(answer));
        }
        let message = self.understood(&call, &channel, &settings, &envelope).await?;
        let setting = self.tickets.settings.of(&call).await?;
        let mut tx = self.tickets.db.write(&call).await?;
        if let Some(taken) = store::take(&mut tx, channel.id, &signed.id, &hash(&body), None).await? {
            return Ok(Response::new(again(&mut tx, taken, &body).await?));
        }
        let (outcome, ticket, number) = match message {
            Message::Created(ready, foreign) => self.created(&mut tx, &setting, &channel, *ready, &foreign).await?,
            Message::Verb { request, command, text } => self.done(&mut tx, &call, (&setting, &channel), (&request, command, &text)).await?,
            Message::Seen { sighting, sight, at, picture, ready } => {
                let Settings::Vision(vision) = &settings else { return Err(Fault::broken("only cameras see")) };
                let judged = Judged { key: &signed.id, sighting: &sighting, sight: &sight, at, picture, vision };
                self.seen(&mut tx, &call, (&setting, &channel), judged, ready).await?
            }
        };
        store::became(&mut tx, channel.id, &signed.id, outcome, ticket).await?;
        let ticket_id = ticket.map(|ticket| ticket.to_string()).unwrap_or_default();
        tx.commit(ReceiveChannelMessageResponse { outcome: outcome as i32, ticket_id, number, repeated: false }).await
    }

    /// What was answered when the same message was taken before: looked at first, so that it is answered even when what it names is gone.
    async fn known(&self, call: &Call, channel: &Row, key: &str, body: &[u8]) -> Result<Option<ReceiveChannelMessageResponse>, Fault> {
        let mut tx = self.tickets.db.read(call).await?;
        match store::taken(&mut tx, channel.id, key).await? {
            Some(taken) => again(&mut tx, taken, body).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads a message and asks other services about what it names.
    async fn understood(&self, call: &Call, channel: &Row, settings: &Settings, envelope: &Envelope) -> Result<Message, Fault> {
        match settings {
            Settings::Hotline(hotline) => match rules::said(envelope)? {
                Said::Created(created) => {
                    let ready = self.tickets.ready(call, channel.account_id, from_hotline(hotline, &created)?).await?;
                    Ok(Message::Created(Box::new(ready), created.request_id))
                }
                Said::Urged(about) => Ok(Message::Verb { request: about.request_id, command: Command::Urge, text: about.text }),
                Said::Withdrawn(about) => Ok(Message::Verb { request: about.request_id, command: Command::Withdraw, text: about.text }),
                Said::Rated(rated) => {
                    let command = Command::Rate { score: rated.score, tags: rated.numbers()?, attachments: Vec::new() };
                    Ok(Message::Verb { request: rated.request_id, command, text: rated.text })
                }
            },
            Settings::Vision(vision) => {
                let sighting = Sighting::read(envelope, call.now)?;
                let unknown = || Refusal::invalid("data.type", "TYPE", "该事件类型未配置", "this type is not set");
                let sight = vision.types.get(&sighting.what).ok_or_else(unknown)?.clone();
                // What is not sure becomes no request, and its picture is nobody's.
                let picture = sighting.picture()?.filter(|_| rules::is_sure(&sight, sighting.confidence));
                let at = match sighting.building_id {
                    Some(building) => {
                        self.tickets.cards.standing(call, building).await.map_err(|fault| names("data.building_id", fault))?
                    }
                    None => sighting.position().ok_or_else(unknown)?,
                };
                let mut looking = self.tickets.db.read(call).await?;
                let judged = judged(&mut looking, channel.id, (vision, &sight), &sighting, at).await?;
                drop(looking);
                // What is part of another matter, or not sure, needs no number and asks nobody.
                let ready = match judged {
                    Verdict::New => {
                        let brought = from_camera(&sighting, &sight);
                        Some(Box::new(self.tickets.ready(call, channel.account_id, brought).await?))
                    }
                    Verdict::Unsure | Verdict::Joins(_) => None,
                };
                let picture = match picture {
                    Some(bytes) => self.examiner.keep_picture(call, (channel.account_id, PICTURE), &bytes).await?,
                    None => None,
                };
                Ok(Message::Seen { sighting, sight, at, picture, ready })
            }
            Settings::Open311(_) => Err(Refusal::not_found("channel").into()),
        }
    }

    /// A request that the hotline sends twice under two messages is one request.
    async fn created(
        &self,
        tx: &mut TenantTx,
        setting: &Setting,
        channel: &Row,
        ready: Ready,
        foreign: &str,
    ) -> Result<(Outcome, Option<Uuid>, String), Fault> {
        store::lock(tx, channel.id).await?;
        if let Some(ticket) = store::called(tx, channel.id, foreign).await? {
            let (matter, _) = tickets::by_id(tx, ticket).await?;
            return Ok((Outcome::Joined, Some(ticket), matter.number));
        }
        let (matter, _) = self.tickets.bring(tx, setting, channel.id, ready, &Called { foreign, topic: "" }).await?;
        Ok((Outcome::Created, Some(matter.id), matter.number))
    }

    /// Something that the hotline's caller wants done to their request.
    async fn done(
        &self,
        tx: &mut TenantTx,
        call: &Call,
        (setting, channel): (&Setting, &Row),
        (request, command, text): (&str, Command, &str),
    ) -> Result<(Outcome, Option<Uuid>, String), Fault> {
        let unknown = || Refusal::invalid("data.request_id", "UNKNOWN_REQUEST", "没有该诉求", "no request of this channel is called so");
        let ticket = store::called(tx, channel.id, request).await?.ok_or_else(unknown)?;
        let found = tickets::lock(tx, ticket).await?;
        let who = Who { user: channel.account_id, units: Some(Vec::new()), ..Who::timer() };
        let (matter, _) = change(tx, call, setting, &who, found, command, Words { by: &actor(channel.id), text }).await?;
        Ok((Outcome::Done, Some(ticket), matter.number))
    }

    /// What a camera saw is noted, whatever becomes of it.
    async fn seen(
        &self,
        tx: &mut TenantTx,
        call: &Call,
        (setting, channel): (&Setting, &Row),
        seen: Judged<'_>,
        ready: Option<Box<Ready>>,
    ) -> Result<(Outcome, Option<Uuid>, String), Fault> {
        let Judged { key, sighting, sight, at, picture, vision } = seen;
        store::lock(tx, channel.id).await?;
        // Judged again, now that no other camera of the channel is.
        let (outcome, ticket, number) = match judged(tx, channel.id, (vision, sight), sighting, at).await? {
            Verdict::Unsure => (Outcome::BelowThreshold, None, String::new()),
            Verdict::Joins(ticket) => (Outcome::Joined, Some(ticket), tickets::by_id(tx, ticket).await?.0.number),
            Verdict::New => {
                // The matter that it was part of has just ended: the sender tries again.
                let ended =
                    || Refusal::new(Refused::Stale, "CONCURRENT_CHANGE", "并发冲突，请重试", "lost against a concurrent change; try again");
                let called = Called { foreign: key, topic: &sighting.what };
                let mut found = self.tickets.bring(tx, setting, channel.id, *ready.ok_or_else(ended)?, &called).await?;
                if sight.danger {
                    let urgency = Urgency::from_str_name(&sight.urgency).unwrap_or(Urgency::Emergency);
                    found = self.tickets.straight_on(tx, call, setting, channel.id, (found, urgency)).await?;
                }
                (Outcome::Created, Some(found.0.id), found.0.number)
            }
        };
        if let Some((ticket, picture)) = ticket.zip(picture) {
            picture::show(tx, ticket, picture).await?;
        }
        let note = Seen { key, what: &sighting.what, at, confidence: sighting.confidence, seen_at: sighting.seen_at, ticket };
        store::saw(tx, channel.id, &note).await?;
        Ok((outcome, ticket, number))
    }
}

/// What becomes of something seen, as things stand.
async fn judged(
    tx: &mut TenantTx,
    channel: Uuid,
    (vision, sight): (&Vision, &Sight),
    sighting: &Sighting,
    at: Position,
) -> Result<Verdict, Fault> {
    if sighting.confidence < sight.threshold {
        return Ok(Verdict::Unsure);
    }
    let window = SignedDuration::from_mins(vision.window_minutes);
    let around = Around { what: &sighting.what, at, radius_m: vision.radius_m, seen_at: sighting.seen_at, window };
    let lately = store::lately(tx, channel, &around).await?;
    Ok(rules::judge(vision, sight, sighting.confidence, at, &lately))
}

/// Something seen, with what it is judged by.
struct Judged<'a> {
    key: &'a str,
    sighting: &'a Sighting,
    sight: &'a Sight,
    at: Position,
    picture: Option<Uuid>,
    vision: &'a Vision,
}

fn from_hotline(hotline: &Hotline, created: &rules::Created) -> Result<Brought, Refusal> {
    Ok(Brought {
        source: Source::Hotline,
        title: rules::titled(&created.title, &created.content),
        description: created.content.clone(),
        kind: hotline.kind(&created.kind)?,
        danger: created.danger,
        credit_code: created.credit_code.clone(),
        building: created.building_id,
        at: None,
        place: created.place.clone(),
        contact_name: created.contact_name.clone(),
        contact_phone: created.contact_phone.clone(),
    })
}

fn from_camera(sighting: &Sighting, sight: &Sight) -> Brought {
    let percent = (sighting.confidence * 100.0).round();
    Brought {
        source: Source::Vision,
        title: sight.title.clone(),
        description: format!("视频感知：{}，置信度 {percent}%", sight.title),
        kind: Asked::from_str_name(&sight.kind).unwrap_or(Asked::Help),
        danger: sight.danger,
        credit_code: String::new(),
        building: sighting.building_id,
        at: sighting.position(),
        place: sighting.place.clone(),
        contact_name: String::new(),
        contact_phone: String::new(),
    }
}

fn hash(body: &[u8]) -> Vec<u8> {
    Sha256::digest(body).to_vec()
}

/// The first answer again; another message under the same id is refused.
async fn again(tx: &mut TenantTx, taken: store::Taken, body: &[u8]) -> Result<ReceiveChannelMessageResponse, Fault> {
    if taken.hash != hash(body) {
        let (zh, en) = ("消息编号已用于另一消息", "this id was used for another message");
        return Err(Refusal::new(Refused::Exists, "ID_REUSED", zh, en).into());
    }
    let number = match taken.ticket_id {
        Some(ticket) => tickets::by_id(tx, ticket).await?.0.number,
        None => String::new(),
    };
    let ticket_id = taken.ticket_id.map(|ticket| ticket.to_string()).unwrap_or_default();
    Ok(ReceiveChannelMessageResponse { outcome: taken.outcome() as i32, ticket_id, number, repeated: true })
}
