//! What answers at which path.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Extension, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::listener::CONNECTIONS;
use super::problem::Problem;
use super::{Controls, RENEW_LIMIT, RenewFuture, Scope, UpstreamStatus};
use crate::code;
use crate::telemetry::metrics::CONTENT_TYPE;

pub(super) fn router(controls: Controls, scope: Scope) -> Router {
    let mut router = Router::new()
        .route("/livez", get(live))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics));
    if scope == Scope::Full {
        router = router
            .route("/", get(index))
            .route("/api/v1/status", get(status))
            .route("/api/v1/reload", post(reload))
            .route("/api/v1/upstreams/{name}/renew", post(renew))
            .route("/api/v1/upstreams/{name}/retry", post(retry))
            .layer(Extension(Waiting(Arc::new(Semaphore::new(MOST_WAITING)))));
    }
    router = router
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method);
    if scope == Scope::Full {
        // Around everything, so that nothing tells a foreign page even that it exists.
        router = router.layer(middleware::from_fn_with_state(controls.clone(), guarded));
    }
    router
        .layer(middleware::map_response(plain))
        .with_state(controls)
}

async fn guarded(State(controls): State<Controls>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(rejection) = (controls.guard)(&parts) {
        return Problem::from(rejection).into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

/// Every answer is of this moment, and is what it says it is.
async fn plain(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

async fn index() -> &'static str {
    INDEX
}

async fn live(uri: Uri) -> &'static str {
    if is_verbose(&uri) {
        "[+]process ok\nlivez check passed\n"
    } else {
        "ok\n"
    }
}

async fn ready(State(controls): State<Controls>, uri: Uri) -> Response {
    let checks = (controls.ready)();
    let ok = checks.iter().all(|check| check.ok);
    let mut text = String::new();
    // As Kubernetes does: a failing probe says which check failed even if nobody asked.
    if is_verbose(&uri) || !ok {
        for check in &checks {
            let (sign, word) = if check.ok {
                ("[+]", "ok")
            } else {
                ("[-]", "failed")
            };
            let _ = writeln!(text, "{sign}{} {word}", check.name);
        }
        text.push_str(if ok {
            "readyz check passed\n"
        } else {
            "readyz check failed\n"
        });
    } else {
        text.push_str("ok\n");
    }
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, text).into_response()
}

fn is_verbose(uri: &Uri) -> bool {
    let mut parameters = uri.query().unwrap_or_default().split('&');
    parameters.any(|parameter| parameter.split('=').next() == Some("verbose"))
}

async fn metrics(State(controls): State<Controls>) -> Response {
    let kind = HeaderValue::from_static(CONTENT_TYPE);
    ([(header::CONTENT_TYPE, kind)], controls.metrics.encode()).into_response()
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    ready: bool,
    upstreams: Vec<UpstreamStatus>,
}

async fn status(State(controls): State<Controls>) -> Json<Status> {
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        ready: (controls.ready)().iter().all(|check| check.ok),
        upstreams: (controls.status)(),
    })
}

/// Places for who waits for a login: others are left, for who watches over the process.
#[derive(Clone)]
struct Waiting(Arc<Semaphore>);

impl Waiting {
    fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.0.try_acquire().map_err(|_| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                &code::TOKEN_UNAVAILABLE,
                "as many logins are waited for as this listener has places for: nothing was begun",
            )
        })
    }
}

/// Logs in anew; answers with how the upstream is then.
async fn renew(
    State(controls): State<Controls>,
    Extension(waiting): Extension<Waiting>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    is_meant(&headers)?;
    let _place = waiting.place()?;
    let renewal = (controls.renew)(name.clone());
    logged_in(&controls, &name, renewal).await
}

/// Tries again what was refused or failed; answers with how the upstream is then.
async fn retry(
    State(controls): State<Controls>,
    Extension(waiting): Extension<Waiting>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    is_meant(&headers)?;
    let _place = waiting.place()?;
    let trial = (controls.retry)(name.clone());
    logged_in(&controls, &name, trial).await
}

async fn logged_in(
    controls: &Controls,
    name: &str,
    renewal: RenewFuture,
) -> Result<Response, Problem> {
    match tokio::time::timeout(RENEW_LIMIT, renewal).await {
        Ok(renewed) => renewed?,
        Err(_) => {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                &code::TOKEN_UNAVAILABLE,
                "the renewal goes on; it took longer than this answer may wait",
            ));
        }
    }
    let upstream = (controls.status)().into_iter().find(|up| up.name == name);
    Ok(Json(upstream).into_response())
}

/// Reads the configuration again; answers with what changed.
async fn reload(State(controls): State<Controls>, headers: HeaderMap) -> Result<Response, Problem> {
    is_meant(&headers)?;
    Ok(Json((controls.reload)().await?).into_response())
}

fn is_meant(headers: &HeaderMap) -> Result<(), Problem> {
    let meant = headers.get("x-upauth-admin");
    if meant.is_none_or(|value| value != "1") {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            &code::NOT_MEANT,
            "a request that changes something needs the header `X-Upauth-Admin: 1`",
        ));
    }
    Ok(())
}

async fn nothing_here() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        &code::NO_ROUTE,
        "this is the admin listener; requests for an upstream go to the address in [server] listen",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        &code::METHOD_DENIED,
        "looking is GET, changing is POST",
    )
}

/// Half the connections that a listener has.
const MOST_WAITING: usize = CONNECTIONS / 2;

const INDEX: &str = "\
upauth: what can be looked at here

GET  /livez                          the process runs
GET  /readyz                         it may be sent requests (?verbose: why not)
GET  /healthz                        as /livez
GET  /metrics                        OpenMetrics
GET  /api/v1/status                  each upstream as JSON
POST /api/v1/reload                  read the configuration again (header X-Upauth-Admin: 1)
POST /api/v1/upstreams/NAME/renew    log in anew (header X-Upauth-Admin: 1)
POST /api/v1/upstreams/NAME/retry    forget a refusal and log in (header X-Upauth-Admin: 1)
";
