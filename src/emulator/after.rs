//! What becomes of the answer of a login that is done: it may be held back, or lost on the way, when
//! the refresh token that it was given for is spent already.

use std::io;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, header};

use super::answer::{self, Whole};
use super::knobs::{AfterLogin, Dials};
use super::world::World;

/// The answer as its dials let it through.
pub(super) async fn hand_over(
    world: &World,
    dials: impl Fn(&mut Dials) -> &mut AfterLogin,
    response: Response,
) -> Response {
    let hold = world.knobs.turn(|all| dials(all).hold_ms);
    tokio::time::sleep(Duration::from_millis(hold)).await;
    let is_lost = world.knobs.turn(|all| {
        let after = dials(all);
        let is_lost = after.lose > 0;
        after.lose -= u32::from(is_lost);
        is_lost
    });
    if is_lost {
        cut(response).await
    } else {
        response
    }
}

/// The body ends in the middle, and so does the connection.
async fn cut(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, answer::MOST).await.unwrap_or_default();
    parts.extensions.remove::<Whole>();
    let length = HeaderValue::from(bytes.len());
    parts.headers.insert(header::CONTENT_LENGTH, length);
    let half = bytes.slice(..bytes.len() / 2);
    let pieces = [Ok(half), Err(io::Error::other("lost on purpose"))];
    // While nothing more is there, what there was leaves.
    let pieces = stream::iter(pieces).then(async |piece| {
        tokio::task::yield_now().await;
        piece
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}
