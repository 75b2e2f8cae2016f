//! Reads another service's log and writes the notices its events ask for.

use drumtower_proto::{
    identity::Means,
    log::{Event, Notify},
    options::Role,
};
use drumtower_runtime::{
    Fault, TenantTx,
    clock::from_proto,
    delivery::{self, Parcel},
    log::Consumer,
};
use uuid::Uuid;

use super::store;
use crate::{assignment, reach, sender::carry, user};

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
            onward(tx, &users, notify).await?;
        }
        Ok(())
    }
}

/// Queues what goes out of the house to those of them who want it so, each as and when they wish.
async fn onward(tx: &mut TenantTx, users: &[Uuid], notify: &Notify) -> Result<(), Fault> {
    if users.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let wanted = reach::store::wanted(tx, users).await?;
    let parcels = wanted.into_iter().filter_map(|(user, means, wishes)| {
        let due_at = wishes.when(i32::from(means), &notify.kind, notify.urgent, now)?;
        let means = Means::try_from(i32::from(means)).unwrap_or_default();
        Some((Parcel { id: Uuid::now_v7(), route: carry::to(means, user), body: notify.text_zh.clone(), at: now }, due_at))
    });
    let parcels: Vec<_> = parcels.collect();
    Ok(delivery::queue(tx, &parcels).await?)
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
