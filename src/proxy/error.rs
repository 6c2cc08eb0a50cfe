//! [`Error`]: why the proxy answers by itself. It says status and code; the cause goes to the log only.

use std::time::Duration;

use http::{Method, StatusCode};

use super::request_body::RequestBody;
use crate::code::{self, Code};
use crate::egress::{self, Phase};
use crate::message::Rejection;
use crate::token::Unavailable;

/// Why a request got no answer from the upstream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request was refused before anything was done.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// No upstream answers here.
    #[error("no upstream answers at this path")]
    NoRoute,
    /// A policy of the upstream or route, or a call that is never forwarded.
    #[error("{}", .0.title)]
    Denied(&'static Code),
    /// One of the others, where a login is answered here: told in the provider's words.
    #[error("{why}")]
    Login {
        /// Which.
        why: Box<Self>,
        /// The provider's status.
        status: StatusCode,
        /// The provider's words.
        body: String,
    },
    /// The upstream or route is limited to other methods.
    #[error("the method is not allowed")]
    Method {
        /// Those that are.
        allow: Vec<Method>,
    },
    /// No credential.
    #[error("no token: {0}")]
    Token(#[from] Unavailable),
    /// The exchange with the upstream failed.
    #[error("the upstream failed: {0}")]
    Upstream(Box<egress::Failure<RequestBody>>),
    /// The caller's body did not come.
    #[error("the caller's body did not come")]
    CallerBody,
    /// The limit of requests is reached.
    #[error("too many requests at once")]
    Overload,
    /// A panic was caught.
    #[error("a defect of the proxy")]
    Internal,
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::NoRoute => &code::NO_ROUTE,
            Self::Denied(code) => code,
            Self::Login { why, .. } => why.code(),
            Self::Method { .. } => &code::METHOD_DENIED,
            Self::Token(unavailable) => match unavailable {
                Unavailable::Refused { .. } => &code::TOKEN_REFUSED,
                Unavailable::TargetRefused { .. } => &code::TARGET_REFUSED,
                Unavailable::Secret { .. } => &code::TOKEN_SOURCE,
                Unavailable::Store { .. } => &code::TOKEN_STORE,
                Unavailable::Transient { .. } | Unavailable::Timeout { .. } => {
                    &code::TOKEN_UNAVAILABLE
                }
            },
            Self::Upstream(failure) if failure.body => &code::CALLER_TOO_SLOW,
            Self::Upstream(failure) => match failure.phase {
                Phase::Queue => &code::OVERLOAD,
                Phase::Connect | Phase::Tls => &code::CANNOT_CONNECT,
                Phase::Trust => &code::TOKEN_SOURCE,
                Phase::Address => &code::ADDRESS_REFUSED,
                Phase::Head if failure.timeout => &code::UPSTREAM_TIMEOUT,
                Phase::Head => &code::UPSTREAM_BROKE,
            },
            Self::CallerBody => &code::CALLER_TOO_SLOW,
            Self::Overload => &code::OVERLOAD,
            Self::Internal => &code::INTERNAL,
        }
    }

    /// The status of the answer: never 401, because a client would start a login of its own; unless it is one.
    pub fn status(&self) -> StatusCode {
        if let Self::Login { status, .. } = self {
            return *status;
        }
        let code = self.code();
        STATUSES
            .iter()
            .find(|(known, _)| *known == code)
            .map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, status)| *status)
    }

    /// When to try again, where trying again can help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Token(
                Unavailable::Transient { retry_after, .. }
                | Unavailable::Secret { retry_after, .. }
                | Unavailable::Store { retry_after, .. }
                | Unavailable::Timeout { retry_after },
            ) => Some(*retry_after),
            Self::Upstream(failure) if failure.phase == Phase::Trust => Some(FILES_AGAIN),
            Self::Overload => Some(Duration::from_secs(1)),
            Self::Upstream(failure) if failure.phase == Phase::Queue => {
                Some(Duration::from_secs(1))
            }
            Self::Login { why, .. } => why.retry_after(),
            Self::Token(_)
            | Self::Rejected(_)
            | Self::NoRoute
            | Self::Denied(_)
            | Self::Method { .. }
            | Self::Upstream(_)
            | Self::CallerBody
            | Self::Internal => None,
        }
    }

    /// The methods that are allowed where this one is not (RFC 9110 section 15.5.6).
    pub fn allow(&self) -> Option<String> {
        match self {
            Self::Method { allow } => Some(
                allow
                    .iter()
                    .map(Method::as_str)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            Self::Rejected(Rejection::Method) => Some(METHODS.to_owned()),
            _ => None,
        }
    }

    /// The proxy error type of RFC 9209 section 2.3.
    pub fn proxy_status(&self) -> &'static str {
        match self {
            Self::Rejected(_) | Self::CallerBody => "http_request_error",
            Self::NoRoute => "destination_not_found",
            Self::Denied(_) | Self::Method { .. } => "http_request_denied",
            Self::Login { why, .. } => why.proxy_status(),
            Self::Token(_) => "destination_unavailable",
            Self::Upstream(failure) => match failure.phase {
                Phase::Queue => "connection_limit_reached",
                Phase::Connect if failure.timeout => "connection_timeout",
                Phase::Connect => "destination_unavailable",
                Phase::Address => "destination_ip_prohibited",
                Phase::Trust => "proxy_configuration_error",
                Phase::Tls => "tls_protocol_error",
                Phase::Head if failure.timeout => "http_response_timeout",
                Phase::Head => "http_response_incomplete",
            },
            Self::Overload => "connection_limit_reached",
            Self::Internal => "proxy_internal_error",
        }
    }
}

/// When it is worth while to see whether a file is there now.
const FILES_AGAIN: Duration = Duration::from_secs(10);

/// The methods that are ever forwarded.
pub(super) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The status of each code.
const STATUSES: &[(&Code, StatusCode)] = &[
    (&code::MALFORMED, StatusCode::BAD_REQUEST),
    (&code::WRONG_HOST, StatusCode::MISDIRECTED_REQUEST),
    (&code::CROSS_SITE, StatusCode::FORBIDDEN),
    (&code::NO_ROUTE, StatusCode::NOT_FOUND),
    (&code::METHOD_DENIED, StatusCode::METHOD_NOT_ALLOWED),
    (&code::PATH_DENIED, StatusCode::FORBIDDEN),
    (&code::LOGIN_CALL, StatusCode::FORBIDDEN),
    (&code::NOT_BUILT, StatusCode::NOT_IMPLEMENTED),
    (&code::READ_ONLY, StatusCode::FORBIDDEN),
    (&code::SOAP, StatusCode::FORBIDDEN),
    (&code::METHOD_OVERRIDE, StatusCode::FORBIDDEN),
    (&code::KEY_MISSING, StatusCode::FORBIDDEN),
    (&code::KEY_WRONG, StatusCode::FORBIDDEN),
    (&code::KEY_SCOPE, StatusCode::FORBIDDEN),
    (&code::KEY_READ_ONLY, StatusCode::FORBIDDEN),
    (&code::TOKEN_REFUSED, StatusCode::BAD_GATEWAY),
    (&code::TOKEN_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE),
    (&code::TOKEN_SOURCE, StatusCode::SERVICE_UNAVAILABLE),
    (&code::TOKEN_STORE, StatusCode::SERVICE_UNAVAILABLE),
    (&code::TARGET_REFUSED, StatusCode::BAD_GATEWAY),
    (&code::CANNOT_CONNECT, StatusCode::BAD_GATEWAY),
    (&code::UPSTREAM_TIMEOUT, StatusCode::GATEWAY_TIMEOUT),
    (&code::UPSTREAM_BROKE, StatusCode::BAD_GATEWAY),
    (&code::ADDRESS_REFUSED, StatusCode::BAD_GATEWAY),
    (&code::LOOP, StatusCode::LOOP_DETECTED),
    (&code::OVERLOAD, StatusCode::SERVICE_UNAVAILABLE),
    (&code::INTERNAL, StatusCode::INTERNAL_SERVER_ERROR),
    (&code::CALLER_TOO_SLOW, StatusCode::REQUEST_TIMEOUT),
];
