//! The login, introspection and logout calls of each provider, as their clients make them.

use super::Plain::{Number, Text, True};
use super::{
    Encoding, Grant, Introspection, Line, LocalCall, LocalKind, LocalLogin, Plain, Refusal, Said,
    Secret, When,
};
use crate::provider::surface::constants;

/// Salesforce's, and so Zilliant's. The device flow is not among them: a person would have to approve it at an address
/// that leads nowhere here, and its clients hold no key.
pub fn salesforce() -> Vec<LocalCall> {
    // A site of the org has its own, behind its name.
    let call = |method: &str, name: &str, kind| {
        let [root, site] = ["", "/*"].map(|site| format!("{method} {site}/services/oauth2/{name}"));
        call(&[&root, &site], Encoding::Form, kind)
    };
    let logout = LocalKind::Logout { token: "token" };
    vec![
        call("POST", "token", LocalKind::Login(SALESFORCE_LOGIN)),
        call(
            "POST",
            "introspect",
            LocalKind::Introspection(SALESFORCE_INTROSPECTION),
        ),
        call("POST", "revoke", logout.clone()),
        call("GET", "revoke", logout),
    ]
}

const SALESFORCE_LOGIN: LocalLogin = LocalLogin {
    grant: Some("grant_type"),
    grants: &[
        grant(PASSWORD),
        grant(CLIENT_CREDENTIALS),
        grant(CODE),
        grant("hybrid_auth_code"),
        grant(REFRESH),
        grant("hybrid_refresh"),
        keyless(JWT),
        keyless(SAML),
        // The same document without an app of its own (Salesforce Help, `remoteaccess_oauth_web_sso_flow`).
        keyless("assertion"),
        grant(EXCHANGE),
    ],
    secrets: &[
        Secret::Whole("client_secret"),
        Secret::Password("password"),
        Secret::Whole("refresh_token"),
        Secret::Whole("subject_token"),
    ],
    answer: &[
        always("access_token", Said::Placeholder),
        always("instance_url", Said::Here("")),
        always("id", Said::Identity),
        always("token_type", Said::Fixed(Text("Bearer"))),
        // Assertions are answered without these two (crate `force`), passwords without a scope (Salesforce's Postman
        // collection).
        line("issued_at", Said::Now, SIGNED),
        line(
            "signature",
            Said::Fixed(Text("bm90IGEgc2lnbmF0dXJl")),
            SIGNED,
        ),
        line("scope", Said::Scope("api"), SCOPED),
        line(
            "refresh_token",
            Said::Placeholder,
            When::By(&[CODE, "hybrid_auth_code"]),
        ),
        // RFC 8693 section 2.2.1.
        line(
            "issued_token_type",
            Said::Fixed(Text("urn:ietf:params:oauth:token-type:access_token")),
            When::By(&[EXCHANGE]),
        ),
    ],
    refusal: Refusal {
        status: Some(400),
        reason: ("error_description", "invalid client credentials"),
        body: INVALID_CLIENT,
    },
    unsupported: Refusal {
        status: Some(400),
        reason: ("error_description", "grant type not supported"),
        body: UNSUPPORTED,
    },
    unavailable: SALESFORCE_UNAVAILABLE,
};

const SALESFORCE_INTROSPECTION: Introspection = Introspection {
    token: "token",
    active: &[
        always("active", Said::Fixed(True)),
        always("scope", Said::Scope("api")),
        line(
            "client_id",
            Said::Echo("client_id"),
            When::Asked("client_id", ""),
        ),
        always("sub", Said::Identity),
        always("token_type", Said::Fixed(Text("access_token"))),
        // That of a session in use: a placeholder itself does not expire.
        always("exp", Said::Later(7200)),
        always("iat", Said::Later(0)),
        always("nbf", Said::Later(0)),
    ],
    unavailable: SALESFORCE_UNAVAILABLE,
};

/// Zuora's (developer.zuora.com, "Create an OAuth token").
pub fn zuora() -> Vec<LocalCall> {
    const LOGIN: LocalLogin = LocalLogin {
        grant: Some("grant_type"),
        grants: &[grant(CLIENT_CREDENTIALS)],
        secrets: &[Secret::Whole("client_secret")],
        answer: &[
            always("access_token", Said::Placeholder),
            always("token_type", Said::Fixed(Text("bearer"))),
            always("expires_in", Said::Fixed(Number(3598))),
            // Clients take the names of entities from it (optimizely/zuora-client-python).
            always("scope", Said::Scope("service.echo.read")),
            always("jti", Said::Fixed(Text("upauth"))),
        ],
        refusal: Refusal {
            status: Some(401),
            reason: ("message", "Invalid client secret"),
            body: &[],
        },
        unsupported: Refusal {
            status: Some(400),
            reason: ("message", "grant_type is missing or not supported"),
            body: &[],
        },
        unavailable: Refusal {
            status: None,
            reason: ("message", "No token can be had now"),
            body: &[],
        },
    };
    vec![call(
        &["POST /oauth/token"],
        Encoding::Form,
        LocalKind::Login(LOGIN),
    )]
}

/// Marketing Cloud's older one ("requestToken Reference for Legacy Packages"), which has one grant and names none.
pub fn marketing_cloud_legacy() -> Vec<LocalCall> {
    const REFUSAL: Refusal = Refusal {
        status: Some(401),
        reason: ("message", "Unauthorized"),
        body: &[
            (
                "documentation",
                Text("https://code.docs.exacttarget.com/rest/errors/401"),
            ),
            ("errorcode", Number(1)),
        ],
    };
    const LOGIN: LocalLogin = LocalLogin {
        grant: None,
        grants: &[grant("")],
        secrets: &[Secret::Whole("clientSecret"), Secret::Whole("refreshToken")],
        answer: &[
            always("accessToken", Said::Placeholder),
            always("expiresIn", Said::Fixed(Number(3600))),
            line(
                "refreshToken",
                Said::Placeholder,
                When::Asked("accessType", "offline"),
            ),
            line(
                "refreshToken",
                Said::Placeholder,
                When::Asked("refreshToken", ""),
            ),
            line("legacyToken", Said::Placeholder, When::Asked("legacy", "1")),
        ],
        refusal: REFUSAL,
        unsupported: REFUSAL,
        unavailable: Refusal {
            status: None,
            reason: ("message", "No token can be had now"),
            body: &[("errorcode", Number(0))],
        },
    };
    vec![call(
        &["POST /v1/requestToken"],
        Encoding::Json,
        LocalKind::Login(LOGIN),
    )]
}

/// Marketing Cloud's newer one ("Access Token for Server-to-Server Integrations"). Its addresses end with a slash.
pub fn marketing_cloud() -> Vec<LocalCall> {
    const LOGIN: LocalLogin = LocalLogin {
        grant: Some("grant_type"),
        grants: &[grant(CLIENT_CREDENTIALS), grant(CODE), grant(REFRESH)],
        secrets: &[
            Secret::Whole("client_secret"),
            Secret::Whole("refresh_token"),
        ],
        answer: &[
            always("access_token", Said::Placeholder),
            always("token_type", Said::Fixed(Text("Bearer"))),
            always("expires_in", Said::Fixed(Number(1079))),
            always("scope", Said::Scope("")),
            always("rest_instance_url", Said::Here("/")),
            always("soap_instance_url", Said::Here("/")),
            line(
                "refresh_token",
                Said::Placeholder,
                When::By(&[CODE, REFRESH]),
            ),
        ],
        refusal: Refusal {
            status: Some(401),
            reason: ("error_description", "Client authentication failed."),
            body: INVALID_CLIENT,
        },
        unsupported: Refusal {
            status: Some(400),
            reason: ("error_description", "The grant type is not supported."),
            body: UNSUPPORTED,
        },
        unavailable: Refusal {
            status: None,
            reason: ("error_description", "No token can be had now."),
            body: SERVER_ERROR,
        },
    };
    vec![call(
        &["POST /v2/token"],
        Encoding::Json,
        LocalKind::Login(LOGIN),
    )]
}

fn call(on: &[&str], encoding: Encoding, kind: LocalKind) -> LocalCall {
    LocalCall {
        on: constants(on),
        encoding,
        kind,
    }
}

const fn grant(name: &'static str) -> Grant {
    Grant {
        name,
        keyless: false,
    }
}

const fn keyless(name: &'static str) -> Grant {
    Grant {
        name,
        keyless: true,
    }
}

const fn line(name: &'static str, said: Said, when: When) -> Line {
    Line { name, said, when }
}

const fn always(name: &'static str, said: Said) -> Line {
    line(name, said, When::Always)
}

const PASSWORD: &str = "password";
const CLIENT_CREDENTIALS: &str = "client_credentials";
const CODE: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SAML: &str = "urn:ietf:params:oauth:grant-type:saml2-bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const SIGNED: When = When::By(&[
    PASSWORD,
    CLIENT_CREDENTIALS,
    CODE,
    "hybrid_auth_code",
    REFRESH,
    "hybrid_refresh",
]);
const SCOPED: When = When::By(&[
    CLIENT_CREDENTIALS,
    CODE,
    "hybrid_auth_code",
    REFRESH,
    "hybrid_refresh",
    JWT,
    SAML,
    EXCHANGE,
]);
/// Salesforce's own word for "try again" (amazon-connect/amazon-connect-salesforce-lambda, issue 43).
const SALESFORCE_UNAVAILABLE: Refusal = Refusal {
    status: None,
    reason: ("error_description", "no token can be had now"),
    body: &[("error", Text("unknown_error"))],
};
/// RFC 6749 section 5.2.
const INVALID_CLIENT: &[(&str, Plain)] = &[("error", Text("invalid_client"))];
const SERVER_ERROR: &[(&str, Plain)] = &[("error", Text("server_error"))];
const UNSUPPORTED: &[(&str, Plain)] = &[("error", Text("unsupported_grant_type"))];
