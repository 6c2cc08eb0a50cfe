//! [`Kept`]: a token source that keeps the access token of its account in a store.
//!
//! It reads once, before the first login, and writes behind: no request waits for the store, and what the store
//! cannot do costs a login after a restart, nothing else.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime;

use super::store::{self, Answer, Name, Put, Store, StoreError, Token};
use super::{
    Answered, Exchange, LoginFuture, Obtained, RestoreFuture, SecretsFuture, TokenSource,
    Unfinished,
};
use crate::clock::Clock;
use crate::provider::{CarrierForm, Credential, Lifetime};
use crate::secret::{Fingerprint, Fingerprinter};

/// Where and how an account's token is kept.
#[derive(Clone)]
pub struct Keeping {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What is under way when the process is to stop.
    pub unfinished: Unfinished,
    /// Where writing happens.
    pub runtime: runtime::Handle,
}

/// A token source over `E`; with a store, its token outlives the process.
pub struct Kept<E> {
    exchange: E,
    clock: Clock,
    prints: Fingerprinter,
    writer: Option<Arc<Writer>>,
}

impl<E: Exchange> Kept<E> {
    /// The source of `account` (for logs). `keeping`: where its token is kept, and under which name.
    pub fn new(exchange: E, account: &str, clock: Clock, keeping: Option<(Keeping, Name)>) -> Self {
        let writer = keeping.map(|(keeping, name)| Writer {
            account: ArcSwap::from_pointee(account.to_owned()),
            keeping,
            name,
            state: Mutex::default(),
        });
        Self {
            exchange,
            clock,
            prints: Fingerprinter::new(),
            writer: writer.map(Arc::new),
        }
    }

    fn print(&self, credential: &Credential) -> Fingerprint {
        let token = credential.value(CarrierForm::Token);
        self.prints.of([token.as_bytes()])
    }

    async fn read_back(&self, writer: &Writer) -> Result<Option<Obtained>, StoreError> {
        let Some((token, version)) = writer.read().await? else {
            return Ok(None);
        };
        let mut state = writer.lock();
        state.version = version;
        let now = self.clock.now().wall;
        let found = token.answer();
        let found =
            found.and_then(|answer| reread(&self.exchange, answer, now, &writer.account.load()));
        Ok(found.map(|(obtained, answered)| {
            state.current = Some((self.print(&obtained.credential), answered));
            obtained
        }))
    }
}

/// The access token in an answer that was kept, as it is read today, and its age.
pub(super) fn reread(
    exchange: &impl Exchange,
    answer: Answer,
    now: Duration,
    account: &str,
) -> Option<(Obtained, Answered)> {
    let (answered, used) = answer.open();
    let credential = match exchange.read(&answered) {
        Ok(credential) => credential,
        Err(why) => {
            tracing::info!(account, %why, "the stored token is not used");
            return None;
        }
    };
    let since = match credential.lifetime() {
        Lifetime::For(_) => answered.sent,
        Lifetime::UntilUnusedFor(_) => used.max(answered.sent),
    };
    // One from the future has an age that nobody knows.
    let age = now.checked_sub(since)?;
    Some((Obtained { credential, age }, answered))
}

impl<E: Exchange> TokenSource for Kept<E> {
    fn login(&self) -> LoginFuture<'_> {
        Box::pin(async {
            let exchanged = self.exchange.exchange(&[]).await;
            let exchanged = exchanged.map_err(|not| not.failure)?;
            if let Some(writer) = &self.writer {
                let print = self.print(&exchanged.credential);
                writer.keep(print, exchanged.answer);
            }
            Ok(exchanged.credential.into())
        })
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        self.exchange.secrets()
    }

    fn reread(&self) {
        self.exchange.reread();
    }

    fn rename(&self, account: &str) {
        if let Some(writer) = &self.writer {
            writer.account.store(Arc::new(account.to_owned()));
        }
    }

    fn keeps(&self) -> bool {
        self.writer.is_some()
    }

    fn restore(&self) -> RestoreFuture<'_> {
        Box::pin(async {
            let writer = self.writer.as_ref()?;
            let found = self.read_back(writer).await;
            found.unwrap_or_else(|error| {
                let account = writer.account.load();
                tracing::warn!(%account, %error, "the stored token cannot be read: logging in");
                None
            })
        })
    }

    fn used(&self, credential: &Credential) {
        if let Some(writer) = &self.writer {
            writer.used(self.print(credential), self.clock.now().wall);
        }
    }

    fn rejected(&self, credential: &Credential) {
        if let Some(writer) = &self.writer {
            writer.rejected(self.print(credential));
        }
    }
}

/// Writes the record of one account, one write after the other; of what was to be written meanwhile, the last.
struct Writer {
    account: ArcSwap<String>,
    keeping: Keeping,
    name: Name,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The token that is to be, or is, in the record.
    current: Option<(Fingerprint, Answered)>,
    /// The version of the record, as far as it is known.
    version: u64,
    next: Option<Token>,
    writing: bool,
}

impl Writer {
    fn keep(self: &Arc<Self>, print: Fingerprint, answered: Answered) {
        let mut state = self.lock();
        let token = Token::new(&answered, answered.sent);
        state.current = Some((print, answered));
        self.write(&mut state, token);
    }

    fn used(self: &Arc<Self>, print: Fingerprint, now: Duration) {
        let mut state = self.lock();
        if let Some((current, answered)) = &state.current
            && *current == print
        {
            let token = Token::new(answered, now);
            self.write(&mut state, token);
        }
    }

    fn rejected(self: &Arc<Self>, print: Fingerprint) {
        let mut state = self.lock();
        if state
            .current
            .take_if(|(current, _)| *current == print)
            .is_some()
        {
            self.write(&mut state, Token::dead());
        }
    }

    fn write(self: &Arc<Self>, state: &mut State, token: Token) {
        state.next = Some(token);
        if !mem::replace(&mut state.writing, true) {
            let (writer, under_way) = (Arc::clone(self), self.keeping.unfinished.begin());
            self.keeping.runtime.spawn(async move {
                let _under_way = under_way;
                writer.write_all().await;
            });
        }
    }

    async fn write_all(&self) {
        loop {
            let token = {
                let mut state = self.lock();
                let next = state.next.take();
                state.writing = next.is_some();
                next
            };
            let Some(token) = token else {
                return;
            };
            if let Err(error) = self.write_one(&token).await {
                let account = self.account.load();
                tracing::warn!(%account, %error, "the token is not stored: a restart logs in again");
            }
        }
    }

    async fn write_one(&self, token: &Token) -> Result<(), StoreError> {
        let value = store::encode(token);
        for _ in 0..CONFLICTS {
            let known = self.lock().version;
            match self.put(known, value.clone()).await? {
                Put::Done(version) => {
                    self.lock().version = version;
                    return Ok(());
                }
                Put::Conflict => {
                    let found = self.read().await?;
                    if found
                        .as_ref()
                        .is_some_and(|(there, _)| token.gives_way_to(there))
                    {
                        // The version stays the old one: later notes are in conflict, too.
                        return Ok(());
                    }
                    self.lock().version = found.map_or(0, |(_, version)| version);
                }
            }
        }
        Err(StoreError::Busy("other processes write the same record"))
    }

    async fn put(&self, known: u64, value: Vec<u8>) -> Result<Put, StoreError> {
        self.keeping.store.put(&self.name, known, value).await
    }

    async fn read(&self) -> Result<Option<(Token, u64)>, StoreError> {
        let record = self.keeping.store.get(&self.name).await?;
        let read = |record| Ok((store::decode(&record)?, record.version));
        record.map(read).transpose()
    }

    /// Invariant: nothing panics while it is locked, so a poisoned lock holds whole values.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CONFLICTS: usize = 3;

#[cfg(test)]
mod tests;
