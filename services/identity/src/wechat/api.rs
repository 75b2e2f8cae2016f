//! RPCs that WeChat calls. Who is not WeChat is refused before anything is looked at; the same message again gets the same reply.

use std::sync::Arc;

use drumtower_proto::{
    google::rpc::{HttpHeader, HttpResponse},
    identity::{Means, ReceiveWechatRequest, VerifyWechatRequest, wechat_service_server::WechatService},
};
use drumtower_runtime::{
    Call, Db, Fault,
    log::NewEvent,
    peers::Peers,
    seal::{Place, Sealer, Sealers},
    token::Signer,
};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{self, Message, Wanted},
    store,
};
use crate::{
    reach::{
        self,
        api::{hash, index_of},
        rules::MOST_FAILURES,
    },
    sender::{
        self,
        api::opened,
        rules::{Secrets, Settings, Wechat as Account},
    },
};

const HELP: &str = "发送“诉求 内容”提交诉求（也可用 咨询、投诉、建议 开头），发送“进度”查看办理进度。首次使用请在网页“我的通知”中获取绑定码，并发送“绑定 绑定码”。";
const BIND_FIRST: &str = "请先绑定：在网页“我的通知”中获取绑定码，并发送“绑定 绑定码”。";

/// WeChat.
#[derive(Debug)]
pub struct Wechat {
    pub db: Db,
    pub sealers: Sealers,
    pub peers: Peers,
    pub signer: Arc<Signer>,
}

/// What a call is judged by.
struct Settled {
    account: Account,
    secrets: Secrets,
    sealer: Arc<Sealer>,
}

impl Settled {
    fn token(&self) -> &str {
        self.secrets.get("token").map_or("", String::as_str)
    }
}

fn answer(status: i32, kind: &str, body: String) -> Response<HttpResponse> {
    let headers = vec![HttpHeader { key: "content-type".to_owned(), value: format!("{kind}; charset=utf-8") }];
    Response::new(HttpResponse { status, reason: String::new(), headers, body: body.into_bytes() })
}

/// Whoever it is, it is not WeChat, or this district has no account there: the same answer.
fn refused() -> Response<HttpResponse> {
    answer(403, "text/plain", "forbidden".to_owned())
}

/// Where a kept reply belongs.
fn place(key: &str) -> Place<'_> {
    Place { table: "wechat_message", column: "reply", row: key }
}

impl Wechat {
    async fn settled(&self, call: &Call) -> Result<Option<Settled>, Fault> {
        let sealer = self.sealers.of(&self.db, call).await?;
        let row = sender::store::of(&mut self.db.read(call).await?, Means::Wechat).await?;
        let Some(row) = row.filter(|row| row.open) else { return Ok(None) };
        let Settings::Wechat(account) = Settings::read(Means::Wechat, &row.settings)? else { return Ok(None) };
        let secrets = opened(&sealer, &row)?;
        // Without a token everybody could sign.
        let has_token = secrets.get("token").is_some_and(|token| !token.is_empty());
        Ok(has_token.then_some(Settled { account, secrets, sealer }))
    }

    async fn verify(&self, request: Request<VerifyWechatRequest>) -> Result<Response<HttpResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let Some(settled) = self.settled(&call).await? else { return Ok(refused()) };
        let words = [settled.token(), &ask.timestamp, &ask.nonce];
        let is_wechat = rules::signed(&ask.signature, &words, &ask.timestamp, call.now);
        // What is said back is plain text: nothing that a browser would run.
        let plain = ask.echostr.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte));
        Ok(if is_wechat && plain { answer(200, "text/plain", ask.echostr) } else { refused() })
    }

    async fn receive(&self, request: Request<ReceiveWechatRequest>) -> Result<Response<HttpResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let Some(settled) = self.settled(&call).await? else { return Ok(refused()) };
        let Some(message) = genuine(&settled, &ask, &call) else { return Ok(refused()) };
        let text = self.answered(&call, &settled.sealer, &message).await?;
        let plain = rules::reply(&message, &text, call.now);
        if ask.encrypt_type != "aes" {
            return Ok(answer(200, "application/xml", plain));
        }
        let sealed = sealed(&settled, &ask, &plain).ok_or_else(|| Fault::broken("a reply could not be encrypted"))?;
        Ok(answer(200, "application/xml", sealed))
    }

    /// The reply to a message: the one that it was given before, else what comes of it now.
    async fn answered(&self, call: &Call, sealer: &Sealer, message: &Message) -> Result<String, Fault> {
        // Its own id tells who wrote: kept is what finds it again.
        let key = hex::encode(Sha256::digest(message.key()));
        if let Some(sealed) = store::answered(&mut self.db.read(call).await?, &key).await? {
            return sealer.open(place(&key), &sealed);
        }
        let text = self.said(call, sealer, message, &key).await?;
        let mut tx = self.db.write(call).await?;
        let kept = store::answer(&mut tx, &key, &sealer.seal(place(&key), &text)?).await?;
        tx.done().await?;
        sealer.open(place(&key), &kept)
    }

    async fn said(&self, call: &Call, sealer: &Sealer, message: &Message, key: &str) -> Result<String, Fault> {
        let wanted = rules::wanted(message);
        if let Wanted::Bind(code) = &wanted {
            return self.bound(call, sealer, &message.from, (code, key)).await;
        }
        if wanted == Wanted::Help {
            return Ok(HELP.to_owned());
        }
        let mut tx = self.db.read(call).await?;
        let index = sealer.blind(index_of(Means::Wechat), &message.from).unwrap_or_default();
        let Some(user) = reach::store::person(&mut tx, Means::Wechat, &index).await? else { return Ok(BIND_FIRST.to_owned()) };
        let Some(own) = self.in_the_name_of(&mut tx, call, user).await? else { return Ok(BIND_FIRST.to_owned()) };
        drop(tx);
        let done = match wanted {
            Wanted::Ask(kind, words) => {
                let ticket = self.submit(&own, &format!("wechat:{key}"), kind, words).await;
                ticket.map(|ticket| format!("已收到，编号 {}。受理后会通知您，发送“进度”可查看。", ticket.number))
            }
            _ => self.progress(&own).await,
        };
        match done {
            // What concerns the person is told in words; what may pass is left to WeChat's second attempt.
            Err(Fault::Peer(status)) if !may_pass(&status) => Ok("未能受理，请在网页上提交，或联系园区服务中心。".to_owned()),
            done => done,
        }
    }

    /// Binds who writes to whoever got the code, and notes the reply with it: the same message again finds the code used, and the reply.
    async fn bound(&self, call: &Call, sealer: &Sealer, openid: &str, (code, key): (&str, &str)) -> Result<String, Fault> {
        let mut tx = self.db.write(call).await?;
        let good = reach::store::code_of(&mut tx, Means::Wechat, &hash(code)).await?;
        let good = good.filter(|code| code.failures < MOST_FAILURES && code.expires_at.to_jiff() > call.now);
        let Some(good) = good else {
            return match store::answered(&mut tx, key).await? {
                Some(sealed) => sealer.open(place(key), &sealed),
                None => Ok("绑定码不正确或已失效，请在网页上重新获取。".to_owned()),
            };
        };
        let row = reach::api::row(good.user_id, Means::Wechat);
        let address = sealer.seal(reach::api::place(&row), openid)?;
        let index = sealer.blind(index_of(Means::Wechat), openid).unwrap_or_default();
        reach::store::keep(&mut tx, good.user_id, Means::Wechat, &address, &index).await?;
        tx.emit(NewEvent::new("reach.proved", good.user_id, 0).facts(serde_json::json!({ "means": Means::Wechat.as_str_name() })));
        let text = format!("绑定成功。{HELP}");
        store::answer(&mut tx, key, &sealer.seal(place(key), &text)?).await?;
        tx.done().await?;
        Ok(text)
    }
}

fn may_pass(status: &Status) -> bool {
    use tonic::Code;
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted | Code::Aborted)
}

/// The message, if WeChat sent it: plain by its own signature, encrypted by that of what is sealed.
fn genuine(settled: &Settled, ask: &ReceiveWechatRequest, call: &Call) -> Option<Message> {
    let body = ask.content.as_ref().and_then(|content| std::str::from_utf8(&content.data).ok())?;
    let outer = rules::read(body)?;
    if ask.encrypt_type != "aes" {
        let words = [settled.token(), &ask.timestamp, &ask.nonce];
        // An account that encrypts takes nothing plain: that would be a way around.
        let plain_is_taken = !settled.secrets.contains_key("aes_key");
        return (plain_is_taken && rules::signed(&ask.signature, &words, &ask.timestamp, call.now)).then_some(outer);
    }
    let words = [settled.token(), &ask.timestamp, &ask.nonce, &outer.sealed];
    if !rules::signed(&ask.msg_signature, &words, &ask.timestamp, call.now) {
        return None;
    }
    let key = rules::aes_key(settled.secrets.get("aes_key")?)?;
    rules::read(&rules::decrypted(&key, &settled.account.app_id, &outer.sealed)?)
}

/// A reply in the envelope that the message came in.
fn sealed(settled: &Settled, ask: &ReceiveWechatRequest, plain: &str) -> Option<String> {
    let key = rules::aes_key(settled.secrets.get("aes_key")?)?;
    let sealed = rules::encrypted(&key, &settled.account.app_id, plain, Uuid::new_v4().into_bytes())?;
    let signature = rules::signature(&[settled.token(), &ask.timestamp, &ask.nonce, &sealed]);
    Some(rules::envelope(&sealed, &signature, &ask.timestamp, &ask.nonce))
}

#[tonic::async_trait]
impl WechatService for Wechat {
    async fn verify_wechat(&self, request: Request<VerifyWechatRequest>) -> Result<Response<HttpResponse>, Status> {
        Ok(self.verify(request).await?)
    }

    async fn receive_wechat(&self, request: Request<ReceiveWechatRequest>) -> Result<Response<HttpResponse>, Status> {
        Ok(self.receive(request).await?)
    }
}
