//! Answers prepared beforehand: faults and refusals that a provider gives now and then.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

/// One answer, given instead of the real one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Canned {
    /// The status code.
    pub status: u16,
    /// The content type; empty for none.
    pub content_type: String,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// Announces the whole body, sends half of it and closes the connection.
    pub cut: bool,
}

impl Default for Canned {
    fn default() -> Self {
        Self {
            status: 503,
            content_type: String::new(),
            headers: Vec::new(),
            body: String::new(),
            cut: false,
        }
    }
}

impl Canned {
    /// JSON with a status.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "application/json;charset=UTF-8".to_owned(),
            body: body.into(),
            ..Self::default()
        }
    }

    /// A refusal of the Salesforce token endpoint (Salesforce Help, "OAuth 2.0 Authorization Errors").
    pub fn refusal(error: &str, description: &str) -> Self {
        Self::json(400, refusal_body(error, description))
    }

    /// The transient `unknown_error`.
    pub fn unknown_error() -> Self {
        Self::refusal("unknown_error", "retry your request")
    }

    /// A page of HTML with 503.
    pub fn html() -> Self {
        Self {
            content_type: "text/html;charset=UTF-8".to_owned(),
            body: "<html><body><h1>Server down for maintenance</h1></body></html>".to_owned(),
            ..Self::default()
        }
    }

    /// A status without a body: what Zuora's 429 looks like.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// 503 without a body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A token answer that stops in the middle of its JSON, framed as if that were all.
    pub fn truncated() -> Self {
        Self::json(200, r#"{"access_token":"00Dxx0000000001!AQ4A"#)
    }

    /// 200 with an `error`.
    pub fn ok_with_error() -> Self {
        Self::json(200, refusal_body("unknown_error", "retry your request"))
    }

    /// `status` (429 or 503) with `Retry-After`, without a body.
    pub fn retry_after(status: u16, value: &str) -> Self {
        Self {
            status,
            headers: vec![("Retry-After".to_owned(), value.to_owned())],
            ..Self::default()
        }
    }

    /// A 401 that no new token cures: `This session is not valid for use with the REST API`.
    pub fn not_for_rest() -> Self {
        Self::json(
            401,
            r#"[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]"#,
        )
    }

    /// A 401 that no new token cures: `Connected app is not attached to Agent`.
    pub fn not_attached_to_agent() -> Self {
        Self::json(
            401,
            r#"[{"message":"Connected app is not attached to Agent","errorCode":"INVALID_SESSION_ID"}]"#,
        )
    }

    /// Zuora's internal hiccup: a 401 that the same token survives (zuora-sdk,
    /// `proxy_unauthorized_response.py`).
    pub fn zuora_hiccup() -> Self {
        Self::json(401, r#"{"message":"Failed to get user info"}"#)
    }

    /// Marketing Cloud's 429 that says when to come back (its "Rate Limiting Errors").
    pub fn cloud_rate_limited() -> Self {
        let body = r#"{"message":"Rate limit exceeded","errorcode":50100,"retryAfter":5,"documentation":""}"#;
        Self {
            headers: vec![("Retry-After".to_owned(), "5".to_owned())],
            ..Self::json(429, body)
        }
    }

    /// Marketing Cloud's 429 that does not.
    pub fn cloud_blocked() -> Self {
        let text = "Your requests are temporarily blocked.";
        let body = format!(r#"{{"message":"{text}","errorcode":50200,"documentation":""}}"#);
        Self::json(429, body)
    }

    /// Marketing Cloud's 403 with a code: 40001 may be cured by a new token, 40002 never.
    pub fn cloud_forbidden(code: u32) -> Self {
        let body =
            format!(r#"{{"documentation":"","errorcode":{code},"message":"Not Authenticated"}}"#);
        Self::json(403, body)
    }

    pub(super) fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let whole = self.body.len();
        let body = if self.cut {
            cut_body(&self.body.into())
        } else {
            Body::from(self.body)
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if self.cut {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole));
        }
        let content_type = Some(("Content-Type".to_owned(), self.content_type));
        let content_type = content_type.filter(|(_, value)| !value.is_empty());
        for (name, value) in content_type.into_iter().chain(self.headers) {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                headers.append(name, value);
            }
        }
        response
    }
}

pub(super) fn refusal_body(error: &str, description: &str) -> String {
    format!(r#"{{"error":"{error}","error_description":"{description}"}}"#)
}

/// Half of `whole`, then an error: the connection closes before its announced length.
fn cut_body(whole: &Bytes) -> Body {
    let half = whole.slice(..whole.len() / 2);
    let pieces = [Ok(half), Err(std::io::Error::other("cut on purpose"))];
    Body::from_stream(futures_util::stream::iter(pieces))
}
