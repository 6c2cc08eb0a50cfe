//! The life of a request, on one screen: [`Proxy::serve`].
//!
//! check · route · admit · prepare · authorize · attempt · send · judge · finish. Errors become answers in `rescue`,
//! nowhere else.

mod body;
mod cors;
mod error;
mod finish;
mod judge;
mod outcome;
mod prepared;
mod rescue;
mod route;
mod stack;
mod upstream;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use self::body::{RequestBody, ResponseBody};
pub use self::error::Error;
use self::finish::Finish;
use self::judge::{Answer, proves};
use self::outcome::{Outcome, Place};
pub use self::prepared::{BLOCK, Buffers, Making, Prepared};
use self::rescue::Hint;
use self::route::Match;
pub use self::route::{Entry, Narrow, Table};
pub use self::stack::stack;
pub use self::upstream::Upstream;
use crate::clock::Clock;
use crate::egress::{Client, Destination, Failure, Phase};
use crate::message::{Allowed, Guard, Origin, Readings, Rejection, Target, check, forwarding};
use crate::provider::{Surface, Verdict};
use crate::server::{Arrival, Incoming};
use crate::telemetry::{AccessLog, Entry as LogEntry, Ids};
use crate::token::{Issued, Rejected};

/// What all requests of one worker share.
pub struct Proxy {
    /// Which upstream a request is for.
    pub table: Table,
    /// Which Hosts are served, which pages may call.
    pub guard: Guard,
    /// The worker's connections to the upstreams.
    pub client: Client<RequestBody>,
    /// One permit per request in flight.
    pub in_flight: Arc<Semaphore>,
    /// Memory for replays.
    pub buffers: Buffers,
    /// This process, in `Via`.
    pub instance: String,
    /// `Via` as it is sent.
    pub via: HeaderValue,
    /// What callers call this proxy, when it is not what they say.
    pub public_url: Option<Origin>,
    /// Request ids.
    pub ids: Arc<Ids>,
    /// The access log.
    pub log: AccessLog,
    /// Both clocks.
    pub clock: Clock,
}

impl Proxy {
    /// One request from a caller to its answer, which may be one of the proxy's own.
    async fn answer(
        &self,
        arrival: &Arrival,
        request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let now = Instant::now();
        let mut finish = self.begin(arrival, &request, now);
        let hint = Hint::of(&request);
        let cors = self.guard.cors_origin(request.headers()).cloned();
        let answer = match self.serve(arrival, request, now, &mut finish).await {
            Ok(outcome) => outcome.answer(finish),
            Err(error) => rescue::answer(&error, finish, &hint, &self.table),
        };
        match cors {
            Some(origin) => cors::allow(answer, origin),
            None => answer,
        }
    }

    fn begin(&self, arrival: &Arrival, request: &Request<Incoming>, now: Instant) -> Finish {
        let mut entry = entry(arrival, request.method().clone());
        // Target and time are only for the log.
        if self.log.is_on() {
            entry.time = self.clock.at(now).wall;
            if let Some(target) = request.uri().path_and_query() {
                entry.target = Bytes::copy_from_slice(target.as_str().as_bytes());
            }
        }
        Finish::new(self.ids.next(), entry, now, self.log.clone())
    }

    /// The answer when a defect ended the request; its record was written when it was dropped.
    fn panicked(&self, arrival: &Arrival, method: Method) -> Response<ResponseBody> {
        let entry = entry(arrival, method);
        let finish = Finish::new(self.ids.next(), entry, Instant::now(), AccessLog::off());
        rescue::answer(&Error::Internal, finish, &Hint::default(), &self.table)
    }

    /// The life of a request.
    async fn serve(
        &self,
        arrival: &Arrival,
        request: Request<Incoming>,
        now: Instant,
        finish: &mut Finish,
    ) -> Result<Outcome, Error> {
        let (parts, body) = request.into_parts();
        self.check(&parts)?;
        if cors::is_preflight(&self.guard, &parts) {
            return Ok(Outcome::preflight(&parts));
        }
        let host = check::host(&parts)?;
        let Match { entry, target } = self.route(arrival, host.as_deref(), &parts)?;
        let upstream = &*entry.upstream;
        finish.of(upstream);
        let path = Readings::of(target.path());
        let surface = upstream.provider.surface(&path);
        finish.entry.surface = Cow::Borrowed(surface.name);
        upstream.admit(surface, entry.narrow.as_ref(), &parts, &target, &path)?;
        let permit = self.in_flight.clone().try_acquire_owned();
        finish.hold(permit.map_err(|_| Error::Overload)?);
        let making = Making {
            upstream,
            surface,
            id: finish.id,
            via: &self.via,
        };
        let mut prepared = Prepared::new(parts, &target, &making)?;
        prepared.hold(body, &self.buffers).await?;
        let (answer, origin) = self
            .exchange(&mut prepared, upstream, surface, now, finish)
            .await?;
        let place = Place {
            public_url: self.public_url.as_ref(),
            tls: arrival.tls,
            host: host.as_deref(),
            prefix: &entry.prefix,
        };
        Ok(Outcome::forwarded(
            answer,
            prepared.method(),
            &origin,
            &place,
            upstream,
            finish.entry.replayed,
        ))
    }

    /// Malformed, ambiguous, foreign, looping: refused before anything costs.
    fn check(&self, parts: &Parts) -> Result<(), Error> {
        check::check(parts)?;
        self.guard.check(parts)?;
        if forwarding::passed_before(&parts.headers, &self.instance) {
            return Err(Rejection::Loop.into());
        }
        Ok(())
    }

    fn route(
        &self,
        arrival: &Arrival,
        host: Option<&str>,
        parts: &Parts,
    ) -> Result<Match<'_>, Error> {
        let target = Target::of(&parts.uri)?;
        let name = host.map(check::name);
        self.table
            .find(arrival.listener, name.as_deref(), &target)
            .ok_or(Error::NoRoute)
    }

    /// authorize · attempt · send · judge: at most [`MOST_SENDS`] sends, and never again once the upstream
    /// application may have acted.
    async fn exchange(
        &self,
        prepared: &mut Prepared,
        upstream: &Upstream,
        surface: &Surface,
        now: Instant,
        finish: &mut Finish,
    ) -> Result<(Answer, Origin), Error> {
        let mut patience = upstream.token_wait;
        let mut issued = match upstream.tokens.current(now) {
            Some(issued) => issued,
            None => upstream.obtain(&mut patience).await?,
        };
        let mut tries = Tries::default();
        loop {
            let (origin, allowed) = upstream
                .provider
                .target(surface, &issued.credential)
                .ok_or(Error::Internal)?;
            let to = Destination {
                profile: &upstream.profile,
                origin,
                public_only: allowed == Allowed::ByWildcard,
                fresh: tries.fresh,
            };
            let request = prepared
                .attempt(surface, &issued.credential, origin)
                .ok_or(Error::Internal)?;
            tries.sends += 1;
            let sent = Instant::now();
            let answer = self
                .client
                .send(to, request, upstream.response_timeout)
                .await;
            finish.waited(sent.elapsed());
            let answer = match answer {
                Ok(answer) => answer,
                Err(failure) => {
                    tries.after_failure(prepared, failure)?;
                    continue;
                }
            };
            let (answer, verdict) = judge::judge(surface, prepared.method(), answer).await;
            match tries.after_answer(prepared, upstream, &issued, &answer, verdict) {
                Next::Pass => return Ok((answer, origin.clone())),
                Next::Again => {}
                Next::Renewed => {
                    drop(answer);
                    tracing::info!(id = %finish.id, upstream = %upstream.name, surface = surface.name,
                        "the upstream ended the session: waiting for a new one, then sending again");
                    issued = upstream.obtain(&mut patience).await?;
                    finish.replay();
                }
            }
        }
    }
}

/// The beginning of a request's record.
fn entry(arrival: &Arrival, method: Method) -> LogEntry {
    LogEntry {
        time: Duration::ZERO,
        id: None,
        upstream: Arc::default(),
        surface: Cow::Borrowed(""),
        method,
        target: Bytes::new(),
        status: StatusCode::OK,
        bytes: 0,
        duration: Duration::ZERO,
        upstream_time: None,
        replayed: false,
        code: None,
        caller: Some(arrival.peer),
    }
}

/// How often and why a request was sent.
#[derive(Default)]
struct Tries {
    sends: u32,
    /// "Try again" was heard once.
    again: bool,
    /// A dead session was replaced once.
    renewed: bool,
    /// A reused connection was lost: the next one is new.
    fresh: bool,
}

/// What follows an answer.
enum Next {
    /// It goes to the caller.
    Pass,
    /// The request is sent once more with the same credential.
    Again,
    /// The request is sent once more with a newer credential.
    Renewed,
}

impl Tries {
    /// Lets a request be sent once more on a new connection, if it provably was not sent or does no harm.
    fn after_failure(
        &mut self,
        prepared: &mut Prepared,
        mut failure: Failure<RequestBody>,
    ) -> Result<(), Error> {
        let lost_reused =
            failure.phase == Phase::Head && failure.reused && !failure.timeout && !failure.body;
        let retry = lost_reused && !self.fresh && self.sends < MOST_SENDS;
        self.fresh = true;
        match failure.not_sent.take() {
            Some(request) if retry => prepared.not_sent(*request),
            None if retry && prepared.is_safe() && prepared.is_at_hand() => {}
            _ => return Err(Error::Upstream(Box::new(failure))),
        }
        Ok(())
    }

    /// Rejects a dead session, and says whether the request is sent once more.
    fn after_answer(
        &mut self,
        prepared: &Prepared,
        upstream: &Upstream,
        issued: &Issued,
        answer: &Answer,
        verdict: Verdict,
    ) -> Next {
        let again = self.sends < MOST_SENDS && prepared.is_at_hand();
        match verdict {
            Verdict::Alive => {
                match proves(answer.head.status) {
                    true if self.renewed => upstream.tokens.cured(issued),
                    true => upstream.tokens.confirm(issued),
                    false => {}
                }
                Next::Pass
            }
            Verdict::TryAgain if again && !self.again => {
                self.again = true;
                Next::Again
            }
            Verdict::TryAgain => Next::Pass,
            Verdict::Dead => {
                let rejected = upstream.tokens.reject(issued);
                let hopeless = matches!(rejected, Rejected::Settling | Rejected::Exhausted);
                // With a good status the upstream may have done what was asked all the same.
                let acted = answer.head.status.is_success() && !prepared.is_safe();
                if hopeless || acted || self.renewed || !again {
                    return Next::Pass;
                }
                self.renewed = true;
                Next::Renewed
            }
        }
    }
}

/// Most times one request is sent.
const MOST_SENDS: u32 = 3;
