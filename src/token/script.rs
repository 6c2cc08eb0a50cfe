//! What the tests of this room share: tokens by number, chance by seed, and a [`TokenSource`] that follows a script.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::life::Arrived;
use super::{LoginFuture, Prints, SecretsFuture, TokenSource};
use crate::clock::Now;
use crate::provider::{Credential, Lifetime, LoginFailure, Refused};
use crate::secret::Fingerprinter;

/// The token with this number.
pub(super) fn token(number: u64, lifetime: Lifetime) -> Credential {
    Credential::new(&format!("token-{number}"), b"{}", &[], vec![], lifetime).unwrap()
}

/// A credential that has just come, from a login sent at `sent`.
pub(super) fn arrived(credential: Arc<Credential>, sent: Now) -> Arrived {
    Arrived {
        credential,
        sent,
        age: Duration::ZERO,
    }
}

/// Its number.
pub(super) fn number(credential: &Credential) -> u64 {
    let value = credential.value(crate::provider::CarrierForm::Token);
    let digits = value.to_str().unwrap().trim_start_matches("token-");
    digits.parse().unwrap()
}

pub(super) fn transient(retry_after: Option<Duration>) -> LoginFailure {
    LoginFailure::Transient {
        text: "overloaded".to_owned(),
        retry_after,
    }
}

/// A secret's file that is not there.
pub(super) fn unreadable() -> LoginFailure {
    LoginFailure::Secret {
        text: "client_secret: cannot read it".to_owned(),
    }
}

pub(super) fn refused(what: Refused) -> LoginFailure {
    LoginFailure::Refused {
        what,
        text: "invalid_grant: authentication failure".to_owned(),
    }
}

pub(super) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// SplitMix64: small, and the same on every machine.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// From 0 to 1.
    pub(super) fn fraction(&mut self) -> f64 {
        self.below(1000) as f64 / 1000.0
    }

    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// How one login goes.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A token with the next unused number.
    Fresh(Lifetime),
    /// The token with this number.
    Token(u64, Lifetime),
    Fail(LoginFailure),
    Panic,
    Hang,
}

/// A token source that follows a script, and remembers when it was asked.
pub(super) struct Script {
    /// The next logins; the last one is repeated.
    acts: Mutex<VecDeque<Act>>,
    /// How long a login takes.
    takes: Duration,
    /// When logins were sent.
    pub(super) logins: Mutex<Vec<Instant>>,
    pub(super) secret: AtomicU8,
    under_way: AtomicU8,
    /// Two logins were under way at once.
    pub(super) overlapped: AtomicBool,
    prints: Fingerprinter,
}

impl Script {
    pub(super) fn new(takes: Duration, acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self {
            acts: Mutex::new(acts.into_iter().collect()),
            takes,
            logins: Mutex::default(),
            secret: AtomicU8::new(0),
            under_way: AtomicU8::new(0),
            overlapped: AtomicBool::new(false),
            prints: Fingerprinter::new(),
        })
    }

    pub(super) fn count(&self) -> usize {
        self.logins.lock().unwrap().len()
    }

    fn prints(&self) -> Prints {
        let secret = self.secret.load(Ordering::SeqCst);
        Prints {
            user: self.prints.of([]),
            secrets: self.prints.of([[secret].as_slice()]),
            asks: self.prints.of([]),
        }
    }
}

impl TokenSource for Script {
    fn login(&self) -> LoginFuture<'_> {
        Box::pin(async {
            let number = {
                let mut logins = self.logins.lock().unwrap();
                logins.push(Instant::now());
                1000 + logins.len() as u64
            };
            let act = {
                let mut acts = self.acts.lock().unwrap();
                match acts.len() {
                    1 => acts[0].clone(),
                    _ => acts.pop_front().unwrap(),
                }
            };
            let _under_way = UnderWay::new(self);
            sleep(self.takes).await;
            match act {
                Act::Fresh(lifetime) => Ok(token(number, lifetime).into()),
                Act::Token(number, lifetime) => Ok(token(number, lifetime).into()),
                Act::Fail(failure) => Err(failure),
                Act::Panic => std::panic::resume_unwind(Box::new("scripted")),
                Act::Hang => std::future::pending().await,
            }
        })
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        Box::pin(async { Ok(self.prints()) })
    }
}

/// Of a login whose secrets do not matter.
pub(super) fn prints() -> Prints {
    let print = Fingerprinter::new().of([]);
    Prints {
        user: print,
        secrets: print,
        asks: print,
    }
}

struct UnderWay<'a>(&'a Script);

impl<'a> UnderWay<'a> {
    fn new(script: &'a Script) -> Self {
        if script.under_way.fetch_add(1, Ordering::SeqCst) > 0 {
            script.overlapped.store(true, Ordering::SeqCst);
        }
        Self(script)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}
