//! The refresh token to be used next, in answers that bring nothing else: what is left of them is good for it alone.

use super::*;

/// The successor in an answer whose refresh token stands at `place`, to a login that presented `r1`. No token serves.
fn at(place: &'static str, status: u16, body: &[u8]) -> Option<String> {
    let mut provider = zuora();
    provider.answer.refresh_token = Some(place.into());
    let mut secrets = secrets(&provider);
    secrets.insert(Field::RefreshToken, Secret::new("r1"));
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &HeaderMap::new(),
        body,
        wall: Duration::from_secs(1_700_000_000),
    };
    let failure = read(&provider, &secrets, &answer).unwrap_err().to_string();
    assert!(
        !failure.contains("r2") && !failure.contains("t1"),
        "{failure}"
    );
    successor(&provider, &secrets, &answer).map(|next| next.expose().to_owned())
}

fn of(body: impl AsRef<[u8]>) -> Option<String> {
    at("/refresh_token", 200, body.as_ref())
}

const WHOLE: &str = r#"{"access_token":"t1","refresh_token":"r2","expires_in":60}"#;

#[test]
fn of_an_answer_that_broke_off_the_successor_is_kept_once_it_is_whole() {
    let end = WHOLE.find("r2\"").unwrap() + "r2\"".len();
    for cut in 0..WHOLE.len() {
        let expected = (cut >= end).then(|| "r2".to_owned());
        let begun = &WHOLE[..cut];
        assert_eq!(of(begun), expected, "{begun}");
        // Behind what is read over in a whole one, too.
        let odd = begun.replacen('{', "{\u{a0}\"name\":\"O\\'B\\ud83d\",\"n\":NaN,", 1);
        assert_eq!(of(&odd), expected, "{odd}");
    }
}

#[test]
fn what_stands_around_an_answer_or_how_its_letters_are_written_costs_no_successor() {
    let wide =
        |bytes: fn(u16) -> Vec<u8>| WHOLE.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let little = wide(|unit| unit.to_le_bytes().to_vec());
    let big = wide(|unit| unit.to_be_bytes().to_vec());
    let rows = [
        format!("{WHOLE}<!-- cached -->").into(),
        format!("{WHOLE}\n\n0\n").into(),
        format!("{WHOLE}{WHOLE}").into(),
        format!("{WHOLE}{{\"refresh_token\":\"r3\"}}").into(),
        format!(")]}}',\n{WHOLE}").into(),
        format!("while(1);{WHOLE}").into(),
        format!("cb({WHOLE});").into(),
        format!("\u{feff}\u{feff}{WHOLE}").into(),
        format!("<b>Warning</b>: disk is full in /www/token on line 3\n{WHOLE}").into(),
        // What cannot be read behind it.
        WHOLE.replace('}', ",\"u\":new Date(1)}").into(),
        WHOLE.replace('}', ",u:1}").into(),
        WHOLE.replace('}', ",\"u\":'x'}").into(),
        WHOLE
            .replace(
                '}',
                &format!(",\"u\":{}1{}}}", "[".repeat(200), "]".repeat(200)),
            )
            .into(),
        // An unescaped quotation mark.
        WHOLE.replace('}', ",\"name\":\"a \"b\" c\"}").into(),
        little.clone(),
        big.clone(),
        [b"\xff\xfe".as_slice(), &little].concat(),
        [b"\xfe\xff".as_slice(), &big].concat(),
        WHOLE
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect(),
        little[..little.len() - 9].to_vec(),
    ];
    for row in rows {
        let row: Vec<u8> = row;
        assert_eq!(
            of(&row).as_deref(),
            Some("r2"),
            "{}",
            String::from_utf8_lossy(&row)
        );
    }
}

#[test]
fn what_is_no_answer_an_error_in_truth_or_another_text_has_no_successor() {
    for body in [
        r#"{"access_token":"t1","refresh_token":"r2","error":"invalid_grant"}"#,
        r#"{"access_token":"t1","refresh_token":"r2","error":1}"#,
        // Whatever it was to become.
        r#"{"refresh_token":"r2","error":"inva"#,
        r#"{"error":"invalid_grant"}{"refresh_token":"r2"}"#,
        // What was presented, and not more of it.
        r#"{"refresh_token":"r1","x":"#,
        r#"{"access_token":"","refresh_token":"r1"}"#,
        // Of something else.
        r#"{"request":{"refresh_token":"r2"},"x":"#,
        r#"{"request":{"refresh_token":"r2""#,
        r#"{"x":["refresh_token","r2"],"y":{"z":{"refresh_token":"r2"}}}<"#,
        r#"{"text":"\"refresh_token\":\"r2\"","x":"#,
        r#"{"text":"{\"refresh_token\":\"r2\"}"}<"#,
        r#"{"text":"x"refresh_token":"r2"}"#,
        r#""{\"refresh_token\":\"r2\"}""#,
        // The last of two counts, whether it is whole or not.
        r#"{"refresh_token":"r2","refresh_token":"r"#,
        r#"{"refresh_token":"r2","refresh_token":"","x":"#,
        r#"{"refresh_token":7,"x":"#,
        r#"{"refresh_token":["r2"],"x":"#,
        r#"{"refresh_token":"r2\"#,
        r#"{"refresh_token":"r2\x41","x":"#,
        r#"["t1","r2"]"#,
        "token_type=bearer&refresh_token=r2",
        "refresh_token=r2&x=1",
        "<html>r2</html>",
        "<style>p{}</style>{",
        "\0",
        "",
    ] {
        assert_eq!(of(body), None, "{body}");
    }
    // Its predecessor may be good; what was mended is good for nothing.
    assert_eq!(of(b"{\"refresh_token\":\"r2\xe9\"}"), None);
}

#[test]
fn what_stands_for_a_refresh_token_is_none() {
    for word in [
        "",
        " ",
        "null",
        "None",
        "(null)",
        "undefined",
        "[REDACTED]",
        "<hidden>",
        "********",
        "xxxxxxxx",
        "0",
        "abc***xyz",
        "5Aep...",
        "5Aep\u{2026}",
        "\u{2022}\u{2022}\u{2022}5Aep",
        "---",
    ] {
        for body in [
            format!(r#"{{"access_token":"","refresh_token":"{word}"}}"#),
            format!(r#"{{"refresh_token":"{word}","x":"#),
        ] {
            assert_eq!(of(&body), None, "{body}");
        }
    }
    for token in ["nullify", "xxxxxxxy", "a.b..c", "**a1", "-_-01", "r\u{e9}1"] {
        let body = format!(r#"{{"access_token":"","refresh_token":"{token}"}}"#);
        assert_eq!(of(&body).as_deref(), Some(token));
    }
}

#[test]
fn the_successor_is_read_of_a_success_alone_and_where_the_map_says() {
    // Whether the token beside it can be used does not matter.
    let body = r#"{"access_token":"","data":{"next":"r2"},"next":"r3"}"#;
    let next = |status: u16, body: &str| at("/data/next", status, body.as_bytes());
    let of_size = |size: usize| body.to_owned() + &" ".repeat(size - body.len());
    let r2 = Some("r2".to_owned());
    assert_eq!(next(200, body), r2);
    assert_eq!(next(200, &of_size(TOKEN_ANSWER_MAX)), r2);
    // It was read within a bound already, and is not what is too large.
    assert_eq!(next(200, &of_size(TOKEN_ANSWER_MAX + 1)), r2);
    let huge = format!(
        r#"{{"data":{{"next":"{}"}}}}"#,
        "r2".repeat(TOKEN_ANSWER_MAX / 2 + 1)
    );
    assert_eq!(next(200, &huge), None);
    assert_eq!(next(200, r#"{"data":{"next":"r2""#), r2);
    for status in [302, 400, 500] {
        assert_eq!(next(status, body), None);
        assert_eq!(next(status, r#"{"data":{"next":"r2""#), None);
    }
    assert_eq!(next(200, r#"{"error":"odd","data":{"next":"r2"}}"#), None);
    assert_eq!(next(200, r#"{"data":{"next":""}}"#), None);
    // What tells success from failure may be what was cut.
    let mut provider = zuora();
    provider.answer.refresh_token = Some("/next".into());
    provider.answer.success = Some(Success {
        place: "/ok".into(),
        equals: "true".to_owned(),
    });
    for (body, expected) in [
        (r#"{"ok":true,"next":"r2","x":"#, true),
        (r#"{"next":"r2","x":"#, false),
    ] {
        let answer = Answer {
            status: StatusCode::OK,
            headers: &HeaderMap::new(),
            body: body.as_bytes(),
            wall: Duration::ZERO,
        };
        let found = successor(&provider, &Secrets::default(), &answer);
        assert_eq!(found.is_some(), expected, "{body}");
    }
}
