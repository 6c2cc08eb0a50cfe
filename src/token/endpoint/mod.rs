//! [`Endpoint`]: one POST to a token endpoint is one login. The only user of reqwest.
//!
//! It does not remember, repeat or renew anything, follows no redirect (that would send the secrets
//! elsewhere) and takes no proxy from the environment.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::store::{Kind, Name};
use super::{
    Answered, Exchange, ExchangeFuture, Exchanged, Lineage, LineageFuture, NotExchanged, Presented,
    Prints, SecretsFuture,
};
use crate::clock::Clock;
use crate::config::{self, Leg};
use crate::message::Origin;
use crate::provider::login::{self, Moment};
use crate::provider::{
    Answer, Call, Credential, Field, Granted, Login, LoginFailure, Provider, Secrets, answer,
    printed,
};
use crate::secret::{Fingerprinter, KeyError, ReadError, Secret, Source, hex, random};

mod post;

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

    async fn exchange_once(&self, refresh: Option<&Secret>) -> Result<Exchanged, NotExchanged> {
        let deadline = Instant::now() + self.timeout;
        let mut secrets = self.read_secrets(deadline).await.map_err(never)?;
        if let Some(refresh) = refresh {
            secrets.insert(Field::RefreshToken, refresh.clone());
        }
        match &self.provider.login {
            Login::Call(call) => self.call(call, &secrets, deadline).await,
            Login::Program(program) => self.run(program, deadline).await.map_err(never),
        }
    }

    async fn call(
        &self,
        call: &Call,
        secrets: &Secrets,
        deadline: Instant,
    ) -> Result<Exchanged, NotExchanged> {
        let sent = self.clock.now().wall;
        let moment = Moment {
            wall: sent,
            unique: hex(&random::<16>()),
        };
        let request = login::request(call, secrets, &moment);
        let request = request.map_err(|why| never(unreadable(&why)))?;
        let posted = timeout_at(deadline, self.post(request)).await;
        let (status, headers, body) = posted.unwrap_or_else(|_| {
            Err(NotExchanged {
                failure: self.unreachable("no answer in time"),
                presented: Presented::Perhaps,
            })
        })?;
        let answer = Answer {
            status,
            headers: &headers,
            body: &body,
            wall: self.clock.now().wall,
        };
        match answer::read(&self.provider, secrets, &answer) {
            Ok(granted) => Ok(exchanged(granted, body, sent)),
            Err(failure) => Err(NotExchanged {
                failure,
                // A gateway's error, or an answer that cannot be read, may hide one that was good.
                presented: match status.is_client_error() {
                    true => Presented::InVain,
                    false => Presented::Perhaps,
                },
            }),
        }
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

/// The name of the record of the refresh token that an upstream of `provider` goes on from. Reads what decides it.
pub async fn lineage(provider: &Provider) -> Result<Name, ReadError> {
    let mut secrets = Secrets::default();
    for (field, source) in provider.login.sources() {
        if Provider::LINEAGE.contains(field) {
            secrets.insert(*field, source.read().await?);
        }
    }
    Ok(record_of(provider, &secrets))
}

fn record_of(provider: &Provider, secrets: &Secrets) -> Name {
    let parts = provider.lineage(secrets);
    Name::of(Kind::Grant, parts.iter().map(|part| part.as_bytes()))
}

fn exchanged(granted: Granted, body: Bytes, sent: Duration) -> Exchanged {
    Exchanged {
        credential: granted.credential,
        answer: Answered { body, sent },
        successor: granted.refresh_token,
    }
}

fn never(failure: LoginFailure) -> NotExchanged {
    NotExchanged {
        failure,
        presented: Presented::Never,
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
    fn exchange<'a>(&'a self, refresh: Option<&'a Secret>) -> ExchangeFuture<'a> {
        Box::pin(self.exchange_once(refresh))
    }

    fn lineage(&self) -> LineageFuture<'_> {
        Box::pin(async {
            let secrets = self.read_secrets(Instant::now() + self.timeout).await?;
            Ok(Lineage {
                name: record_of(&self.provider, &secrets),
                seed: secrets.get(Field::RefreshToken).cloned(),
            })
        })
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

/// A secret's program runs at each login, and at most once a minute.
const COMMAND_AGAIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
