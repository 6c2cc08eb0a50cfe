//! The foreign host that results of data queries are fetched from: a pre-signed address is all it
//! wants, and a credential beside it is refused (Edrolo/airbyte-source-zuora).

use aws_lc_rs::hmac;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, Method, StatusCode, header};

use super::{Site, World, answer, form};

/// The address of a result, which carries what is needed to fetch it.
pub(super) fn signed(world: &World, id: &str) -> String {
    let path = path(id);
    let signature = signature(&path);
    format!(
        "{}{path}?X-Amz-Expires=21600&X-Amz-Signature={signature}",
        world.origin(Site::Files)
    )
}

pub(super) fn fetch(world: &World, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let has = |name: &HeaderName| parts.headers.contains_key(name);
    if [header::AUTHORIZATION, header::COOKIE].iter().any(has) {
        world.count(|counters| counters.credentials_at_files += 1);
        return refused(
            StatusCode::BAD_REQUEST,
            "InvalidArgument",
            "Only one auth mechanism allowed",
        );
    }
    let given = form::query(&parts, "X-Amz-Signature");
    if given != Some(signature(parts.uri.path())) {
        return refused(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature does not match",
        );
    }
    if parts.method != Method::GET {
        return answer::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    answer::text(StatusCode::OK, "text/csv", "AccountNumber\nA00000001\n")
}

fn path(id: &str) -> String {
    format!("/zuora-emulator/{id}.csv")
}

fn signature(path: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"the emulator's bucket");
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, path.as_bytes()))
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    answer::text(status, "application/xml", body)
}
