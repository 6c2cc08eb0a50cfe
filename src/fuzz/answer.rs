//! `answer`: whatever a token endpoint answers, or a program prints: a token goes to allowed hosts only, and no failure
//! shows one, nor what was sent for it. Wherever an answer breaks off, the next refresh token is a text that stands in it whole.
//!
//! An input is a line with the name of an upstream, a status and a content type, then the body. Where [`CANARY`] stands
//! in the token, this is looked for in what is told.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::message::origin::Scheme;
use crate::provider::login::{Field, Secrets};
use crate::provider::{Answer, CarrierForm, Granted, LoginFailure, Provider, TargetName};
use crate::provider::{answer, printed};
use crate::secret::{Secret, Source};

/// Panics unless it holds of `data`.
pub fn check(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (line, body) = (&data[..end], &data[end + 1..]);
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let Some(name) = words.next() else { return };
    let Some(known) = KNOWN.iter().find(|known| known.name.as_bytes() == name) else {
        return;
    };
    let status = StatusCode::from_bytes(words.next().unwrap_or_default());
    let Ok(status) = status else { return };
    let mut headers = HeaderMap::new();
    if let Ok(kind) = HeaderValue::from_bytes(words.next().unwrap_or_default()) {
        headers.insert(RETRY_AFTER, kind.clone());
        headers.insert(CONTENT_TYPE, kind);
    }
    let of_endpoint = Answer {
        status,
        headers: &headers,
        body,
        wall: WALL,
    };
    let got = answer::read(&known.provider, &known.secrets, &of_endpoint);
    assert!(got.is_err() || status.is_success());
    if let Err(failure) = &got {
        known.conceals(&format!("{failure:?} {failure}"));
    }
    known.holds(&got, body);
    for quarters in 1..=4 {
        known.follows(status, &body[..body.len() * quarters / 4]);
    }
    if let Ok(text) = str::from_utf8(body) {
        let got = printed::read(&known.provider, text, WALL);
        let refused = matches!(got, Err(LoginFailure::Refused { .. }));
        assert!(!refused, "a program has nothing that could change");
        known.holds(&got, body);
    }
}

/// An upstream, what its login sends, and where its token may go.
struct Known {
    name: String,
    provider: Provider,
    secrets: Secrets,
}

impl Known {
    /// Nothing that is sent for a token is told, in whatever spelling.
    fn conceals(&self, shown: &str) {
        let secrets = self.secrets.iter();
        let secrets = secrets.filter(|(field, _)| {
            let is_open = matches!(field, Field::ClientId | Field::Username);
            !is_open
        });
        for (field, secret) in secrets {
            let secret = secret.expose();
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            let reversed: String = secret.chars().rev().collect();
            for spelled in [secret, &hex, &STANDARD.encode(secret), &reversed] {
                assert!(!shown.contains(spelled), "{field:?}: {shown}");
            }
        }
    }

    fn holds(&self, got: &Result<Granted, LoginFailure>, body: &[u8]) {
        let shown = match got {
            Ok(granted) => format!("{granted:?} {:?}", granted.credential.told()),
            Err(failure) => format!("{failure:?} {failure}"),
        };
        let token = self.token(body).filter(|token| token.contains(CANARY));
        // With a backtick it may come from what is told about something else, and is quoted.
        let token = token.filter(|token| !token.contains('`'));
        // A host, a user and a scope may be called like it.
        if let Some(token) = token.filter(|_| got.is_err() || count(body) == 1) {
            assert!(!shown.contains(token.trim_end()), "{shown}");
        }
        let Ok(granted) = got else {
            return;
        };
        let token = granted.credential.value(CarrierForm::Token);
        assert!(token.is_sensitive() && token.as_bytes().iter().all(u8::is_ascii_graphic));
        for target in [TargetName::Instance, TargetName::Rest, TargetName::Soap] {
            if let Some(base) = granted.credential.target(target) {
                let host = base.origin.host();
                let own = host == LOGIN_HOST;
                let listed = ALLOWED.iter().any(|end| host.ends_with(end));
                let never = host.ends_with(".lightning.force.com");
                assert!((own || listed) && !never, "{} at {host}", self.name);
                assert_eq!(base.origin.scheme(), Scheme::Https);
            }
        }
    }

    /// The successor in JSON is one of its texts, and none that was sent.
    fn follows(&self, status: StatusCode, body: &[u8]) {
        let kind = HeaderValue::from_static("application/json");
        let answer = Answer {
            status,
            headers: &HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
            body,
            wall: WALL,
        };
        let Some(next) = answer::successor(&self.provider, &self.secrets, &answer) else {
            return;
        };
        let next = next.expose();
        assert!(status.is_success() && next != PRESENTED);
        assert!(!next.is_empty() && !next.contains(char::REPLACEMENT_CHARACTER));
        // Zeros may be what is wide in its letters.
        let narrow = |bytes: &[u8]| -> Vec<u8> {
            let bytes = bytes.iter().copied();
            bytes.filter(|byte| *byte != 0).collect()
        };
        let (text, body) = (narrow(format!("\"{next}\"").as_bytes()), narrow(body));
        let is_escaped = body.contains(&b'\\');
        let stands_there = body.windows(text.len()).any(|part| part == text);
        assert!(is_escaped || stands_there, "{next}");
    }

    /// The token in a body of JSON, or of what is read as such, whatever is made of it.
    fn token(&self, body: &[u8]) -> Option<String> {
        let json = answer::json::read(body)?;
        let token = json.pointer(&self.provider.answer.token)?.as_str()?;
        Some(token.to_owned())
    }
}

fn count(body: &[u8]) -> usize {
    let parts = body.windows(CANARY.len());
    parts.filter(|part| *part == CANARY.as_bytes()).count()
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let config = super::upstreams();
    let known = config.upstreams.iter().map(|upstream| {
        let mut provider = Provider::of(upstream);
        let next = &mut provider.answer.refresh_token;
        next.get_or_insert("/refresh_token".into());
        let mut secrets = Secrets::default();
        for (field, source) in provider.login.sources() {
            if let Source::Value(value) = source {
                secrets.insert(*field, Secret::new(value.expose()));
            }
        }
        secrets.insert(Field::RefreshToken, Secret::new(PRESENTED));
        Known {
            name: upstream.name.clone(),
            provider,
            secrets,
        }
    });
    known.collect()
});

const PRESENTED: &str = "5Aep861-presented";
const CANARY: &str = "T0KENcanary";
const WALL: Duration = Duration::from_secs(1_700_000_000);
const LOGIN_HOST: &str = "login.acme.example";
const ALLOWED: [&str; 7] = [
    ".salesforce.com",
    ".salesforce.mil",
    ".sfcrmproducts.cn",
    ".marketingcloudapis.com",
    ".exacttarget.com",
    ".exacttargetapis.com",
    ".instances.example",
];
