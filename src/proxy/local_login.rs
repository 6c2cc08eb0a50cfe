//! Login and logout calls that are answered here: with a placeholder instead of a token, and with the proxy's own
//! address instead of the API's. Nothing of them goes on, and no upstream is asked.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::callers::{Bearer, NOBODY};
use super::error::Error;
use super::finish::Finish;
use super::outcome::{Outcome, Place};
use super::{Buffers, Proxy, Upstream};
use crate::code::{self, Code};
use crate::message::offered::offered;
use crate::message::{Rejection, Target};
use crate::provider::local::{Fields, Filling, LocalLogin, Refusal};
use crate::provider::{LocalCall, LocalKind, Surface};
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
    /// The answer to a login or logout.
    pub(super) async fn answer_here(
        &self,
        local: &Local<'_>,
        body: Incoming,
        finish: &mut Finish,
    ) -> Result<Outcome, Error> {
        let fields = local.fields(body, &self.buffers).await?;
        match &local.call.kind {
            LocalKind::Login(login) => self.log_in(local, login, &fields, finish),
            LocalKind::Logout { token } => {
                let token = fields.get(token);
                self.find(local, token.into_iter(), finish)
                    .map_err(Error::Denied)?;
                Ok(Outcome::own(StatusCode::OK, no_store(), String::new()))
            }
        }
    }

    fn log_in(
        &self,
        local: &Local<'_>,
        login: &LocalLogin,
        fields: &Fields,
        finish: &mut Finish,
    ) -> Result<Outcome, Error> {
        let Some(grant) = login.grant(fields) else {
            return Err(refused(&login.unsupported, &code::LOGIN_GRANT));
        };
        let placeholder = match self.find(local, login.secrets(fields), finish) {
            Ok(Some(bearer)) => bearer.placeholder(),
            Ok(None) => NOBODY.to_owned(),
            // Who signs an assertion cannot put a key into it: it has to come with the calls that follow.
            Err(_) if grant.keyless => NOBODY.to_owned(),
            Err(code) => return Err(refused(&login.refusal, code)),
        };
        let here = local.place.here();
        let filling = Filling {
            placeholder: &placeholder,
            here: &here.ok_or(Rejection::Malformed("a login without a Host"))?,
            now: self.clock.now().wall,
        };
        let mut headers = no_store();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        let body = login.answer(grant, fields, filling);
        Ok(Outcome::own(StatusCode::OK, headers, body))
    }

    /// Whose key is shown: in any place where keys are, or in a field of the call.
    fn find<'a>(
        &self,
        local: &Local<'_>,
        secrets: impl Iterator<Item = &'a str>,
        finish: &mut Finish,
    ) -> Result<Option<&Bearer>, &'static Code> {
        let (headers, parameters) = (&local.parts.headers, &local.surface.cut_parameters);
        let shown = offered(headers, local.target, parameters);
        let shown = shown.chain(secrets.map(|secret| secret.as_bytes().into()));
        let Some(bearer) = self.callers.find(shown)? else {
            return Ok(None);
        };
        finish.entry.key = Some(bearer.name.clone());
        bearer.reaches(&local.upstream.name)?;
        Ok(Some(bearer))
    }
}

impl Local<'_> {
    async fn fields(&self, body: Incoming, buffers: &Buffers) -> Result<Fields, Error> {
        let too_long = Rejection::Malformed("a login of more than 64 KiB");
        let length = body.size_hint().exact().unwrap_or(LONGEST);
        if length > LONGEST {
            return Err(too_long.into());
        }
        let blocks = u32::try_from(length.div_ceil(super::BLOCK as u64)).unwrap_or(u32::MAX);
        let room = buffers.memory.try_acquire_many(blocks);
        let _room = room.map_err(|_| Error::Overload)?;
        let body = Limited::new(body, LONGEST as usize).collect();
        let body = tokio::time::timeout(buffers.patience, body).await;
        let body = match body.map_err(|_| Error::CallerBody)? {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(too_long.into()),
            Err(_) => return Err(Error::CallerBody),
        };
        let content_type = self.parts.headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|kind| kind.to_str().ok());
        let (encoding, query) = (self.call.encoding, self.target.query());
        Ok(Fields::read(
            encoding,
            query,
            content_type.unwrap_or_default(),
            &body,
        ))
    }
}

fn refused(refusal: &Refusal, code: &'static Code) -> Error {
    Error::Login {
        code,
        status: StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::FORBIDDEN),
        body: refusal.body(code.id),
    }
}

fn no_store() -> HeaderMap {
    HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("no-store"))])
}

const JSON: &str = "application/json;charset=UTF-8";
/// Far above any login; an assertion in SAML has a few KiB.
const LONGEST: u64 = 64 * 1024;
