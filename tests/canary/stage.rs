//! Where the run takes place: upstreams of every kind, with secrets from everywhere.

use std::fmt::{Debug, Write};
use std::path::Path;

use upauth::config::Config;
use upauth::emulator::{Emulator, Settings};
use upauth::telemetry::{AccessLog, Format};

use crate::held::Held;
use crate::over_http2::OverHttp2;
use crate::run::Run;
use crate::support::canary::Canaries;
use crate::support::tls::{Ca, Folder};
use crate::support::{Scripted, TestProxy};

/// All providers; upstreams that fail in every way; secrets from the file, the environment, a file, a program and a store.
pub async fn begin(
    folder: &Folder,
    access_log: &Path,
    mut canaries: Canaries,
) -> (Run, Scripted, OverHttp2, Held) {
    let emulator = Emulator::start(Settings::default()).await.unwrap();
    let (tls, ca) = (Scripted::constant("ok").await, Ca::new());
    let front = ca.front("localhost", tls.addr).await;
    let over_http2 = OverHttp2::start().await;
    let held = Held::start(&ca, folder, &mut canaries).await;
    let ca = folder.write("ca.pem", &ca.pem);
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let secret_file = folder.write("secret", "canary \"secret\" from/a+file\n");
    let text = text(front.port(), &ca, &dead.to_string(), &secret_file)
        + &over_http2.text()
        + &held.text(&ca);
    for (name, value) in OWN_SECRETS {
        canaries.add(name, value);
    }
    let variables = emulator.variables();
    for (name, value) in &variables {
        if ["SECRET", "PASSWORD", "TOKEN"]
            .iter()
            .any(|word| name.contains(word))
            && !name.ends_with("_URL")
        {
            canaries.add(name, value);
        }
    }
    for (name, value) in &variables {
        // A line from the middle of a key is as bad as all of it.
        if let Some(line) = value
            .lines()
            .nth(2)
            .filter(|_| name.ends_with("PRIVATE_KEY"))
        {
            canaries.add(name, line);
        }
    }
    let log = AccessLog::file(access_log, Format::Json).unwrap();
    let proxy = TestProxy::start_with(&text, &variables, log);
    held.keep_keys(&mut canaries);
    let mut run = Run {
        emulator,
        proxy,
        canaries,
        told: String::new(),
    };
    run.note(&run_config(&text, &variables));
    let broken = text
        .replace("grant = ", "grand = ")
        .replace("api_url", "\"unclosed");
    for text in [broken, text.replace("\"canary", "canary")] {
        let env = |_: &str| None;
        let problems = Config::parse(&text, "broken.toml", Path::new("."), &env)
            .err()
            .unwrap();
        writeln!(run.told, "{problems}{}{problems:?}", problems.render(false)).unwrap();
    }
    (run, tls, over_http2, held)
}

/// The configuration.
fn text(tls_port: u16, ca: &Path, dead: &str, secret_file: &Path) -> String {
    let salesforce = "login_url = \"${DEMO_LOGIN_URL}\"\nclient_id = \"${DEMO_CRM_CLIENT_ID}\"\nclient_secret = { env = \"DEMO_CRM_CLIENT_SECRET\" }\n";
    let person = "username = \"${DEMO_USERNAME}\"\npassword = \"${DEMO_PASSWORD}\"\nsecurity_token = \"${DEMO_SECURITY_TOKEN}\"\n";
    let hosts = "instance_hosts = [\"${DEMO_INSTANCE_HOST}\"]\n";
    let zuora = "provider = \"zuora\"\nlogin_url = \"${DEMO_BILLING_URL}\"\nclient_id = \"${DEMO_BILLING_CLIENT_ID}\"\n";
    let mail = "provider = \"marketing-cloud\"\nlogin_url = \"${DEMO_MAIL_LOGIN_URL}\"\nclient_id = \"${DEMO_MAIL_CLIENT_ID}\"\n\
        instance_hosts = [\"${DEMO_MAIL_HOST}\", \"${DEMO_MAIL_SOAP_HOST}\"]\n";
    let legacy = "provider = \"marketing-cloud-legacy\"\nlogin_url = \"${DEMO_MAIL_LEGACY_LOGIN_URL}\"\nlegacy_token = true\n\
        api_url = \"${DEMO_MAIL_LEGACY_URL}\"\nclient_id = \"${DEMO_MAIL_LEGACY_CLIENT_ID}\"\n";
    let any = "provider = \"oauth2\"\ntoken_url = \"${DEMO_OAUTH_TOKEN_URL}\"\napi_url = \"${DEMO_OAUTH_API_URL}\"\n\
        client_id = \"${DEMO_OAUTH_CLIENT_ID}\"\n";
    let signed = "grant = \"jwt_bearer\"\nclient_id = \"${DEMO_CRM_CLIENT_ID}\"\nusername = \"${DEMO_USERNAME}\"\n\
        private_key = \"${DEMO_CRM_PRIVATE_KEY}\"\n";
    format!(
        "[upstream.any]\n{any}client_secret = \"${{DEMO_OAUTH_CLIENT_SECRET}}\"\nclient_auth = \"basic\"\n\
         request = {{ tenant = {{ command = [\"echo\", \"canary of a request\"] }} }}\ntoken_headers = {{ X-Api-Key = {{ file = {secret_file:?} }} }}\n\
         [upstream.any-signed]\n{any}client_auth = \"private_key_jwt\"\nprivate_key = \"${{DEMO_OAUTH_PRIVATE_KEY}}\"\n\
         header = {{ name = \"X-Api-Key\", value = \"Tok {{access_token}}\" }}\n\
         [upstream.any-refresh]\n{any}grant = \"refresh_token\"\nclient_secret = \"${{DEMO_OAUTH_CLIENT_SECRET}}\"\nrotates = \"never\"\n\
         refresh_token = \"canary+refresh/token of nobody\"\n\
         [upstream.crm-jwt]\nprovider = \"salesforce\"\nlogin_url = \"${{DEMO_LOGIN_URL}}\"\n{signed}{hosts}\
         [upstream.crm-program]\nprovider = \"salesforce\"\ngrant = \"command\"\napi_url = \"http://${{DEMO_INSTANCE_HOST}}\"\n\
         command = [\"echo\", \"canary!token.of.a.program\"]\n\
         [upstream.crm-failing]\nprovider = \"salesforce\"\ngrant = \"command\"\napi_url = \"http://${{DEMO_INSTANCE_HOST}}\"\ntoken_wait = \"200ms\"\n\
         command = [\"sh\", \"-c\", \"echo canary words of a program; echo canary words of a program >&2; exit 3\"]\n\
         [upstream.crm]\nprovider = \"salesforce\"\n{salesforce}{hosts}\
         [upstream.crm-user]\nprovider = \"salesforce\"\ngrant = \"password\"\nheader = \"oauth\"\n{salesforce}{person}{hosts}\
         [upstream.pricing]\nprovider = \"zilliant\"\napi_url = \"${{DEMO_PRICING_URL}}\"\n{salesforce}{person}\
         [upstream.billing]\n{zuora}client_secret = \"${{DEMO_BILLING_CLIENT_SECRET}}\"\n\
         [upstream.mail]\n{mail}client_secret = \"${{DEMO_MAIL_CLIENT_SECRET}}\"\n\
         [upstream.mail-legacy]\n{legacy}client_secret = \"${{DEMO_MAIL_LEGACY_CLIENT_SECRET}}\"\n\
         [upstream.mail-shut]\n{mail}client_secret = \"canary \\\"wrong\\\" mail\"\n\
         [upstream.wrong]\nprovider = \"salesforce\"\ngrant = \"password\"\n{salesforce}{hosts}\
         username = \"nobody@acme.example\"\npassword = \"canary wrong & password=1\"\nsecurity_token = \"canaryWrongToken\"\n\
         [upstream.shut]\n{zuora}client_secret = \"canary+wrong/client=secret\"\n\
         [upstream.dead]\n{zuora}client_secret = \"${{DEMO_BILLING_CLIENT_SECRET}}\"\napi_url = \"http://{dead}\"\n\
         [upstream.secret-file]\n{zuora}client_secret = {{ file = {secret_file:?} }}\n\
         [upstream.over-tls]\nprovider = \"zuora\"\nlogin_url = \"https://localhost:{}\"\nclient_id = \"id\"\n\
         client_secret = {{ command = [\"echo\", \"canary from a program\"] }}\nca = {{ file = {ca:?} }}\n",
        tls_port
    )
}

fn run_config(text: &str, variables: &[(String, String)]) -> impl Debug + use<> {
    let env = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let checked = Config::parse(text, "test.toml", Path::new("."), &env).unwrap();
    let providers: Vec<_> = checked
        .config
        .upstreams
        .iter()
        .map(upauth::provider::Provider::of)
        .collect();
    (checked, providers)
}

/// The secrets that stand in the configuration itself, or where it points to.
const OWN_SECRETS: [(&str, &str); 10] = [
    ("secret of a request", "canary of a request"),
    (
        "refresh token of any-refresh",
        "canary+refresh/token of nobody",
    ),
    ("token of a program", "canary!token.of.a.program"),
    ("words of a program", "canary words of a program"),
    ("client secret of mail-shut", "canary \"wrong\" mail"),
    ("password of wrong", "canary wrong & password=1"),
    ("security token of wrong", "canaryWrongToken"),
    ("client secret of shut", "canary+wrong/client=secret"),
    ("secret in a file", "canary \"secret\" from/a+file"),
    ("secret of a program", "canary from a program"),
];
