//! Each call of each provider: what is read of it, and what it is told.

mod refused;

use serde_json::json;

use super::*;

struct Seen {
    /// `None`: unsupported.
    grant: Option<&'static Grant>,
    secrets: Vec<String>,
    answer: Value,
}

fn filling(told: &Told) -> Filling<'_> {
    Filling {
        placeholder: "P",
        here: "http://h/crm",
        now: Duration::from_millis(1_700_000_000_123),
        told,
    }
}

/// A token of the proxy's own that names nobody.
fn login(calls: &[LocalCall], path: &str, request: &str) -> Seen {
    login_of(&Told::default(), calls, path, request)
}

/// A request: the query, a line break, the body.
fn login_of(told: &Told, calls: &[LocalCall], path: &str, request: &str) -> Seen {
    let call = find(calls, &Method::POST, &Readings::of(path)).unwrap();
    let LocalKind::Login(login) = &call.kind else {
        panic!("{path} is no login")
    };
    let (query, body) = request.split_once('\n').unwrap_or(("", request));
    let fields = Fields::read(call.encoding, Some(query), "", body.as_bytes());
    let grant = login.grant(&fields);
    let answer = grant.map_or(Value::Null, |grant| {
        serde_json::from_str(&login.answer(grant, &fields, filling(told))).unwrap()
    });
    let secrets = login.secrets(&fields).map(str::to_owned).collect();
    Seen {
        grant,
        secrets,
        answer,
    }
}

#[test]
fn a_salesforce_login_is_answered_as_its_grant_is() {
    let calls = calls::salesforce();
    let token = |request: &str| login(&calls, "/services/oauth2/token", request);
    let base = json!({
        "access_token": "P",
        "instance_url": "http://h/crm",
        "id": "http://h/crm/id/00D000000000000EAA/005000000000000AAA",
        "token_type": "Bearer",
    });
    let signed = json!({ "issued_at": "1700000000123", "signature": "bm90IGEgc2lnbmF0dXJl" });
    let scope = json!({ "scope": "api" });
    let refresh = json!({ "refresh_token": "P" });
    let jwt = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    let saml = "urn:ietf:params:oauth:grant-type:saml2-bearer";
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let issued = json!({ "issued_token_type": "urn:ietf:params:oauth:token-type:access_token" });
    let rows: [(&str, bool, &[&Value]); 10] = [
        ("password", false, &[&signed]),
        ("client_credentials", false, &[&signed, &scope]),
        ("authorization_code", false, &[&signed, &scope, &refresh]),
        ("hybrid_auth_code", false, &[&signed, &scope, &refresh]),
        ("refresh_token", false, &[&signed, &scope]),
        ("hybrid_refresh", false, &[&signed, &scope]),
        (jwt, true, &[&scope]),
        (saml, true, &[&scope]),
        ("assertion", true, &[]),
        (exchange, false, &[&scope, &issued]),
    ];
    for (name, keyless, more) in rows {
        let mut expected = base.as_object().unwrap().clone();
        for more in more {
            expected.extend(more.as_object().unwrap().clone());
        }
        for request in [format!("grant_type={name}"), format!("grant_type={name}\n")] {
            let seen = token(&request);
            assert_eq!(seen.grant.unwrap().keyless, keyless, "{name}");
            assert_eq!(seen.answer, Value::Object(expected.clone()), "{name}");
        }
    }
    for other in [
        "",
        "grant_type=",
        "grant_type=device&code=P",
        "response_type=device_code",
        "grant_type=urn:ietf:params:oauth:grant-type:device_code",
        "grant_type=Password",
        "{\"grant_type\":\"password\"}",
    ] {
        assert_eq!(token(other).grant, None, "{other}");
    }
}

#[test]
fn a_key_is_the_client_secret_or_the_password_with_or_without_a_security_token() {
    let calls = calls::salesforce();
    let password = "k".repeat(30);
    let cut = |end: usize| "k".repeat(30 - end);
    let rows = [
        (
            "client_secret=s&client_id=c".to_owned(),
            vec!["s".to_owned()],
        ),
        (
            format!("password={password}&username=u&client_secret=s"),
            vec!["s".to_owned(), password.clone(), cut(24), cut(25)],
        ),
        ("password=short".to_owned(), vec!["short".to_owned()]),
        // Whoever typed only a security token has no password; nothing is cut within a letter.
        (format!("password={}", "t".repeat(24)), vec!["t".repeat(24)]),
        (
            format!("password=%C3%A9{}", "t".repeat(23)),
            vec![format!("é{}", "t".repeat(23))],
        ),
        ("refresh_token=r".to_owned(), vec!["r".to_owned()]),
        ("subject_token=t".to_owned(), vec!["t".to_owned()]),
        ("username=u&code=c&assertion=a".to_owned(), vec![]),
    ];
    for (request, expected) in rows {
        assert_eq!(
            login(&calls, "/services/oauth2/token", &request).secrets,
            expected,
            "{request}"
        );
    }
}

#[test]
fn an_answer_names_the_user_and_scope_of_the_proxys_own_token() {
    let told = Told {
        identity: Some("/id/00Dxx0000000001EAA/005xx000000000AAAQ".to_owned()),
        scope: Some("a b".to_owned()),
        lacks: None,
    };
    let rows = [
        (
            calls::salesforce(),
            "/services/oauth2/token",
            "grant_type=client_credentials",
        ),
        (
            calls::salesforce(),
            "/partners/services/oauth2/token",
            "grant_type=client_credentials",
        ),
        (
            calls::zuora(),
            "/oauth/token",
            "grant_type=client_credentials",
        ),
        (
            calls::marketing_cloud(),
            "/v2/token",
            r#"{"grant_type":"client_credentials","scope":"c"}"#,
        ),
    ];
    for (calls, path, request) in rows {
        let answer = login_of(&told, &calls, path, request).answer;
        assert_eq!(answer["scope"], "a b", "{path}");
        if let Some(id) = answer.get("id") {
            assert_eq!(id, "http://h/crm/id/00Dxx0000000001EAA/005xx000000000AAAQ");
            assert_eq!(answer["instance_url"], "http://h/crm", "{path}");
        }
    }
}

#[test]
fn a_token_that_lets_in_is_active_and_any_other_is_not() {
    let calls = calls::salesforce();
    let call = find(
        &calls,
        &Method::POST,
        &Readings::of("/services/oauth2/introspect"),
    )
    .unwrap();
    let LocalKind::Introspection(asked) = &call.kind else {
        panic!("no introspection")
    };
    let told = Told::default();
    let answer = |body: &str, filling: Option<Filling<'_>>| -> Value {
        let fields = Fields::read(call.encoding, None, "", body.as_bytes());
        serde_json::from_str(&asked.answer(&fields, filling)).unwrap()
    };
    assert_eq!(answer("token=t", None), json!({ "active": false }));
    let mut expected = json!({
        "active": true, "scope": "api", "token_type": "access_token",
        "sub": "http://h/crm/id/00D000000000000EAA/005000000000000AAA",
        "exp": 1_700_007_200, "iat": 1_700_000_000, "nbf": 1_700_000_000,
    });
    assert_eq!(answer("token=t", Some(filling(&told))), expected);
    expected["client_id"] = "3MVG9".into();
    let by_client = answer(
        "token=t&client_id=3MVG9&client_secret=s",
        Some(filling(&told)),
    );
    assert_eq!(by_client, expected);
}

#[test]
fn a_zuora_login_is_answered() {
    let calls = calls::zuora();
    let seen = login(
        &calls,
        "/oauth/token",
        "grant_type=client_credentials&client_id=i&client_secret=s",
    );
    assert_eq!(seen.secrets, ["s"]);
    let expected = json!({
        "access_token": "P", "token_type": "bearer", "expires_in": 3598, "scope": "service.echo.read", "jti": "upauth",
    });
    assert_eq!(seen.answer, expected);
    assert_eq!(
        login(&calls, "/oauth/token", "grant_type=password").grant,
        None
    );
}

#[test]
fn an_older_login_of_marketing_cloud_is_answered_with_what_it_asks_for() {
    let calls = calls::marketing_cloud_legacy();
    let rows = [
        (r#"{"clientId":"i","clientSecret":"s"}"#, "s", json!({})),
        (
            r#"{"clientId":"i","clientSecret":"s","accessType":"offline"}"#,
            "s",
            json!({ "refreshToken": "P" }),
        ),
        (
            r#"{"clientId":"i","clientSecret":"s","refreshToken":"r","accessType":"online"}"#,
            "s r",
            json!({ "refreshToken": "P" }),
        ),
        (
            "legacy=1\n{\"clientId\":\"i\",\"clientSecret\":\"s\"}",
            "s",
            json!({ "legacyToken": "P" }),
        ),
        ("nonsense", "", json!({})),
    ];
    for (request, secrets, more) in rows {
        let seen = login(&calls, "/v1/requestToken", request);
        let mut expected = json!({ "accessToken": "P", "expiresIn": 3600 });
        expected
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        assert_eq!(
            (seen.secrets.join(" ").as_str(), seen.answer),
            (secrets, expected),
            "{request}"
        );
    }
}

#[test]
fn a_newer_login_of_marketing_cloud_is_answered_with_addresses_that_end_in_a_slash() {
    let calls = calls::marketing_cloud();
    let rows = [
        (
            r#"{"grant_type":"client_credentials","client_id":"i","client_secret":"s","account_id":7,"scope":"email_read"}"#,
            "s",
            json!({ "scope": "" }),
        ),
        (
            r#"{"grant_type":"authorization_code","client_secret":"s","code":"c"}"#,
            "s",
            json!({ "scope": "", "refresh_token": "P" }),
        ),
        (
            r#"{"grant_type":"refresh_token","refresh_token":"r"}"#,
            "r",
            json!({ "scope": "", "refresh_token": "P" }),
        ),
    ];
    for (request, secrets, more) in rows {
        let seen = login(&calls, "/v2/token", request);
        let mut expected = json!({
            "access_token": "P", "token_type": "Bearer", "expires_in": 1079,
            "rest_instance_url": "http://h/crm/", "soap_instance_url": "http://h/crm/",
        });
        expected
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        assert_eq!(
            (seen.secrets.join(" ").as_str(), seen.answer),
            (secrets, expected),
            "{request}"
        );
    }
    assert_eq!(login(&calls, "/v2/token", "{}").grant, None);
}

#[test]
fn only_one_spelling_and_method_is_a_local_call() {
    let calls = calls::salesforce();
    let rows = [
        ("POST /services/oauth2/token", true),
        ("POST /services/OAuth2/Token/", true),
        ("GET /services/oauth2/token", false),
        ("POST /services/oauth2/token/x", false),
        ("POST /services/oauth2/introspect", true),
        ("GET /services/oauth2/introspect", false),
        ("POST /services/oauth2/authorize", false),
        ("POST /partners/services/oauth2/token", true),
        ("POST /partners/services/oauth2/introspect", true),
        ("GET /partners/services/oauth2/revoke", true),
        ("POST //services/oauth2/token", false),
        ("POST /a/b/services/oauth2/token", false),
        ("POST /services/oauth2/%74oken", false),
        ("POST /x/../services/oauth2/token", false),
        ("POST /services/oauth2/revoke", true),
        ("GET /services/oauth2/revoke", true),
        ("DELETE /services/oauth2/revoke", false),
    ];
    for (call, expected) in rows {
        let (method, path) = call.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let found = find(&calls, &method, &Readings::of(path));
        assert_eq!(found.is_some(), expected, "{call}");
    }
}
