//! Evaluates a district: reads the facts of some organisations at a time, decides, and writes what changed, each batch in one transaction
//! with the reminders it sends. A batch that fails changes nothing; the next evaluation finds it as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use drumtower_proto::party::{EvaluateObligationsResponse, obligation::State};
use drumtower_runtime::{
    Call, Db, Fault, TenantTx,
    calendar::{Calendar, today},
    log::{NewEvent, to_role},
};
use jiff::civil::Date;
use serde_json::json;
use uuid::Uuid;

use super::{
    rules::{Audience, Facts, Moved, Period, Plan, Reminder, Stored, evaluate, plan},
    store,
};
use crate::{
    organisation,
    rule::{
        self,
        rules::{Cadence, Rule},
    },
};

/// Organisations evaluated in one transaction.
const AT_ONCE: usize = 150;

/// Evaluates districts.
#[derive(Debug, Clone)]
pub struct Evaluator {
    /// The database.
    pub db: Db,
    /// Working days, for the mornings on which reminders go out.
    pub calendar: Arc<Calendar>,
}

/// What an evaluation changed.
pub type Tally = EvaluateObligationsResponse;

impl Evaluator {
    /// Evaluates the call's district. Answers what changed, and how many changes of facts it saw.
    pub async fn district(&self, call: &Call) -> Result<(Tally, i64), Fault> {
        let call = Call { key: None, ..call.clone() };
        let rules = rule::store::all(&self.db).await?;
        let mut tx = self.db.read(&call).await?;
        let seen = store::changes(&mut tx).await?;
        let ids = organisation::store::ids(&mut tx).await?;
        drop(tx);
        let mut tally = Tally::default();
        for some in ids.chunks(AT_ONCE) {
            self.batch(&call, &rules, some, &mut tally).await?;
        }
        Ok((tally, seen))
    }

    async fn batch(&self, call: &Call, rules: &[Rule], ids: &[Uuid], tally: &mut Tally) -> Result<(), Fault> {
        let today = today(call.now);
        let mut tx = self.db.write(call).await?;
        let since = earliest(today);
        let stored = store::to_look_at(&mut tx, ids, since).await?;
        let since = stored.iter().filter(|stored| !stored.finished()).map(begin).fold(since, Date::min);
        let facts = with_backlog(store::facts(&mut tx, ids, since).await?, &stored);
        let dues = evaluate(rules, &facts, today);
        let plan = plan(&dues, &stored, &self.calendar, call.now, Uuid::now_v7);
        if save(&mut tx, &plan, &stored, tally).await? { tx.done().await } else { Ok(()) }
    }
}

/// First day of the previous quarter: nothing newer is finished for good.
fn earliest(today: Date) -> Date {
    let previous = |period: Period| Period::of(Cadence::Quarter, period.eve());
    Period::of(Cadence::Quarter, today).and_then(previous).map_or(today, |period| period.first)
}

/// First day on which a meeting could fulfil it.
fn begin(stored: &Stored) -> Date {
    Period::of(Cadence::Quarter, stored.due_on).map_or(stored.due_on, |period| period.first)
}

fn with_backlog(mut facts: BTreeMap<Uuid, Facts>, stored: &[Stored]) -> Vec<Facts> {
    for stored in stored.iter().filter(|stored| !stored.finished()) {
        if let Some(facts) = facts.get_mut(&stored.organisation) {
            facts.backlog.push((stored.rule.clone(), stored.period.clone()));
        }
    }
    facts.into_values().collect()
}

/// Writes a plan; whether there was anything to write.
async fn save(tx: &mut TenantTx, plan: &Plan<'_>, stored: &[Stored], tally: &mut Tally) -> Result<bool, Fault> {
    if plan.new.is_empty() && plan.moved.is_empty() && plan.reminders.is_empty() {
        return Ok(false);
    }
    let written = store::insert(tx, &plan.new).await?;
    for new in plan.new.iter().filter(|new| written.contains(&new.id)) {
        tally.created += 1;
        count(tally, new.state);
        let (rule, organisation, period) = (&new.due.rule.code, new.due.organisation, &new.due.period);
        let facts = json!({ "rule": rule, "organisation": organisation, "period": period, "due_on": new.due.due_on });
        tx.emit(NewEvent::new("obligation.created", new.id, 1).facts(facts));
    }
    for state in [State::Open, State::Overdue, State::Fulfilled, State::Superseded] {
        let moved: Vec<&Moved> = plan.moved.iter().filter(|moved| moved.state == state).collect();
        if moved.is_empty() {
            continue;
        }
        store::stand(tx, &moved.iter().map(|moved| moved.id).collect::<Vec<_>>(), state).await?;
        for moved in moved {
            count(tally, state);
            tx.emit(NewEvent::new(happened(state), moved.id, moved.version));
        }
    }
    // A row that another evaluation wrote first is that one's to remind of.
    let known: BTreeSet<Uuid> = stored.iter().map(|stored| stored.id).chain(written).collect();
    let reminders: Vec<&Reminder> = plan.reminders.iter().filter(|reminder| known.contains(&reminder.obligation)).collect();
    let noted = store::remind(tx, &reminders).await?;
    for reminder in reminders {
        if noted.contains(&(reminder.obligation, reminder.step.clone())) {
            tally.reminded += 1;
            tx.emit(reminded(reminder));
        }
    }
    Ok(true)
}

fn count(tally: &mut Tally, state: State) {
    match state {
        State::Fulfilled => tally.fulfilled += 1,
        State::Superseded => tally.superseded += 1,
        State::Overdue => tally.overdue += 1,
        State::Open | State::Waived | State::Unspecified => {}
    }
}

fn happened(state: State) -> &'static str {
    match state {
        State::Fulfilled => "obligation.fulfilled",
        State::Superseded => "obligation.superseded",
        State::Overdue => "obligation.overdue",
        State::Open | State::Waived | State::Unspecified => "obligation.reopened",
    }
}

/// The text says no more than may stand in a message on a telephone: what it is about is read after signing in (party.md §5).
fn reminded(reminder: &Reminder) -> NewEvent {
    let (rule, due_on) = (&reminder.rule, reminder.due_on);
    let notify = match reminder.audience {
        Audience::Secretary => to_role(
            "PARTY_SECRETARY",
            Some(reminder.organisation),
            "obligation.reminded",
            format!("您有1项待办（{rule}），截止{due_on}"),
            format!("One task ({rule}) is due on {due_on}"),
        ),
        Audience::Committee => to_role(
            "PARTY_COMMITTEE",
            None,
            "obligation.escalated",
            format!("1项事项（{rule}）已逾期，应于{due_on}前完成"),
            format!("One task ({rule}) was due on {due_on} and is overdue"),
        ),
    };
    let facts = json!({ "rule": rule, "organisation": reminder.organisation, "step": reminder.step, "due_on": due_on });
    NewEvent::new("obligation.reminded", reminder.obligation, reminder.version).facts(facts).tell(notify)
}
