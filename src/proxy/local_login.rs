//! Login, introspection and logout calls that are answered here: with a placeholder instead of a token, and with the
//! proxy's own address instead of the API's. Nothing of them goes on.
//!
//! A login succeeds when the proxy has a token itself, and is waited for like one by any other call: the ids in the
//! answer are that token's, and whoever is told that it is logged in is.
//!
//! Where callers show keys, the key may be in the body, which has to be read first: until then such a call waits in the
//! [`Anteroom`](super::Anteroom), and takes a place among the requests in flight only with its key.

use std::borrow::Cow;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;

use super::callers::{Bearer, NOBODY};
use super::error::Error;
use super::finish::Finish;
use super::outcome::{Outcome, Place};
use super::rescue::JSON;
use super::{Buffers, Proxy, Upstream};
use crate::code::{self, Code};
use crate::message::offered::offered;
use crate::message::{Rejection, Target};
use crate::provider::local::{Fields, Filling, Introspection, LocalLogin, Refusal};
use crate::provider::{LocalCall, LocalKind, Surface, Told};
use crate::server::Incoming;

/// A call that is answered here.
pub(super) struct Local<'a> {
    pub(super) call: &'a LocalCall,
    pub(super) upstream: &'a Upstream,
    pub(super) surface: &'a Surface,
    pub(super) parts: &'a Parts,
    pub(super) target: &'a Target,
    pub(super) place: &'a Place<'a>,
}

impl Proxy {
    /// The answer to such a call.
    pub(super) async fn answer_here(
        &self,
        local: &Local<'_>,
        body: Incoming,
        finish: &mut Finish,
    ) -> Result<Outcome, Error> {
        if body
            .size_hint()
            .exact()
            .is_some_and(|length| length > LONGEST)
        {
            return Err(too_long());
        }
        let body = match self.is_known(local) {
            true => {
                self.take_place(finish)?;
                read_in_turn(body, &self.buffers).await?
            }
            false => self.anteroom.wait(read(body)).await??,
        };
        let fields = local.fields(&body);
        match &local.call.kind {
            LocalKind::Login(login) => self.log_in(local, login, &fields, finish).await,
            LocalKind::Introspection(asked) => self.look_at(local, asked, &fields, finish).await,
            LocalKind::Logout { token } => {
                let token = fields.get(token);
                self.find(local, token.into_iter(), finish)
                    .map_err(Error::Denied)?;
                self.take_place(finish)?;
                Ok(Outcome::own(StatusCode::OK, no_store(), String::new()))
            }
        }
    }

    async fn log_in(
        &self,
        local: &Local<'_>,
        login: &LocalLogin,
        fields: &Fields,
        finish: &mut Finish,
    ) -> Result<Outcome, Error> {
        let Some(grant) = login.grant(fields) else {
            return Err(refused(
                Error::Denied(&code::LOGIN_GRANT),
                &login.unsupported,
            ));
        };
        let here = local.here()?;
        let (placeholder, told) = match self.find(local, login.secrets(fields), finish) {
            Ok(bearer) => {
                self.take_place(finish)?;
                let placeholder = bearer.map(Bearer::placeholder);
                let told = local.told(&login.unavailable).await?;
                (placeholder.unwrap_or_else(|| NOBODY.to_owned()), told)
            }
            // Who signs an assertion cannot put a key into it: it has to come with the calls that follow. Until then
            // nobody is told who the upstream's user is, and nobody has it log in.
            Err(_) if grant.keyless => (NOBODY.to_owned(), Told::default()),
            Err(code) => return Err(refused(Error::Denied(code), &login.refusal)),
        };
        let filling = Filling {
            placeholder: &placeholder,
            here: &here,
            now: self.clock.now().wall,
            told: &told,
        };
        Ok(json(login.answer(grant, fields, filling)))
    }

    async fn look_at(
        &self,
        local: &Local<'_>,
        asked: &Introspection,
        fields: &Fields,
        finish: &mut Finish,
    ) -> Result<Outcome, Error> {
        let here = local.here()?;
        let token = fields.get(asked.token);
        let shown = token.into_iter().map(|token| token.as_bytes().into());
        if token.is_none() || self.let_in(local, shown, finish).is_err() {
            return Ok(json(asked.answer(fields, None)));
        }
        self.take_place(finish)?;
        let filling = Filling {
            placeholder: "",
            here: &here,
            now: self.clock.now().wall,
            told: &local.told(&asked.unavailable).await?,
        };
        Ok(json(asked.answer(fields, Some(filling))))
    }

    /// Whether it is clear, before the body is read, that this caller is let in.
    fn is_known(&self, local: &Local<'_>) -> bool {
        self.callers.find(local.shown()).is_ok()
    }

    /// Whose key is shown: in any place where keys are, or in a field of the call.
    fn find<'a>(
        &self,
        local: &Local<'_>,
        secrets: impl Iterator<Item = &'a str>,
        finish: &mut Finish,
    ) -> Result<Option<&Bearer>, &'static Code> {
        let shown = local
            .shown()
            .chain(secrets.map(|secret| secret.as_bytes().into()));
        self.let_in(local, shown, finish)
    }

    fn let_in<'a>(
        &self,
        local: &Local<'_>,
        shown: impl Iterator<Item = Cow<'a, [u8]>>,
        finish: &mut Finish,
    ) -> Result<Option<&Bearer>, &'static Code> {
        let Some(bearer) = self.callers.find(shown)? else {
            return Ok(None);
        };
        finish.entry.key = Some(bearer.name.clone());
        bearer.reaches(&local.upstream.name)?;
        Ok(Some(bearer))
    }
}

impl Local<'_> {
    /// The proxy as the caller sees it.
    fn here(&self) -> Result<String, Error> {
        let here = self.place.here();
        here.ok_or(Rejection::Malformed("a login without a Host").into())
    }

    /// What the upstream's token is for, once there is one.
    async fn told(&self, unavailable: &Refusal) -> Result<Told, Error> {
        let mut patience = self.upstream.token_wait;
        match self.upstream.credential(&mut patience).await {
            Ok(issued) => Ok(issued.credential.told().clone()),
            Err(why) => Err(refused(why.into(), unavailable)),
        }
    }

    /// What the head has in the places where keys are.
    fn shown(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let parameters = &self.surface.cut_parameters;
        offered(&self.parts.headers, self.target, parameters)
    }

    fn fields(&self, body: &[u8]) -> Fields {
        let content_type = self.parts.headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|kind| kind.to_str().ok());
        let (encoding, query) = (self.call.encoding, self.target.query());
        Fields::read(encoding, query, content_type.unwrap_or_default(), body)
    }
}

/// The body of a caller who is let in, in the memory that all such buffers share.
async fn read_in_turn(body: Incoming, buffers: &Buffers) -> Result<Vec<u8>, Error> {
    let length = body.size_hint().exact().unwrap_or(LONGEST);
    let blocks = u32::try_from(length.div_ceil(super::BLOCK as u64)).unwrap_or(u32::MAX);
    let room = buffers.memory.try_acquire_many(blocks);
    let _room = room.map_err(|_| Error::Overload)?;
    let read = tokio::time::timeout(buffers.silence, read(body)).await;
    read.map_err(|_| Error::CallerBody)?
}

/// Copied: pieces of a byte each would hold on to far more than they are.
async fn read(mut body: Incoming) -> Result<Vec<u8>, Error> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::CallerBody)?;
        let piece = frame.data_ref().map_or(&[][..], |piece| piece);
        if (whole.len() + piece.len()) as u64 > LONGEST {
            return Err(too_long());
        }
        whole.extend_from_slice(piece);
    }
    Ok(whole)
}

fn too_long() -> Error {
    Rejection::Malformed("a login of more than 64 KiB").into()
}

/// `why`, in the provider's words.
fn refused(why: Error, refusal: &Refusal) -> Error {
    let status = refusal.status.map(StatusCode::from_u16);
    Error::Login {
        status: status.and_then(Result::ok).unwrap_or(why.status()),
        body: refusal.body(why.code().id),
        why: Box::new(why),
    }
}

fn json(body: String) -> Outcome {
    let mut headers = no_store();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    Outcome::own(StatusCode::OK, headers, body)
}

fn no_store() -> HeaderMap {
    HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("no-store"))])
}

/// Far above any login; an assertion in SAML has a few KiB.
const LONGEST: u64 = 64 * 1024;
