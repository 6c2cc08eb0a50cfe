//! Errors as RFC 9457 problem details with a stable code.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{ReloadError, RenewError};
use crate::code::{self, Code};
use crate::message::Rejection;
use crate::provider::LoginFailure;

/// One answer that is an error.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static Code,
    detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static Code, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Json(Body {
            title: self.code.title,
            status: self.status.as_u16(),
            code: self.code.id,
            detail: &self.detail,
        });
        let mut response = (self.status, body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let status = match rejection {
            Rejection::Malformed(_) => StatusCode::BAD_REQUEST,
            Rejection::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Rejection::CrossSite => StatusCode::FORBIDDEN,
            Rejection::Method => StatusCode::METHOD_NOT_ALLOWED,
            Rejection::NotBuilt => StatusCode::NOT_IMPLEMENTED,
            Rejection::Loop => StatusCode::LOOP_DETECTED,
        };
        Self::new(status, rejection.code(), rejection.code().explain)
    }
}

impl From<ReloadError> for Problem {
    fn from(error: ReloadError) -> Self {
        let status = match error {
            ReloadError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ReloadError::Failed(_) => StatusCode::CONFLICT,
        };
        Self::new(status, &code::RELOAD_REFUSED, error.to_string())
    }
}

impl From<RenewError> for Problem {
    fn from(error: RenewError) -> Self {
        let detail = error.to_string();
        let (status, code) = match error {
            RenewError::Unknown => (StatusCode::NOT_FOUND, &code::NO_ROUTE),
            RenewError::Login(LoginFailure::Refused { .. }) => {
                (StatusCode::BAD_GATEWAY, &code::TOKEN_REFUSED)
            }
            RenewError::Login(LoginFailure::TargetRefused { .. }) => {
                (StatusCode::BAD_GATEWAY, &code::TARGET_REFUSED)
            }
            RenewError::Login(LoginFailure::Transient { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, &code::TOKEN_UNAVAILABLE)
            }
            RenewError::Login(LoginFailure::Secret { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, &code::TOKEN_SOURCE)
            }
            RenewError::Login(LoginFailure::Store { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, &code::TOKEN_STORE)
            }
        };
        Self::new(status, code, detail)
    }
}
