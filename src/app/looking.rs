//! What the admin listener sees and does: its controls, filled from what runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::time::Instant;

use super::StartError;
use super::accounts::Member;
use super::apart;
use super::reload::{ReloadError, Running};
use crate::admin::{
    self, Changed, Check, Controls, ReloadFuture, RenewError, Scope, UpstreamStatus,
};
use crate::clock::Clock;
use crate::config::What;
use crate::provider::{LoginFailure, Provider};
use crate::server::{Acceptor, Door};
use crate::token::{Handle, State, Unavailable};

/// Serves what is new of `[admin]` on the control runtime, each until its end.
pub(super) fn serve(doors: Vec<(Scope, Door)>, running: &Arc<Running>, control: &runtime::Handle) {
    for (scope, door) in doors {
        control.spawn(serve_at(door, controls(running, control), scope));
    }
}

async fn serve_at(door: Door, controls: Controls, scope: Scope) {
    let Door {
        socket,
        passage,
        closing,
    } = door;
    let served = async {
        let shutdown = async move { closing.cancelled().await };
        admin::serve(Acceptor::new(socket)?, controls, scope, shutdown).await
    };
    if let Err(error) = served.await {
        tracing::error!(%error, "the admin listener ended");
    }
    // Until here the port is in use: see `Listeners`.
    drop(passage);
}

fn controls(running: &Arc<Running>, control: &runtime::Handle) -> Controls {
    let leaving = running.floor.leaving.clone();
    let (seen, guarding, reloading) = (running.clone(), running.clone(), running.clone());
    let (renewing, retrying, control) = (running.clone(), running.clone(), control.clone());
    Controls {
        ready: Arc::new(move || {
            let check = |name, ok| Check { name, ok };
            vec![
                check("config", true),
                check("listeners", true),
                check("not-draining", !leaving.is_cancelled()),
            ]
        }),
        status: Arc::new(move || {
            let served = seen.served();
            let members = served.members.iter();
            members
                .map(|member| {
                    let mut told = status(member, &seen.clock);
                    let waiting = served.waiting.get(&member.config.name);
                    told.next = waiting.map(|next| status(&next.member, &seen.clock).into());
                    told
                })
                .collect()
        }),
        renew: Arc::new(move |name| Box::pin(renew(tokens(&renewing, &name)))),
        retry: Arc::new(move |name| {
            let tokens = tokens(&retrying, &name);
            Box::pin(async move {
                let status = tokens.as_ref().map(Handle::status);
                // A good token costs no login.
                match status {
                    Some(good) if good.state == State::Valid && good.why.is_none() => Ok(()),
                    _ => renew(tokens).await,
                }
            })
        }),
        reload: Arc::new(move || reload(&reloading, &control)),
        metrics: running.metrics.clone(),
        guard: Arc::new(move |parts| guarding.served().guard.check(parts)),
    }
}

/// The credential that an operator means by the name of an upstream.
fn tokens(running: &Running, name: &str) -> Option<Handle> {
    let served = running.served();
    served.latest(name).map(|member| member.tokens.clone())
}

async fn renew(tokens: Option<Handle>) -> Result<(), RenewError> {
    let tokens = tokens.ok_or(RenewError::Unknown)?;
    let renewed = tokens.renew(Instant::now() + RENEW).await;
    let renewed = renewed.map(drop);
    renewed.map_err(|why| RenewError::Login(failure(why)))
}

/// Has the configuration read again, which goes on whether or not the answer is waited for.
fn reload(running: &Arc<Running>, control: &runtime::Handle) -> ReloadFuture {
    let Ok(place) = running.places.clone().try_acquire_owned() else {
        // Who has moved the log away tells so by this, too.
        running.served().log.reopen();
        return Box::pin(async { Err(admin::ReloadError::Failed(UNDER_WAY.to_owned())) });
    };
    let running = running.clone();
    let reload = move || {
        let _place = place;
        running.reload()
    };
    let Ok(reload) = apart(control, reload) else {
        return Box::pin(async { Err(admin::ReloadError::Failed(NO_THREAD.to_owned())) });
    };
    Box::pin(async move {
        match reload.await {
            Ok(Ok(reloaded)) => Ok(admin::Reloaded {
                changes: reloaded.changes.into_iter().map(changed).collect(),
                at_next_start: reloaded.at_next_start,
                warnings: reloaded.warnings,
                logging_in: reloaded.logging_in,
            }),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(admin::ReloadError::Failed(CUT_SHORT.to_owned())),
        }
    })
}

fn changed(change: crate::config::Change) -> Changed {
    Changed {
        section: change.section,
        what: match change.what {
            What::Added => "added",
            What::Removed => "removed",
            What::Changed => "changed",
        },
        keys: change.keys,
    }
}

fn refused(error: &ReloadError) -> admin::ReloadError {
    let text = error.to_string();
    match error {
        ReloadError::Refused(_) | ReloadError::Start(StartError::Tls { .. }) => {
            admin::ReloadError::Refused(text)
        }
        ReloadError::Start(_) | ReloadError::NoFile | ReloadError::Stopping => {
            admin::ReloadError::Failed(text)
        }
    }
}

fn status(member: &Member, clock: &Clock) -> UpstreamStatus {
    let (now, status) = (clock.now().wall, member.tokens.status());
    // A token is of no use to those who do not get to the API.
    let api = || member.api_tls.trouble().map(|why| format!("ca: {why}"));
    let lacks = || {
        let scope = status.lacks.as_ref()?;
        Some(format!("the token lacks scope that was asked for: {scope}"))
    };
    UpstreamStatus {
        name: member.config.name.clone(),
        provider: member.provider.name,
        state: match status.state {
            State::None => admin::State::NotYet,
            State::Valid => admin::State::Valid,
            State::Renewing => admin::State::LoggingIn,
            State::Waiting => admin::State::Unavailable,
            State::Refused => admin::State::Refused,
        },
        since: Some(now.saturating_sub(status.since)),
        why: status.why.or_else(api).or_else(lacks),
        next_try: status.next_try.map(|wait| now + wait),
        expires_in: status.expires_in,
        surfaces: surfaces(&member.provider),
        next: None,
    }
}

fn surfaces(provider: &Provider) -> Vec<String> {
    let named = provider
        .surfaces
        .iter()
        .filter(|surface| surface.denied.is_none());
    named
        .chain([&provider.rest])
        .map(|surface| surface.name.to_owned())
        .collect()
}

/// The words of a failed login, as admin tells them.
fn failure(why: Unavailable) -> LoginFailure {
    match why {
        Unavailable::Refused { text, what } => LoginFailure::Refused { what, text },
        Unavailable::TargetRefused { host, why } => LoginFailure::TargetRefused { host, why },
        Unavailable::Secret { text, .. } => LoginFailure::Secret { text },
        Unavailable::Store { text, .. } => LoginFailure::Store { text },
        Unavailable::Transient { text, retry_after } => LoginFailure::Transient {
            text,
            retry_after: Some(retry_after),
        },
        Unavailable::Timeout { retry_after } => LoginFailure::Transient {
            text: "the token endpoint did not answer in time".to_owned(),
            retry_after: Some(retry_after),
        },
    }
}

/// Longest wait for a renewal that an operator asked for; shorter than admin's own.
const RENEW: Duration = Duration::from_secs(40);
const UNDER_WAY: &str = "a reload is under way, perhaps waiting for a file, and another one waits for its end: ask again then";
const NO_THREAD: &str = "no thread can be started to reload with: the configuration was not read";
const CUT_SHORT: &str = "the reload was cut short: see the log";
