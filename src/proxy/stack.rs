//! The tower stack around the proxy: one line and one reason per layer.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::{Request, Response};
use tower::{Service, service_fn};

use super::Proxy;
use super::response_body::ResponseBody;
use crate::server::{Arrival, Incoming};

/// The service of one connection.
///
/// Limits and timeouts are not tower's here: a tower limit ends with the head of an answer, while ours hold until its
/// body has ended (`finish`), and waits are bounded where they happen. What is left for the stack is the panic.
pub fn stack(
    proxy: Arc<Proxy>,
    arrival: Arrival,
) -> impl Service<Request<Incoming>, Response = Response<ResponseBody>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let arrival = Arc::new(arrival);
    service_fn(move |request: Request<Incoming>| {
        let (proxy, arrival) = (proxy.clone(), arrival.clone());
        async move {
            let method = request.method().clone();
            // A defect costs one request its answer, not the worker its other connections.
            let answer = AssertUnwindSafe(proxy.answer(&arrival, request))
                .catch_unwind()
                .await;
            Ok(answer.unwrap_or_else(|_| proxy.panicked(&arrival, method)))
        }
    })
}
