//! Logins and logouts that are answered here: by each provider's own calls, with and without keys.

/// The addresses in an answer, and what the operator says.
mod places;
/// Logins that are refused.
mod refused;
/// Logins without a key whose bodies do not come.
mod strangers;
/// What an answer says of the proxy's own token.
mod told;

use serde_json::Value;
use upauth::secret::Digest;

use crate::support::emulated::{BILLING, CRM, MAIL, MAIL_LEGACY, PRICING};
use crate::support::{Answer, Emulated, TestProxy};

const KEY: &str = "upauth-0123456789abcdef0123456789abcdef";
const TOKEN: &str = "/services/oauth2/token";
const LIMITS: &str = "/crm/services/data/v61.0/limits";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// `[access] keys`: `etl` for everything, `reports` for reading `crm`.
fn keys() -> String {
    let digest = |key: &str| Digest::of(key.as_bytes()).to_hex();
    format!(
        "[access]\nkeys = [\n{{ name = \"etl\", sha256 = \"{}\" }},\n\
         {{ name = \"reports\", sha256 = \"{}\", upstreams = [\"crm\"], read_only = true }},\n]\n",
        digest(KEY),
        digest("the key for reports")
    )
}

async fn with_keys() -> Emulated {
    Emulated::start(&format!("{CRM}{BILLING}{PRICING}{}", keys())).await
}

async fn post(proxy: &TestProxy, path: &str, lines: &str, body: &str) -> Answer {
    proxy.caller().await.post_with(path, lines, body).await
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {value}"))
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_insists_on_logging_in_is_served_without_keys() {
    let it = Emulated::start(&format!("{CRM}{BILLING}")).await;
    let login = post(
        &it.proxy,
        &format!("/crm{TOKEN}"),
        FORM,
        "grant_type=password&username=u&password=p",
    )
    .await;
    assert_eq!(
        (login.status, login.header("cache-control")),
        (200, Some("no-store"))
    );
    assert!(login.header("x-request-id").is_some());
    let login = login.json();
    assert_eq!(text(&login, "instance_url"), "http://localhost/crm");
    assert!(text(&login, "id").starts_with("http://localhost/crm/id/"));
    let lines = format!("Authorization: Bearer {}\r\n", text(&login, "access_token"));
    assert_eq!(it.proxy.get_with(LIMITS, &lines).await.status, 200);
    let body = "grant_type=client_credentials&client_id=i&client_secret=s";
    let login = post(&it.proxy, "/billing/oauth/token", FORM, body).await;
    assert_eq!(login.status, 200);
    assert_eq!(login.json()["expires_in"], 3598);
    let out = post(
        &it.proxy,
        "/crm/services/oauth2/revoke",
        FORM,
        "token=whatever",
    )
    .await;
    assert_eq!((out.status, out.text().as_str()), (200, ""));
    assert_eq!(
        it.proxy
            .get("/crm/services/oauth2/revoke?token=x")
            .await
            .status,
        200
    );
    let counters = it.counters();
    assert_eq!(
        (it.logins(), counters.refused_logins),
        (2, 0),
        "only the proxy's own"
    );
    assert_eq!(
        (
            counters.api_requests["instance"],
            counters.dummy_credentials
        ),
        (1, 0),
        "nothing of a login goes on"
    );
}

/// Every row logs in with the one key: the query, header lines, the body. `KEY` is that key, `TOKEN` a security token.
async fn placeholder(it: &Emulated, rows: &[(&str, &str, &str)]) -> String {
    let token = "T".repeat(24);
    let filled = |text: &str| text.replace("KEY", KEY).replace("TOKEN", &token);
    let mut placeholders = Vec::new();
    for (query, lines, body) in rows {
        let path = format!("/crm{TOKEN}{}", filled(query));
        let login = post(&it.proxy, &path, lines, &filled(body)).await;
        assert_eq!(login.status, 200, "{query} {body}: {}", login.text());
        placeholders.push(text(&login.json(), "access_token").to_owned());
    }
    placeholders.dedup();
    assert_eq!(placeholders.len(), 1, "{placeholders:?}");
    placeholders.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_a_login_by_every_grant() {
    let it = with_keys().await;
    let rows = [
        "client_credentials&client_id=i&client_secret=KEY",
        "password&username=u&password=p&client_secret=KEY",
        "password&username=u&password=KEY&client_secret=old",
        "password&username=u&password=KEYTOKEN",
        "password&username=u&password=KEYTOKEN5",
        "authorization_code&code=c%3D%3D&client_secret=KEY",
        "hybrid_auth_code&code=c%3D%3D&client_secret=KEY",
        "urn:ietf:params:oauth:grant-type:token-exchange&subject_token=e30.e30.c2ln\
         &subject_token_type=urn:ietf:params:oauth:token-type:jwt&client_secret=KEY",
    ]
    .map(|grant| format!("grant_type={grant}"));
    let rows: Vec<_> = rows.iter().map(|body| ("", FORM, body.as_str())).collect();
    let placeholder = placeholder(&it, &rows).await;
    let token = placeholder.replace('!', "%21");
    for grant in [
        "refresh_token&refresh_token=",
        "hybrid_refresh&refresh_token=",
        "urn:ietf:params:oauth:grant-type:token-exchange&subject_token=",
    ] {
        let body = format!("client_id=i&grant_type={grant}{token}");
        let again = post(&it.proxy, &format!("/crm{TOKEN}"), FORM, &body).await;
        assert_eq!(text(&again.json(), "access_token"), placeholder, "{grant}");
    }
    let body = format!("grant_type=client_credentials&client_secret={KEY}");
    let billing = post(&it.proxy, "/billing/oauth/token", FORM, &body).await;
    assert_eq!(text(&billing.json(), "access_token"), placeholder);
    assert_eq!(
        it.logins(),
        2,
        "the proxy's own alone: one for each upstream"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_a_login_in_every_encoding_and_place() {
    let it = with_keys().await;
    let body = "grant_type=client_credentials&client_id=i&client_secret=KEY";
    let parts = "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n\
                 --b\r\nContent-Disposition: form-data; name=\"client_secret\"\r\n\r\nKEY\r\n--b--\r\n";
    let multipart = "Content-Type: multipart/form-data; boundary=b\r\n";
    let by_header = format!("{FORM}X-Upauth-Key: {KEY}\r\n");
    let by_basic = format!("{FORM}{}", basic("i", KEY));
    let jwt = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a";
    let rows = [
        ("", FORM, body),
        ("?grant_type=password&username=u&password=KEY", "", ""),
        ("", multipart, parts),
        ("", &by_basic, "grant_type=client_credentials"),
        ("", &by_header, jwt),
    ];
    placeholder(&it, &rows).await;
    assert_eq!(it.logins(), 1, "the proxy's own alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_lets_in_wherever_clients_put_it() {
    let it = with_keys().await;
    let body = format!("grant_type=password&username=u&password={KEY}");
    let login = post(&it.proxy, &format!("/crm{TOKEN}"), FORM, &body)
        .await
        .json();
    let token = text(&login, "access_token").to_owned();
    let whole = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(login.to_string())
    };
    let query = format!("{LIMITS}?oauth_token={}", token.replace('!', "%21"));
    for (path, lines) in [
        (LIMITS, format!("Authorization: Bearer {token}\r\n")),
        (LIMITS, format!("Authorization: OAuth {token}\r\n")),
        (LIMITS, basic("u", &token)),
        (LIMITS, format!("X-SFDC-Session: {token}\r\n")),
        (
            "/crm/services/async/61.0/job",
            format!("X-SFDC-Session: {token}\r\n"),
        ),
        (&query, String::new()),
        (
            "/pricing/v1/LogicalEntityData/Price",
            format!("Authorization: OAuth {whole}\r\n"),
        ),
    ] {
        let answer = it.proxy.get_with(path, &lines).await;
        assert!(answer.status != 403, "{path} {lines}: {}", answer.text());
    }
    for lines in [
        format!("Authorization: Bearer {token}x\r\n"),
        "Authorization: Bearer 00D000000000000!upauth.placeholder\r\n".to_owned(),
    ] {
        assert_eq!(it.proxy.get_with(LIMITS, &lines).await.code(), "UA-0221");
    }
    // Another process with the same configuration knows it.
    let replica = Emulated::start(&format!("{CRM}{}", keys().replace("reports", "others"))).await;
    let lines = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(replica.proxy.get_with(LIMITS, &lines).await.status, 200);
    // One that has taken the key back does not.
    let other = keys().replace(
        &Digest::of(KEY.as_bytes()).to_hex(),
        &Digest::of(b"new").to_hex(),
    );
    let other = Emulated::start(&format!("{CRM}{other}")).await;
    assert_eq!(other.proxy.get_with(LIMITS, &lines).await.code(), "UA-0221");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_generation_of_marketing_cloud_logs_in_by_its_own_call() {
    let keys = keys().replace(", upstreams = [\"crm\"]", "");
    let it = Emulated::start(&format!("{MAIL}{MAIL_LEGACY}{keys}")).await;
    let newer =
        format!(r#"{{"grant_type":"client_credentials","client_id":"i","client_secret":"{KEY}"}}"#);
    let newer = post(&it.proxy, "/mail/v2/token", "", &newer).await.json();
    let rest = text(&newer, "rest_instance_url");
    assert_eq!(rest, "http://localhost/mail/");
    let older = format!(r#"{{"clientId":"i","clientSecret":"{KEY}","accessType":"offline"}}"#);
    let older = post(&it.proxy, "/mail-legacy/v1/requestToken", "", &older).await;
    let older = older.json();
    assert_eq!(older["refreshToken"], older["accessToken"]);
    for (name, login, field) in [
        ("mail", &newer, "access_token"),
        ("mail-legacy", &older, "accessToken"),
    ] {
        let path = format!("/{name}/asset/v1/content/assets");
        assert_eq!(it.proxy.get(&path).await.code(), "UA-0220");
        let token = text(login, field);
        let query = format!("{path}?access_token={}", token.replace('!', "%21"));
        let bearer = format!("Authorization: Bearer {token}\r\n");
        for (path, lines) in [(&path, bearer), (&query, String::new())] {
            let answer = it.proxy.get_with(path, &lines).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        }
    }
    let wrong = r#"{"grant_type":"client_credentials","client_secret":"wrong"}"#;
    let refused = post(&it.proxy, "/mail/v2/token", "", wrong).await;
    assert_eq!(refused.json()["error"], "invalid_client");
    let refused = post(&it.proxy, "/mail-legacy/v1/requestToken", "", "{}").await;
    assert_eq!(
        (refused.status, refused.json()["errorcode"].as_u64()),
        (401, Some(1))
    );
}
