//! Who watches over the proxy, while somebody fills the listeners for it.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::admin::{pair, renew};
use crate::support::Caller;
use crate::support::open_files::as_many_as_there_may_be;

/// More than have a place.
const CROWD: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_fills_the_listeners_for_operators_keeps_none_out_and_ends_no_request() {
    as_many_as_there_may_be();
    let (emulator, proxy) = pair().await;
    emulator.knobs().turn(|dials| dials.billing.delay_ms = 2000);
    let asking = async { renew(&proxy, "billing").await.status };
    let crowding = async {
        let mut silent = Vec::new();
        for addr in [proxy.addrs.health.unwrap(), proxy.admin()] {
            for number in 0..CROWD {
                silent.push(TcpStream::connect(addr).await.unwrap());
                // Those in the middle of a head are no better.
                if number % 2 == 0 {
                    let half = b"GET /livez HTTP/1.1\r\nHost: loc";
                    silent.last().unwrap().try_write(half).unwrap();
                }
            }
            for path in ["/livez", "/readyz", "/metrics"] {
                let mut probe = Caller::connect(addr).await;
                let answer = tokio::time::timeout(SOON, probe.get(path)).await;
                assert_eq!(answer.expect("nobody gets in").status, 200, "{path}");
            }
        }
        silent
    };
    // Whoever asks is the oldest, most likely.
    let (renewed, silent) = tokio::join!(asking, crowding);
    assert_eq!(renewed, 200);
    assert_eq!(silent.len(), 2 * CROWD);
}

/// Far less than a connection may live.
const SOON: Duration = Duration::from_secs(25);
