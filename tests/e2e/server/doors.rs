//! Doors alone, without a proxy behind them: what becomes of callers who wait at a socket when it closes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time::timeout;
use upauth::config::server::{Address, Limits, Listen};
use upauth::server::{Arrival, Door, Floor, Hall, Incoming, Ours, Passage, Socket, bind, serve};

use crate::support::Caller;
use crate::support::caller::PATIENCE;

fn limits() -> Limits {
    let text = "[upstream.a]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:1\"\nclient_id = \"i\"\nclient_secret = \"s\"\n";
    let config = upauth::config::Config::parse(text, "t.toml", ".".as_ref(), &|_: &str| None);
    config
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
        .config
        .server
        .limits
}

/// A socket of this address on a free port, and that port.
fn socket(host: &str) -> (Socket, u16) {
    let listen = Listen {
        host: host.to_owned(),
        addrs: vec![Address::Tcp(format!("{host}:0").parse().unwrap())],
    };
    let mut bound = bind(&listen, 1, Ours::default()).unwrap();
    let port = bound.addrs[0].0.tcp().unwrap().port();
    (bound.sockets.remove(0).remove(0), port)
}

/// Callers who have asked already, and are accepted by nobody yet.
async fn waiting(addr: SocketAddr, count: usize) -> Vec<Caller> {
    let mut callers = Vec::new();
    for _ in 0..count {
        let mut caller = Caller::connect(addr).await;
        caller.begin("/").await;
        callers.push(caller);
    }
    callers
}

/// Serves a door that closes at once; each caller must be told the number of this hall.
async fn serve_the_rest(floor: Floor, door: Door, callers: Vec<(Vec<Caller>, usize)>) {
    let (opening, doors) = tokio::sync::mpsc::unbounded_channel();
    door.closing.cancel();
    assert!(opening.send(door).is_ok());
    let serving = serve(doors, floor.clone(), |arrival: Arrival| {
        let number = Bytes::from(arrival.listener.to_string());
        tower::service_fn(move |_: Request<Incoming>| {
            let number = number.clone();
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(number))))
        })
    });
    let asking = async {
        for (callers, number) in callers {
            for mut caller in callers {
                let answer = caller.answer(false).await.expect("sent, but not answered");
                assert_eq!(answer.text(), number.to_string());
            }
        }
        floor.drain.cancel();
    };
    timeout(PATIENCE, async { tokio::join!(serving, asking) })
        .await
        .unwrap();
}

#[tokio::test]
async fn every_request_sent_before_the_drain_is_answered() {
    let (socket, port) = socket("127.0.0.1");
    // More than a task may do in one go.
    let callers = waiting(([127, 0, 0, 1], port).into(), 200).await;
    let floor = Floor::new(limits());
    floor.drain.cancel();
    let door = Door {
        socket,
        passage: Passage::to(Hall::new(7, floor.drain.child_token())),
        closing: floor.drain.child_token(),
    };
    serve_the_rest(floor, door, vec![(callers, 7)]).await;
}

#[tokio::test]
async fn who_waits_at_a_socket_that_closes_goes_to_whoever_has_the_address_now() {
    let (socket, port) = socket("0.0.0.0");
    let (one, two) = (([127, 0, 0, 1], port), ([127, 0, 0, 2], port));
    let callers = vec![
        (waiting(one.into(), 200).await, 2),
        (waiting(two.into(), 200).await, 1),
    ];
    let floor = Floor::new(limits());
    let hall = |number| Hall::new(number, floor.drain.child_token());
    let (old, new, nobodys) = (hall(1), hall(2), hall(3));
    old.drain.cancel();
    let passage = Passage::to(Arc::clone(&old));
    let elsewhere = Address::Tcp(([127, 0, 0, 1], port ^ 1).into());
    let but = vec![(elsewhere, nobodys), (Address::Tcp(one.into()), new)];
    passage.lead(old, but);
    let door = Door {
        socket,
        passage,
        closing: floor.drain.child_token(),
    };
    serve_the_rest(floor, door, callers).await;
}
