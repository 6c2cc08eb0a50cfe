//! The life of a request, on one screen: [`Proxy::serve`].
//!
//! check · route · local · admit · prepare · authorize · attempt · send · judge · finish. Errors become answers in `rescue`,
//! nowhere else.
//!
//! The way back is hyper's to walk: for each piece of the answer it polls [`ResponseBody`], that the
//! [`AnswerBody`](crate::egress::AnswerBody), and that the connection, which sends what is left of the request's own body on the
//! way. At its end `AnswerBody` gives the connection back to the pool; `Finish`, which goes with the body, writes the metrics and
//! the line of the access log when it is dropped.

mod anteroom;
mod callers;
mod cors;
mod error;
mod finish;
mod in_flight;
mod judge;
mod links;
mod local_login;
mod outcome;
mod prepared;
mod request_body;
mod rescue;
mod response_body;
mod route;
mod stack;
mod tries;
mod troubles;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tokio::time::Instant;

pub use self::anteroom::Anteroom;
pub use self::callers::Callers;
pub use self::error::Error;
use self::finish::Finish;
pub use self::in_flight::Places;
use self::judge::Answer;
#[cfg(any(test, fuzzing))]
pub(crate) use self::links::{Format, turned};
use self::local_login::Local;
use self::outcome::{Outcome, Place, Sent};
pub use self::prepared::{Attempt, BLOCK, Buffers, Making, Prepared};
pub use self::request_body::RequestBody;
use self::rescue::Hint;
pub use self::response_body::ResponseBody;
use self::route::{By, Match};
pub use self::route::{Entry, Narrow, Table};
pub use self::stack::{Slot, stack};
use self::tries::{Next, Tries};
pub use self::troubles::Troubles;
pub use self::upstream::Upstream;
use crate::clock::Clock;
use crate::code;
use crate::egress::{Client, Destination};
use crate::message::check::Asked;
use crate::message::offered::offered;
use crate::message::{Allowed, Guard, Origin, Readings, Rejection, check, forwarding};
use crate::provider::Surface;
use crate::server::{Arrival, Incoming};
use crate::telemetry::{AccessLog, Id, Ids};
use crate::token::Issued;

/// What all requests of one worker share.
pub struct Proxy {
    /// Which upstream a request is for.
    pub table: Table,
    /// Which Hosts are served, which pages may call.
    pub guard: Guard,
    /// Who may call at all.
    pub callers: Callers,
    /// The worker's connections to the upstreams.
    pub client: Client<RequestBody>,
    /// One for each request in flight.
    pub in_flight: Arc<Places>,
    /// For logins without a key so far.
    pub anteroom: Arc<Anteroom>,
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
    /// What the log was told of upstreams in trouble.
    pub troubles: Troubles,
    /// Both clocks.
    pub clock: Clock,
}

impl Proxy {
    /// One request from a caller to its answer, which may be one of the proxy's own.
    async fn answer(
        &self,
        arrival: &Arrival,
        request: Request<Incoming>,
        id: Id,
    ) -> Response<ResponseBody> {
        let mut finish = self.begin(arrival, &request, id);
        let mut hint = Hint::new(&request);
        let cors = self.guard.cors_origin(request.headers()).cloned();
        let (parts, body) = request.into_parts();
        let mut body = Some(body);
        let served = self.serve(arrival, parts, &mut body, &mut hint, &mut finish);
        let answer = match served.await {
            Ok(outcome) => outcome.answer(finish, hint.closes()),
            Err(error) => {
                if let Some(body) = body.filter(|_| hint.may_read()) {
                    // Boxed: few requests are refused.
                    hint.read(Box::pin(request_body::is_short(body)).await);
                }
                rescue::answer(&error, finish, &hint, self.ways(), &self.troubles)
            }
        };
        match cors {
            Some(origin) => cors::allow(answer, origin),
            None => answer,
        }
    }

    fn begin(&self, arrival: &Arrival, request: &Request<Incoming>, id: Id) -> Box<Finish> {
        let now = Instant::now();
        let mut entry = finish::entry(arrival, request.method().clone());
        // Path and time are only for the log.
        if self.log.is_on() {
            entry.time = self.clock.at(now).wall;
            if let Some(target) = request.uri().path_and_query() {
                entry.path = target.as_str().into();
            }
        }
        Finish::new(id, entry, now, self.log.clone())
    }

    /// The answer when a defect ended the request; its record was written when it was dropped.
    fn panicked(&self, arrival: &Arrival, method: Method, id: Id) -> Response<ResponseBody> {
        let entry = finish::entry(arrival, method);
        let finish = Finish::new(id, entry, Instant::now(), AccessLog::off());
        rescue::answer(
            &Error::Internal,
            finish,
            &Hint::default(),
            None,
            &self.troubles,
        )
    }

    /// The life of a request.
    async fn serve(
        &self,
        arrival: &Arrival,
        parts: Parts,
        body: &mut Option<Incoming>,
        hint: &mut Hint,
        finish: &mut Finish,
    ) -> Result<Outcome, Error> {
        let checked = self.check(&parts).inspect_err(|_| hint.note(&parts))?;
        let host = checked.0.host;
        if let Some(own) = Outcome::of_itself(&self.guard, &parts) {
            return Ok(own);
        }
        let Match { entry, target, by } = self.route(arrival, checked, &parts)?;
        let upstream = &*entry.upstream;
        let path = Readings::of(target.path());
        let surface = upstream.provider.surface(&path);
        finish.of(upstream, surface);
        let narrow = entry.narrow.as_ref();
        if let Some(call) = upstream.local_call(surface, narrow, &parts.method, &path) {
            let local = Local {
                call,
                upstream,
                surface,
                parts: &parts,
                target: &target,
                place: &self.place(arrival, host, entry, by),
            };
            let body = body.take().ok_or(Error::Internal)?;
            // Boxed: the same room would be part of every request.
            return Box::pin(self.answer_here(&local, body, finish)).await;
        }
        self.admit(upstream, surface, &parts, &target, &path, finish)?;
        upstream.permits(surface, narrow, &parts, &target, &path)?;
        self.take_place(finish)?;
        let links = surface.links(&parts.method, &path);
        let making = Making {
            upstream,
            surface,
            id: finish.id,
            via: &self.via,
            readable: links.is_some(),
        };
        let mut prepared = Prepared::new(parts, &target, &making)?;
        let body = body.take().ok_or(Error::Internal)?;
        prepared.hold(body, &self.buffers).await?;
        let mut patience = upstream.token_wait;
        let exchange = self.exchange(&mut prepared, upstream, surface, &mut patience, finish);
        let exchanged = exchange.await;
        hint.read(prepared.is_read());
        let (answer, issued) = exchanged?;
        finish.headed(upstream.token_wait.saturating_sub(patience));
        let base = upstream.provider.target(surface, &issued.credential);
        let sent = Sent {
            request: &prepared,
            base: base.ok_or(Error::Internal)?,
            place: &self.place(arrival, prepared.named(), entry, by),
            upstream,
            cookies: &surface.cookies,
            links,
            replayed: finish.entry.replayed,
        };
        let mut outcome = Outcome::forwarded(answer, &sent);
        outcome.reuse(prepared.into_fields());
        Ok(outcome)
    }

    /// Malformed, ambiguous, foreign, looping: refused before anything costs. Says whether it may be a browser's.
    fn check<'a>(&self, parts: &'a Parts) -> Result<(Asked<'a>, bool), Error> {
        let asked = check::check(parts)?;
        let name = asked.name.as_deref();
        let browser = self.guard.check_host(asked.host, name, &parts.headers)?;
        if forwarding::passed_before(&parts.headers, &self.instance) {
            return Err(Rejection::Loop.into());
        }
        Ok((asked, browser))
    }

    /// Takes a place among the requests in flight, until the request's record is written; it may have one.
    fn take_place(&self, finish: &mut Finish) -> Result<(), Error> {
        if finish.place.is_none() {
            finish.place = Some(self.in_flight.take().ok_or(Error::Overload)?);
        }
        Ok(())
    }

    /// The ways that a lost caller may be told of: one without a key learns no names.
    fn ways(&self) -> Option<&Table> {
        self.callers.are_anybody().then_some(&self.table)
    }

    /// Where there are keys, who shows none learns of no path whether it leads somewhere.
    fn route(
        &self,
        arrival: &Arrival,
        (asked, browser): (Asked<'_>, bool),
        parts: &Parts,
    ) -> Result<Match<'_>, Error> {
        let Asked { name, target, .. } = asked;
        let target = target.ok_or(Error::NoRoute)?;
        let Some(found) = self.table.find(arrival.listener, name.as_deref(), &target) else {
            let shown = offered(&parts.headers, &target, &[]);
            self.callers.find(shown).map_err(Error::Denied)?;
            return Err(Error::NoRoute);
        };
        // It would stand between pages and every upstream, and outlive the page that registered it.
        if browser && found.by == By::Path && parts.headers.contains_key(SERVICE_WORKER) {
            return Err(Rejection::NotBuilt.into());
        }
        Ok(found)
    }

    /// The proxy as a caller sees it that names it `host`.
    fn place<'a>(
        &'a self,
        arrival: &Arrival,
        host: Option<&'a str>,
        entry: &'a Entry,
        by: By,
    ) -> Place<'a> {
        Place::new(self, arrival, host, (&entry.prefix, by))
    }

    /// authorize · attempt · send · judge: at most [`tries::MOST_SENDS`] sends, and never again once the upstream
    /// application may have acted.
    async fn exchange(
        &self,
        prepared: &mut Prepared,
        upstream: &Upstream,
        surface: &Surface,
        patience: &mut Duration,
        finish: &mut Finish,
    ) -> Result<(Answer, Issued), Error> {
        let mut issued = upstream.credential(patience).await?;
        let mut tries = Tries::default();
        loop {
            let base = upstream
                .provider
                .target(surface, &issued.credential)
                .ok_or(Error::Internal)?;
            if !prepared.stays_behind(base) {
                return Err(Error::Denied(&code::PATH_DENIED));
            }
            let to = Destination {
                profile: &upstream.profile,
                origin: &base.origin,
                public_only: base.allowed == Allowed::ByWildcard,
                fresh: tries.fresh,
            };
            let body = prepared.take_body().ok_or(Error::Internal)?;
            let attempt = prepared
                .attempt(surface, &issued.credential, base)
                .ok_or(Error::Internal)?;
            tries.sends += 1;
            let sent = Instant::now();
            let answer = self
                .client
                .send(to, &attempt.head(), body, upstream.response_timeout)
                .await;
            finish.waited(sent);
            let answer = match answer {
                Ok(answer) => answer,
                Err(failure) => {
                    if failure.refused {
                        // What nobody took notice of can be sent again once the rest of it is here.
                        prepared.catch_up(self.buffers.silence).await;
                    }
                    tries.after_failure(prepared, failure)?;
                    continue;
                }
            };
            let (mut answer, verdict) = judge::verdict(surface, prepared.method(), answer).await;
            match tries.after_answer(prepared, upstream, surface, &issued, &answer, verdict) {
                Next::Pass => return Ok((answer, issued)),
                Next::Again => {}
                Next::Renewed => {
                    answer.let_go();
                    if !prepared.catch_up(self.buffers.silence).await {
                        return Ok((answer, issued));
                    }
                    tracing::info!(id = %finish.id, upstream = %upstream.name, surface = surface.name,
                        "the upstream ended the session: waiting for a new one, then sending again");
                    issued = upstream.obtain_after(issued.generation(), patience).await?;
                    finish.replay();
                }
            }
        }
    }
}

/// With the script of a service worker, which is registered for all paths beside it (Service Workers, section 5).
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");
