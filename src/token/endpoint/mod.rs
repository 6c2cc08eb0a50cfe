//! [`Endpoint`]: one POST to a token endpoint is one login. The only user of reqwest.
//!
//! It does not remember, repeat or renew anything, follows no redirect (that would send the secrets
//! elsewhere) and takes no proxy from the environment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use super::store::{Kind, Name};
use super::{
    Answered, Exchange, ExchangeFuture, Exchanged, Lineage, LineageFuture, NotExchanged, Presented,
    Prints, SecretsFuture,
};
use crate::clock::Clock;
use crate::config::Leg;
use crate::message::Origin;
use crate::provider::login::{self, Moment};
use crate::provider::{
    Answer, Call, Credential, Field, Granted, Login, LoginFailure, Provider, Secrets, answer,
    printed,
};
use crate::secret::{Fingerprinter, KeyError, ReadError, Secret, Source, hex, random};
use crate::tls::{ClientConfig, Trust};

mod coding;
mod post;

/// The token endpoint of one account.
pub struct Endpoint {
    provider: Arc<Provider>,
    /// Made when it is needed first: `trust` may have to wait for a file.
    client: OnceCell<reqwest::Client>,
    trust: Trust,
    leg: Leg,
    timeout: Duration,
    clock: Clock,
    fingerprinter: Fingerprinter,
    /// What the programs among the sources printed, and when.
    printed: Mutex<Vec<(Field, Instant, Secret)>>,
}

impl Endpoint {
    /// The endpoint of `provider`. `trust` and `leg` say how it is reached; `timeout` is the time for the whole login,
    /// secrets included.
    pub fn new(
        provider: Arc<Provider>,
        trust: Trust,
        leg: &Leg,
        timeout: Duration,
        clock: Clock,
        fingerprinter: Fingerprinter,
    ) -> Self {
        Self {
            provider,
            client: OnceCell::new(),
            trust,
            leg: leg.clone(),
            timeout,
            clock,
            fingerprinter,
            printed: Mutex::default(),
        }
    }

    async fn client(&self) -> Result<&reqwest::Client, LoginFailure> {
        let made = self.client.get_or_try_init(|| async {
            let trusted = self.trust.get().await;
            let trusted = trusted.map_err(|why| unreadable(&format!("ca: {why}")))?;
            let proxied = !self
                .provider
                .login
                .endpoint()
                .is_none_or(Origin::is_loopback);
            let proxy = self.leg.proxy.as_ref().filter(|_| proxied);
            let client = post::client(
                ClientConfig::clone(&trusted),
                &self.leg,
                self.timeout,
                proxy,
            );
            client.map_err(|error| {
                unreadable(&format!("cannot build a client: {}", error.without_url()))
            })
        });
        made.await
    }

    async fn exchange_once(&self, refresh: &[Secret]) -> Result<Exchanged, NotExchanged> {
        let deadline = Instant::now() + self.timeout;
        let mut secrets = self.read_secrets(deadline).await.map_err(never)?;
        if let Some((presented, others)) = refresh.split_first() {
            secrets.insert(Field::RefreshToken, presented.clone());
            for other in others {
                secrets.also(Field::RefreshToken, other.clone());
            }
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
        let posted = self.post(request, deadline).await?;
        let answer = Answer {
            status: posted.status,
            headers: &posted.headers,
            body: &posted.body,
            wall: self.clock.now().wall,
        };
        let read = match posted.broken {
            Some(why) => Err(answer::unread(&self.provider, secrets, &answer, why)),
            None => answer::read(&self.provider, secrets, &answer),
        };
        match read {
            Ok(granted) => Ok(exchanged(granted, posted.body, sent)),
            Err(failure) => Err(NotExchanged {
                failure,
                presented: match answer::successor(&self.provider, secrets, &answer) {
                    Some(successor) => Presented::Replaced(successor),
                    None if answer::denies_token(&self.provider, &answer) => Presented::Denied,
                    None if posted.status.is_client_error() => Presented::InVain,
                    // A gateway's error, or an answer that cannot be read, may hide one that was good.
                    None => Presented::Perhaps,
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
        // What cannot be sent at all is no login that a budget counts.
        if let Login::Call(_) = self.provider.login {
            self.client().await?;
        }
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

impl Exchange for Endpoint {
    fn exchange<'a>(&'a self, refresh: &'a [Secret]) -> ExchangeFuture<'a> {
        Box::pin(self.exchange_once(refresh))
    }

    fn reread(&self) {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.clear();
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

/// A secret's program runs at each login, and at most once a minute, unless an operator asks for more.
const COMMAND_AGAIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
