//! The head of an answer. h2 has seen to what HTTP/2 demands: one status, no field of a connection, a body as long as its
//! length says.

use http::header::CONTENT_LENGTH;
use http::response::Parts;
use http::{Response, StatusCode};

use crate::egress::exchange::{Fault, MOST_FIELDS};

/// The head as it is passed on, and how long its body says it is.
pub(super) fn take(parts: Parts) -> Result<(Response<()>, Option<u64>), Fault> {
    if parts.status.as_u16() > 599 {
        return Err(Fault::Framing("its status is not one of HTTP's"));
    }
    if parts.headers.len() > MOST_FIELDS {
        return Err(Fault::Framing("its head has too many fields"));
    }
    let mut head = Response::new(());
    *head.status_mut() = parts.status;
    *head.headers_mut() = parts.headers;
    let length = head.headers().get(CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    if let Some(length) = length {
        // Written once, as a number is written.
        head.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    Ok((head, length))
}

/// Whether an answer has no body, whatever its length says: it may be the length of another (RFC 9110 section 6.4.1).
pub(super) fn is_bodiless(head: &Response<()>, to_head: bool) -> bool {
    to_head
        || matches!(
            head.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        )
}
