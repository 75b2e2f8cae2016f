//! A page signs in: the person who did so comes back, the tokens stay here, and a cookie goes along.

use std::time::Duration;

use bytes::Bytes;
use drumtower_proto::identity::{
    BrowserSession, CreateSessionRequest, GetMeRequest, OpenBrowserSessionRequest, Session, Tenant,
    session_service_client::SessionServiceClient, user_service_client::UserServiceClient,
};
use drumtower_runtime::{Call, Fault, Kind, Refusal, clock::from_proto, fault::status};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;
use tonic::{Request, Status, metadata::MetadataMap};

use super::{Browsers, Secret};
use crate::{admit::Came, trace::Trace, upstream};

/// A session that began, as a page is told of it.
#[derive(Debug)]
pub struct SignedIn {
    /// The message, without tokens.
    pub session: Bytes,
    /// The header that sets the cookie.
    pub cookie: HeaderValue,
}

/// What of a request goes along to identity.
const ALONG: [&str; 2] = ["drumtower-address", "accept-language"];

impl Browsers {
    /// Signs a page in by the message of a `CreateSession`. The person is asked for in their own name: they see of themselves what they may.
    pub async fn sign_in(
        &self,
        (came, tenant): (&Came, &Tenant),
        message: Bytes,
        metadata: &HeaderMap,
        trace: &Trace,
        patience: Duration,
    ) -> Result<SignedIn, Status> {
        let malformed = |error: prost::DecodeError| Refusal::new(Kind::Invalid, "MALFORMED", "请求格式不正确", error.to_string());
        let ask = CreateSessionRequest::decode(message).map_err(|error| status(&malformed(error)))?;
        let former_secret = self.secret(came, tenant).map(|secret| secret.text).unwrap_or_default();
        let request = OpenBrowserSessionRequest { login: ask.login, password: ask.password, former_secret };
        let mut along: HeaderMap = metadata.iter().filter(|(name, _)| ALONG.contains(&name.as_str())).map(owned).collect();
        trace.hand_on(&mut along);
        let now = self.clock.now();
        let mut call = Call::of_service("gateway", tenant.number, now, patience);
        let mut identity = SessionServiceClient::new(self.peers.to("identity", &call)?);
        let opened = identity.open_browser_session(with(request, &along)).await.map_err(upstream::shown)?.into_inner();
        let BrowserSession { secret, ends_at, token: Some(token) } = opened else {
            return Err(Fault::broken("a session began without a token").into());
        };
        call.bearer = Some(token.access_token.clone());
        let mut people = UserServiceClient::new(self.peers.to("identity", &call)?);
        let user = people.get_me(with(GetMeRequest {}, &along)).await.map_err(upstream::shown)?.into_inner();
        let seconds = ends_at.as_ref().and_then(from_proto).map_or(0, |end| end.as_second() - now.as_second());
        let cookie = self.cookies.some(&tenant.code, &secret, seconds);
        self.keep(Secret { tenant: tenant.number, code: tenant.code.clone(), text: secret }, token).await;
        let session = Session { access_token: String::new(), refresh_token: String::new(), expires_at: ends_at, user: Some(user) };
        Ok(SignedIn { session: session.encode_to_vec().into(), cookie })
    }
}

fn owned((name, value): (&HeaderName, &HeaderValue)) -> (HeaderName, HeaderValue) {
    (name.clone(), value.clone())
}

fn with<T>(message: T, along: &HeaderMap) -> Request<T> {
    let mut request = Request::new(message);
    *request.metadata_mut() = MetadataMap::from_headers(along.clone());
    request
}
