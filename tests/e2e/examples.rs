//! The files of `examples/`, as they are but for their addresses and credentials, in front of the emulator.

use serde_json::json;
use upauth::emulator::Dials;

use crate::support::{Emulated, SecretFile};

/// `text` with other values for keys that it has, and further lines at its end.
fn adapted(text: &str, values: &[(&str, &str)], more: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (key, value) in values {
        let mut found = lines.iter_mut().filter(|line| {
            let (name, _) = line.split_once('=').unwrap_or_default();
            name.trim() == *key
        });
        let line = found
            .next()
            .unwrap_or_else(|| panic!("{key} is not in\n{text}"));
        *line = format!("{key} = {value}");
        assert!(found.next().is_none(), "{key} is twice in\n{text}");
    }
    lines.push(more.to_owned());
    lines.join("\n")
}

const SALESFORCE: [(&str, &str); 2] = [
    ("login_url", "\"${DEMO_LOGIN_URL}\""),
    ("client_id", "\"${DEMO_CRM_CLIENT_ID}\""),
];
const SECRET: (&str, &str) = ("client_secret", "\"${DEMO_CRM_CLIENT_SECRET}\"");
const USERNAME: (&str, &str) = ("username", "\"${DEMO_USERNAME}\"");
const USER: [(&str, &str); 3] = [
    USERNAME,
    ("password", "\"${DEMO_PASSWORD}\""),
    ("security_token", "\"${DEMO_SECURITY_TOKEN}\""),
];
const INSTANCE: &str = "instance_hosts = [\"${DEMO_INSTANCE_HOST}\"]\n";

/// Runs `examples/NAME.toml`, calls `path`, and sees a token granted by `grant`.
async fn runs(name: &str, values: &[(&str, &str)], more: &str, path: &str, grant: &str) {
    let text = std::fs::read_to_string(format!("examples/{name}.toml")).unwrap();
    let at = Emulated::start(&adapted(&text, values, more)).await;
    let answer = at.proxy.get(path).await;
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    let label = if text.contains("\nenvironment") {
        " (sandbox)"
    } else {
        ""
    };
    let upstream = path.split('/').nth(1).unwrap();
    let expected = format!("{upstream}{label}");
    assert_eq!(answer.header("x-upauth-upstream"), Some(expected.as_str()));
    let counters = at.counters();
    // The emulated Zuora has one grant, and counts none.
    let granted = match grant {
        "zuora" => counters.billing_token_requests,
        _ => counters.grants[grant],
    };
    assert_eq!(granted, 1, "{name}");
    assert_eq!(
        (counters.refused_logins, counters.dummy_credentials),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_salesforce_run() {
    let limits = "/crm/services/data/v64.0/limits";
    let secret = [&SALESFORCE[..], &[SECRET]].concat();
    runs(
        "salesforce",
        &secret,
        INSTANCE,
        limits,
        "salesforce client_credentials",
    )
    .await;
    let password = [&secret[..], &USER].concat();
    runs(
        "salesforce-password",
        &password,
        INSTANCE,
        limits,
        "salesforce password",
    )
    .await;
    let key = ("private_key", "\"${DEMO_CRM_PRIVATE_KEY}\"");
    let jwt = [&SALESFORCE[..], &[USERNAME, key]].concat();
    runs(
        "salesforce-jwt",
        &jwt,
        INSTANCE,
        limits,
        "salesforce jwt_bearer",
    )
    .await;
    let token = ("refresh_token", "\"${DEMO_CRM_REFRESH_TOKEN}\"");
    let refresh = [&secret[..], &[token]].concat();
    runs(
        "salesforce-refresh-token",
        &refresh,
        INSTANCE,
        limits,
        "salesforce refresh_token",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_program_runs_with_what_sf_prints() {
    let token = "00Dxx0000000001!AQ4A.of_sf";
    let printed = json!({"status": 0, "result": {"accessToken": token}, "warnings": ["This command exposes sensitive information"]});
    let file = SecretFile::new("sf.json", &printed.to_string());
    let text = std::fs::read_to_string("examples/salesforce-command.toml").unwrap();
    let command = format!("[\"cat\", \"{}\"]", file.0.display());
    let values = [
        ("command", command.as_str()),
        ("api_url", "\"http://${DEMO_INSTANCE_HOST}\""),
    ];
    let at = Emulated::start(&adapted(&text, &values, "")).await;
    // The emulator knows the token as one that it gave to another program.
    let exact = json!({"access_token": token, "instance_url": "https://acme.my.salesforce.com"});
    at.turn(|dials: &mut Dials| dials.answer.exact = Some(exact.to_string()));
    crate::salesforce::grants::token(&at).await;
    let answer = at.proxy.get("/crm/services/data/v64.0/limits").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-upauth-upstream"), Some("crm (sandbox)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_other_providers_run() {
    let pricing = [
        &SALESFORCE[..],
        &[SECRET, ("api_url", "\"${DEMO_PRICING_URL}\"")],
        &USER,
    ]
    .concat();
    runs(
        "zilliant",
        &pricing,
        "",
        "/pricing/v1/LogicalEntityData/Product",
        "salesforce password",
    )
    .await;
    let billing = [
        ("login_url", "\"${DEMO_BILLING_URL}\""),
        ("client_id", "\"${DEMO_BILLING_CLIENT_ID}\""),
        ("client_secret", "\"${DEMO_BILLING_CLIENT_SECRET}\""),
    ];
    runs("zuora", &billing, "", "/billing/v1/accounts", "zuora").await;
    let tickets = [
        ("token_url", "\"${DEMO_OAUTH_TOKEN_URL}\""),
        ("api_url", "\"${DEMO_OAUTH_API_URL}\""),
        ("client_id", "\"${DEMO_OAUTH_CLIENT_ID}\""),
        ("client_secret", "\"${DEMO_OAUTH_CLIENT_SECRET}\""),
    ];
    runs(
        "oauth2",
        &tickets,
        "",
        "/tickets/me",
        "oauth2 client_credentials",
    )
    .await;
}
