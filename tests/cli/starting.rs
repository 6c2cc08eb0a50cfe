//! What ends a start, and with which exit code.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use super::support::Caller;
use super::support::ports::free_port;
use super::support::tls::connect_as;
use super::{BINARY, Running, Stage, said};

#[test]
fn a_taken_port_a_wrong_file_and_wrong_arguments_have_exit_codes_of_their_own() {
    let stage = Stage::new("codes");
    let taken = TcpListener::bind(("127.0.0.1", stage.admin)).unwrap();
    let (code, _, err) = stage.say(&["run"], &stage.right());
    assert_eq!(code, 74, "{err}");
    assert!(err.contains(&stage.admin.to_string()), "{err}");
    drop(taken);
    let (code, _, err) = stage.say(&["run"], &stage.config("x", "x = 1\n"));
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("UA-0103"), "{err}");
    assert_eq!(stage.say(&["run"], "/nowhere/proxy.toml").0, 78);
    let tls = "listen = \"127.0.0.1:0\"\ntls = { cert = { file = \"no.pem\" }, key = { file = \"no.pem\" } }\n";
    let (code, _, err) = stage.say(&["run"], &stage.config("x", tls));
    assert_eq!(code, 78, "a listener without its certificate is none");
    assert!(err.contains("[upstream.crm] tls: cannot read "), "{err}");
    assert_eq!(
        said(&Command::new(BINARY).arg("runn").output().unwrap()).0,
        2
    );
}

#[test]
fn an_address_that_is_taken_is_told_with_the_key_that_moves_it() {
    let stage = Stage::new("taken");
    let config = stage.right();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let sections = |server: &str, more: &str| {
        let crm = std::fs::read_to_string(&config).unwrap();
        let crm = crm.split("[upstream.crm]").nth(1).unwrap();
        format!("{server}\n[upstream.crm]{crm}{more}\n")
    };
    let own = format!("listen = \"{addr}\"");
    let free = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\n";
    let rows = [
        (
            sections(&format!("[server]\n{own}\n[admin]\nlisten = \"\""), ""),
            "`[server] listen`, or `run --listen`)",
        ),
        (sections(&format!("{free}{own}"), ""), "`[admin] listen`)"),
        (
            sections(&format!("{free}listen = \"\"\nhealth_{own}"), ""),
            "`[admin] health_listen`)",
        ),
        (
            sections(&format!("{free}listen = \"\""), &own),
            "`[upstream.crm] listen`)",
        ),
        (
            sections(
                &format!("{free}listen = \"\""),
                &format!("[route.r]\nupstream = \"crm\"\npath = \"/r\"\n{own}"),
            ),
            "`[route.r] listen`)",
        ),
    ];
    let path = stage.folder.join("taken.toml");
    for (text, key) in rows {
        std::fs::write(&path, text).unwrap();
        let (code, _, err) = stage.say(&["run"], path.to_str().unwrap());
        assert_eq!(code, 74, "{err}");
        let told = format!("(another upauth? choose with {key}\n");
        assert!(err.contains(&addr) && err.ends_with(&told), "{key}: {err}");
    }
}

#[test]
fn what_cannot_be_listened_on_or_written_is_named_with_what_is_behind_it() {
    let stage = Stage::new("starting");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("listen = \"{}\"\n", taken.local_addr().unwrap());
    let mut rows = vec![
        (taken.as_str(), "(another upauth?"),
        (
            "[log]\naccess = \"/nowhere/log\"\n",
            "access log: /nowhere/log: No such file",
        ),
    ];
    if cfg!(unix) {
        let line = "listen = \"unix:/nowhere/s\"\n";
        rows.push((line, "(os error 2) (the folder of a socket must be there)"));
    }
    let pipe = stage.folder.join("pipe");
    let lines = format!("[log]\naccess = {pipe:?}\n");
    if cfg!(unix) {
        Command::new("mkfifo").arg(&pipe).status().unwrap();
        rows.push((&lines, "/pipe: nobody reads this pipe"));
    }
    for (lines, words) in rows {
        let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", lines);
        let (code, _, err) = stage.say(&["run"], &config);
        assert_eq!(code, 74, "{err}");
        assert!(err.contains(words), "{err}");
    }
}

#[test]
fn what_is_printed_leads_here_whoever_listens_beside_it() {
    let stage = Stage::new("printed");
    let own = "listen = \"0.0.0.0:0\"\ntls = \"auto\"\n[access]\nopen = true\n[upstream.erp]\nprovider = \"zuora\"\n\
        login_url = \"${DEMO_BILLING_URL}\"\nclient_id = \"a\"\nclient_secret = \"b\"\n";
    let path = stage.config("${DEMO_CRM_CLIENT_SECRET}", own);
    let text = std::fs::read_to_string(&path).unwrap();
    let server = "[server]\nstate = \"state\"\nlisten = \"0.0.0.0:0\"";
    let text = text.replace("[server]\nlisten = \"127.0.0.1:0\"", server);
    std::fs::write(&path, text).unwrap();
    let log = std::fs::File::create(stage.folder.join("log")).unwrap();
    let mut run = stage.command(&["run"], &path);
    let mut running = Running(run.stdout(Stdio::piped()).stderr(log).spawn().unwrap());
    let lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let mut printed = |name: &str| {
        let line = lines.find(|line| line.trim().starts_with(name)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    let (crm, erp, status) = (printed("crm "), printed("erp "), printed("(status) "));
    let crm = crm.strip_prefix("https://").unwrap();
    let erp = erp
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/erp")
        .unwrap();
    let status = status.strip_prefix("http://").unwrap();

    // `localhost` is [::1] first, which somebody else can have.
    for addr in [crm, erp] {
        let port = addr.rsplit(':').next().unwrap();
        let _beside = TcpListener::bind(format!("[::1]:{port}"));
        assert_eq!(addr, format!("127.0.0.1:{port}"));
    }
    assert_eq!(status, format!("127.0.0.1:{}", stage.admin));
    for (addr, path, answer) in [(erp, "/nowhere", 404), (status, "/livez", 200)] {
        let mut caller = TcpStream::connect(addr).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        caller.write_all(request.as_bytes()).unwrap();
        let mut answered = String::new();
        caller.read_to_string(&mut answered).unwrap();
        let expected = format!("HTTP/1.1 {answer} ");
        assert!(answered.starts_with(&expected), "{addr}: {answered}");
    }
    let ca = std::fs::read_to_string(stage.folder.join("state/ca.pem")).unwrap();
    let answered = async {
        let secured = connect_as(None, crm.parse().unwrap(), "127.0.0.1", &ca, &[]).await;
        Caller::over(secured.unwrap())
            .get("/services/data")
            .await
            .status
    };
    assert_eq!(stage.runtime.block_on(answered), 200);
}

/// What `upauth run` prints, up to the last line.
fn banner(stage: &Stage, config: &str) -> Vec<String> {
    let log = std::fs::File::create(stage.folder.join("log")).unwrap();
    let mut run = stage.command(&["run"], config);
    let mut running = Running(run.stdout(Stdio::piped()).stderr(log).spawn().unwrap());
    let lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| {
        line.unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    });
    let printed = lines
        .by_ref()
        .take_while(|line| !line.starts_with("(status)"));
    printed.skip(1).collect()
}

#[cfg(unix)]
#[test]
fn every_address_of_the_server_is_printed_though_upstreams_have_their_own() {
    let stage = Stage::new("banner-all");
    let [port, own] = [free_port(), free_port()];
    let socket = stage.folder.join("s");
    let socket = socket.to_str().unwrap();
    let written = |tls: &str, more: &str| {
        let path = stage.config("${DEMO_CRM_CLIENT_SECRET}", more);
        let text = std::fs::read_to_string(&path).unwrap();
        let server = format!(
            "[server]\nstate = \"state\"\nlisten = [\"127.0.0.1:{port}\", \"unix:{socket}\"]\n{tls}"
        );
        let text = text.replace("[server]\nlisten = \"127.0.0.1:0\"\n", &server);
        std::fs::write(&path, text).unwrap();
        path
    };
    let all = [
        format!("(all) http://127.0.0.1:{port}/NAME"),
        format!("(all) unix:{socket} http://localhost/NAME"),
    ];
    let alone = written("", &format!("listen = \"127.0.0.1:{own}\"\n"));
    let crm = format!("crm http://127.0.0.1:{own}");
    let expected = [&[crm], all.as_slice()].concat();
    assert_eq!(banner(&stage, &alone), expected);
    // What an upstream shows is not told twice.
    let crm = format!("crm http://127.0.0.1:{port}/crm");
    let expected = [&[crm], &all[1..]].concat();
    assert_eq!(banner(&stage, &written("", "")), expected);
    let secured = written("tls = \"auto\"\n", "");
    let text = std::fs::read_to_string(&secured).unwrap();
    let text = text.replace(&format!("\"127.0.0.1:{port}\", "), "");
    std::fs::write(&secured, text).unwrap();
    let crm = format!("crm unix:{socket} https://localhost/crm");
    assert_eq!(banner(&stage, &secured), [crm]);
}
