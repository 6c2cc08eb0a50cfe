//! Callers' keys and their placeholders: shown in every place, right and wrong, and typed into logins.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use upauth::secret::Digest;
use upauth::telemetry::{AccessLog, Format};

use crate::run::Run;
use crate::support::{Answer, Caller, H2, TestProxy, emulated};

const KEY: &str = "upauth-canary0123456789abcdef01234567";
const WRONG: &str = "upauth-canary-that-is-no-key-98765432";
const REVOKE: &str = "/crm/services/oauth2/revoke";

impl Run {
    /// Everything that callers do with keys, at a proxy of its own.
    pub async fn keyed(&mut self, access_log: &Path) {
        let digest = Digest::of(KEY.as_bytes()).to_hex();
        let access = format!("[access]\nkeys = [{{ name = \"etl\", sha256 = \"{digest}\" }}]\n");
        for (name, value) in [
            ("key", KEY),
            ("wrong key", WRONG),
            ("digest of a key", &digest),
        ] {
            self.canaries.add(name, value);
        }
        let text = format!("{}{}{access}", emulated::CRM, emulated::BILLING);
        let log = AccessLog::file(access_log, Format::Text).unwrap();
        let proxy = TestProxy::start_with(&text, &self.emulator.variables(), log);
        let placeholder = self.log_in(&proxy).await;
        self.canaries.add("placeholder", &placeholder);
        for secret in [KEY, WRONG, &placeholder] {
            self.show(&proxy, secret).await;
            self.type_in(&proxy, secret).await;
        }
        for (path, admin) in [
            ("/metrics", true),
            ("/api/v1/status", true),
            ("/nowhere", false),
        ] {
            let addr = if admin { proxy.admin() } else { proxy.addr() };
            let answer = Caller::connect(addr).await.get(path).await;
            self.heard(&answer);
        }
        proxy.stop().await;
    }

    /// The placeholder. This answer is the one that may hold it.
    async fn log_in(&mut self, proxy: &TestProxy) -> String {
        let body = format!("grant_type=password&username=u&password={KEY}");
        let answer = proxy.post("/crm/services/oauth2/token", body).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Shows `secret` in every place where keys are looked for, by both versions.
    async fn show(&mut self, proxy: &TestProxy, secret: &str) {
        let basic = STANDARD.encode(format!("u:{secret}"));
        let path = "/crm/services/data/v61.0/limits";
        for (name, value) in [
            ("x-upauth-key", secret.to_owned()),
            ("authorization", format!("Bearer {secret}")),
            ("authorization", format!("OAuth {secret}")),
            ("authorization", format!("Basic {basic}")),
            ("x-sfdc-session", secret.to_owned()),
        ] {
            let answer = proxy.get_with(path, &format!("{name}: {value}\r\n")).await;
            self.heard(&answer);
            let mut request = crate::support::h2::get(path);
            request.headers_mut().insert(name, value.parse().unwrap());
            let answer = H2::connect(proxy.addr()).await.ask(request).await;
            self.heard(&answer.unwrap());
        }
        let secret = secret.replace('!', "%21");
        for path in [
            format!("{path}?oauth_token={secret}"),
            format!("{REVOKE}?token={secret}"),
        ] {
            let answer = proxy.get(&path).await;
            self.heard(&answer);
        }
    }

    /// Types `secret` into logins. Only what is refused is told.
    async fn type_in(&mut self, proxy: &TestProxy, secret: &str) {
        let secret = secret.replace('!', "%21");
        for (path, body) in [
            (
                "/crm/services/oauth2/token",
                format!("grant_type=client_credentials&client_secret={secret}"),
            ),
            (
                "/crm/services/oauth2/token",
                format!("grant_type=password&password={secret}"),
            ),
            (
                "/crm/services/oauth2/token",
                format!("grant_type=refresh_token&refresh_token={secret}"),
            ),
            (
                "/crm/services/oauth2/token",
                format!("grant_type=device&code={secret}"),
            ),
            (
                "/billing/oauth/token",
                format!("grant_type=client_credentials&client_secret={secret}"),
            ),
            (REVOKE, format!("token={secret}")),
        ] {
            let answer: Answer = proxy.post(path, body).await;
            if answer.status != 200 {
                self.heard(&answer);
            }
        }
    }
}
