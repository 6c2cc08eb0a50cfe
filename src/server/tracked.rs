//! Each request counted, for as long as which its connection is not idle: until its answer's body ends.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::CONNECTION;
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;

use super::ending::Ending;
use super::untaken::Shared;
use super::watch::{Active, Entry};
use super::{AnswerBody, BoxError, Serve};

/// The service, with each request counted until its answer's body ends.
pub(super) fn tracked<S, B>(
    service: S,
    entry: Entry,
    ending: Ending,
    most_fields: usize,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Tracked<B>>,
    Error = Infallible,
    Future: Send + Unpin,
> + Unpin
where
    S: Serve<B>,
    B: AnswerBody,
{
    service_fn(move |request: Request<Incoming>| {
        let active = entry.request();
        // hyper counts fields on HTTP/1 alone; this is its answer there.
        let too_many = request.headers().len() > most_fields;
        let refused = match (entry.is_too_late(), too_many) {
            (true, _) => Some(StatusCode::SERVICE_UNAVAILABLE),
            (false, true) => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            (false, false) => None,
        };
        let is_old = request.version() == Version::HTTP_10;
        if is_last(&request, is_old) {
            ending.says_last();
        }
        Answering {
            shares: entry.has_frames().then(|| entry.clone()),
            answer: match refused {
                Some(status) => Err(status),
                None => Ok(service.clone().call(request)),
            },
            active: Some(active),
            ended_by_close: is_old.then(|| ending.clone()),
        }
    })
}

/// Whether the caller says in so many words that nothing comes after this head; what is written in other ways is not looked into.
fn is_last(request: &Request<Incoming>, is_old: bool) -> bool {
    let says = match request.headers().get(CONNECTION) {
        Some(option) => option.as_bytes().eq_ignore_ascii_case(b"close"),
        None => is_old,
    };
    says && request.body().is_end_stream()
}

/// A request whose answer has not begun.
struct Answering<F> {
    /// Or why there will be none of the service's.
    answer: Result<F, StatusCode>,
    active: Option<Active>,
    /// The watch looks after the answer: of HTTP/2.
    shares: Option<Entry>,
    /// To be told of an answer that ends with the connection: for callers of HTTP/1.0.
    ended_by_close: Option<Ending>,
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, Infallible>> + Unpin,
    B: AnswerBody,
{
    type Output = Result<Response<Tracked<B>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.answer {
            Ok(answer) => ready!(Pin::new(answer).poll(cx))?.map(Some),
            Err(status) => {
                let mut response = Response::new(None);
                *response.status_mut() = *status;
                response
            }
        };
        let length = response
            .body()
            .as_ref()
            .map(|body| body.size_hint().exact());
        if let Some(ending) = &self.ended_by_close
            && length == Some(None)
        {
            ending.begin_unended();
        }
        let (active, shares) = (self.active.take(), self.shares.take());
        Poll::Ready(Ok(response.map(|body| {
            Tracked(match (body, shares) {
                (Some(body), Some(entry)) => Held::Shared(Shared::new(body, active, entry)),
                (body, _) => Held::Own { body, active },
            })
        })))
    }
}

/// An answer's body that keeps its connection busy until it ends.
pub(super) struct Tracked<B: AnswerBody>(Held<B>);

enum Held<B: AnswerBody> {
    Own {
        body: Option<B>,
        #[expect(dead_code, reason = "counts while it is held")]
        active: Option<Active>,
    },
    Shared(Shared<B>),
}

impl<B: AnswerBody> Body for Tracked<B> {
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        match &mut self.0 {
            Held::Own {
                body: Some(body), ..
            } => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Held::Own { body: None, .. } => Poll::Ready(None),
            Held::Shared(shared) => shared.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Held::Own { body, .. } => body.as_ref().is_none_or(Body::is_end_stream),
            Held::Shared(shared) => shared.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Held::Own { body, .. } => {
                let hint = body.as_ref().map(Body::size_hint);
                hint.unwrap_or_else(|| SizeHint::with_exact(0))
            }
            Held::Shared(shared) => shared.size_hint(),
        }
    }
}
