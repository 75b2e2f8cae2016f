//! Sessions of browsers. A page holds a cookie that no script reads; the door exchanges its secret for an access token at identity, keeps
//! that until shortly before its end, and speaks to the services in the person's name. Nothing of a cookie goes further than here.

mod cookie;
mod entry;
mod origin;

use std::{sync::Arc, time::Duration};

use drumtower_proto::identity::{BrowserToken, ExchangeBrowserSessionRequest, Tenant, session_service_client::SessionServiceClient};
use drumtower_runtime::{
    Call, Clock, Fault, Kind, Refusal,
    clock::from_proto,
    peers::Peers,
    surface::{Method, Who},
};
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use moka::future::Cache;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{admit::Came, upstream};

pub use cookie::Cookies;
pub use origin::is_ours;

/// A token is exchanged so long before its end: a call that is on its way with it still arrives.
const BEFORE_ITS_END: SignedDuration = SignedDuration::from_secs(30);
/// How long it is remembered that a secret is good for nothing.
const REFUSED_FOR: SignedDuration = SignedDuration::from_secs(10);
/// No token lives longer.
const KEPT_FOR: Duration = Duration::from_secs(300);

const SIGN_IN: &str = "/drumtower.identity.v1.SessionService/CreateSession";
const SIGN_OUT: &str = "/drumtower.identity.v1.SessionService/DeleteSession";

/// The secret of a browser's session in a district.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret {
    tenant: i32,
    code: String,
    text: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret of {}", self.code)
    }
}

/// An access token that stands for a browser's session.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<str>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// As it is shown to a service.
    pub fn bearer(&self) -> &str {
        &self.0
    }

    /// The header that shows it.
    pub fn header(&self) -> Result<HeaderValue, Fault> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0)).map_err(|error| Fault::broken(error.to_string()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// What is known of a secret.
#[derive(Clone)]
enum Kept {
    /// A token, good until shortly before it ends.
    Token(Token, Timestamp),
    /// Its session is over, which is not asked about again until then.
    Over(Timestamp),
    /// It could not be found out.
    Failed(Status),
}

impl Kept {
    fn is_stale(&self, now: Timestamp) -> bool {
        match self {
            Self::Token(_, until) | Self::Over(until) => now >= *until,
            Self::Failed(_) => true,
        }
    }
}

/// The browsers' sessions, as far as this door knows them.
pub struct Browsers {
    peers: Peers,
    clock: Clock,
    /// Names and forms of cookies.
    pub cookies: Cookies,
    kept: Cache<Secret, Kept>,
}

impl std::fmt::Debug for Browsers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Browsers({})", self.kept.entry_count())
    }
}

/// Why a browser's session gives no token.
#[derive(Debug)]
pub enum NoToken {
    /// It ended, ran out, or never was.
    Over,
    /// Identity could not say.
    Failed(Status),
}

impl Browsers {
    /// Asks identity over the given peers.
    pub fn new(peers: Peers, clock: Clock, cookies: Cookies) -> Self {
        Self { peers, clock, cookies, kept: Cache::builder().max_capacity(100_000).time_to_live(KEPT_FOR).build() }
    }

    /// The secret that a request shows for the district, where it needs one: a token of its own comes first, and what is public asks for none.
    pub fn shown(&self, method: &Method, came: &Came, tenant: &Tenant) -> Option<Secret> {
        // A password that something before the door asks for (`Basic`) is no token.
        let has_token = came.header("authorization").is_some_and(|shown| shown.starts_with("Bearer "));
        if method.who == Who::Public || has_token {
            return None;
        }
        self.secret(came, tenant)
    }

    /// The secret in the district's cookie.
    fn secret(&self, came: &Came, tenant: &Tenant) -> Option<Secret> {
        let text = self.cookies.of(&came.head.headers, &tenant.code)?;
        Some(Secret { tenant: tenant.number, code: tenant.code.clone(), text })
    }

    /// Whether an answer about a secret is at hand.
    pub async fn knows(&self, secret: &Secret) -> bool {
        let now = self.clock.now();
        self.kept.get(secret).await.is_some_and(|kept| !kept.is_stale(now))
    }

    /// The token of a secret. However many ask at once, identity is asked once.
    pub async fn token(&self, secret: &Secret) -> Result<Token, NoToken> {
        self.other_than(None, secret).await
    }

    /// A token in place of one that a service did not take: it was revoked, for the session ended or the person's roles changed.
    pub async fn renewed(&self, secret: &Secret, void: &Token) -> Result<Token, NoToken> {
        self.other_than(Some(void), secret).await
    }

    async fn other_than(&self, void: Option<&Token>, secret: &Secret) -> Result<Token, NoToken> {
        let now = self.clock.now();
        let is_void = |kept: &Kept| matches!(kept, Kept::Token(token, _) if Some(token) == void);
        let entry = self.kept.entry_by_ref(secret).or_insert_with_if(self.exchange(secret), |kept| kept.is_stale(now) || is_void(kept));
        match entry.await.into_value() {
            Kept::Token(token, _) => Ok(token),
            Kept::Over(_) => Err(NoToken::Over),
            Kept::Failed(status) => Err(NoToken::Failed(status)),
        }
    }

    async fn exchange(&self, secret: &Secret) -> Kept {
        let now = self.clock.now();
        let call = Call::of_service("gateway", secret.tenant, now, Duration::from_secs(2));
        let mut identity = match self.peers.to("identity", &call) {
            Ok(link) => SessionServiceClient::new(link),
            Err(fault) => return Kept::Failed(fault.into()),
        };
        match identity.exchange_browser_session(ExchangeBrowserSessionRequest { secret: secret.text.clone() }).await {
            Ok(token) => kept(token.into_inner()),
            Err(status) if status.code() == Code::Unauthenticated => Kept::Over(now + REFUSED_FOR),
            Err(status) => Kept::Failed(upstream::shown(status)),
        }
    }

    /// Keeps the first token of a session that begins.
    async fn keep(&self, secret: Secret, token: BrowserToken) {
        self.kept.insert(secret, kept(token)).await;
    }

    /// Forgets what is known of a secret.
    pub async fn forget(&self, secret: &Secret) {
        self.kept.invalidate(secret).await;
    }

    /// The header that takes a district's cookie away.
    pub fn farewell(&self, secret: &Secret) -> HeaderValue {
        self.cookies.none(&secret.code)
    }
}

fn kept(token: BrowserToken) -> Kept {
    let until = token.ends_at.as_ref().and_then(from_proto).unwrap_or(Timestamp::UNIX_EPOCH);
    Kept::Token(Token(token.access_token.into()), until - BEFORE_ITS_END)
}

/// Whether a page signs in and wants a cookie for it.
pub fn signs_in(method: &Method, came: &Came) -> bool {
    method.path == SIGN_IN && came.header("drumtower-session") == Some("cookie")
}

/// Whether a call ends the session it is made in.
pub fn signs_out(method: &Method) -> bool {
    method.path == SIGN_OUT
}

/// Whether a service did not take a token: not that it wants a more recent sign-in, but that the token is void.
pub fn is_void(status: &Status) -> bool {
    status.code() == Code::Unauthenticated && status.get_details_error_info().is_some_and(|info| info.reason == "SIGN_IN")
}

/// Another site's page may not act in a person's name.
pub fn cross_site() -> Refusal {
    Refusal::new(Kind::Denied, "CROSS_SITE", "不接受其他网站发起的操作", "this was not sent by a page of ours")
}

/// Nobody is signed in: said to a browser whose session is over as to everybody else.
pub fn sign_in() -> Refusal {
    Refusal::new(Kind::Unauthenticated, "SIGN_IN", "请先登录", "sign in first")
}
