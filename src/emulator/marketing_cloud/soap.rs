//! SOAP at `/Service.asmx`, in any letter case: `Retrieve` of what an account owns, and the faults of
//! a bad token (DougMidgley/SFMC-SDK, `test/resources/soap.js`).
//!
//! The token is an element of the envelope's `Header`, which real clients also write behind the
//! `Body`. HTTP's `Authorization` counts for nothing here.

use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};

use super::{Canned, Session, Site, World, answer, form, random_text};

pub(super) fn answer(world: &World, parts: &Parts, body: &[u8]) -> Response {
    let path = parts.uri.path();
    if !path.eq_ignore_ascii_case("/Service.asmx") || parts.method != Method::POST {
        return answer::empty(StatusCode::NOT_FOUND);
    }
    let headers = &parts.headers;
    let is_strange = STRANGE.iter().any(|name| headers.contains_key(*name));
    world.count(|counters| counters.dummy_credentials += u64::from(is_strange));
    let is_xml = form::media_type(headers).eq_ignore_ascii_case("text/xml");
    let (Ok(envelope), true) = (std::str::from_utf8(body), is_xml) else {
        return answer::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    };
    if !headers.contains_key("soapaction") {
        return fault("soap:Client", "SOAPAction is missing");
    }
    let session = match admit(world, envelope) {
        Ok(session) => session,
        Err(fault_text) => {
            world.count(|counters| counters.dead_sessions += 1);
            return security_fault(world, fault_text);
        }
    };
    match world
        .knobs
        .turn(|dials| dials.marketing_cloud.api.next.pop_front())
    {
        Some(canned) => Canned::into_response(canned),
        None if texts(envelope, "RetrieveRequestMsg").len() == 1 => retrieve(&session, envelope),
        None => overall("Error: Unknown request", ""),
    }
}

/// The session of the only token element of the envelope's header, or the text of the fault.
fn admit(world: &World, envelope: &str) -> Result<Session, &'static str> {
    let headers = texts(envelope, "Header");
    let [header] = headers.as_slice() else {
        return Err("Login Failed");
    };
    let (modern, legacy) = (texts(header, "fueloauth"), texts(header, "oAuthToken"));
    let (token, is_legacy) = match (modern.as_slice(), legacy.as_slice()) {
        ([token], []) => (token.trim(), false),
        ([], [token]) => (token.trim(), true),
        _ => return Err("Login Failed"),
    };
    if !envelope.contains(r#""http://exacttarget.com""#) {
        return Err("Login Failed");
    }
    let now = world.now();
    let session = world.books(|books| {
        let sessions = if books.cloud.live(token, now).is_some() {
            &mut books.cloud
        } else {
            &mut books.legacy
        };
        // `legacyToken` is for the old element alone, an access token for the new one.
        let is_here = |session: &&Session| (session.home == Site::CloudSoap) == is_legacy;
        sessions.live(token, now).filter(is_here)?;
        sessions.touch(token, now).cloned()
    });
    let rejects_all = world
        .knobs
        .turn(|dials| dials.marketing_cloud.api.rejects_all);
    session.filter(|_| !rejects_all).ok_or("Token Expired")
}

/// Two pages: the first says `MoreDataAvailable`, and its `RequestID` brings the second.
fn retrieve(session: &Session, envelope: &str) -> Response {
    let asked = texts(envelope, "ObjectType");
    let [object] = asked.as_slice() else {
        return overall("Error: ObjectType is missing", "");
    };
    let is_second = !texts(envelope, "ContinueRequest").is_empty();
    let (status, key) = if is_second {
        ("OK", 2)
    } else {
        ("MoreDataAvailable", 1)
    };
    let account = &session.user;
    let results = format!(
        r#"<Results xsi:type="{object}"><Client><ID>{account}</ID></Client><CustomerKey>{account}-{key}</CustomerKey></Results>"#
    );
    overall(status, &results)
}

/// Business failures come with 200, too.
fn overall(status: &str, results: &str) -> Response {
    let id = random_text(36);
    let body = format!(
        r#"{HEAD}<RetrieveResponseMsg xmlns="http://exacttarget.com/wsdl/partnerAPI"><OverallStatus>{status}</OverallStatus><RequestID>{id}</RequestID>{results}</RetrieveResponseMsg>{TAIL}"#
    );
    answer::text(StatusCode::OK, XML, body)
}

fn security_fault(world: &World, text: &str) -> Response {
    let actor = format!("{}/Service.asmx", world.origin(Site::CloudSoap));
    let fault = format!(
        r#"<soap:Fault><faultcode xmlns:q0="{SECEXT}">q0:Security</faultcode><faultstring>{text}</faultstring><faultactor>{actor}</faultactor></soap:Fault>"#
    );
    let body = format!("{HEAD}{fault}{TAIL}");
    answer::text(StatusCode::INTERNAL_SERVER_ERROR, XML, body)
}

fn fault(code: &str, text: &str) -> Response {
    let fault = format!(
        "<soap:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>"
    );
    let body = format!("{HEAD}{fault}{TAIL}");
    answer::text(StatusCode::INTERNAL_SERVER_ERROR, XML, body)
}

/// What stands in each element of this local name, whatever its prefix. Enough XML for well-formed
/// envelopes in which elements of one name do not nest.
fn texts<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut open = None;
    for (start, _) in xml.match_indices('<') {
        let Some(tag) = xml.get(start + 1..).and_then(|rest| rest.split('>').next()) else {
            continue;
        };
        let content = start + 1 + tag.len() + 1;
        let (closes, tag) = tag
            .strip_prefix('/')
            .map_or((false, tag), |tag| (true, tag));
        let full = tag.split(|c: char| c.is_whitespace() || c == '/').next();
        let local = full
            .unwrap_or_default()
            .rsplit(':')
            .next()
            .unwrap_or_default();
        if local != name {
            continue;
        }
        match open {
            None if !closes && tag.ends_with('/') => found.push(""),
            None if !closes => open = Some(content),
            Some(from) if closes => {
                found.extend(xml.get(from..start));
                open = None;
            }
            _ => {}
        }
    }
    found
}

/// HTTP credentials that SOAP knows nothing of.
const STRANGE: &[&str] = &[
    "authorization",
    "cookie",
    "x-sfdc-session",
    "proxy-authorization",
];
const XML: &str = "text/xml; charset=utf-8";
const SECEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const HEAD: &str = r#"<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Body>"#;
const TAIL: &str = "</soap:Body></soap:Envelope>";
