//! Which sockets come, stay and go when addresses change.

use std::path::{Path, PathBuf};

use self::ports::free_port;
use super::*;
use crate::server::Door;

#[path = "../../../tests/e2e/support/ports.rs"]
mod ports;

/// Listeners as a proxy of one worker has them, with the doors that its worker would serve.
struct House {
    /// Goes with it.
    state: PathBuf,
    port: u16,
    listeners: Listeners,
    doors: Vec<Door>,
}

impl House {
    fn new() -> Self {
        let text = "[upstream.a]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:9\"\nclient_id = \"i\"\nclient_secret = \"s\"\n";
        let limits = parse(text).server.limits;
        let name = crate::secret::hex(&crate::secret::random::<8>());
        Self {
            state: std::env::temp_dir().join(format!("upauth-{name}")),
            port: free_port(),
            listeners: Listeners::new(1, &Floor::new(limits), &CancellationToken::new()),
            doors: Vec::new(),
        }
    }

    /// Gives two upstreams these listeners, parted by spaces: of each its host, on one port for all. Tells which are new.
    fn reload(&mut self, a: &str, b: &str) -> Vec<String> {
        self.reload_with(a, b, "")
    }

    fn reload_with(&mut self, a: &str, b: &str, tls: &str) -> Vec<String> {
        let upstream = |name: &str, hosts: &str| {
            let tls = if hosts.is_empty() { "" } else { tls };
            let listens = hosts.split_whitespace();
            let listens = listens.map(|host| format!("\"{host}:{}\"", self.port));
            format!(
                "[upstream.{name}]\nlisten = [{}]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:9\"\nclient_id = \"i\"\nclient_secret = \"s\"\n{tls}",
                listens.collect::<Vec<_>>().join(", ")
            )
        };
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nstate = {:?}\n[admin]\nlisten = \"\"\n[access]\nopen = true\n{}{}",
            self.state,
            upstream("a", a),
            upstream("b", b)
        );
        let next = self.listeners.next(&parse(&text)).unwrap();
        next.listen().unwrap();
        let (listeners, opened) = next.commit();
        self.listeners = listeners;
        let opened: Vec<_> = opened.workers.into_iter().flatten().collect();
        let new = opened.iter().map(|door| door.socket.tcp_addr().unwrap());
        let new = new.filter(|addr| addr.port() == self.port);
        let new = new.map(|addr| addr.ip().to_string()).collect();
        self.doors.extend(opened);
        new
    }

    /// Closes what is due, and ends the doors of it.
    fn close(&mut self) {
        self.listeners.close(Instant::now() + GRACE);
        self.doors.retain(|door| !door.closing.is_cancelled());
    }

    fn closing(&self) -> Vec<String> {
        let closing = self.listeners.closing.iter();
        let addrs = closing.filter_map(|listener| listener.addr.tcp());
        addrs.map(|addr| addr.ip().to_string()).collect()
    }

    /// What leads to `upstream` at `host`.
    fn hall(&self, host: &str) -> Arc<Hall> {
        let addr = Address::Tcp(format!("{host}:{}", self.port).parse().unwrap());
        let mut open = self.listeners.open.iter();
        let listener = open.find(|listener| listener.addr == addr).unwrap();
        listener.hall.clone()
    }

    /// Where those lead that came into this hall.
    fn led(&self, hall: &Hall) -> Option<String> {
        let mut numbers = self.listeners.numbers();
        let (_, leads) = numbers.find(|(number, _)| *number == hall.listener)?;
        match leads {
            Leads::Upstream(name) => Some(name.clone()),
            other => Some(format!("{other:?}")),
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

fn parse(text: &str) -> Config {
    let checked = Config::parse(text, "test.toml", Path::new("."), &|_: &str| None);
    checked
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
        .config
}

#[test]
fn an_address_that_stays_keeps_its_socket_whatever_entry_it_belongs_to() {
    let (one, two, all) = ("127.0.0.1", "127.0.0.2", "0.0.0.0");
    let mut house = House::new();
    let none: [&str; 0] = [];
    for (a, b, new, closing) in [
        (one, "", &[one][..], &none[..]),
        ("", one, &none, &none),
        ("127.0.0.1 127.0.0.2", "", &[two], &none),
        (two, one, &none, &none),
        (all, "", &[all], &none),
        (one, two, &none, &[all]),
        ("", all, &none, &none),
        (two, "", &none, &[all, one]),
        (two, one, &none, &[all]),
        ("", "", &none, &[two, one, all]),
        (all, "", &none, &none),
        (one, "", &none, &[all, two]),
    ] {
        assert_eq!(house.reload(a, b), new, "{a} | {b}");
        let mut left = house.closing();
        left.sort();
        let mut closing = closing.to_vec();
        closing.sort_unstable();
        assert_eq!(left, closing, "{a} | {b}");
    }
}

#[test]
fn what_nothing_asks_for_is_closed_a_moment_later_and_then_bound_anew() {
    let mut house = House::new();
    house.reload("127.0.0.1", "");
    house.reload("", "");
    house.listeners.close(Instant::now());
    assert!(house.listeners.are_closing());
    assert_eq!(house.reload("", "127.0.0.1").len(), 0, "it is taken back");
    house.reload("", "");
    house.listeners.close(Instant::now() + GRACE);
    assert!(!house.listeners.are_closing());
    // Its door is still about to end, which makes the port no stranger's.
    assert_eq!(house.reload("127.0.0.1", ""), ["127.0.0.1"]);
    house.close();
    house.reload("", "");
    house.close();
    assert_eq!(house.doors.len(), 1, "the server's own");
    assert_eq!(house.reload("127.0.0.1", ""), ["127.0.0.1"]);
}

#[test]
fn a_configuration_that_does_not_come_about_takes_nothing() {
    let mut house = House::new();
    house.reload("0.0.0.0", "");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:{}\"\n[admin]\nlisten = \"\"\n[upstream.a]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:9\"\nclient_id = \"i\"\nclient_secret = \"s\"\n",
        house.port
    );
    let next = house.listeners.next(&parse(&text)).unwrap();
    let caller = std::net::TcpStream::connect(("127.0.0.1", house.port)).unwrap();
    drop(next);
    let mut accepted = None;
    for door in &house.doors {
        if let crate::server::Socket::Tcp(socket) = &door.socket
            && let Ok((_, peer)) = socket.accept()
        {
            accepted = Some(peer);
        }
    }
    assert_eq!(accepted, Some(caller.local_addr().unwrap()));
    assert_eq!(house.led(&house.hall("0.0.0.0")).as_deref(), Some("a"));
}

#[test]
fn who_came_before_is_led_as_before_until_the_last_has_left() {
    let mut house = House::new();
    house.reload("0.0.0.0", "");
    let connection = house.hall("0.0.0.0");
    for round in 0..4 {
        let (a, b) = if round % 2 == 0 {
            ("", "127.0.0.1")
        } else {
            ("127.0.0.2", "127.0.0.1")
        };
        house.reload(a, b);
        house.close();
        assert!(connection.drain.is_cancelled());
        assert_eq!(house.led(&connection).as_deref(), Some("a"), "{round}");
        assert_eq!(house.led(&house.hall("127.0.0.1")).as_deref(), Some("b"));
    }
    let number = connection.listener;
    drop(connection);
    house.reload("", "127.0.0.1");
    let known = |house: &House| house.listeners.numbers().any(|(known, _)| known == number);
    assert!(!known(&house), "nobody bears it");
}

#[test]
fn who_waits_at_a_socket_that_closes_is_led_where_the_address_that_was_called_leads_now() {
    let mut house = House::new();
    house.reload("0.0.0.0", "");
    for (a, b, led) in [
        ("", "127.0.0.1", &["127.0.0.1 b"][..]),
        ("127.0.0.2", "127.0.0.1", &["127.0.0.2 a", "127.0.0.1 b"]),
        ("127.0.0.1", "", &["127.0.0.1 a"]),
        ("", "", &[]),
    ] {
        house.reload(a, b);
        let mut closing = house.listeners.closing.iter();
        let all = |listener: &&Listener| listener.addr.tcp().unwrap().ip().is_unspecified();
        let closing = closing.find(all).unwrap();
        for ip in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
            let called = Address::Tcp(format!("{ip}:{}", house.port).parse().unwrap());
            let to = house.led(&closing.passage.hall_for(|| Some(called)));
            let own = led.iter().find_map(|led| led.strip_prefix(ip));
            let own = own.map_or("a", str::trim);
            assert_eq!(to.as_deref(), Some(own), "{ip}: {a} | {b}");
        }
        let heirs = closing.heirs(&house.listeners.open);
        let heirs = heirs.iter().map(|(addr, hall)| {
            let to = house.led(hall).unwrap();
            format!("{} {to}", addr.tcp().unwrap().ip())
        });
        assert_eq!(heirs.collect::<Vec<_>>(), led, "{a} | {b}");
    }
}

#[test]
fn who_was_asked_for_less_comes_anew_and_others_stay_where_they_are() {
    let tls = "tls = \"auto\"\n";
    let mut house = House::new();
    house.reload("127.0.0.1", "");
    let mut here = house.hall("127.0.0.1");
    for (a, b, tls, stay) in [
        ("", "127.0.0.1", "", true),
        ("", "127.0.0.1", tls, false),
        ("127.0.0.1", "", tls, true),
        ("", "127.0.0.1", "", false),
    ] {
        assert_eq!(house.reload_with(a, b, tls).len(), 0);
        let now = house.hall("127.0.0.1");
        assert_eq!(Arc::ptr_eq(&here, &now), stay, "{tls}");
        assert_eq!(here.drain.is_cancelled(), !stay, "{tls}");
        here = now;
    }
}
