//! Answers that are odd, well-meant and whole: whatever is odd, the token serves and its successor is not lost.

use super::*;

/// How an answer with an access token `t1` and a refresh token `r2` is read: its lifetime in seconds (0: none), and whether the
/// successor is kept.
fn read_odd(body: &[u8]) -> (Option<u64>, bool) {
    let mut provider = zuora();
    provider.answer.refresh_token = Some("/refresh_token".into());
    let answer = Answer {
        status: StatusCode::OK,
        headers: &HeaderMap::new(),
        body,
        wall: Duration::from_secs(1_700_000_000),
    };
    match read(&provider, &secrets(&provider), &answer) {
        Ok(granted) => {
            assert_eq!(granted.credential.value(CarrierForm::Token), "t1");
            let life = match granted.credential.lifetime() {
                Lifetime::For(life) => life.as_secs(),
                Lifetime::UntilUnusedFor(_) => 0,
            };
            let kept = granted.refresh_token.map(|next| next.expose().to_owned());
            (Some(life), kept.as_deref() == Some("r2"))
        }
        Err(failure) => {
            assert!(!failure.to_string().contains("t1"), "{failure}");
            let kept = successor(&provider, &secrets(&provider), &answer);
            (None, kept.is_some_and(|next| next.expose() == "r2"))
        }
    }
}

/// What stands beside the tokens, and the lifetime that is read.
const ODD: [(&str, u64); 52] = [
    (r#""expires_in":60"#, 60),
    // Errors that are none.
    (r#""error":null"#, 0),
    (r#""error":"""#, 0),
    (r#""error":" ""#, 0),
    (r#""error":0"#, 0),
    (r#""error":0.0"#, 0),
    (r#""error":-0"#, 0),
    (r#""error":"0""#, 0),
    (r#""error":false"#, 0),
    (r#""error":[]"#, 0),
    (r#""error":{}"#, 0),
    (r#""error":"none""#, 0),
    (r#""error":"Success""#, 0),
    (r#""error":null,"error_description":"""#, 0),
    // Numbers that do not fit.
    (r#""expires_in":1e400"#, 0),
    (r#""expires_in":-1e400"#, 0),
    (r#""other":1e999,"expires_in":60"#, 60),
    (r#""expires_in":99999999999999999999999"#, 86_400),
    (r#""expires_in":NaN"#, 0),
    (r#""expires_in":Infinity"#, 0),
    (r#""expires_in":-Infinity"#, 0),
    (r#""expires_in":undefined"#, 0),
    (r#""expires_in":+60"#, 0),
    (r#""expires_in":060"#, 0),
    (r#""expires_in":"60.0""#, 60),
    (r#""expires_in":60.0"#, 60),
    (r#""expires_in":-60"#, 0),
    (r#""expires_in":{"seconds":60}"#, 0),
    (r#""expires_in":[60]"#, 0),
    (r#""expires_in":true"#, 0),
    // The last of two counts.
    (r#""expires_in":30,"expires_in":60"#, 60),
    (r#""token_type":"BEARER""#, 0),
    (r#""token_type":"""#, 0),
    (r#""token_type":7"#, 0),
    (r#""token_type":null"#, 0),
    (r#""token_type":["bearer"]"#, 0),
    // Names that were cut in the middle of a letter, and other texts.
    (r#""name":"x\ud83d""#, 0),
    (r#""name":"\ude00x \" \\""#, 0),
    (r#""name":"\ud83d\ude00 \ud83d\u0041""#, 0),
    ("\"name\":\"a\tb\nc\u{7f}\"", 0),
    (r#""name":"1e400 NaN \"1e400\"","expires_in":60"#, 60),
    // Escapes of other languages.
    (r#""name":"O\'Brien","expires_in":60"#, 60),
    (r#""name":"\x41\0\a","expires_in":60"#, 60),
    (r#""name":"\u+123\u12""#, 0),
    (r#""name":"\ud800\x\udc00""#, 0),
    // Nothing in the place of a value, a time without quotation marks.
    (r#""u":"#, 0),
    (r#""u":,"expires_in":60"#, 60),
    (r#""u":2026-11-26T10:00:00Z"#, 0),
    (r#""u":[1,],"v":{"w":1,},"expires_in":60"#, 60),
    // Other blanks.
    ("\u{a0}\"expires_in\":60", 60),
    ("\u{2028}\"expires_in\":\u{feff}60", 60),
    ("\u{b}\"expires_in\"\0:\u{0}60", 60),
];

#[test]
fn whatever_else_is_odd_the_token_serves_and_its_successor_is_kept() {
    for (odd, life) in ODD {
        for body in [
            format!(r#"{{"access_token":"t1","refresh_token":"r2",{odd}}}"#),
            format!(r#"{{{odd},"refresh_token":"r2","access_token":"t1"}}"#),
        ] {
            assert_eq!(read_odd(body.as_bytes()), (Some(life), true), "{body}");
        }
    }
    let plain = r#"{"access_token":"t1","refresh_token":"r2"}"#;
    for body in [
        format!("\u{feff}{plain}"),
        format!("\r\n {plain}\r\n\r\n"),
        format!("{plain}\0"),
        format!("{plain}\n\0\0"),
        plain.replace('}', ",\"access_token\":\"t1\"}"),
        plain.replace('}', " , }"),
    ] {
        assert_eq!(read_odd(body.as_bytes()), (Some(0), true), "{body}");
    }
    let latin = b"{\"access_token\":\"t1\",\"refresh_token\":\"r2\",\"name\":\"Jos\xe9\"}";
    assert_eq!(read_odd(latin), (Some(0), true));
}

#[test]
fn of_two_fields_of_one_name_the_last_counts_however_the_answer_is_read() {
    let two = r#""access_token":"t0","refresh_token":"r1","error":"no","access_token":"t1","refresh_token":"r2","error":null"#;
    for odd in ["", r#","n":NaN"#] {
        let body = format!("{{{two}{odd}}}");
        assert_eq!(read_odd(body.as_bytes()), (Some(0), true), "{body}");
        // What there is of one that is not whole.
        let body = format!("{{{two}{odd},\"n");
        assert_eq!(read_odd(body.as_bytes()), (None, true), "{body}");
    }
    let many = format!("{{{}{two}}}", r#""access_token":"t0","#.repeat(2500));
    assert_eq!(read_odd(many.as_bytes()), (Some(0), true));
    // The last is no text: none of those before is taken for it.
    let none = format!(r#"{{{two},"access_token":7,"refresh_token":null}}"#);
    assert_eq!(read_odd(none.as_bytes()), (None, false));
}

#[test]
fn an_access_token_that_cannot_be_used_takes_no_successor_with_it() {
    for token in [
        r#""access_token":17"#,
        r#""access_token":1e400"#,
        r#""access_token":null"#,
        r#""access_token":"t\u00e9""#,
        r#""access_token":"t\ud83d""#,
        r#""access_token":"t 1""#,
        r#""access_token":"t1","token_type":"DPoP""#,
    ] {
        let body = format!(r#"{{{token},"refresh_token":"r2"}}"#);
        assert_eq!(read_odd(body.as_bytes()), (None, true), "{body}");
    }
}

#[test]
fn what_is_mended_is_what_a_strict_parser_reads_where_there_is_nothing_to_mend() {
    let sound = [
        SALESFORCE,
        r#"{"a":"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t","b":[1,-2.5e-3,true,false,null,{}],"ä":"ö"}"#,
    ];
    for text in sound {
        let strict: Value = serde_json::from_str(text).unwrap();
        // Something that is mended, so that the rest is read by the same way.
        let odd = text.replacen('{', r#"{"odd":NaN,"#, 1);
        let mut read = json::read(odd.as_bytes()).unwrap();
        assert_eq!(
            read.as_object_mut().unwrap().remove("odd"),
            Some(Value::Null)
        );
        assert_eq!(read, strict);
    }
    for end in 0..SALESFORCE.len() {
        let cut = SALESFORCE[..end].replacen('{', r#"{"odd":NaN,"#, 1);
        assert_eq!(json::read(cut.as_bytes()), None, "{end}");
    }
}
