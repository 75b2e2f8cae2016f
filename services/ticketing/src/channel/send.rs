//! Carries what a channel is told to its address, signed as <https://www.standardwebhooks.com> has it.

use drumtower_proto::ticketing::channel::Kind;
use drumtower_runtime::{
    Call, Clock, Db, Fault,
    delivery::{Carrier, ONE, Parcel, Trouble},
    seal::Sealers,
    web::{self, Web},
};
use uuid::Uuid;

use super::{api::place, rules::Settings, store};

/// The route of a channel's parcels.
pub fn route(channel: Uuid) -> String {
    format!("channel:{channel}")
}

/// Carries to channels.
#[derive(Debug)]
pub struct Courier {
    pub db: Db,
    pub sealers: Sealers,
    pub clock: Clock,
    pub web: Web,
}

impl Carrier for Courier {
    async fn carry(&self, call: &Call, route: &str, parcels: &[Parcel]) -> (usize, Option<Trouble>) {
        let (url, secret) = match self.address(call, route).await {
            Ok(Some(address)) => address,
            Ok(None) => return (0, Some(Trouble::Closed("the channel is closed, or has no address".to_owned()))),
            Err(error) => return (0, Some(Trouble::Later(format!("{error:?}")))),
        };
        for (arrived, parcel) in parcels.iter().enumerate() {
            if call.remaining() < ONE {
                return (arrived, None);
            }
            let (id, at) = (parcel.id.to_string(), self.clock.now().as_second().to_string());
            let signature = web::signature(&secret, &id, &at, parcel.body.as_bytes());
            let headers = [
                ("content-type", "application/json".to_owned()),
                ("webhook-id", id),
                ("webhook-timestamp", at),
                ("webhook-signature", signature),
            ];
            if let Err(trouble) = self.web.post(&url, &headers, parcel.body.clone()).await {
                return (arrived, Some(trouble));
            }
        }
        (parcels.len(), None)
    }
}

impl Courier {
    /// Where a channel is told, and what with: as it is now, not as it was when the parcel was queued.
    async fn address(&self, call: &Call, route: &str) -> Result<Option<(String, Vec<u8>)>, Fault> {
        let Some(id) = route.strip_prefix("channel:").and_then(|id| Uuid::try_parse(id).ok()) else { return Ok(None) };
        let channel = store::by_id(&mut self.db.read(call).await?, id).await?;
        let sealer = self.sealers.of(&self.db, call).await?;
        let secret = sealer.open(place(&id.to_string()), &channel.secret)?;
        let Settings::Hotline(hotline) = Settings::read(Kind::Hotline, &channel.settings)? else { return Ok(None) };
        Ok((channel.open && !hotline.url.is_empty()).then(|| (hotline.url, web::secret_bytes(&secret))))
    }
}
