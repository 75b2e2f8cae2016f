//! Dispatch by rule alone (transition 7, by the clock's hand): where the district's catalogue says that a rule needs no dispatcher.

use drumtower_runtime::{Call, Fault, TenantTx};

use super::rules::Matter as About;
use crate::{
    setting::Setting,
    ticket::{
        cards::Cards,
        change::{Said, change},
        rules::{Command, State, Ticket, Who},
        store::Matter,
    },
};

/// Sends an accepted request to the units of the first rule that fits, if that rule does so by itself. A unit that was closed since the
/// rule was published, or another obstacle, leaves the request to the dispatchers.
pub async fn dispatched(
    tx: &mut TenantTx,
    call: &Call,
    setting: &Setting,
    cards: &Cards,
    (matter, ticket): (Matter, Ticket),
) -> Result<(Matter, Ticket), Fault> {
    let about = About {
        title: &matter.title,
        description: &matter.description,
        kind: ticket.kind,
        urgency: ticket.urgency,
        zone: matter.zone,
        building: matter.building,
    };
    let rule = setting.dispatch().find(&about).filter(|rule| rule.auto && ticket.state == State::Accepted && ticket.return_count == 0);
    let Some(rule) = rule else { return Ok((matter, ticket)) };
    let units: Vec<_> = std::iter::once(rule.lead_unit_id).chain(rule.support_unit_ids.iter().copied()).collect();
    if let Err(obstacle) = cards.open_units(call, &units).await {
        tracing::warn!(?obstacle, rule = rule.name, "a rule names units that cannot take it now");
        return Ok((matter, ticket));
    }
    let command = Command::Dispatch { lead: rule.lead_unit_id, support: rule.support_unit_ids.clone() };
    let text = format!("{}：{}", rule.name, rule.clause);
    let said = Said { by: "service:ticketing", text: &text };
    match change(tx, call, setting, &Who::timer(), (matter.clone(), ticket.clone()), command, said).await {
        // A rule of the machine said no, before anything was written.
        Err(Fault::Refused(refusal)) => {
            tracing::warn!(%refusal, rule = rule.name, "a rule does not fit this district's machine");
            Ok((matter, ticket))
        }
        other => other,
    }
}
