//! Salesforce as data (PROVIDERS 1): REST, Bulk 1.0, identity and streaming; SOAP is not carried yet.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderName, header};

use super::Provider;
use super::answer::{AnswerMap, InstanceField};
use super::credential::CarrierForm;
use super::failure::Refused;
use super::judge::{DeadRule, Sign, Test, Verdict};
use super::local::calls;
use super::login::{Encode, Field, Login, Value};
use super::refusal::{Class, RefusalRule};
use super::surface::{Carrier, Denial, Surface, TargetName, constants};
use crate::config::salesforce::{Grant, Header, Salesforce, User};
use crate::message::{HostRules, Origin};
use crate::secret::Source;

/// The provider of a Salesforce upstream.
pub fn provider(keys: &Salesforce, plain_http: &[String]) -> Provider {
    let form = match keys.header {
        Header::Bearer => CarrierForm::Bearer,
        Header::OAuth => CarrierForm::OAuth,
    };
    let login = match &keys.grant {
        Grant::ClientCredentials => login(
            &keys.login_url,
            "client_credentials",
            &keys.client_id,
            &keys.client_secret,
        ),
        Grant::Password(user) => {
            password_login(&keys.login_url, &keys.client_id, &keys.client_secret, user)
        }
    };
    let instance = InstanceField {
        place: Cow::Borrowed("/instance_url"),
        hosts: hosts(keys),
        plain_http: plain_http.to_vec(),
    };
    Provider {
        name: "salesforce",
        login,
        answer: answer_map(Some(instance), keys.session_timeout),
        refusals: refusals(),
        surfaces: vec![
            identity(form),
            logins(form),
            soap(form),
            bulk(),
            streaming(form),
        ],
        rest: rest(form),
        api: None,
        token_per_api: false,
    }
}

/// The password grant, which Zilliant uses too. Password and security token are one value.
pub(super) fn password_login(
    login_url: &Origin,
    client_id: &Source,
    client_secret: &Source,
    user: &User,
) -> Login {
    let mut login = login(login_url, "password", client_id, client_secret);
    login.parameters.extend([
        ("username".into(), Value::Fields(vec![Field::Username])),
        (
            "password".into(),
            Value::Fields(vec![Field::Password, Field::SecurityToken]),
        ),
    ]);
    login.sources.extend([
        (Field::Username, user.username.clone()),
        (Field::Password, user.password.clone()),
    ]);
    let token = user.security_token.iter();
    login
        .sources
        .extend(token.map(|token| (Field::SecurityToken, token.clone())));
    login
}

fn login(
    login_url: &Origin,
    grant: &'static str,
    client_id: &Source,
    client_secret: &Source,
) -> Login {
    Login {
        endpoint: login_url.clone(),
        path: Cow::Borrowed("/services/oauth2/token"),
        encode: Encode::Form,
        parameters: vec![
            ("grant_type".into(), Value::Text(grant.into())),
            ("client_id".into(), Value::Fields(vec![Field::ClientId])),
            (
                "client_secret".into(),
                Value::Fields(vec![Field::ClientSecret]),
            ),
        ],
        headers: vec![],
        sources: vec![
            (Field::ClientId, client_id.clone()),
            (Field::ClientSecret, client_secret.clone()),
        ],
    }
}

/// Where the fields of Salesforce's token answer stand; Zilliant's has no instance of its own.
pub(super) fn answer_map(instance: Option<InstanceField>, session_timeout: Duration) -> AnswerMap {
    AnswerMap {
        token: Cow::Borrowed("/access_token"),
        instance,
        expires_in: Cow::Borrowed("/expires_in"),
        unused: session_timeout,
        error_code: vec![Cow::Borrowed("/error")],
        error_text: vec![Cow::Borrowed("/error_description")],
    }
}

/// PROVIDERS 1.8. The order matters: `invalid_grant` is a rate limit, a policy or a password.
pub(super) fn refusals() -> Vec<RefusalRule> {
    let policy = Class::Refused(Refused::Policy);
    let client = Class::Refused(Refused::Client);
    vec![
        RefusalRule::text("token request is already being processed", Class::Again),
        RefusalRule::text("login rate exceeded", Class::Later(RATE_LIMITED)),
        RefusalRule::code("rate_limit_exceeded", Class::Later(RATE_LIMITED)),
        // The name that SOAP has for it.
        RefusalRule::code("LOGIN_RATE_EXCEEDED", Class::Later(RATE_LIMITED)),
        RefusalRule::code("unknown_error", Class::Again),
        RefusalRule::text("retry your request", Class::Again),
        // Locked for maintenance or for ever; asking now and then locks nobody out.
        RefusalRule::code("inactive_org", Class::Later(RATE_LIMITED)),
        RefusalRule::text("ip restricted", policy),
        RefusalRule::text("hasn't approved this consumer", policy),
        RefusalRule::text("audience", policy),
        RefusalRule::text("request not supported on this domain", policy),
        RefusalRule::text("no client credentials user enabled", policy),
        RefusalRule::text("no valid scopes defined", policy),
        RefusalRule::text("activation secret invalid", policy),
        RefusalRule::text("invalid assertion", client),
        RefusalRule::text("expired authorization code", client),
        RefusalRule::text("expired access/refresh token", client),
        // "authentication failure" is deliberately vague: a wrong password, a lock-out that ends by
        // itself, or the hourly login limit; the last two also without a password.
        RefusalRule::code("invalid_grant", Class::Refused(Refused::Password)),
        RefusalRule::code("invalid_client", client),
        RefusalRule::code("invalid_client_id", client),
    ]
}

fn hosts(keys: &Salesforce) -> HostRules {
    let allow = match &keys.instance_hosts {
        Some(hosts) => hosts.clone(),
        None => constants(&INSTANCE_HOSTS),
    };
    let mut hosts = HostRules::new(allow, constants(&NEVER));
    hosts.push_origin(&keys.login_url);
    hosts
}

fn family(name: &'static str, patterns: &[&str], form: CarrierForm) -> Surface {
    Surface {
        name,
        paths: constants(patterns),
        carriers: vec![Carrier {
            header: header::AUTHORIZATION,
            form,
        }],
        target: TargetName::Instance,
        dead: rest_dead(),
        denied: None,
        local: vec![],
        // Older clients put the session into the query; two tokens at once are an error (RFC 6750
        // section 2). Apex REST may have an `access_token` of its own, so that one stays.
        cut_parameters: vec!["oauth_token"],
        strip: vec![header::AUTHORIZATION, SESSION_HEADER],
        cookies: vec![],
        stamps: vec![],
    }
}

fn rest(form: CarrierForm) -> Surface {
    family("rest", &[], form)
}

/// Documents about the user: bearer tokens, and a text instead of JSON when they are dead.
fn identity(form: CarrierForm) -> Surface {
    let mut surface = family("identity", &["/id/**", "/services/oauth2/userinfo"], form);
    surface.dead.push(DeadRule {
        status: 403,
        sign: Sign::Text(Cow::Borrowed("Bad_OAuth_Token")),
        then: Verdict::Dead,
    });
    surface.cut_parameters.push("access_token");
    surface
}

/// Calls that mint, end or show a session (RELIABILITY C32).
fn logins(form: CarrierForm) -> Surface {
    let mut surface = family(
        "login",
        &[
            "/services/oauth2/**",
            "/services/a360/**",
            "/services/auth/**",
            "/services/authcallback/**",
            "/secur/**",
        ],
        form,
    );
    surface.denied = Some(Denial::Login);
    surface.local = calls::salesforce();
    surface
}

/// The session stands in the envelope there, so `login()` would be the only call that works.
fn soap(form: CarrierForm) -> Surface {
    let mut surface = family("soap", &["/services/Soap/**"], form);
    surface.denied = Some(Denial::NotBuilt("SOAP"));
    surface
}

fn bulk() -> Surface {
    let mut surface = family("bulk", &["/services/async/**"], CarrierForm::Token);
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
fn streaming(form: CarrierForm) -> Surface {
    let mut surface = family("streaming", &["/cometd/**"], form);
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

/// PROVIDERS 1.7. Not here: `INVALID_AUTH_HEADER`, which speaks of the header's form, and
/// `URL_NOT_RESET`, which speaks of the host; a new token would travel in the same header to the same
/// host.
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

/// Bulk 1.0's credential; also taken off everywhere else.
const SESSION_HEADER: HeaderName = HeaderName::from_static("x-sfdc-session");
const INSTANCE_HOSTS: [&str; 3] = ["*.salesforce.com", "*.salesforce.mil", "*.sfcrmproducts.cn"];
/// Answers API calls with a redirect (PROVIDERS 1.1).
const NEVER: [&str; 1] = ["*.lightning.force.com"];
/// The limit counts logins per hour (PROVIDERS 1.9: wait 15 to 30 min).
const RATE_LIMITED: Duration = Duration::from_secs(15 * 60);
