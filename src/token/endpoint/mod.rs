//! [`Endpoint`]: one POST to a token endpoint is one login. The only user of reqwest.
//!
//! It does not remember, repeat or renew anything, follows no redirect (that would send the secrets
//! elsewhere) and takes no proxy from the environment.

use std::any::Any;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, Uri};
use tokio::time::{Instant, timeout_at};

use super::{Answered, Exchange, ExchangeFuture, Exchanged, Prints, SecretsFuture};
use crate::clock::Clock;
use crate::config::{self, Leg};
use crate::message::Origin;
use crate::provider::login::{self, LoginRequest, Moment};
use crate::provider::refusal::printable;
use crate::provider::{
    Answer, Call, Credential, Field, Granted, Login, LoginFailure, Provider, Secrets, answer,
    printed,
};
use crate::secret::{Fingerprinter, KeyError, ReadError, Secret, Source, hex, random};

/// The token endpoint of one account.
pub struct Endpoint {
    provider: Arc<Provider>,
    client: reqwest::Client,
    timeout: Duration,
    clock: Clock,
    fingerprinter: Fingerprinter,
    /// What the programs among the sources printed, and when.
    printed: Mutex<Vec<(Field, Instant, Secret)>>,
}

/// The client could not be built (the TLS configuration is not one it understands).
#[derive(Debug, thiserror::Error)]
#[error("cannot build the client of the token endpoint")]
pub struct Unusable(#[source] reqwest::Error);

impl Endpoint {
    /// The endpoint of `provider`. `tls` is a `rustls::ClientConfig`: reqwest's own would not build on
    /// a machine without a trust store, not even for plain http. `leg` says how it is reached; `timeout` is the
    /// time for the whole login, secrets included.
    pub fn new(
        provider: Arc<Provider>,
        tls: impl Any,
        leg: &Leg,
        timeout: Duration,
        clock: Clock,
        fingerprinter: Fingerprinter,
    ) -> Result<Self, Unusable> {
        let mut client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            // Logins are rare, and a POST on a connection that has just gone away cannot be told from
            // one that was counted.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("upauth/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(leg.connect_timeout)
            .timeout(timeout);
        if let Some(proxy) = &leg.proxy
            && !provider.login.endpoint().is_none_or(Origin::is_loopback)
        {
            client = client.proxy(through(proxy).map_err(|error| Unusable(error.without_url()))?);
        }
        let client = client
            .build()
            .map_err(|error| Unusable(error.without_url()))?;
        Ok(Self {
            provider,
            client,
            timeout,
            clock,
            fingerprinter,
            printed: Mutex::default(),
        })
    }

    async fn exchange_once(&self) -> Result<Exchanged, LoginFailure> {
        let deadline = Instant::now() + self.timeout;
        let secrets = self.read_secrets(deadline).await?;
        match &self.provider.login {
            Login::Call(call) => self.call(call, &secrets, deadline).await,
            Login::Program(program) => self.run(program, deadline).await,
        }
    }

    async fn call(
        &self,
        call: &Call,
        secrets: &Secrets,
        deadline: Instant,
    ) -> Result<Exchanged, LoginFailure> {
        let sent = self.clock.now().wall;
        let moment = Moment {
            wall: sent,
            unique: hex(&random::<16>()),
        };
        let request = login::request(call, secrets, &moment).map_err(|why| unreadable(&why))?;
        let (status, headers, body) = timeout_at(deadline, self.post(request))
            .await
            .map_err(|_| self.unreachable("no answer in time"))??;
        let answer = Answer {
            status,
            headers: &headers,
            body: &body,
            wall: self.clock.now().wall,
        };
        let granted = answer::read(&self.provider, secrets, &answer)?;
        Ok(exchanged(granted, body, sent))
    }

    async fn run(&self, program: &Source, deadline: Instant) -> Result<Exchanged, LoginFailure> {
        let sent = self.clock.now().wall;
        let printed = timeout_at(deadline, program.read()).await;
        let printed = printed
            .map_err(|_| self.unreachable("it printed nothing in time"))?
            .map_err(|why| unreadable(&why))?;
        let granted = printed::read(&self.provider, printed.expose(), sent)?;
        let body = Bytes::copy_from_slice(printed.expose().as_bytes());
        Ok(exchanged(granted, body, sent))
    }

    async fn read_secrets(&self, deadline: Instant) -> Result<Secrets, LoginFailure> {
        let read = timeout_at(deadline, self.read_all_secrets());
        read.await.unwrap_or_else(|_| {
            Err(LoginFailure::Secret {
                text: "reading the secrets took longer than token_timeout".to_owned(),
            })
        })
    }

    async fn read_all_secrets(&self) -> Result<Secrets, LoginFailure> {
        let mut secrets = Secrets::default();
        for (field, source) in self.provider.login.sources() {
            let value = match (source, self.printed_lately(*field)) {
                (Source::Command(_), Some(value)) => value,
                _ => source.read().await.map_err(|error| {
                    let why = match (field, &error) {
                        (Field::PrivateKey, ReadError::NotText { .. }) => {
                            KeyError::Binary.to_string()
                        }
                        _ => error.to_string(),
                    };
                    unreadable(&format!("{}: {why}", field.key()))
                })?,
            };
            if let Source::Command(_) = source {
                self.remember_printed(*field, &value);
            }
            secrets.insert(*field, value);
        }
        Ok(secrets)
    }

    fn printed_lately(&self, field: Field) -> Option<Secret> {
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed
            .iter()
            .find(|(of, at, _)| *of == field && at.elapsed() < COMMAND_AGAIN)
            .map(|(_, _, value)| value.clone())
    }

    fn remember_printed(&self, field: Field, value: &Secret) {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.retain(|(_, at, _)| at.elapsed() < COMMAND_AGAIN);
        if !printed.iter().any(|(of, _, _)| *of == field) {
            printed.push((field, Instant::now(), value.clone()));
        }
    }

    async fn post(
        &self,
        request: LoginRequest,
    ) -> Result<(StatusCode, HeaderMap, Bytes), LoginFailure> {
        let uri = Uri::builder()
            .scheme(request.origin.uri_scheme())
            .authority(request.origin.authority().clone())
            .path_and_query(request.path)
            .build();
        let mut post = http::Request::post(uri.unwrap_or_default()).body(request.body);
        if let Ok(post) = &mut post {
            *post.headers_mut() = request.headers;
        }
        let post = post
            .ok()
            .and_then(|post| reqwest::Request::try_from(post).ok())
            .ok_or_else(|| self.unreachable("its address is not a URL"))?;
        let sent = self.client.execute(post).await;
        let mut answer = sent.map_err(|error| self.broken(error))?;
        let head = (answer.status(), answer.headers().clone());
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(self.unreachable("its answer is larger than 1 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((head.0, head.1, body.freeze()))
    }

    /// A connection error in short words: the root cause knows the port, the certificate or the name,
    /// and never the request.
    fn broken(&self, error: reqwest::Error) -> LoginFailure {
        let error = error.without_url();
        let mut cause = error.source();
        let mut root = String::new();
        while let Some(inner) = cause {
            root = inner.to_string();
            cause = inner.source();
        }
        let root = printable(&root, CAUSE_SHOWN);
        let what = match (error.is_connect(), error.is_timeout()) {
            (true, true) => "no connection in time".to_owned(),
            (false, true) => "no answer in time".to_owned(),
            (true, false) => format!("cannot connect: {root}"),
            (false, false) => format!("the connection broke: {root}"),
        };
        self.unreachable(&what)
    }

    fn unreachable(&self, what: &str) -> LoginFailure {
        let place = match self.provider.login.endpoint() {
            Some(endpoint) => endpoint.authority().to_string(),
            None => self.provider.login.to_string(),
        };
        LoginFailure::Transient {
            text: format!("{place}: {what}"),
            retry_after: None,
        }
    }

    async fn prints(&self) -> Result<Prints, LoginFailure> {
        let secrets = self.read_secrets(Instant::now() + self.timeout).await?;
        let user = self.provider.user_key(&secrets);
        let values = secrets.iter().map(|(_, value)| value.expose().as_bytes());
        Ok(Prints {
            user: self
                .fingerprinter
                .of(user.iter().map(|part| part.as_bytes())),
            secrets: self.fingerprinter.of(values),
            asks: self.fingerprinter.of([self.provider.asks().as_bytes()]),
        })
    }
}

fn exchanged(granted: Granted, body: Bytes, sent: Duration) -> Exchanged {
    Exchanged {
        credential: granted.credential,
        answer: Answered { body, sent },
    }
}

/// Nothing was sent: a secret or a program is not as it should be.
fn unreadable(why: &impl ToString) -> LoginFailure {
    LoginFailure::Secret {
        text: why.to_string(),
    }
}

/// For https endpoints only: over plain http the proxy would see the secrets.
fn through(proxy: &config::Proxy) -> reqwest::Result<reqwest::Proxy> {
    let mut through = reqwest::Proxy::https(proxy.url.to_string())?;
    if let Some((user, password)) = &proxy.user {
        through = through.basic_auth(user, password.expose());
    }
    Ok(through.no_proxy(reqwest::NoProxy::from_string(&proxy.except)))
}

impl Exchange for Endpoint {
    fn exchange(&self) -> ExchangeFuture<'_> {
        Box::pin(self.exchange_once())
    }

    fn read(&self, answered: &Answered) -> Result<Credential, LoginFailure> {
        let granted = match &self.provider.login {
            Login::Call(_) => {
                let answer = Answer {
                    status: StatusCode::OK,
                    headers: &HeaderMap::new(),
                    body: &answered.body,
                    // Dates in it are then read as what is left of them since it was sent.
                    wall: answered.sent,
                };
                answer::read(&self.provider, &Secrets::default(), &answer)?
            }
            Login::Program(_) => {
                let printed = String::from_utf8_lossy(&answered.body);
                printed::read(&self.provider, &printed, answered.sent)?
            }
        };
        Ok(granted.credential)
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        Box::pin(self.prints())
    }
}

/// A token answer is below 4 KiB; a page may be larger, and is not worth more.
const BODY_MAX: usize = 1024 * 1024;
/// A secret's program runs at each login, and at most once a minute.
const COMMAND_AGAIN: Duration = Duration::from_secs(60);
const CAUSE_SHOWN: usize = 160;

#[cfg(test)]
mod tests;
