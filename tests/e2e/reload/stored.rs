//! Reloads with a file store: what is kept is found again, and no refresh token is lost or used twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{becomes, taken_over};
use crate::support::emulated::{BILLING, CRM, CRM_TOKEN, MAIL_LEGACY, stored};
use crate::support::{Caller, Emulated};

const LIMITS: &str = "/crm/services/data/v59.0/limits";
const ROTATING: &str = "/crm-token/services/data/v59.0/limits";
const ASSETS: &str = "/mail-legacy/asset/v1/content/assets";
const SECRET: &str = "\"${DEMO_CRM_CLIENT_SECRET}\"";

/// No refresh token was presented that was used up, and nothing was refused.
fn nothing_was_lost(at: &Emulated) {
    let counters = at.counters();
    let lost = (counters.spent_refresh_tokens, counters.refused_logins);
    assert_eq!(lost, (0, 0), "{counters:?}");
}

/// Whole records of access tokens in the store.
fn records(folder: &TempDir) -> usize {
    let files = std::fs::read_dir(folder.path().join("store")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.starts_with("token-") && !name.contains('.'))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_changes_with_a_reload_keeps_the_lineage() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, CRM_TOKEN);
    let mut at = Emulated::start(&config).await;
    at.turn(|dials| dials.login.rotation = true);
    assert_eq!(at.proxy.get(ROTATING).await.status, 200);
    for round in 1..=3 {
        let secret = format!("rotated-{round}");
        at.turn(|dials| dials.login.client_secret = Some(secret.clone()));
        let changed = config.replace(SECRET, &format!("\"{secret}\""));
        let told = at.proxy.reload(&changed).unwrap();
        assert_eq!(told.logging_in, ["crm-token"]);
        // The one that comes redeems what the other left; what the other stored is no proof of its secret.
        taken_over(&at, "crm-token").await;
        assert_eq!(at.counters().token_requests, 1 + 2 * round - 1);
        at.emulator.end_sessions("all");
        assert_eq!(at.proxy.get(ROTATING).await.status, 200);
        if round == 3 {
            at.restart(&changed).await;
            assert_eq!(at.proxy.get(ROTATING).await.status, 200);
        }
    }
    assert_eq!(at.counters().token_requests, 7);
    nothing_was_lost(&at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_redeems_nothing_and_takes_nothing_from_the_one_that_serves() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, CRM_TOKEN);
    let mut at = Emulated::start(&config).await;
    at.turn(|dials| dials.login.rotation = true);
    assert_eq!(at.proxy.get(ROTATING).await.status, 200);
    at.proxy
        .reload(&config.replace(SECRET, "\"wrong\""))
        .unwrap();
    becomes(&at, "crm-token", |told| told["next"]["state"] == "refused").await;
    for _ in 0..2 {
        at.emulator.end_sessions("all");
        assert_eq!(at.proxy.get(ROTATING).await.status, 200);
    }
    at.proxy.reload(&config).unwrap();
    assert_eq!(at.proxy.get(ROTATING).await.status, 200);
    let counters = at.counters();
    let lost = (counters.spent_refresh_tokens, counters.refused_logins);
    assert_eq!((lost, counters.token_requests), ((0, 1), 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_stays_logs_in_no_more_and_one_that_comes_back_finds_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let both = stored(&folder, &[CRM, BILLING].concat());
    let mut at = Emulated::start(&both).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.proxy.get("/billing/v1/accounts/A1").await.status, 200);
    assert_eq!(at.logins(), 2);
    // An access token is handed out before it is stored.
    for _ in 0..1000 {
        if records(&folder) == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let one = stored(&folder, BILLING);
    let other_name = both.replace("upstream.crm]", "upstream.sales]");
    for (text, there, path) in [
        (&one, false, LIMITS),
        (&both, true, LIMITS),
        (&other_name, true, "/sales/services/data/v59.0/limits"),
        (&one, false, LIMITS),
        (&other_name, true, "/sales/services/data/v59.0/limits"),
    ] {
        at.proxy
            .reload(&format!("{text}read_only = true\n"))
            .unwrap();
        assert_eq!(at.proxy.get("/billing/v1/accounts/A1").await.status, 200);
        let answer = at.proxy.get(path).await;
        assert_eq!(answer.status, if there { 200 } else { 404 }, "{path}");
        assert_eq!(answer.header("x-upauth-replayed"), None);
    }
    assert_eq!((at.logins(), at.counters().dead_sessions), (2, 0));
    // A session that ended while its account was away is dead, and is found to be.
    at.proxy.reload(&one).unwrap();
    at.emulator.end_sessions("all");
    at.proxy.reload(&both).unwrap();
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(
        (at.counters().token_requests, at.counters().dead_sessions),
        (2, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redemption_under_way_when_its_upstream_goes_is_found_when_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let with = stored(&folder, &[BILLING, CRM_TOKEN].concat());
    let without = stored(&folder, BILLING);
    let mut at = Emulated::start(&with).await;
    at.turn(|dials| {
        dials.login.rotation = true;
        dials.login.delay_ms = 400;
    });
    for round in 1..=4 {
        at.emulator.end_sessions("all");
        let mut caller = at.proxy.caller().await;
        caller.begin(ROTATING).await;
        at.until(|counters| counters.token_requests == round).await;
        at.proxy.reload(&without).unwrap();
        if round % 2 == 0 {
            // Its caller is served to the end, or has left.
            assert_eq!(caller.answer(false).await.unwrap().status, 200);
        }
        drop(caller);
        at.proxy.reload(&with).unwrap();
        assert_eq!(at.proxy.get(ROTATING).await.status, 200);
        assert_eq!(
            at.counters().token_requests,
            round,
            "what came is in the record"
        );
    }
    nothing_was_lost(&at);
}

/// How many callers of each path were answered.
type Answered = Arc<[AtomicUsize; 2]>;

/// Callers who want two paths all the time, and get them.
fn callers(at: &Emulated, over: &Arc<AtomicBool>, answered: &Answered) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for number in 0..6 {
        let (addr, over, answered) = (at.proxy.addr(), over.clone(), answered.clone());
        let path = [ROTATING, ASSETS][number % 2];
        callers.spawn(async move {
            let mut caller = Caller::connect(addr).await;
            while !over.load(Ordering::Relaxed) {
                let answer = caller.get(path).await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                answered[number % 2].fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
    callers
}

#[tokio::test(flavor = "multi_thread")]
async fn single_use_refresh_tokens_lose_nothing_by_reloads_under_traffic() {
    let folder = tempfile::tempdir().unwrap();
    let offline = format!("{MAIL_LEGACY}offline = true\n");
    let base = stored(&folder, &[CRM_TOKEN, &offline].concat());
    let mut at = Emulated::start(&base).await;
    at.turn(|dials| dials.login.rotation = true);
    let (over, answered) = (Arc::default(), Answered::default());
    let mut callers = callers(&at, &over, &answered);
    let same = offline.replace("upstream.mail-legacy", "upstream.mail-too");
    for round in 0..24 {
        let text = match round % 6 {
            0 => format!("{base}token_wait = \"{}s\"\n", 10 + round),
            1 => base.clone(),
            2 => format!("{base}{same}"),
            // Another account of the same lineage.
            3 => format!("{base}token_timeout = \"{}s\"\n", 20 + round),
            4 => base.replace(SECRET, &format!("\"rotated-{round}\"")),
            _ => format!("{base}nonsense = {round}\n"),
        };
        if round % 6 == 4 {
            let secret = Some(format!("rotated-{round}"));
            at.turn(|dials| dials.login.client_secret = secret);
        }
        let ended = round % 3 == 0;
        if ended {
            at.emulator.end_sessions("all");
        }
        let reloaded = at.proxy.reload(&text);
        assert_eq!(reloaded.is_err(), round % 6 == 5);
        for name in ["crm-token", "mail-legacy"] {
            taken_over(&at, name).await;
        }
        if round % 6 == 4 {
            at.turn(|dials| dials.login.client_secret = None);
            at.proxy.reload(&base).unwrap();
            taken_over(&at, "crm-token").await;
        }
        // Of each path: whoever still waits for its token has been sent with the secret of this round.
        let count = || [0, 1].map(|path: usize| answered[path].load(Ordering::Relaxed));
        let before = count();
        while (0..2).any(|path| count()[path] < before[path] + 12) {
            assert!(callers.try_join_next().is_none(), "a caller has failed");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    over.store(true, Ordering::Relaxed);
    callers.join_all().await;
    nothing_was_lost(&at);
    at.restart(&base).await;
    for path in [ROTATING, ASSETS] {
        assert_eq!(at.proxy.get(path).await.status, 200);
    }
    nothing_was_lost(&at);
}
