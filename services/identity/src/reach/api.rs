//! RPCs of ways to reach the caller.

use drumtower_proto::identity::{
    BeginReachRequest, BeginReachResponse, ConfirmReachRequest, DropReachRequest, DropReachResponse, GetPreferenceRequest,
    ListReachesRequest, ListReachesResponse, Means, Preference, Reach, SetPreferenceRequest, reach_service_server::ReachService,
};
use drumtower_runtime::{
    Call, Db, Fault, Kind, Refusal,
    clock::to_proto,
    delivery::{self, Parcel},
    log::NewEvent,
    seal::{Place, Sealers},
};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{self, GOOD_FOR, MOST_FAILURES, Wishes},
    store::{self, NewCode},
};
use crate::sender::{self, route::Route};

/// Ways to reach people.
#[derive(Debug)]
pub struct Reaches {
    pub db: Db,
    pub sealers: Sealers,
}

/// Where a sealed address belongs: the person and the means.
pub fn row(user: Uuid, means: Means) -> String {
    format!("{user} {}", means.as_str_name())
}

/// Where a sealed address belongs.
pub fn place(row: &str) -> Place<'_> {
    Place { table: "reach", column: "address", row }
}

/// What finds a code.
pub fn hash(code: &str) -> Vec<u8> {
    Sha256::digest(rules::written(code)).to_vec()
}

/// What finds an address of a means.
pub fn index_of(means: Means) -> &'static str {
    match means {
        Means::Sms => "reach.sms",
        Means::Email => "reach.email",
        Means::Wechat | Means::Unspecified => "reach.wechat",
    }
}

impl Reaches {
    async fn list(&self, request: Request<ListReachesRequest>) -> Result<Response<ListReachesResponse>, Fault> {
        let (call, _) = Call::take(request)?;
        let me = call.person()?.sub;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let rows = store::of_user(&mut self.db.read(&call).await?, me).await?;
        let shown = |found: store::Row| {
            let means = Means::try_from(i32::from(found.means)).unwrap_or_default();
            let address = sealer.open(place(&row(me, means)), &found.address)?;
            Ok(Reach { means: means as i32, hint: rules::hint(means, &address), since: Some(to_proto(found.since.to_jiff())) })
        };
        Ok(Response::new(ListReachesResponse { reaches: rows.into_iter().map(shown).collect::<Result<_, Fault>>()? }))
    }

    async fn begin(&self, request: Request<BeginReachRequest>) -> Result<Response<BeginReachResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (me, means) = (call.person()?.sub, ask.means());
        let address = rules::address(means, &ask.address)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let expires_at = call.now + GOOD_FOR;
        let code = rules::code(&sealer, me, means as i32, expires_at);
        let sealed = sealer.seal(place(&row(me, means)), &address)?;
        let mut tx = self.db.write(&call).await?;
        if !sender::store::open(&mut tx, means).await? {
            return Err(Refusal::state("NO_SENDER", "本区未开通该通知方式", "this district does not reach people so").into());
        }
        let before = store::lock_code(&mut tx, me, means).await?;
        let begun = rules::one_more(before.map(|code| code.begun()), call.now)?;
        store::begin(&mut tx, &NewCode { user: me, means, hash: &hash(&code), address: &sealed, begun, expires_at }).await?;
        if means != Means::Wechat {
            let route = Route::code(means, me).to_string();
            let parcel = Parcel { id: Uuid::now_v7(), route, body: expires_at.as_microsecond().to_string(), at: call.now };
            delivery::queue(&mut tx, &[(parcel, call.now)]).await?;
        }
        tx.emit(NewEvent::new("reach.begun", me, 0).facts(serde_json::json!({ "means": means.as_str_name() })));
        let code = if means == Means::Wechat { code } else { String::new() };
        tx.commit(BeginReachResponse { code, expires_at: Some(to_proto(expires_at)) }).await
    }

    /// A wrong guess is counted, so its transaction is committed.
    async fn confirm(&self, request: Request<ConfirmReachRequest>) -> Result<Response<Reach>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (me, means) = (call.person()?.sub, ask.means());
        let wrong = || Refusal::new(Kind::Invalid, "CODE", "验证码不正确或已失效", "this code is wrong or good no longer");
        if means == Means::Wechat {
            return Err(Refusal::invalid("means", "BY_WECHAT", "请在微信中发送绑定码", "send this code in WeChat").into());
        }
        let sealer = self.sealers.of(&self.db, &call).await?;
        let mut tx = self.db.write(&call).await?;
        let good = store::lock_code(&mut tx, me, means).await?;
        let good = good.filter(|code| code.failures < MOST_FAILURES && code.expires_at.to_jiff() > call.now).ok_or_else(wrong)?;
        if good.hash != hash(&ask.code) {
            store::fail(&mut tx, me, means).await?;
            tx.done().await?;
            return Err(wrong().into());
        }
        let address = sealer.open(place(&row(me, means)), &good.address)?;
        let index = sealer.blind(index_of(means), &address).unwrap_or_default();
        store::keep(&mut tx, me, means, &good.address, &index).await?;
        tx.emit(NewEvent::new("reach.proved", me, 0).facts(serde_json::json!({ "means": means.as_str_name() })));
        tx.commit(Reach { means: ask.means, hint: rules::hint(means, &address), since: Some(to_proto(call.now)) }).await
    }

    async fn give_up(&self, request: Request<DropReachRequest>) -> Result<Response<DropReachResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (me, means) = (call.person()?.sub, ask.means());
        let mut tx = self.db.write(&call).await?;
        if store::forget(&mut tx, me, means).await? {
            tx.emit(NewEvent::new("reach.dropped", me, 0).facts(serde_json::json!({ "means": means.as_str_name() })));
        }
        tx.commit(DropReachResponse {}).await
    }

    async fn preference(&self, request: Request<GetPreferenceRequest>) -> Result<Response<Preference>, Fault> {
        let (call, _) = Call::take(request)?;
        let wishes = store::wishes(&mut self.db.read(&call).await?, call.person()?.sub).await?;
        Ok(Response::new(wishes.shown()))
    }

    async fn wish(&self, request: Request<SetPreferenceRequest>) -> Result<Response<Preference>, Fault> {
        let (call, ask) = Call::take(request)?;
        let me = call.person()?.sub;
        let wishes = Wishes::of(&ask.preference.unwrap_or_default());
        let mut tx = self.db.write(&call).await?;
        store::wish(&mut tx, me, &wishes).await?;
        tx.emit(NewEvent::new("preference.set", me, 0));
        tx.commit(wishes.shown()).await
    }
}

#[tonic::async_trait]
impl ReachService for Reaches {
    async fn list_reaches(&self, request: Request<ListReachesRequest>) -> Result<Response<ListReachesResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn begin_reach(&self, request: Request<BeginReachRequest>) -> Result<Response<BeginReachResponse>, Status> {
        Ok(self.begin(request).await?)
    }

    async fn confirm_reach(&self, request: Request<ConfirmReachRequest>) -> Result<Response<Reach>, Status> {
        Ok(self.confirm(request).await?)
    }

    async fn drop_reach(&self, request: Request<DropReachRequest>) -> Result<Response<DropReachResponse>, Status> {
        Ok(self.give_up(request).await?)
    }

    async fn get_preference(&self, request: Request<GetPreferenceRequest>) -> Result<Response<Preference>, Status> {
        Ok(self.preference(request).await?)
    }

    async fn set_preference(&self, request: Request<SetPreferenceRequest>) -> Result<Response<Preference>, Status> {
        Ok(self.wish(request).await?)
    }
}
