//! `prepare`: whatever a caller sends, what goes upstream is one request, said in one way: its own method and target, our
//! host and credential, nothing of the caller's hop, of its credentials or of who it says it is.
//!
//! An input is the name of an upstream, a line end, and a request: head and body.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::HeaderValue;
use http::request::Parts;
use tokio::runtime::{Builder, Runtime};

use crate::clock::Clock;
use crate::config;
use crate::egress::{Profile, reference};
use crate::message::twins::Names;
use crate::message::{Origin, Readings, Target, check as sound, forwarding};
use crate::provider::{Base, Credential, Lifetime, Provider, Stamp, Surface, TargetName};
use crate::proxy::{Making, Prepared, Upstream};
use crate::secret::Fingerprinter;
use crate::telemetry::{Ids, Metrics};
use crate::tls::Trust;
use crate::token::{Handle, LoginFuture, Prints, Refusals, SecretsFuture, Settings, TokenSource};

/// Panics unless it holds of `data`.
pub fn check(data: &[u8]) {
    let Some((call, body)) = Call::of(data) else {
        return;
    };
    let Some(written) = call.written(body) else {
        return;
    };
    let mut fields = [httparse::EMPTY_HEADER; 160];
    let mut head = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = head.parse(&written) else {
        panic!("{}", written.escape_ascii());
    };
    let is_canonical = written[..length].split(|byte| *byte == b'\n').all(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        !line.contains(&b'\r') && !line.contains(&0)
    });
    assert!(is_canonical, "{}", written.escape_ascii());
    assert_eq!(
        &written[length..],
        body,
        "one request, and nothing behind it"
    );
    assert_eq!(head.method, Some(call.parts.method.as_str()));
    call.is_for(head.path.unwrap());
    let fields = head.headers.iter().map(|field| (field.name, field.value));
    let fields: Vec<_> = fields.collect();
    call.frames(&fields);
    call.conceals(&fields);
}

/// What a caller asks for.
struct Call<'a> {
    upstream: &'a Upstream,
    surface: &'a Surface,
    base: &'a Base,
    parts: Parts,
    target: Target,
}

impl<'a> Call<'a> {
    /// A sound call, and its body.
    fn of(data: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let end = data.iter().position(|byte| *byte == b'\n')?;
        let mut upstreams = STAGE.upstreams.iter();
        let upstream = upstreams.find(|one| one.name.as_bytes() == &data[..end])?;
        let (parts, body) = super::request(&data[end + 1..])?;
        let target = sound::check(&parts).ok()?.target?;
        let surface = upstream.provider.surface(&Readings::of(target.path()));
        let call = Self {
            upstream,
            surface,
            base: upstream.provider.target(surface, &STAGE.credential)?,
            parts,
            target,
        };
        Some((call, body))
    }

    /// What goes upstream. `None`: it is refused.
    fn written(&self, body: &[u8]) -> Option<Vec<u8>> {
        let making = Making {
            upstream: self.upstream,
            surface: self.surface,
            id: STAGE.ids.next(),
            via: &STAGE.via,
            readable: false,
        };
        let prepared = Prepared::new(self.parts.clone(), &self.target, &making).ok()?;
        let attempt = prepared.attempt(self.surface, &STAGE.credential, self.base)?;
        Some(reference::written(&attempt.head(), body))
    }

    /// The target is the caller's behind the path of the API; without parameters that carry a token.
    fn is_for(&self, sent: &str) {
        let mut query = self.target.query().unwrap_or_default().split('&');
        let may_be_cut = query.any(|one| one.to_ascii_lowercase().contains(['t', '%']));
        let all = format!("{}{}", self.base.path, self.target.as_str());
        let path = format!("{}{}", self.base.path, self.target.path());
        assert!(
            sent == all || may_be_cut && sent.starts_with(&path),
            "{sent}"
        );
    }

    /// There is one host, one length at most, and one of each field that carries the token.
    fn frames(&self, fields: &[(&str, &[u8])]) {
        let count = |name: &str| {
            let same = fields
                .iter()
                .filter(|(own, _)| own.eq_ignore_ascii_case(name));
            same.count()
        };
        assert_eq!(count("host"), 1);
        assert!(count("content-length") + count("transfer-encoding") <= 1);
        for carrier in &self.surface.carriers {
            assert_eq!(count(carrier.header.as_str()), 1);
        }
    }

    /// What is not ours came of the caller, and may go on.
    fn conceals(&self, fields: &[(&str, &[u8])]) {
        let of_hop = self.parts.headers.get_all("connection").iter();
        let of_hop: Vec<_> = of_hop
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .map(|name| name.trim_ascii().to_ascii_lowercase())
            .collect();
        let carried = fields.iter().map(|(name, _)| *name);
        let carried = carried.filter(|name| self.is_ours(name) && !WRITTEN_ANEW.contains(name));
        let twins: Vec<_> = carried.map(plain).collect();
        for (name, value) in fields.iter().filter(|(name, _)| !self.is_ours(name)) {
            if *name == "cookie" {
                self.are_listed(value);
                continue;
            }
            let mut came = self.parts.headers.get_all(*name).iter();
            assert!(
                came.any(|one| one.as_bytes() == *value),
                "{name} is nobody's"
            );
            let is_of_hop =
                OF_HOP.contains(name) || of_hop.iter().any(|hop| hop == name.as_bytes());
            let plain = plain(name);
            let is_of_caller = OF_CALLER.contains(&&*plain)
                || plain.starts_with("xforwarded")
                || plain.starts_with("secfetch");
            assert!(
                !is_of_hop && !is_of_caller && !twins.contains(&plain),
                "{name} goes on"
            );
        }
    }

    fn is_ours(&self, name: &str) -> bool {
        let (surface, upstream) = (self.surface, self.upstream);
        WRITTEN_ANEW.contains(&name)
            || name == "via"
            || surface
                .carriers
                .iter()
                .any(|carrier| carrier.header == name)
            || upstream.set_headers.iter().any(|(own, _)| own == name)
            || surface.stamps.iter().any(|stamp| match stamp {
                Stamp::Set(own, _) => own == name,
                Stamp::ZuoraTrackId => name == "zuora-track-id",
            })
    }

    fn are_listed(&self, cookies: &[u8]) {
        let mut crumbs = cookies.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        assert!(crumbs.all(|crumb| {
            let name = crumb.split(|byte| *byte == b'=').next();
            let mut listed = self.surface.cookies.iter();
            listed.any(|own| name == Some(own.as_bytes()))
        }));
    }
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !"-_".contains(*c));
    letters.collect::<String>().to_ascii_lowercase()
}

/// What is made once.
struct Stage {
    upstreams: Vec<Upstream>,
    credential: Credential,
    ids: Ids,
    via: HeaderValue,
    /// Nobody drives it: no token is waited for.
    _control: Runtime,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let control = Builder::new_current_thread().build().unwrap();
    let config = super::upstreams();
    let tokens = Handle::spawn(
        "fuzz".to_owned(),
        Arc::new(Nothing),
        Clock::system(),
        Settings {
            token_timeout: Duration::from_secs(1),
            budget: None,
        },
        Refusals::default(),
        control.handle(),
    );
    let origin: Origin = "https://acme.my.salesforce.com".parse().unwrap();
    let targets = [TargetName::Instance, TargetName::Rest, TargetName::Soap];
    let targets = targets.map(|name| (name, Base::of(origin.clone())));
    let lifetime = Lifetime::UntilUnusedFor(Duration::from_secs(7200));
    let credential = Credential::new("00D!t0ken", b"{}", &[], targets.to_vec(), lifetime);
    Stage {
        upstreams: config
            .upstreams
            .iter()
            .map(|one| made(one, &tokens))
            .collect(),
        credential: credential.unwrap(),
        ids: Ids::new(),
        via: forwarding::via("0123456789abcdef"),
        _control: control,
    }
});

fn made(config: &config::Upstream, tokens: &Handle) -> Upstream {
    let metrics = Metrics::new().upstream(&config.name);
    let removed = config.remove_headers.iter();
    Upstream {
        local_login: false,
        name: Arc::from(&*config.name),
        label: HeaderValue::from_str(&config.name).unwrap(),
        provider: Arc::new(Provider::of(config)),
        policies: vec![config.policy.clone()],
        set_headers: config.set_headers.clone(),
        remove_headers: Names::of(removed.map(http::HeaderName::as_str)),
        token_wait: config.token_wait,
        response_timeout: config.response_timeout,
        profile: Profile {
            id: 0,
            tls: Trust::new(&[]),
            connect_timeout: Duration::from_secs(5),
            proxy: None,
            connections: config.connections,
            http2: false,
            metrics: metrics.clone(),
        },
        tokens: tokens.clone(),
        metrics,
    }
}

/// Never logs in.
struct Nothing;

impl TokenSource for Nothing {
    fn login(&self) -> LoginFuture<'_> {
        Box::pin(std::future::pending())
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        let print = Fingerprinter::new().of([]);
        let prints = Prints {
            user: print,
            secrets: print,
            asks: print,
        };
        Box::pin(std::future::ready(Ok(prints)))
    }
}

const WRITTEN_ANEW: [&str; 3] = ["host", "content-length", "max-forwards"];
/// What is between two hops.
const OF_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "proxy-authenticate",
    "proxy-authorization",
    "expect",
];
/// Credentials, and what says where a request comes from, without `-` and `_`.
const OF_CALLER: [&str; 14] = [
    "authorization",
    "proxyauthorization",
    "xsfdcsession",
    "apiaccesskeyid",
    "apisecretaccesskey",
    "accesstoken",
    "xupauthkey",
    "forwarded",
    "xrealip",
    "referer",
    "origin",
    "xoriginalurl",
    "xrewriteurl",
    "xoriginalhost",
];
