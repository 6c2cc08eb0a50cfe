//! What others have put where the commands look: somebody else's answers at the admin listener, a path that is a program.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use super::{BINARY, Stage, said};

/// What sets a title, clears the screen, writes upwards, turns the direction, and makes lines of its own.
const EVIL: &str = "\u{1b}]0;PWNED\u{7}\u{1b}[2J\u{9b}1A\u{202e}\r\nall is well\u{7f}";

/// Answers for each path, from then on.
fn squatting(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let head = String::from_utf8(head).unwrap();
            let (status, body) = match head.split(' ').nth(1).unwrap() {
                "/api/v1/status" => (200, told().to_string().replace(',', ",\r\n\t")),
                "/api/v1/reload" => (
                    422,
                    json!({ "detail": format!("{EVIL}\nsecond") }).to_string(),
                ),
                path if path.ends_with("crm/retry") => (500, EVIL.to_owned()),
                path if path.ends_with("erp/retry") => (
                    502,
                    json!({ "code": EVIL, "title": EVIL, "detail": EVIL }).to_string(),
                ),
                path if path.ends_with("/renew") => (404, String::new()),
                _ => (200, format!("ok {EVIL}")),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            stream
                .write_all(format!("{head}{body}").as_bytes())
                .unwrap();
        }
    });
}

fn told() -> Value {
    json!({ "upstreams": [{ "name": format!("crm{EVIL}"), "state": "valid", "since": EVIL, "why": EVIL,
        "next": { "name": EVIL, "state": EVIL } }], "z": 1, "a": EVIL })
}

#[test]
fn whoever_answers_at_the_admin_listener_moves_no_cursor_and_makes_no_line() {
    let stage = Stage::new("deceived");
    squatting(TcpListener::bind(("127.0.0.1", stage.admin)).unwrap());
    let config = stage.right();
    let rows: [(&[&str], i32, usize); 7] = [
        (&["status"], 0, 3),
        (&["status", "--json"], 0, 1),
        (&["health"], 0, 2),
        (&["reload"], 78, 4),
        (&["retry", "crm"], 1, 2),
        (&["retry", "erp"], 77, 1),
        (&["token", "renew", "nobody"], 2, 1),
    ];
    for (words, exit, lines) in rows {
        let (code, out, err) = stage.say(words, &config);
        let all = format!("{out}{err}");
        assert_eq!(code, exit, "{words:?}: {all}");
        let moves = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!all.contains(moves), "{words:?}: {all:?}");
        assert_eq!(all.lines().count(), lines, "{words:?}: {all}");
        assert!(all.contains("\\u001b]0;PWNED\\u0007"), "{words:?}: {all}");
    }
    let (_, out, _) = stage.say(&["status", "--json"], &config);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), told());
    assert!(
        out.find("\"upstreams\"") < out.find("\"z\""),
        "as it came: {out}"
    );
}

#[test]
fn what_env_prints_runs_nothing_whatever_the_configuration_is_called() {
    let stage = Stage::new("env-path");
    stage.config("secret", "tls = \"auto\"\nlisten = \"localhost:7727\"\n");
    let text = std::fs::read_to_string(stage.folder.join("proxy.toml")).unwrap();
    let text = text.replace("[server]\n", "[server]\nstate = \"state\"\n");
    for name in [
        "a\ntouch pwned\n#",
        "a\r\ntouch pwned;",
        "'\ntouch pwned;'",
        "$(touch pwned)`touch pwned`",
    ] {
        let folder = stage.folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("proxy.toml"), &text).unwrap();
        let mut shell = Command::new("sh");
        let line =
            "eval \"$(\"$0\" env crm --config \"$1\")\"; printf %s \"$UPAUTH_URL $CURL_CA_BUNDLE\"";
        shell
            .args(["-c", line, BINARY])
            .arg(folder.join("proxy.toml"));
        shell
            .envs(stage.emulator.variables())
            .current_dir(&stage.folder);
        let (code, out, err) = said(&shell.output().unwrap());
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        let ca = folder.join("state/ca.pem");
        assert_eq!(out, format!("https://localhost:7727 {}", ca.display()));
        assert!(!stage.folder.join("pwned").exists(), "{name}");
    }
}
