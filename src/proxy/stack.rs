//! The tower service around the proxy.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use http::{Request, Response};
use tower::{Service, service_fn};

use super::Proxy;
use super::response_body::ResponseBody;
use crate::server::{Arrival, Incoming};

/// The proxy of one worker, replaced whole when the configuration is read again. Clones are the same.
#[derive(Clone)]
pub struct Slot(Arc<ArcSwap<Proxy>>);

impl Slot {
    /// With its first proxy.
    pub fn new(proxy: Proxy) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(proxy)))
    }

    /// From now on requests begin with `proxy`; those under way end with the one they began with.
    pub fn replace(&self, proxy: Proxy) {
        self.0.store(Arc::new(proxy));
    }
}

/// The service of one connection: each of its requests reads the slot once, without a lock.
///
/// Limits and timeouts are not tower's here: a tower limit ends with the head of an answer, while ours hold until its
/// body has ended (`finish`), and waits are bounded where they happen. What is left for the stack is the panic.
pub fn stack(
    slot: Slot,
    arrival: Arrival,
) -> impl Service<
    Request<Incoming>,
    Response = Response<ResponseBody>,
    Error = Infallible,
    Future: Send + Unpin,
> + Clone
+ Send
+ Unpin
+ 'static {
    let arrival = Arc::new(arrival);
    service_fn(move |request: Request<Incoming>| {
        let (proxy, arrival) = (slot.0.load_full(), arrival.clone());
        // Boxed: it is large, each layer above would move it, and a connection would have room for it while it is idle.
        Box::pin(async move {
            // What went wrong has one id: in the answer, in the access log, in the diagnostics.
            let (method, id) = (request.method().clone(), proxy.ids.next());
            // A defect costs one request its answer, not the worker its other connections.
            let answer = pin!(proxy.answer(&arrival, request, id));
            let answer = AssertUnwindSafe(answer).catch_unwind().await;
            Ok(answer.unwrap_or_else(|_| proxy.panicked(&arrival, method, id)))
        })
    })
}
