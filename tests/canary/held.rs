//! What is kept on the disk, and a way out that wants a password: the key of the store, a refresh token with successors, the
//! key of the own CA.

use std::path::{Path, PathBuf};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::run::Run;
use crate::support::canary::Canaries;
use crate::support::tls::{Ca, Folder, connect};
use crate::support::{Caller, Outbound, Scripted};

const SECRETS: [(&str, &str); 3] = [
    ("password of an outbound proxy", PASSWORD),
    ("client secret of held", "canary/secret of held"),
    ("first refresh token of held", "canary first+refresh/token"),
];
const PASSWORD: &str = "canary p@ss:word/of a proxy";

/// More than there are redemptions in a run.
const MOST: usize = 100;

fn successor(number: usize) -> String {
    format!("canary successor+of/held {number:03}")
}

/// The servers of the upstreams `held` and `barred`, which stand behind outbound proxies: one leads on, one asks for
/// another password.
pub struct Held {
    api: Scripted,
    leads: Outbound,
    bars: Outbound,
    state: PathBuf,
}

impl Held {
    pub async fn start(ca: &Ca, folder: &Folder, canaries: &mut Canaries) -> Self {
        let api = Scripted::start(|mut connection| async move {
            while let Some(seen) = connection.request().await {
                let number = connection.number_of("/token");
                let next = successor(number);
                let token = format!(
                    r#"{{"access_token":"canary.token.of.held.{number:03}","refresh_token":"{next}","token_type":"Bearer","expires_in":3600}}"#
                );
                let answer = if seen.target == "/token" { token.as_str() } else { "ok" };
                let kind = "Content-Type: application/json\r\n";
                connection.reply("200 OK", kind, answer).await;
            }
        })
        .await;
        for (name, value) in SECRETS {
            canaries.add(name, value);
        }
        for number in 1..MOST {
            canaries.add("successor of a refresh token", successor(number));
        }
        let names = ["login.example", "api.example"];
        let front = ca.front_for(&names, api.addr).await;
        Self {
            api,
            leads: Outbound::start(front, "200 OK").await,
            bars: Outbound::start(front, "407 Proxy Authentication Required").await,
            state: folder.path().join("state"),
        }
    }

    /// The configuration: of both upstreams, of the store, and of an own CA.
    pub fn text(&self, ca: &Path) -> String {
        let [_, (_, secret), (_, first)] = SECRETS;
        let one = |name: &str, outbound: &Outbound, more: &str| {
            let addr = outbound.addr;
            format!(
                "[upstream.{name}]\nprovider = \"oauth2\"\ngrant = \"refresh_token\"\ntoken_url = \"https://login.example/token\"\n\
                 api_url = \"https://api.example\"\nclient_id = \"{name}\"\nclient_secret = \"{secret}\"\nrefresh_token = \"{first}\"\n\
                 listen = \"127.0.0.1:0\"\ntls = \"auto\"\n{more}ca = {{ file = {ca:?} }}\n\
                 proxy = {{ url = \"http://{addr}\", username = \"canary\", password = \"{PASSWORD}\" }}\n"
            )
        };
        format!(
            "[server]\nstate = {:?}\n[store]\nkind = \"file\"\n{}{}",
            self.state,
            one("held", &self.leads, ""),
            one("barred", &self.bars, "token_wait = \"2s\"\n")
        )
    }

    /// Remembers the keys that were made at the start.
    pub fn keep_keys(&self, canaries: &mut Canaries) {
        let key = std::fs::read_to_string(self.state.join("store.key")).unwrap();
        canaries.add("key of the store", key.trim());
        let bytes: Vec<u8> = (0..64)
            .step_by(2)
            .map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap())
            .collect();
        canaries.add("bytes of the key of the store", bytes);
        let pem = std::fs::read_to_string(self.state.join("ca.key")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        // ECPrivateKey (RFC 5915): version 1, and the number as an octet string. What is behind it is public.
        let before = [2, 1, 1, 4, 32];
        let at = memchr::memmem::find(key.secret_der(), &before).unwrap() + before.len();
        canaries.add("key of the own CA", &key.secret_der()[at..at + 32]);
        // As it stands in the file, where it goes over the end of a line.
        let line = pem.lines().nth(1).unwrap();
        canaries.add("line of the key of the own CA", &line[at * 4 / 3..]);
    }

    /// A call over the own CA's TLS, one by somebody who does not trust it, and a store that is gone for a while.
    pub async fn trouble(&self, run: &mut Run) {
        let own = std::fs::read_to_string(self.state.join("ca.pem")).unwrap();
        let addr = run.proxy.own("held");
        let stream = connect(addr, "localhost", &own, &["http/1.1"]).await;
        let answer = Caller::over(stream.unwrap()).get("/x").await;
        assert_eq!(answer.text(), "ok");
        run.heard(&answer);
        let stranger = connect(addr, "localhost", &Ca::new().pem, &["http/1.1"]).await;
        assert!(stranger.is_err());
        let (store, away) = (self.state.join("store"), self.state.join("away"));
        std::fs::rename(&store, &away).unwrap();
        run.renew(&["held", "barred"]).await;
        run.ask_admin().await;
        std::fs::rename(&away, &store).unwrap();
    }

    /// Whether everything was used that must be found nowhere.
    pub fn assert_used(&self) {
        let seen = self.api.seen();
        let tokens: Vec<_> = seen.iter().filter(|seen| seen.target == "/token").collect();
        assert!((4..MOST).contains(&tokens.len()), "{}", tokens.len());
        let last = String::from_utf8_lossy(&tokens.last().unwrap().body);
        assert!(last.contains("canary+successor"), "{last}");
        for outbound in [&self.leads, &self.bars] {
            let asked = outbound.asked();
            let head = asked.last().unwrap().to_ascii_lowercase();
            assert!(head.contains("proxy-authorization: basic "), "{head}");
        }
    }
}
