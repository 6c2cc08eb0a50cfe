//! The API families of Salesforce: their paths, how they take the token, and how they say that it is dead.

use std::borrow::Cow;

use http::{HeaderName, header};

use crate::message::twins::Names;
use crate::message::{HostRule, Origin};
use crate::provider::base::TargetName;
use crate::provider::credential::CarrierForm;
use crate::provider::judge::{DeadRule, Sign, Test, Verdict};
use crate::provider::local::calls;
use crate::provider::surface::{Carrier, Denial, LinkRule, Surface, constants};

/// The families that are recognised by their path.
pub(super) fn named(carriers: &[Carrier], login_url: Option<&Origin>) -> Vec<Surface> {
    // What is denied stands before whatever has a `*` or `**` where a site of the org may have its name.
    vec![
        identity("userinfo", &USERINFO, carriers, login_url),
        logins(carriers),
        soap(carriers),
        anonymous(carriers),
        apex(carriers),
        identity("identity", &["/id/*/*"], carriers, login_url),
        bulk(),
        streaming(carriers),
    ]
}

fn family(name: &'static str, patterns: &[&str], carriers: &[Carrier]) -> Surface {
    Surface {
        name,
        paths: constants(patterns),
        carriers: carriers.to_vec(),
        target: TargetName::Instance,
        dead: rest_dead(),
        denied: None,
        once: false,
        acts: constants(&ACTS),
        local: vec![],
        // Older clients put the session into the query; two tokens at once are an error (RFC 6750
        // section 2). Apex REST may have an `access_token` of its own, so that one stays.
        cut_parameters: vec!["oauth_token"],
        strip: Names::of(
            [header::AUTHORIZATION, SESSION_HEADER]
                .iter()
                .chain(carriers.iter().map(|carrier| &carrier.header))
                .map(HeaderName::as_str),
        ),
        cookies: vec![],
        stamps: vec![],
        links: vec![],
    }
}

/// The family of every other path.
pub(super) fn rest(carriers: &[Carrier], login_url: Option<&Origin>) -> Surface {
    let mut surface = family("rest", &[], carriers);
    // The list of resources; everything else in REST answers is relative (REST API Developer Guide; jsforce and
    // simple-salesforce take it so).
    surface.links = vec![links(&["GET /services/data/*"], &["/identity"], login_url)];
    surface
}

/// The identity URL names the host of the login, whatever the instance is.
fn links(paths: &[&str], places: &[&'static str], login_url: Option<&Origin>) -> LinkRule {
    let mut hosts = constants(&IDENTITY_HOSTS);
    hosts.extend(login_url.map(HostRule::of));
    LinkRule {
        paths: constants(paths),
        places: places.to_vec(),
        hosts,
    }
}

/// Documents about the user: bearer tokens, and a text instead of JSON when they are dead.
fn identity(
    name: &'static str,
    paths: &[&str],
    carriers: &[Carrier],
    login_url: Option<&Origin>,
) -> Surface {
    let mut surface = family(name, paths, carriers);
    surface.dead.push(DeadRule {
        status: 403,
        sign: Sign::Text(Cow::Borrowed("Bad_OAuth_Token")),
        then: Verdict::Dead,
    });
    surface.cut_parameters.push("access_token");
    surface.links = vec![links(
        paths,
        &[
            "/id",
            "/sub",
            "/profile",
            "/picture",
            "/photos/*",
            "/urls/*",
        ],
        login_url,
    )];
    surface
}

/// Calls that mint, end or show a session: with the token put in, they would hand it on. A site of an org has its own,
/// behind its name.
fn logins(carriers: &[Carrier]) -> Surface {
    let mut surface = family(
        "login",
        &[
            "/services/oauth2/**",
            "/services/a360/**",
            "/services/auth/**",
            "/services/authcallback/**",
            "/secur/**",
            "/*/services/oauth2/**",
            "/*/services/a360/**",
            "/*/services/auth/**",
            "/*/services/authcallback/**",
            "/*/secur/**",
        ],
        carriers,
    );
    surface.denied = Some(Denial::Login);
    surface.local = calls::salesforce();
    surface
}

/// The session stands in the envelope there, so `login()` would be the only call that works.
fn soap(carriers: &[Carrier]) -> Surface {
    let mut surface = family(
        "soap",
        &["/services/Soap/**", "/*/services/Soap/**"],
        carriers,
    );
    surface.denied = Some(Denial::NotBuilt("SOAP"));
    surface
}

/// Apex that the caller brings along (Tooling API, "REST Resources"). What it throws is in the answer, its session too.
fn anonymous(carriers: &[Carrier]) -> Surface {
    let mut surface = family("anonymous", &ANONYMOUS, carriers);
    surface.denied = Some(Denial::Login);
    surface
}

/// Apex REST: classes of the org, which write status and body as they like. A 401 that says that the session is dead may be
/// theirs, after whatever they did.
fn apex(carriers: &[Carrier]) -> Surface {
    let paths = ["/services/apexrest/**", "/*/services/apexrest/**"];
    let mut surface = family("apex", &paths, carriers);
    surface.once = true;
    surface
}

fn bulk() -> Surface {
    let mut surface = family("bulk", &["/services/async/**"], &[]);
    surface.carriers = vec![Carrier {
        header: SESSION_HEADER,
        form: CarrierForm::Token,
    }];
    // An object, not an array; XML or JSON by the job's content type.
    let is = || Test::Is(Cow::Borrowed("InvalidSessionId"));
    surface.dead = vec![
        dead(400, Sign::Json(Cow::Borrowed("/exceptionCode"), is())),
        dead(400, Sign::Xml(Cow::Borrowed("exceptionCode"), is())),
    ];
    surface
}

/// CometD tells inside its messages; their payload stands deeper, so it cannot be mistaken for that.
fn streaming(carriers: &[Carrier]) -> Surface {
    let mut surface = family("streaming", &["/cometd/**"], carriers);
    let is = || Test::Is(Cow::Borrowed("401::Authentication invalid"));
    for status in [200, 401, 403] {
        surface.dead.extend([
            dead(status, Sign::Json(Cow::Borrowed("/*/error"), is())),
            dead(
                status,
                Sign::Json(Cow::Borrowed("/*/ext/sfdc/failureReason"), is()),
            ),
        ]);
    }
    // A CometD client belongs to one server node; without them: `400::... cookie present`.
    surface.cookies = vec![
        "BAYEUX_BROWSER",
        "BrowserId",
        "BrowserId_sec",
        "sfdc-stream",
        "CookieConsentPolicy",
        "LSKey-c$CookieConsentPolicy",
    ];
    surface
}

/// The same that jsforce (`src/http-api.ts`) and simple-salesforce log in again after. Not here:
/// `INVALID_AUTH_HEADER`, which speaks of the header's form, and `URL_NOT_RESET`, which speaks of the host; a new token
/// would travel in the same header to the same host.
fn rest_dead() -> Vec<DeadRule> {
    // No renewal mends these: jsforce lists them because it looped.
    let unmendable = [
        "This session is not valid for use with the REST API",
        "Connected app is not attached to Agent",
    ];
    let alive = unmendable.into_iter().flat_map(|text| {
        let contains = || Test::Contains(Cow::Borrowed(text));
        [
            Sign::Json(Cow::Borrowed("/*/message"), contains()),
            Sign::Xml(Cow::Borrowed("message"), contains()),
        ]
    });
    let is = || Test::Is(Cow::Borrowed("INVALID_SESSION_ID"));
    let mut rules: Vec<DeadRule> = alive
        .map(|sign| DeadRule {
            status: 401,
            sign,
            then: Verdict::Alive,
        })
        .collect();
    rules.extend([
        dead(401, Sign::Json(Cow::Borrowed("/*/errorCode"), is())),
        dead(401, Sign::Xml(Cow::Borrowed("errorCode"), is())),
    ]);
    rules
}

fn dead(status: u16, sign: Sign) -> DeadRule {
    DeadRule {
        status,
        sign,
        then: Verdict::Dead,
    }
}

const USERINFO: [&str; 2] = ["/services/oauth2/userinfo", "/*/services/oauth2/userinfo"];
const ANONYMOUS: [&str; 2] = [
    "/services/data/*/tooling/executeAnonymous/**",
    "/*/services/data/*/tooling/executeAnonymous/**",
];
/// Apex runs, by GET as well: the tests were once asked for so.
const ACTS: [&str; 6] = [
    ANONYMOUS[0],
    ANONYMOUS[1],
    "/services/data/*/tooling/runTestsSynchronous/**",
    "/*/services/data/*/tooling/runTestsSynchronous/**",
    "/services/data/*/tooling/runTestsAsynchronous/**",
    "/*/services/data/*/tooling/runTestsAsynchronous/**",
];
/// Bulk 1.0's credential; also taken off everywhere else.
const SESSION_HEADER: HeaderName = HeaderName::from_static("x-sfdc-session");
const IDENTITY_HOSTS: [&str; 2] = ["login.salesforce.com", "test.salesforce.com"];
