//! A person at the gateway: signs in, sends, tries again with the same key when the answer says so.

use std::{sync::Mutex, sync::PoisonError, time::Duration};

use reqwest::{Method, Response, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};

use super::PASSWORD;
use crate::Failure;

/// Attempts at one call: a service may be starting, a limit may be reached, an answer may be lost.
const ATTEMPTS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(60);

/// The gateway's door to one district.
#[derive(Debug, Clone)]
pub struct Door {
    client: reqwest::Client,
    base: String,
    code: String,
}

/// A signed-in person.
#[derive(Debug)]
pub struct Person {
    door: Door,
    login: String,
    token: Mutex<String>,
}

impl Door {
    /// The district's door.
    pub fn new(gateway: &str, code: &str) -> Result<Self, Failure> {
        let client = reqwest::Client::builder().http1_only().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { client, base: format!("{gateway}/t/{code}"), code: code.to_owned() })
    }

    /// Signs in with the demonstration password.
    pub async fn sign_in(&self, login: &str) -> Result<Person, Failure> {
        let person = Person { door: self.clone(), login: login.to_owned(), token: Mutex::default() };
        person.renew().await?;
        Ok(person)
    }
}

impl Person {
    /// Writes, once for this key however often it is sent.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Value, Failure> {
        self.write(Method::POST, path, key, body).await
    }

    /// Sets, once for this key however often it is sent.
    pub async fn put(&self, path: &str, key: &str, body: &Value) -> Result<Value, Failure> {
        self.write(Method::PUT, path, key, body).await
    }

    async fn write(&self, method: Method, path: &str, key: &str, body: &Value) -> Result<Value, Failure> {
        let key = format!("demo:{}:{key}", self.door.code);
        self.send(&|| {
            let request = self.door.client.request(method.clone(), format!("{}{path}", self.door.base));
            request.header("idempotency-key", &key).bearer_auth(self.token()).json(body)
        })
        .await
        .map_err(|error| format!("{method} {path}: {error}").into())
    }

    /// All rows of a list.
    pub async fn list(&self, path: &str, field: &str) -> Result<Vec<Value>, Failure> {
        let mut rows = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.page(path, &after).await.map_err(|error| format!("GET {path}: {error}"))?;
            rows.extend(page[field].as_array().into_iter().flatten().cloned());
            match page["next_page_token"].as_str() {
                Some(next) if !next.is_empty() => after = next.to_owned(),
                _ => return Ok(rows),
            }
        }
    }

    async fn page(&self, path: &str, after: &str) -> Result<Value, Failure> {
        self.send(&|| {
            let request = self.door.client.get(format!("{}{path}", self.door.base));
            request.query(&[("page_size", "200"), ("page_token", after)]).bearer_auth(self.token())
        })
        .await
    }

    async fn send(&self, request: &(dyn Fn() -> reqwest::RequestBuilder + Sync)) -> Result<Value, Failure> {
        let mut pause = Duration::from_millis(100);
        let mut attempt = 1;
        loop {
            let answer = request().send().await;
            let fault = match answer {
                Ok(answer) if answer.status().is_success() => return Ok(answer.json().await?),
                Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED && attempt < ATTEMPTS => {
                    self.renew().await?;
                    "signed in again".to_owned()
                }
                Ok(answer) if passes(answer.status()) => {
                    pause = pause.max(told_to_wait(&answer));
                    words(answer).await
                }
                Ok(answer) => return Err(words(answer).await.into()),
                Err(error) => error.to_string(),
            };
            if attempt == ATTEMPTS {
                return Err(fault.into());
            }
            attempt += 1;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Signs in; a gateway that has just opened may need a second attempt.
    async fn renew(&self) -> Result<(), Failure> {
        let body = json!({ "login": self.login, "password": PASSWORD });
        let url = format!("{}/v1/sessions", self.door.base);
        let mut answer = self.door.client.post(&url).json(&body).send().await?;
        if passes(answer.status()) {
            tokio::time::sleep(told_to_wait(&answer).max(Duration::from_millis(500))).await;
            answer = self.door.client.post(&url).json(&body).send().await?;
        }
        if !answer.status().is_success() {
            return Err(format!("signing in as {}: {}", self.login, words(answer).await).into());
        }
        let session: Value = answer.json().await?;
        let token = session["access_token"].as_str().ok_or_else(|| format!("signing in as {}: no token in the answer", self.login))?;
        token.clone_into(&mut self.token.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    fn token(&self) -> String {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether the same call may succeed later.
fn passes(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

fn told_to_wait(answer: &Response) -> Duration {
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Status and body of a refusal, on one line.
async fn words(answer: Response) -> String {
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    format!("{status}: {}", body.split_whitespace().collect::<Vec<_>>().join(" "))
}
