//! What logins look like when they are written down.

use super::*;

fn moment() -> Moment {
    Moment {
        wall: Duration::from_secs(1_700_000_000),
        unique: "once".to_owned(),
    }
}

#[test]
fn a_json_login_is_one_object_of_strings_with_every_value_escaped_and_none_that_is_not_there() {
    let call = Call {
        endpoint: "https://auth.example.com".parse().unwrap(),
        path: "/v2/token".into(),
        encode: Encode::Json,
        parameters: vec![
            (
                "grant_type".into(),
                Value::Text("client_credentials".into()),
            ),
            (
                "client_secret".into(),
                Value::Fields(vec![Field::ClientSecret]),
            ),
            (
                "refreshToken".into(),
                Value::Fields(vec![Field::RefreshToken]),
            ),
        ],
        basic: None,
        headers: vec![],
        sources: vec![],
    };
    let mut secrets = Secrets::default();
    secrets.insert(Field::ClientSecret, Secret::new("a\"b\\c\n+é"));
    let request = request(&call, &secrets, &moment()).unwrap();
    assert_eq!(
        request.body,
        r#"{"client_secret":"a\"b\\c\n+é","grant_type":"client_credentials"}"#
    );
    assert_eq!(request.headers[header::CONTENT_TYPE], "application/json");
}

#[test]
fn names_with_slashes_are_members_of_objects_in_json_and_names_in_a_form() {
    let mut call = Call {
        endpoint: "https://auth.example.com".parse().unwrap(),
        path: "/token".into(),
        encode: Encode::Json,
        parameters: vec![
            (
                "auth/client/id".into(),
                Value::Fields(vec![Field::ClientId]),
            ),
            ("auth/client/kind".into(), Value::Text("app".into())),
            ("ttl".into(), Value::Json(3600.into())),
            ("scopes".into(), Value::Json(vec!["a", "b"].into())),
        ],
        basic: None,
        headers: vec![],
        sources: vec![],
    };
    let mut secrets = Secrets::default();
    secrets.insert(Field::ClientId, Secret::new("c 1"));
    let body = |call: &Call| request(call, &secrets, &moment()).unwrap().body;
    assert_eq!(
        body(&call),
        r#"{"auth":{"client":{"id":"c 1","kind":"app"}},"scopes":["a","b"],"ttl":3600}"#
    );
    call.encode = Encode::Form;
    let form = "auth%2Fclient%2Fid=c+1&auth%2Fclient%2Fkind=app&ttl=3600&scopes=a&scopes=b";
    assert_eq!(body(&call), form);
}

#[test]
fn basic_is_written_as_the_rfc_or_as_many_servers_want_it() {
    // Form-encoded first, as RFC 6749 section 2.3.1 wants it; and raw.
    let rows = [
        (
            Basic::Encoded,
            "M01WRzkuZmFrZSUyQmlkOnAlM0Fzcyt3JTJCcmQlMjU=",
        ),
        (Basic::Raw, "M01WRzkuZmFrZStpZDpwOnNzIHcrcmQl"),
    ];
    let mut secrets = Secrets::default();
    secrets.insert(Field::ClientId, Secret::new("3MVG9.fake+id"));
    secrets.insert(Field::ClientSecret, Secret::new("p:ss w+rd%"));
    for (basic, expected) in rows {
        let value = authorization(basic, &secrets);
        assert_eq!(value, format!("Basic {expected}").as_str());
        assert!(value.is_sensitive());
    }
}

#[test]
fn further_headers_may_be_secret_and_replace_accept_but_not_the_content_type() {
    let mut call = Call {
        endpoint: "https://auth.example.com".parse().unwrap(),
        path: "/token?key=hunter2".into(),
        encode: Encode::Form,
        parameters: vec![],
        basic: None,
        headers: vec![
            (
                "x-api-key".parse().unwrap(),
                Value::Fields(vec![Field::Header(0)]),
            ),
            (header::ACCEPT, Value::Text("*/*".into())),
            (header::CONTENT_TYPE, Value::Text("text/odd".into())),
        ],
        sources: vec![],
    };
    let mut secrets = Secrets::default();
    secrets.insert(Field::Header(0), Secret::new("hunter2"));
    let written = request(&call, &secrets, &moment()).unwrap();
    assert_eq!(written.path.as_str(), "/token?key=hunter2");
    assert_eq!(written.headers["x-api-key"], "hunter2");
    assert_eq!(written.headers[header::ACCEPT], "*/*");
    assert_eq!(
        written.headers[header::CONTENT_TYPE],
        "application/x-www-form-urlencoded"
    );
    assert!(!format!("{:?}", written.headers).contains("hunter2"));
    assert!(!Login::Call(call.clone()).to_string().contains("hunter2"));
    call.headers.truncate(1);
    let mut broken = Secrets::default();
    broken.insert(Field::Header(0), Secret::new("a\nb: c"));
    let refused = request(&call, &broken, &moment()).map(drop);
    assert_eq!(refused, Err(Unsigned::Header));
}
