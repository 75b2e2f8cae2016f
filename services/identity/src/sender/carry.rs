//! Carries notices and codes to people: the address, the sender and the person's standing are looked up when it goes out.

use drumtower_proto::identity::Means;
use drumtower_runtime::{
    Call, Clock, Db, Fault,
    delivery::{Carrier, ONE, Parcel, Trouble},
    seal::Sealers,
    web::Web,
};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    api::opened,
    email,
    route::{Route, What},
    rules::{Secrets, Settings},
    sms, store,
    template::{self, Tokens},
};
use crate::reach::{
    api::{place, row},
    rules,
    store::{self as reaches},
};

/// Something to say to somebody.
#[derive(Debug)]
pub struct Message<'a> {
    /// What a provider tells a second time by.
    pub id: Uuid,
    pub lines: &'a [String],
    pub at: Timestamp,
}

/// Carries to people.
#[derive(Debug)]
pub struct Post {
    pub db: Db,
    pub sealers: Sealers,
    pub clock: Clock,
    pub web: Web,
    pub tokens: Tokens,
}

/// Where something goes, and with what.
struct Address {
    to: String,
    settings: Settings,
    secrets: Secrets,
}

impl Carrier for Post {
    /// Notices that are due together are one message; codes are one each.
    async fn carry(&self, call: &Call, route: &str, parcels: &[Parcel]) -> (usize, Option<Trouble>) {
        let Some(route) = Route::read(route) else { return (0, Some(Trouble::Never("goes nowhere".to_owned()))) };
        if route.what == What::Notices {
            let lines: Vec<String> = parcels.iter().map(|parcel| parcel.body.clone()).collect();
            return match self.say(call, route, &lines, parcels).await {
                Ok(()) => (parcels.len(), None),
                Err(trouble) => (0, Some(trouble)),
            };
        }
        for (arrived, parcel) in parcels.iter().enumerate() {
            if call.remaining() < ONE {
                return (arrived, None);
            }
            let said = match self.code(call, route, parcel).await {
                Ok(line) => self.say(call, route, &[line], std::slice::from_ref(parcel)).await,
                Err(trouble) => Err(trouble),
            };
            if let Err(trouble) = said {
                return (arrived, Some(trouble));
            }
        }
        (parcels.len(), None)
    }
}

impl Post {
    async fn say(&self, call: &Call, route: Route, lines: &[String], parcels: &[Parcel]) -> Result<(), Trouble> {
        let Some(first) = parcels.first() else { return Ok(()) };
        let address = self.address(call, route).await.map_err(|error| Trouble::Later(format!("{error:?}")))??;
        let message = Message { id: told_by(parcels), lines, at: first.at };
        match &address.settings {
            Settings::Wechat(wechat) => template::send(self, call.tenant, wechat, &address.secrets, &address.to, &message).await,
            Settings::Sms(sms) => sms::send(self, sms, &address.secrets, &address.to, &message).await,
            Settings::Email(email) => email::send(&self.web, email, &address.secrets, &address.to, &message).await,
        }
    }

    /// The line of a code that is still good.
    async fn code(&self, call: &Call, route: Route, parcel: &Parcel) -> Result<String, Trouble> {
        let expires_at = parcel.body.parse().ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
        let good = expires_at.filter(|expires_at| *expires_at > call.now);
        let expires_at = good.ok_or_else(|| Trouble::Never("the code is good no longer".to_owned()))?;
        let sealer = self.sealers.of(&self.db, call).await.map_err(|error| Trouble::Later(format!("{error:?}")))?;
        let code = rules::code(&sealer, route.user, route.means as i32, expires_at);
        Ok(format!("验证码 {code}，十分钟内有效。如非本人操作请忽略。"))
    }

    /// Nothing is sent to who gave the address up or may not sign in any more.
    async fn address(&self, call: &Call, route: Route) -> Result<Result<Address, Trouble>, Fault> {
        let sealer = self.sealers.of(&self.db, call).await?;
        let mut tx = self.db.read(call).await?;
        let sealed = match route.what {
            What::Notices => reaches::address(&mut tx, route.user, route.means).await?,
            What::Code => reaches::code(&mut tx, route.user, route.means).await?,
        };
        let Some(sealed) = sealed else { return Ok(Err(Trouble::Never("is not reached so any more".to_owned()))) };
        let Some(sender) = store::of(&mut tx, route.means).await?.filter(|sender| sender.open) else {
            return Ok(Err(Trouble::Closed("no sender is open".to_owned())));
        };
        let to = sealer.open(place(&row(route.user, route.means)), &sealed)?;
        let settings = Settings::read(sender.means(), &sender.settings)?;
        Ok(Ok(Address { to, settings, secrets: opened(&sealer, &sender)? }))
    }
}

/// What a provider tells a second time by: of several together one that stands for just these, so that what was told before without
/// some of them is not taken for it.
fn told_by(parcels: &[Parcel]) -> Uuid {
    match parcels {
        [one] => one.id,
        many => {
            let all = many.iter().fold(Sha256::new(), |all, parcel| all.chain_update(parcel.id));
            let digest: [u8; 32] = all.finalize().into();
            let (half, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
            uuid::Builder::from_random_bytes(*half).into_uuid()
        }
    }
}

/// A secret that a sender needs; without it what is sent waits until it is set.
pub fn needed<'a>(secrets: &'a Secrets, name: &str) -> Result<&'a str, Trouble> {
    secrets.get(name).map(String::as_str).ok_or_else(|| Trouble::Closed(format!("{name} is not set")))
}

/// The route of a person's notices by a means.
pub fn to(means: Means, user: Uuid) -> String {
    Route::notices(means, user).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_together_has_an_id_of_its_own_and_the_same_each_time() {
        let parcel = |id: u128| Parcel { id: Uuid::from_u128(id), route: String::new(), body: String::new(), at: Timestamp::UNIX_EPOCH };
        let (one, both) = ([parcel(1)], [parcel(1), parcel(2)]);
        assert_eq!(told_by(&one), one[0].id);
        assert_eq!(told_by(&both), told_by(&both.clone()));
        assert!(told_by(&both) != told_by(&one) && told_by(&both) != told_by(&[parcel(1), parcel(3)]));
    }
}
