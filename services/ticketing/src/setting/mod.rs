//! What a district sets for its requests, in versions: the state machine, the promised times, the working calendar.

pub mod api;
pub mod apply;
pub mod rules;
pub mod store;

use std::{sync::Arc, time::Duration};

use drumtower_runtime::{Call, Db, Failure, Fault};
use moka::future::Cache;

pub use rules::Setting;

/// How long a process may go on with what it knows after another one published something.
pub const FRESH: Duration = Duration::from_secs(3);

/// The districts' settings, kept for a moment.
#[derive(Debug, Clone)]
pub struct Settings {
    db: Db,
    standard: Arc<Setting>,
    kept: Cache<i32, Arc<Setting>>,
}

impl Settings {
    /// Nothing is read yet; the platform's own versions are checked like a district's.
    pub fn new(db: Db) -> Result<Self, Failure> {
        let standard = Arc::new(Setting::standard()?);
        let kept = Cache::builder().max_capacity(10_000).time_to_live(FRESH).build();
        Ok(Self { db, standard, kept })
    }

    /// What holds now in the district of a call.
    pub async fn of(&self, call: &Call) -> Result<Arc<Setting>, Fault> {
        if let Some(setting) = self.kept.get(&call.tenant).await {
            return Ok(setting);
        }
        let rows = store::in_force(&mut self.db.read(call).await?).await?;
        let setting = if rows.is_empty() { Arc::clone(&self.standard) } else { Arc::new(Setting::of(&rows)?) };
        self.kept.insert(call.tenant, Arc::clone(&setting)).await;
        Ok(setting)
    }

    /// Something was published here: it holds at once.
    pub async fn changed(&self, tenant: i32) {
        self.kept.invalidate(&tenant).await;
    }
}
