//! E-mail by the district's own server.

use std::time::Duration;

use drumtower_runtime::{delivery::Trouble, web::Web};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor,
    message::header::ContentType,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};

use super::{
    carry::{Message, needed},
    rules::{Email, Secrets, Security, briefly, together},
};

/// Characters of a subject.
const SUBJECT: usize = 60;

pub async fn send(web: &Web, email: &Email, secrets: &Secrets, to: &str, message: &Message<'_>) -> Result<(), Trouble> {
    let never = |error: &dyn std::fmt::Display| Trouble::Never(error.to_string());
    let mail = Mail::builder()
        .from(email.from.parse().map_err(|error: lettre::address::AddressError| never(&error))?)
        .to(to.parse().map_err(|_| Trouble::Never("is no mailbox".to_owned()))?)
        .message_id(Some(format!("<{}@drumtower>", message.id)))
        .subject(briefly(message.lines, SUBJECT))
        .header(ContentType::TEXT_PLAIN)
        .body(together(message.lines))
        .map_err(|error| never(&error))?;
    // The address that was looked at is the one that is called.
    let address = web.resolve(&email.host, email.port).await?;
    let parameters = || TlsParameters::new(email.host.clone()).map_err(|error| never(&error));
    let tls = match email.security {
        Security::Tls => Tls::Wrapper(parameters()?),
        Security::Starttls => Tls::Required(parameters()?),
        Security::None => Tls::None,
    };
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
        .port(email.port)
        .tls(tls)
        .timeout(Some(Duration::from_secs(10)));
    if !email.username.is_empty() {
        server = server.credentials(Credentials::new(email.username.clone(), needed(secrets, "password")?.to_owned()));
    }
    match server.build().send(mail).await {
        Ok(_) => Ok(()),
        // 5xx is an answer for good: no such mailbox, refused as spam.
        Err(error) if error.is_permanent() => Err(Trouble::Never(error.to_string())),
        Err(error) => Err(Trouble::Later(error.to_string())),
    }
}
