//! The one name of an authority: the rows A20, A23, A46, A51, C1 and C2.

use super::{ABSENT, Row, asks, fire, says};
use crate::hostile::body;

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_http_2_is_one_name_of_ours() {
    let rows = vec![
        says(
            "A46 another host",
            &[(b"host", b"evil.example")],
            Err(Some(400)),
        ),
        says(
            "A46 another port",
            &[(b"host", b"localhost:1")],
            Err(Some(400)),
        ),
        says(
            "A46 the same host",
            &[(b"host", b"LOCALHOST")],
            Ok(body("")),
        ),
        says(
            "A46 two hosts",
            &[(b"host", b"localhost"), (b"host", b"localhost")],
            Err(Some(400)),
        ),
        says("A46 an empty host", &[(b"host", b"")], Err(Some(400))),
        says(
            "A46 a blank before the host",
            &[(b"host", b" localhost")],
            Err(Some(400)),
        ),
        asks(
            "A46 nobody's",
            [b"GET", b"http", ABSENT, b"/api/x"],
            Err(Some(400)),
        ),
        asks(
            "C2 a foreign one",
            [b"GET", b"http", b"evil.example", b"/api/x"],
            Err(Some(421)),
        ),
        asks(
            "A23 user information",
            [b"GET", b"http", b"u:p@localhost", b"/api/x"],
            Err(Some(400)),
        ),
        asks(
            "A23 user information of a foreign one",
            [b"GET", b"http", b"localhost@evil.example", b"/api/x"],
            Err(Some(400)),
        ),
        asks(
            "A20 a path in it",
            [b"GET", b"http", b"localhost/..", b"/api/x"],
            Err(None),
        ),
        asks("A20 empty", [b"GET", b"http", b"", b"/api/x"], Err(None)),
        Row {
            head: [b"GET", b"http", ABSENT, b"/api/x"],
            ..says("A46 host alone", &[(b"host", b"localhost")], Ok(body("")))
        },
        Row {
            head: [b"GET", b"http", ABSENT, b"/api/x"],
            ..says(
                "A46 a foreign host alone",
                &[(b"host", b"evil.example")],
                Err(Some(421)),
            )
        },
        says(
            "C1 a page",
            &[(b"origin", b"https://evil.example")],
            Err(Some(403)),
        ),
        says(
            "C1 a page that says less",
            &[(b"sec-fetch-site", b"cross-site")],
            Err(Some(403)),
        ),
        asks(
            "A51 https told on the plain port",
            [b"GET", b"https", b"localhost", b"/api/x"],
            Ok(body("")),
        ),
    ];
    fire(17, rows).await;
}
