//! Reads another service's log and writes the notices its events ask for.

use drumtower_proto::{
    log::{Event, Notify},
    options::Role,
};
use drumtower_runtime::{Fault, TenantTx, clock::from_proto, log::Consumer};
use uuid::Uuid;

use super::store;
use crate::{assignment, user};

/// Notices from one service's log.
#[derive(Debug)]
pub struct Notices {
    /// Whose log.
    pub source: &'static str,
    /// Name of the cursor.
    pub name: &'static str,
}

impl Consumer for Notices {
    fn name(&self) -> &'static str {
        self.name
    }

    fn source(&self) -> &'static str {
        self.source
    }

    async fn take(&self, tx: &mut TenantTx, event: &Event) -> Result<(), Fault> {
        let at = event.at.as_ref().and_then(from_proto).unwrap_or_else(|| tx.now());
        for notify in &event.notify {
            let users = addressed(tx, notify).await?;
            store::insert(tx, &users, notify, &event.subject, at).await?;
        }
        Ok(())
    }
}

/// The people a notify speaks to: one person, or the holders of a role, be it in the district, in a unit or in a company.
async fn addressed(tx: &mut TenantTx, notify: &Notify) -> Result<Vec<Uuid>, Fault> {
    if let Ok(id) = Uuid::try_parse(&notify.user_id) {
        let known = user::store::by_id(tx, id).await?.is_some();
        return Ok(if known { vec![id] } else { Vec::new() });
    }
    let Some(role) = Role::from_str_name(&notify.role) else { return Ok(Vec::new()) };
    if let Ok(enterprise) = Uuid::try_parse(&notify.enterprise_id) {
        return Ok(assignment::store::holders_in(tx, role as i32, enterprise).await?);
    }
    let node = Uuid::try_parse(&notify.unit_id).ok();
    Ok(assignment::store::holders(tx, role as i32, node).await?)
}
