//! The RPC of rules; the contract keeps it beside the obligations that follow from them.

use drumtower_proto::party::{ListRulesRequest, ListRulesResponse, Rule as RuleOfContract};
use drumtower_runtime::{Call, Db, Fault};
use tonic::{Request, Response};

use super::{
    rules::{Rule, all_in_force},
    store,
};
use crate::day;

impl From<&Rule> for RuleOfContract {
    fn from(rule: &Rule) -> Self {
        Self {
            code: rule.code.clone(),
            effective_from: rule.effective_from.to_string(),
            text_zh: rule.text_zh.clone(),
            text_en: rule.text_en.clone(),
            source: rule.source.clone(),
            cadence: rule.cadence.name().to_owned(),
            severity: i32::from(rule.severity),
        }
    }
}

/// The rules in force on a day.
pub async fn list(db: &Db, request: Request<ListRulesRequest>) -> Result<Response<ListRulesResponse>, Fault> {
    let (call, ask) = Call::take(request)?;
    let on = day::or_today("on", &ask.on, call.now)?;
    let rules = store::all(db).await?;
    Ok(Response::new(ListRulesResponse { rules: all_in_force(&rules, on).into_iter().map(Into::into).collect() }))
}
