//! What each provider needs, and what it is called where people ask for it.

/// What an upstream of one provider cannot do without.
pub(super) struct Kind {
    pub(super) provider: &'static str,
    /// Its usual name.
    pub(super) name: &'static str,
    /// Keys whose values are no secrets, each with what it is.
    pub(super) keys: &'static [(&'static str, &'static str)],
    /// Keys that some accounts have, each with what it is: asked for, and nothing is an answer.
    pub(super) optional: &'static [(&'static str, &'static str)],
    /// Keys whose values come from the environment.
    pub(super) secrets: &'static [&'static str],
}

/// In the order in which they are named to somebody who asks.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        provider: "salesforce",
        name: "crm",
        keys: &[
            (
                "login_url",
                "the org's own host: https://YOUR-DOMAIN.my.salesforce.com (Setup, My Domain)",
            ),
            (
                "client_id",
                "the consumer key of the app, for which the client credentials flow is enabled",
            ),
        ],
        optional: &[],
        secrets: &["client_secret"],
    },
    Kind {
        provider: "zilliant",
        name: "pricing",
        keys: &[
            (
                "login_url",
                "https://login.salesforce.com, or https://test.salesforce.com for a sandbox",
            ),
            ("api_url", "the environment's address: https://..."),
            ("client_id", "the consumer key"),
            ("username", "the user's name"),
        ],
        optional: &[],
        secrets: &["client_secret", "password", "security_token"],
    },
    Kind {
        provider: "zuora",
        name: "billing",
        keys: &[
            (
                "login_url",
                "the REST host of the data centre: https://rest.zuora.com, https://rest.eu.zuora.com, https://rest.test.zuora.com, ...",
            ),
            ("client_id", "the id of the OAuth client"),
        ],
        optional: &[],
        secrets: &["client_secret"],
    },
    Kind {
        provider: "marketing-cloud",
        name: "mail",
        keys: &[
            (
                "login_url",
                "the package's authentication base URI: https://TENANT.auth.marketingcloudapis.com",
            ),
            ("client_id", "the package's client id"),
        ],
        optional: &[],
        secrets: &["client_secret"],
    },
    Kind {
        provider: "marketing-cloud-legacy",
        name: "mail",
        keys: &[("client_id", "the legacy package's client id")],
        optional: &[
            (
                "login_url",
                "the authentication base URI, if the package shows one: https://TENANT.auth.marketingcloudapis.com",
            ),
            (
                "api_url",
                "the REST base URI, if the package shows one: https://TENANT.rest.marketingcloudapis.com",
            ),
        ],
        secrets: &["client_secret"],
    },
    Kind {
        provider: "oauth2",
        name: "api",
        keys: &[
            (
                "token_url",
                "the token endpoint, with its path: https://login.example.com/oauth2/token",
            ),
            (
                "api_url",
                "the API; a path in it stands in front of every call: https://api.example.com/v3",
            ),
            ("client_id", "the client's id"),
        ],
        optional: &[],
        secrets: &["client_secret"],
    },
];
