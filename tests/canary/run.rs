//! What is done in the run: all that goes well, and all that goes wrong.

use std::fmt::{Debug, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;
use upauth::emulator::{Canned, Emulator};
use upauth::provider::CarrierForm;

use crate::support::canary::Canaries;
use crate::support::{Answer, Caller, H2, TestProxy};

/// A run: what was told, and what must not be in it.
pub struct Run {
    pub emulator: Emulator,
    pub proxy: TestProxy,
    pub canaries: Canaries,
    /// Every answer to a caller, and what `Debug` says of the proxy's values.
    pub told: String,
}

pub const UPSTREAMS: [&str; 21] = [
    "any",
    "any-signed",
    "any-refresh",
    "crm-jwt",
    "crm-program",
    "crm-failing",
    "crm",
    "crm-user",
    "pricing",
    "billing",
    "wrong",
    "shut",
    "dead",
    "secret-file",
    "over-tls",
    "over-http2",
    "mail",
    "mail-legacy",
    "mail-shut",
    "held",
    "barred",
];

impl Run {
    pub fn note(&mut self, what: &dyn Debug) {
        writeln!(self.told, "{what:?}\n{what:#?}").unwrap();
    }

    pub fn heard(&mut self, answer: &Answer) {
        let Answer {
            status, headers, ..
        } = answer;
        assert!(answer.header("content-encoding").is_none(), "not searched");
        writeln!(self.told, "{status} {headers:?}\n{}", answer.text()).unwrap();
    }

    /// `GET` and `POST` by HTTP/1.1, and `GET` by HTTP/2.
    async fn call(&mut self, path: &str) {
        let answer = self.proxy.get(path).await;
        self.heard(&answer);
        let answer = self.proxy.post(path, r#"{"a":1}"#).await;
        self.heard(&answer);
        let answer = H2::connect(self.proxy.addr()).await.get(path).await;
        self.heard(&answer);
        self.keep_tokens();
    }

    pub async fn call_all(&mut self) {
        for path in [
            "/crm/services/data/v61.0/limits",
            "/crm/services/data/v61.0/query?q=SELECT+Id",
            "/crm/services/async/61.0/job",
            "/crm-user/services/data/v61.0",
            "/pricing/v1/LogicalEntityData/Price?x=1",
            "/billing/v1/accounts/A1",
            "/wrong/services/data/v61.0/limits",
            "/shut/v1/accounts/A1",
            "/dead/v1/accounts/A1",
            "/secret-file/v1/accounts/A1",
            "/over-tls/v1/x",
            "/over-http2/v1/x",
            "/mail/asset/v1/content/assets?access_token=x",
            "/mail-legacy/asset/v1/content/assets",
            "/mail-shut/asset/v1/content/assets",
            "/any/me?access_token=x",
            "/any-signed/me",
            "/any-refresh/me",
            "/crm-jwt/services/data/v61.0/limits",
            "/crm-program/services/data/v61.0/limits",
            "/crm-failing/services/data/v61.0/limits",
            "/held/x",
            "/barred/x",
        ] {
            self.call(path).await;
        }
    }

    /// Remembers the tokens that are in use, and the answers they came in.
    fn keep_tokens(&mut self) {
        for name in UPSTREAMS {
            let tokens = self.proxy.app.as_ref().unwrap().tokens(name).unwrap();
            let (status, issued) = (tokens.status(), tokens.current(Instant::now()));
            write!(self.told, "{status:?} {issued:?} {tokens:?}").unwrap();
            let Some(issued) = issued else { continue };
            let of = |form| {
                let value = issued.credential.value(form);
                assert!(value.is_sensitive(), "HPACK would index it");
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            let token = of(CarrierForm::Token);
            // The scripted server's are too plain to be told from other text.
            if token.len() > 8 {
                self.canaries.add(&format!("token of {name}"), token);
                let whole = of(CarrierForm::OAuthBase64);
                let whole = STANDARD
                    .decode(whole.strip_prefix("OAuth ").unwrap())
                    .unwrap();
                self.canaries.add(&format!("token answer of {name}"), whole);
            }
        }
    }

    /// Every upstream, and the admin listener.
    pub async fn ask_all(&mut self) {
        self.call_all().await;
        self.ask_admin().await;
    }

    /// Everything the admin listener has to say, and a renewal of each upstream.
    pub async fn ask_admin(&mut self) {
        for path in [
            "/",
            "/metrics",
            "/api/v1/status",
            "/readyz?verbose",
            "/nowhere",
        ] {
            let answer = Caller::connect(self.proxy.admin()).await.get(path).await;
            self.heard(&answer);
        }
    }

    pub async fn renew(&mut self, names: &[&str]) {
        for name in names {
            let request = format!(
                "POST /api/v1/upstreams/{name}/renew HTTP/1.1\r\nHost: localhost\r\nX-Upauth-Admin: 1\r\nContent-Length: 0\r\n\r\n"
            );
            let answer = Caller::connect(self.proxy.admin()).await.ask(request).await;
            self.heard(&answer);
            self.keep_tokens();
        }
    }

    /// Token answers of every broken kind, some with a token in them.
    pub async fn bad_logins(&mut self) {
        let cut_off = r#"{"access_token":"canary-in-a-broken-answer-1","token_type":"Bea"#;
        let unusable = "{\"access_token\":\"canary-with-a-newline-2\\n\",\"instance_url\":\"https://a.salesforce.com\"}";
        let elsewhere = r#"{"access_token":"canary-for-elsewhere-3","instance_url":"https://evil.example","id":"x"}"#;
        let nowhere = r#"{"access_token":"canary-without-a-home-4"}"#;
        for answer in [cut_off, unusable, elsewhere, nowhere] {
            let token = answer.split('"').nth(3).unwrap().trim_end_matches("\\n");
            self.canaries.add("token in a bad answer", token);
            self.canaries.add("bad token answer", answer);
        }
        let moved = Canned {
            status: 302,
            headers: vec![(
                "Location".to_owned(),
                "https://evil.example/?token=canary-in-location-5".to_owned(),
            )],
            ..Canned::json(302, "")
        };
        self.canaries
            .add("token in a redirect", "canary-in-location-5");
        let cut = Canned {
            cut: true,
            ..Canned::json(200, cut_off)
        };
        for canned in [
            Canned::html(),
            Canned::truncated(),
            Canned::unknown_error(),
            Canned::ok_with_error(),
            cut,
            Canned::json(200, cut_off),
            Canned::json(500, cut_off),
            Canned::json(200, unusable),
            Canned::json(200, elsewhere),
            Canned::json(200, nowhere),
            Canned::retry_after(429, "1"),
            moved,
        ] {
            self.emulator
                .knobs()
                .turn(|dials| dials.login.always = Some(canned.clone()));
            self.emulator.knobs().turn(|dials| {
                dials.billing.next_login = vec![canned.clone(); 2].into();
                dials.marketing_cloud.always_login = Some(canned.clone());
                // The same with the names that a legacy package's answer has.
                let body = canned.body.replace("access_token", "accessToken");
                let canned = Canned { body, ..canned };
                dials.marketing_cloud_legacy.always_login = Some(canned);
            });
            self.renew(&UPSTREAMS).await;
            self.ask_admin().await;
        }
    }

    /// Refusals that repeat what they were sent.
    pub async fn echoing_logins(&mut self) {
        let client =
            "secret DECAFBADDECAFBADDECAFBADDECAFBADDECAFBADDECAFBADDECAFBADDECAFBAD is wrong";
        let person = "nobody has open + 100% sesame & x=1EmulatorSecurityToken24x (or open+%2B+100%25+sesame+%26+x%3D1EmulatorSecurityToken24x)";
        for (names, echo) in [(&UPSTREAMS[..1], client), (&UPSTREAMS[1..3], person)] {
            for canned in [
                Canned::refusal("invalid_grant", echo),
                Canned::json(400, format!("{{\"error\":{}}}", serde_json::json!(echo))),
            ] {
                self.emulator
                    .knobs()
                    .turn(|dials| dials.login.always = Some(canned));
                self.renew(names).await;
                self.ask_admin().await;
            }
        }
        let echo = r#"{"message":"emulated+secret/with=signs+and/more== is no secret"}"#;
        self.emulator.knobs().turn(|dials| {
            dials.login.always = None;
            let cloud = serde_json::json!({
                "error": "invalid_client",
                "error_description": "emulated\"cloud\\secret001 is no secret",
            });
            dials.marketing_cloud.always_login = Some(Canned::json(401, cloud.to_string()));
            let legacy = serde_json::json!({
                "errorcode": 1,
                "message": "emulated\"legacy\\secret01 is no secret",
            });
            dials.marketing_cloud_legacy.always_login = Some(Canned::json(401, legacy.to_string()));
            dials.billing.next_login = vec![Canned::json(401, echo)].into();
        });
        self.renew(&["billing", "mail", "mail-legacy"]).await;
        self.ask_admin().await;
        self.emulator.knobs().turn(|dials| {
            dials.billing.next_login.clear();
            dials.marketing_cloud.always_login = None;
            dials.marketing_cloud_legacy.always_login = None;
        });
    }

    /// Sessions that end, tokens that are refused again and again, odd answers of the APIs.
    pub async fn dead_sessions(&mut self) {
        self.emulator.end_sessions("all");
        self.call_all().await;
        self.emulator.end_sessions("all");
        let upload = "POST /crm/services/data/v61.0/sobjects/Account HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut caller = self.proxy.caller().await;
        caller.write(upload).await;
        for _ in 0..40 {
            caller
                .write(format!("1000\r\n{}\r\n", "x".repeat(4096)))
                .await;
        }
        caller.write("0\r\n\r\n").await;
        let answer = caller.answer(false).await.unwrap();
        self.heard(&answer);
        self.keep_tokens();
        for rejects in [true, false] {
            self.emulator.knobs().turn(|dials| {
                dials.salesforce.rejects_all = rejects;
                dials.zilliant.rejects_all = rejects;
                dials.zuora.rejects_all = rejects;
                dials.marketing_cloud.api.rejects_all = rejects;
                dials.marketing_cloud_legacy.api.rejects_all = rejects;
            });
            self.call_all().await;
        }
        for canned in [
            Canned::html(),
            Canned::zuora_hiccup(),
            Canned {
                cut: true,
                ..Canned::html()
            },
        ] {
            self.emulator.knobs().turn(|dials| {
                dials.salesforce.next = vec![canned.clone(); 2].into();
                dials.zuora.next = vec![canned.clone(); 2].into();
            });
            for path in [
                "/crm/services/data/v61.0/limits",
                "/billing/v1/accounts/A1",
                "/over-http2/v1/cut",
            ] {
                let mut caller = self.proxy.caller().await;
                caller
                    .write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
                    .await;
                let answer = caller.answer(false).await;
                self.note(&answer);
            }
        }
    }

    /// Requests that never get anywhere.
    pub async fn refused(&mut self) {
        for head in [
            "GET /crm/services/oauth2/token HTTP/1.1\r\nHost: localhost\r\n",
            "GET /crm/services/data HTTP/1.1\r\nHost: evil.example\r\n",
            "GET /crm/services/data HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n",
            "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n",
            "TRACE /crm/ HTTP/1.1\r\nHost: localhost\r\n",
            "GET /billing/v1/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
            "nonsense\r\n",
        ] {
            let answer = self.proxy.caller().await.ask(format!("{head}\r\n")).await;
            self.heard(&answer);
        }
    }
}
