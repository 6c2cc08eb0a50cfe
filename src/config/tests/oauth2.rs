//! Any OAuth 2.0 server: what its description becomes; the header that a token travels in.

use http::header::AUTHORIZATION;

use super::mistakes::check_all;
use super::parse;
use crate::config::Provider;
use crate::config::carrier::Header;
use crate::config::oauth2::{Dead, Encode, Grant, OAuth2, Parameter, Proof, Scalar, Target, Unit};
use crate::secret::{Algorithm, Source};

/// Five lines of a sound upstream, and `more`.
pub(super) fn any(more: &str) -> String {
    format!(
        "[upstream.any]\nprovider = \"oauth2\"\ntoken_url = \"https://login.example/oauth2/token?v=1\"\n\
         api_url = \"https://api.example/v3/\"\nclient_id = \"id\"\n{more}"
    )
}

pub(super) const SECRET: &str = "client_secret = { env = \"SECRET\" }\n";

fn read(text: &str) -> OAuth2 {
    let checked = parse(text).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    match checked
        .config
        .upstreams
        .into_iter()
        .next()
        .unwrap()
        .provider
    {
        Provider::OAuth2(oauth2) => *oauth2,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_shortest_description_is_a_form_with_the_client_in_its_body() {
    let any = read(&any(SECRET));
    assert_eq!(any.token_url.0.to_string(), "https://login.example");
    assert_eq!(any.token_url.1.as_str(), "/oauth2/token?v=1");
    let Target::Api(api) = &any.target else {
        panic!("{any:?}")
    };
    assert_eq!(
        (api.origin.to_string().as_str(), api.path.as_str()),
        ("https://api.example", "/v3")
    );
    assert!(matches!(any.grant, Grant::ClientCredentials));
    assert!(matches!(any.client.proof, Proof::Body { .. }));
    assert_eq!(
        (any.encode, any.header.as_slice()),
        (Encode::Form, &[Header::Bearer][..])
    );
    assert_eq!(any.fields.access_token, "/access_token");
    assert!(any.dead_session.is_empty() && any.success.is_none() && any.request.is_empty());
}

fn shown((name, parameter): &(String, Parameter)) -> String {
    match parameter {
        Parameter::Given(scalar) => format!("{name}={scalar}"),
        Parameter::List(list) => {
            let quoted = |scalar: &Scalar| match scalar {
                Scalar::Text(text) => format!("{text:?}"),
                other => other.to_string(),
            };
            let list: Vec<_> = list.iter().map(quoted).collect();
            format!("{name}=[{}]", list.join(", "))
        }
        Parameter::Secret(Source::Value(_)) => format!("{name}=value"),
        Parameter::Secret(source) => format!("{name}={source:?}"),
    }
}

#[test]
fn a_whole_description_is_read() {
    let text = any(&format!(
        "{SECRET}encode = \"json\"\nclient_auth = \"basic-raw\"\nscope = \"a b\"\n\
         request = {{ grant_type = \"odd\", auth = {{ kind = \"app\", ttl = 3600, half = 0.5, on = true, key = {{ file = \"k\" }}, scopes = [\"a\", 1] }}, env = \"${{SECRET}}\" }}\n\
         token_headers = {{ X-Api-Key = {{ file = \"k\" }}, Authorization-X = \"y\" }}\n\
         fields = {{ access_token = \"/data/token\", expires_in = {{ path = \"/data/ttl\", unit = \"ms\" }} }}\n\
         success = {{ path = \"/ok\", equals = true }}\n\
         dead_session = [{{ status = 403, body = \"expired\" }}, {{ status = 440 }}]\n\
         header = [\"oauth\", {{ name = \"X-Token\", value = \"Tok {{access_token}};\" }}]\n"
    ));
    let any = read(&text);
    let shown: Vec<_> = any.request.iter().map(shown).collect();
    let expected = [
        "grant_type=odd",
        "auth/kind=app",
        "auth/ttl=3600",
        "auth/half=0.5",
        "auth/on=true",
        "auth/key=File(\"/etc/upauth/k\")",
        "auth/scopes=[\"a\", 1]",
        "env=value",
    ];
    assert_eq!(shown, expected);
    let names: Vec<_> = any
        .token_headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["x-api-key", "authorization-x"]);
    assert!(matches!(
        any.client.proof,
        Proof::Basic { encoded: false, .. }
    ));
    assert_eq!(
        (any.fields.expires_in.as_str(), any.fields.unit),
        ("/data/ttl", Unit::Milliseconds)
    );
    assert_eq!(any.success.unwrap().equals, Scalar::Flag(true).to_string());
    let dead = |status, body: Option<&str>| Dead {
        status,
        body: body.map(str::to_owned),
    };
    assert_eq!(
        any.dead_session,
        [dead(403, Some("expired")), dead(440, None)]
    );
    let own = Header::Own {
        name: "x-token".parse().unwrap(),
        before: "Tok ".to_owned(),
        after: ";".to_owned(),
    };
    assert_eq!(any.header, [Header::OAuth, own]);
    assert_eq!(any.header[0].name(), AUTHORIZATION);
    assert!(!format!("{:?}", parse(&text).unwrap()).contains("from-env"));
}

#[test]
fn a_list_of_parameters_holds_texts_and_numbers_that_stand_in_it() {
    let with = |list: &str| any(&format!("{SECRET}request = {{ a = {list} }}\n"));
    check_all(&[
        (&with("[\"x\", [1]]"), "UA-0105 7:23 must be a text"),
        (&with("[{ b = 1 }]"), "UA-0105 7:18 neither objects nor"),
        (&with("[{ env = \"SECRET\" }]"), "UA-0105 7:18 references"),
        (&with("[\"${SECRET}\"]"), "UA-0114 7:18 no references"),
    ]);
}

#[test]
fn what_would_take_good_answers_for_a_dead_token_is_refused() {
    let with = |entry: &str| any(&format!("{SECRET}dead_session = [{entry}]\n"));
    check_all(&[
        (&with("{ status = 200 }"), "UA-0106 7:17 add body"),
        (
            &with("{ status = 204, body = \"\" }"),
            "UA-0106 7:17 every answer with status 204",
        ),
        (&with("401"), "UA-0105 7:17 must be a list of tables"),
    ]);
    let empty = read(&with("{ status = 401, body = \"\" }"));
    assert_eq!(empty.dead_session[0].body, None);
}

#[test]
fn who_signs_needs_no_client_secret() {
    let key = "private_key = { file = \"k.pem\" }\n";
    let url = "https://login.example/oauth2/token?v=1";
    let client = read(&any(&format!(
        "client_auth = \"private_key_jwt\"\nalgorithm = \"ES256\"\nkey_id = \"k1\"\n{key}"
    )));
    let signing = client.client.signing.unwrap();
    assert_eq!(
        (signing.algorithm, signing.key_id.as_deref()),
        (Algorithm::Es256, Some("k1"))
    );
    assert!(
        matches!(client.client.proof, Proof::PrivateKeyJwt { audience } if audience.as_str() == url)
    );
    let grant = read(&any(&format!(
        "grant = \"jwt_bearer\"\nusername = \"u\"\naudience = \"a\"\n{key}"
    )));
    assert!(matches!(grant.client.proof, Proof::None));
    assert!(matches!(grant.grant, Grant::JwtBearer { audience, .. } if audience.as_str() == "a"));
    assert_eq!(grant.audience, None);
    let nobody = any("client_auth = \"none\"\n").replace("client_id = \"id\"\n", "");
    assert!(read(&nobody).client.id.is_none());
}
