//! What keeps the proxy from starting, and what it says then.

use std::net::TcpListener;

use super::Stage;

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
    for (lines, words) in rows {
        let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", lines);
        let (code, _, err) = stage.say(&["run"], &config);
        assert_eq!(code, 74, "{err}");
        assert!(err.contains(words), "{err}");
    }
}
