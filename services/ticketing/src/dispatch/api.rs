//! RPCs of help for dispatch.

use drumtower_proto::ticketing::{
    DispatchSuggestion, FindSimilarTicketsRequest, FindSimilarTicketsResponse, ForeseeTicketRequest, ForeseeTicketResponse, SimilarTicket,
    SuggestDispatchRequest, SuggestDispatchResponse, TryDispatchRulesRequest, TryDispatchRulesResponse,
    dispatch_service_server::DispatchService, dispatch_suggestion::Source, setting, try_dispatch_rules_response::Difference,
};
use drumtower_runtime::{
    Call, Db, Fault, Reach, TenantTx,
    call::{id, needed_id},
    clock::to_proto,
};
use jiff::SignedDuration;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{self, Matter, Rules},
    store::{self, Row},
};
use crate::{
    clock::rules::Matter as Promised,
    figure::rules::Period,
    setting::{Settings, rules::Content},
    ticket::{
        api::enterprise_of,
        cards::Cards,
        query,
        rules::{Kind, Urgency},
        store as tickets,
    },
};

/// How far back a request may look the same.
const SINCE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// From here on texts are alike, per cent.
const ALIKE: i32 = 35;
/// From here on a past request says something about who should lead, per cent.
const RELATED: i32 = 15;
const MOST_SIMILAR: usize = 5;
const MOST_SUGGESTIONS: usize = 3;
const MOST_TRIED: i64 = 5000;
const MOST_DIFFERENCES: usize = 20;

/// Help for dispatch.
#[derive(Debug)]
pub struct Dispatch {
    pub db: Db,
    pub cards: Cards,
    pub settings: Settings,
}

impl Dispatch {
    async fn similar(&self, request: Request<FindSimilarTicketsRequest>) -> Result<Response<FindSimilarTicketsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let reach = call.reach("ticket.read");
        let enterprise = enterprise_of(&call, &reach, &ask.enterprise_id)?;
        self.cards.enterprise(&call, enterprise).await?;
        let building = match id("building_id", &ask.building_id)? {
            Some(building) => id("building_id", &self.cards.building(&call, building).await?.id)?,
            None => None,
        };
        let mut tx = self.db.read(&call).await?;
        let tickets = look_alikes(&mut tx, &call, &reach, Some(enterprise), building, (&ask.title, &ask.description), None).await?;
        Ok(Response::new(FindSimilarTicketsResponse { tickets }))
    }

    /// What is submitted now would be emergency or ordinary: a dispatcher says so when it is taken on.
    async fn foresee(&self, request: Request<ForeseeTicketRequest>) -> Result<Response<ForeseeTicketResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let building = match id("building_id", &ask.building_id)? {
            Some(building) => Some(self.cards.building(&call, building).await?),
            None => None,
        };
        let words = (ask.title.as_str(), ask.description.as_str());
        let about = Matter {
            title: words.0,
            description: words.1,
            kind: ask.kind(),
            urgency: if ask.danger { Urgency::Emergency } else { Urgency::Normal },
            zone: building.as_ref().and_then(|card| Uuid::try_parse(&card.zone_id).ok()),
            building: building.as_ref().and_then(|card| Uuid::try_parse(&card.id).ok()),
        };
        let setting = self.settings.of(&call).await?;
        let lead = match setting.dispatch().find(&about) {
            Some(rule) => Some((rule.lead_unit_id, Source::Rule)),
            None => {
                let past = store::led(&mut self.db.read(&call).await?, tickets::small(ask.kind), Uuid::nil()).await?;
                leaders_of(&past, words).first().map(|(unit, _)| (*unit, Source::History))
            }
        };
        let lead_unit_name = match lead {
            Some((unit, _)) => self.cards.unit(&call, unit).await?.name,
            None => String::new(),
        };
        let promised = Promised { kind: about.kind, urgency: about.urgency, danger: ask.danger };
        let [accept, contact, resolve] = setting.promises().foreseen(promised, call.now);
        Ok(Response::new(ForeseeTicketResponse {
            lead_unit_id: lead.map(|(unit, _)| unit.to_string()).unwrap_or_default(),
            lead_unit_name,
            source: lead.map_or(0, |(_, source)| source as i32),
            accept_by: Some(to_proto(accept.due_at)),
            contact_by: Some(to_proto(contact.due_at)),
            resolve_by: Some(to_proto(resolve.due_at)),
            provisional: resolve.provisional,
        }))
    }

    async fn suggest(&self, request: Request<SuggestDispatchRequest>) -> Result<Response<SuggestDispatchResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let ticket_id = needed_id("ticket_id", &ask.ticket_id)?;
        let reach = call.reach("ticket.dispatch");
        let setting = self.settings.of(&call).await?;
        let mut tx = self.db.read(&call).await?;
        let (matter, ticket) = tickets::by_id(&mut tx, ticket_id).await?;
        query::reaches(&reach, &ticket)?;
        let words = (matter.title.as_str(), matter.description.as_str());
        let mut suggestions = Vec::new();
        let about = Matter {
            title: words.0,
            description: words.1,
            kind: ticket.kind,
            urgency: ticket.urgency,
            zone: matter.zone,
            building: matter.building,
        };
        if let Some(rule) = setting.dispatch().find(&about) {
            suggestions.push(DispatchSuggestion {
                lead_unit_id: rule.lead_unit_id.to_string(),
                support_unit_ids: rule.support_unit_ids.iter().map(Uuid::to_string).collect(),
                source: Source::Rule as i32,
                reason: format!("{}：{}", rule.name, rule.clause),
                weight: 100,
            });
        }
        let past = store::led(&mut tx, tickets::small(ticket.kind as i32), ticket_id).await?;
        suggestions.extend(from_history(&past, words, &suggestions));
        suggestions.truncate(MOST_SUGGESTIONS);
        let similar = look_alikes(&mut tx, &call, &reach, ticket.enterprise, matter.building, words, Some(ticket_id)).await?;
        Ok(Response::new(SuggestDispatchResponse { suggestions, similar }))
    }

    async fn try_rules(&self, request: Request<TryDispatchRulesRequest>) -> Result<Response<TryDispatchRulesResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let Content::Dispatch(rules) = crate::setting::rules::read(setting::Kind::DispatchRules, 0, &ask.content)? else {
            return Err(Fault::broken("dispatch rules were read as something else"));
        };
        self.cards.open_units(&call, &rules.units()).await?;
        let period = Period::read(&ask.from, &ask.to, "", call.now)?;
        let past = store::dispatched(&mut self.db.read(&call).await?, period, MOST_TRIED).await?;
        Ok(Response::new(tried(&rules, &past)))
    }
}

/// Requests of the same company or building with similar words, most similar first.
async fn look_alikes(
    tx: &mut TenantTx,
    call: &Call,
    reach: &Reach,
    enterprise: Option<Uuid>,
    building: Option<Uuid>,
    words: (&str, &str),
    but: Option<Uuid>,
) -> Result<Vec<SimilarTicket>, Fault> {
    let near = store::near(tx, reach, enterprise, building, call.now - SINCE).await?;
    let mut alike: Vec<(i32, Row)> = near
        .into_iter()
        .filter(|row| Some(row.id) != but)
        .map(|row| (rules::alike(words, (&row.title, &row.description)), row))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by_key(|(likeness, row)| (-likeness, std::cmp::Reverse(row.submitted_at.to_jiff())));
    alike.truncate(MOST_SIMILAR);
    let shown = |(similarity, row): (i32, Row)| SimilarTicket {
        ticket_id: row.id.to_string(),
        number: row.number,
        title: row.title,
        state: i32::from(row.state),
        submitted_at: Some(to_proto(row.submitted_at.to_jiff())),
        similarity,
        same_building: building.is_some() && row.building_id == building,
    };
    Ok(alike.into_iter().map(shown).collect())
}

/// Past requests that say something about who should lead, with how alike they are.
fn related<'a>(past: &'a [Row], words: (&str, &str)) -> Vec<(&'a Row, i32)> {
    let likened = past.iter().map(|row| (row, rules::alike(words, (&row.title, &row.description))));
    likened.filter(|(_, likeness)| *likeness >= RELATED).collect()
}

/// Units that led them with their share, per cent, the greatest first.
fn leaders_of(past: &[Row], words: (&str, &str)) -> Vec<(Uuid, i32)> {
    let led: Vec<(Uuid, i32)> = related(past, words).iter().filter_map(|(row, likeness)| Some((row.lead_unit_id?, *likeness))).collect();
    rules::leaders(&led)
}

/// Units that led related requests and are not suggested yet.
fn from_history(past: &[Row], words: (&str, &str), known: &[DispatchSuggestion]) -> Vec<DispatchSuggestion> {
    let related = related(past, words);
    let fresh = leaders_of(past, words).into_iter().filter(|(unit, _)| known.iter().all(|known| known.lead_unit_id != unit.to_string()));
    fresh
        .map(|(unit, weight)| {
            let of_unit = related.iter().filter(|(row, _)| row.lead_unit_id == Some(unit));
            let best = of_unit.clone().max_by_key(|(_, likeness)| *likeness).map(|(row, _)| row.number.as_str()).unwrap_or_default();
            DispatchSuggestion {
                lead_unit_id: unit.to_string(),
                support_unit_ids: Vec::new(),
                source: Source::History as i32,
                reason: format!("{} 件相似诉求由其主办，如 {best}", of_unit.count()),
                weight,
            }
        })
        .collect()
}

/// How rules do on past requests.
fn tried(rules: &Rules, past: &[Row]) -> TryDispatchRulesResponse {
    let mut outcome =
        TryDispatchRulesResponse { tried: i32::try_from(past.len()).unwrap_or(i32::MAX), ..TryDispatchRulesResponse::default() };
    for row in past {
        let matter = Matter {
            title: &row.title,
            description: &row.description,
            kind: Kind::try_from(i32::from(row.kind)).unwrap_or_default(),
            urgency: Urgency::try_from(i32::from(row.urgency)).unwrap_or_default(),
            zone: row.zone_id,
            building: row.building_id,
        };
        match rules.find(&matter) {
            None => outcome.silent += 1,
            Some(rule) if Some(rule.lead_unit_id) == row.lead_unit_id => outcome.right += 1,
            Some(rule) => {
                outcome.wrong += 1;
                if outcome.differences.len() < MOST_DIFFERENCES {
                    outcome.differences.push(Difference {
                        ticket_id: row.id.to_string(),
                        number: row.number.clone(),
                        led_unit_id: row.lead_unit_id.map(|unit| unit.to_string()).unwrap_or_default(),
                        named_unit_id: rule.lead_unit_id.to_string(),
                        rule: rule.name.clone(),
                    });
                }
            }
        }
    }
    outcome
}

#[tonic::async_trait]
impl DispatchService for Dispatch {
    async fn find_similar_tickets(
        &self,
        request: Request<FindSimilarTicketsRequest>,
    ) -> Result<Response<FindSimilarTicketsResponse>, Status> {
        Ok(self.similar(request).await?)
    }

    async fn foresee_ticket(&self, request: Request<ForeseeTicketRequest>) -> Result<Response<ForeseeTicketResponse>, Status> {
        Ok(self.foresee(request).await?)
    }

    async fn suggest_dispatch(&self, request: Request<SuggestDispatchRequest>) -> Result<Response<SuggestDispatchResponse>, Status> {
        Ok(self.suggest(request).await?)
    }

    async fn try_dispatch_rules(&self, request: Request<TryDispatchRulesRequest>) -> Result<Response<TryDispatchRulesResponse>, Status> {
        Ok(self.try_rules(request).await?)
    }
}
