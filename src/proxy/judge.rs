//! Looks at an answer where the surface has a rule for it: is this session dead?
//!
//! The look takes at most [`LOOK`] bytes, which then pass to the caller as they came. gzip and deflate are opened for
//! the look only.

use std::collections::VecDeque;
use std::io::Read;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body;

use super::request_body::RequestBody;
use super::response_body::poll_data;
use crate::egress::{AnswerBody, Broken};
use crate::provider::Surface;
use crate::provider::judge::{self, Look, Verdict};

/// An upstream's answer, perhaps with its beginning read already.
pub(super) struct Answer {
    pub(super) head: http::response::Parts,
    pub(super) looked: VecDeque<Bytes>,
    /// `None`: that was all, and its connection was let go.
    pub(super) rest: Option<AnswerBody<RequestBody>>,
    end: End,
}

/// What the look saw of an answer's end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing: more may come.
    Ahead,
    /// All of it is at hand.
    Complete,
    /// It broke off.
    Broken,
}

impl Answer {
    /// Whether nothing more of it will come.
    pub(super) fn is_over(&self) -> bool {
        self.end != End::Ahead
    }

    /// Lets the connection go, and with it whatever is still being sent on it. A broken answer stays broken.
    pub(super) fn let_go(&mut self) {
        if self.end != End::Broken {
            self.rest = None;
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match &mut self.rest {
            Some(rest) => poll_data(rest, cx),
            None => Poll::Ready(None),
        }
    }
}

/// Judges an answer; its bytes are all still there afterwards.
pub(super) async fn verdict(
    surface: &Surface,
    method: &Method,
    answer: Response<AnswerBody<RequestBody>>,
) -> (Answer, Verdict) {
    let (head, rest) = answer.into_parts();
    let answer = Answer {
        head,
        looked: VecDeque::new(),
        rest: Some(rest),
        end: End::Ahead,
    };
    match judge::look(surface, method, answer.head.status, &answer.head.headers) {
        Look::Pass => (answer, Verdict::Alive),
        // Boxed: nearly every answer passes, and needs no room for this.
        Look::Body => Box::pin(judge_body(surface, method, answer)).await,
    }
}

async fn judge_body(surface: &Surface, method: &Method, mut answer: Answer) -> (Answer, Verdict) {
    let read = async {
        if answer.head.status.is_success() {
            read_small(&mut answer).await
        } else {
            read_prefix(&mut answer).await
        }
    };
    // An upstream that drips its answer is passed on as it drips.
    let end = tokio::time::timeout(LOOK_TIME, read).await.ok().flatten();
    let Some(end) = end else {
        return (answer, Verdict::Alive);
    };
    answer.end = end;
    let raw: Vec<u8> = answer.looked.iter().flatten().copied().take(LOOK).collect();
    let prefix = opened(&answer.head.headers, raw);
    let complete = end == End::Complete;
    let (status, headers) = (answer.head.status, &answer.head.headers);
    let mut verdict = judge::judge(surface, method, status, headers, &prefix, complete);
    if verdict == Verdict::Alive && end == End::Broken {
        // An upstream that answers before it has read an upload, and closes, often resets its own answer away. Like a 401
        // to HEAD, one without its body counts as dead: the caller could not have got it whole anyway.
        verdict = judge::judge(surface, &Method::HEAD, status, headers, &[], true);
    }
    (answer, verdict)
}

/// Reads until the limit or the end; says whether it was the end. An answer that breaks off is judged by what came.
async fn read_prefix(answer: &mut Answer) -> Option<End> {
    let mut length = 0;
    while length < LOOK {
        if answer.rest.as_ref().is_none_or(|rest| rest.is_end_stream()) {
            return Some(End::Complete);
        }
        match next(answer).await {
            Some(Ok(bytes)) => {
                length += bytes.len();
                answer.looked.push_back(bytes);
            }
            Some(Err(_)) => return Some(End::Broken),
            None => return Some(End::Complete),
        }
    }
    Some(End::Ahead)
}

/// A good status: looks only where the whole answer is small and at hand, so that nothing that streams waits.
async fn read_small(answer: &mut Answer) -> Option<End> {
    // Where a length is said, what is looked at was found small enough by it.
    if answer.head.headers.contains_key(CONTENT_LENGTH) {
        return read_prefix(answer).await;
    }
    match next(answer).await {
        Some(Ok(bytes)) if bytes.len() <= LOOK => answer.looked.push_back(bytes),
        Some(Ok(bytes)) => {
            answer.looked.push_back(bytes);
            return None;
        }
        Some(Err(_)) | None => return None,
    }
    // Whether that was all is known only if the end came with it.
    let end = std::future::poll_fn(|cx| Poll::Ready(answer.poll_rest(cx))).await;
    match end {
        Poll::Ready(None) => Some(End::Complete),
        Poll::Ready(Some(Ok(bytes))) => {
            answer.looked.push_back(bytes);
            None
        }
        Poll::Ready(Some(Err(_))) | Poll::Pending => None,
    }
}

async fn next(answer: &mut Answer) -> Option<Result<Bytes, Broken>> {
    std::future::poll_fn(|cx| answer.poll_rest(cx)).await
}

/// The beginning of a body without its content coding; as it is where that fails.
fn opened(headers: &HeaderMap, raw: Vec<u8>) -> Vec<u8> {
    let coding = headers
        .get(CONTENT_ENCODING)
        .map(|coding| coding.as_bytes().to_ascii_lowercase());
    match coding.as_deref() {
        Some(b"gzip" | b"x-gzip") => inflate(MultiGzDecoder::new(&*raw)).unwrap_or(raw),
        // "deflate" is the zlib format (RFC 9110 section 8.4.1.2), but some send it bare.
        Some(b"deflate") => inflate(ZlibDecoder::new(&*raw))
            .or_else(|| inflate(DeflateDecoder::new(&*raw)))
            .unwrap_or(raw),
        _ => raw,
    }
}

/// What is asked for instead, where an answer may have to be opened and a caller takes codings that nobody here can open.
pub(super) fn openable(headers: &HeaderMap) -> Option<HeaderValue> {
    let fields = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
    let (known, unknown): (Vec<_>, Vec<_>) = codings.map(<[u8]>::trim_ascii).partition(is_openable);
    if unknown.is_empty() {
        return None;
    }
    match known.iter().all(|coding| is_refused(coding)) {
        true => Some(HeaderValue::from_static("identity")),
        false => HeaderValue::from_bytes(&known.join(&b", "[..])).ok(),
    }
}

/// Whether [`opened`] knows a coding, which may have a weight (RFC 9110 section 12.5.3).
fn is_openable(coding: &&[u8]) -> bool {
    let name = coding.split(|byte| *byte == b';').next();
    let name = name.unwrap_or_default().trim_ascii();
    let known = ["gzip", "x-gzip", "deflate", "identity", ""];
    known
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a coding has the weight zero.
fn is_refused(coding: &[u8]) -> bool {
    let weight = coding.split(|byte| *byte == b';').nth(1);
    let weight = weight.unwrap_or_default().trim_ascii();
    weight.starts_with(b"q=0") && !weight.iter().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// What can be opened of a beginning that may be cut off, bounded.
fn inflate(reader: impl Read) -> Option<Vec<u8>> {
    let mut opened = Vec::new();
    // One byte more than is judged, so that a judge sees when it is not all.
    let mut reader = reader.take(LOOK as u64 + 1);
    let mut piece = [0; 512];
    while let Ok(length @ 1..) = reader.read(&mut piece) {
        opened.extend_from_slice(piece.get(..length)?);
    }
    (!opened.is_empty()).then_some(opened)
}

/// Whether an answer with this status proves that its credential works.
pub(super) fn proves(status: StatusCode) -> bool {
    !status.is_server_error()
        && status != StatusCode::UNAUTHORIZED
        && status != StatusCode::FORBIDDEN
}

/// Most bytes a look takes.
const LOOK: usize = judge::PREFIX_MAX;
/// Longest time it takes.
const LOOK_TIME: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_proves_a_credential_unless_it_may_be_the_credentials_fault() {
        let rows = [
            (200, true),
            (304, true),
            (400, true),
            (404, true),
            (429, true),
            (401, false),
            (403, false),
            (500, false),
            (503, false),
        ];
        for (status, expected) in rows {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(proves(status), expected, "{status}");
        }
    }

    #[test]
    fn no_coding_is_asked_for_that_could_not_be_opened() {
        let rows: [(&[&str], Option<&str>); 11] = [
            (&["gzip"], None),
            (&["GZIP;q=0.5, deflate", "identity"], None),
            (&[""], None),
            (&["gzip, deflate, br, zstd"], Some("gzip, deflate")),
            (&["gzip;q=0.8,br ; q=1"], Some("gzip;q=0.8")),
            (&["br", "gzip"], Some("gzip")),
            (&["br"], Some("identity")),
            (&["*"], Some("identity")),
            (&["gzip, identity;q=0, *"], Some("gzip, identity;q=0")),
            (&["br, identity;q=0.0"], Some("identity")),
            (&["br, gzip;q=0.001"], Some("gzip;q=0.001")),
        ];
        for (fields, expected) in rows {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_str(field).unwrap());
            }
            let expected = expected.map(|codings| HeaderValue::from_str(codings).unwrap());
            assert_eq!(openable(&headers), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_opens_to_more_than_a_look_is_seen_to_be_cut_off() {
        let rows = [
            (100, 100),
            (LOOK, LOOK),
            (LOOK + 1, LOOK + 1),
            (99999, LOOK + 1),
        ];
        for (length, expected) in rows {
            let body = vec![b'x'; length];
            assert_eq!(inflate(&*body).unwrap().len(), expected, "{length}");
        }
    }
}
