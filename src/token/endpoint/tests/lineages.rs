//! Where refresh tokens live, from one version to the next.

use super::*;
use crate::config::Config;

const ROTATING: &str = r#"
[server]
state = "/state"
[store]
kind = "file"
[upstream.crm]
provider = "salesforce"
grant = "refresh_token"
login_url = "https://acme.my.salesforce.com"
client_id = "id"
refresh_token = "seed"
[upstream.mail]
provider = "marketing-cloud-legacy"
offline = true
client_id = "id"
client_secret = "secret"
[upstream.any]
provider = "oauth2"
grant = "refresh_token"
token_url = "https://login.example/token"
api_url = "https://api.example"
client_id = "id"
client_secret = "secret"
refresh_token = "seed"
"#;

/// When this fails, records of refresh tokens are no longer found, and whoever goes on begins again with a seed that was
/// spent: then records begin in another way, too (`FORMAT` of the file store).
#[tokio::test]
async fn a_lineage_is_where_earlier_versions_left_it() {
    let none = |_: &str| None;
    let checked = Config::parse(ROTATING, "proxy.toml", "".as_ref(), &none).unwrap();
    let mut names = Vec::new();
    for upstream in &checked.config.upstreams {
        let lineage = lineage(&Provider::of(upstream)).await.unwrap();
        names.push((upstream.name.as_str(), lineage.to_string()));
    }
    let expected = [
        (
            "crm",
            "908a49005c1417b8c8e494678eeebe4e26d1b1988d8dbbbeeaf910659e827888",
        ),
        (
            "mail",
            "827f0b748326eb89c63462cff018755165c8f4859d64d6d34168cf0d69e6543b",
        ),
        (
            "any",
            "0a274dde14c90d7b4b1c96d73c7c6f1c45d74742c8d4c9501e998a060d0f24e6",
        ),
    ];
    assert_eq!(names, expected.map(|(name, at)| (name, at.to_owned())));
}

#[tokio::test]
async fn no_refresh_token_of_a_grant_is_told_whichever_is_presented() {
    let said = r#"{"error":"invalid_grant","message":"0a1b-2c3d is gone, 4e5f-6a7b came, 8c9d-0e1f was first"}"#;
    let answer = answer_with("400 Bad Request", said);
    let (url, _served) = serve(vec![answer]).await;
    let known = ["0a1b-2c3d", "4e5f-6a7b", "8c9d-0e1f"].map(Secret::new);
    let not = endpoint(&url).exchange(&known).await.unwrap_err();
    let told = format!("{not:?} {}", not.failure);
    assert!(told.contains("is gone") && told.contains("came"), "{told}");
    for secret in known {
        assert!(!told.contains(secret.expose()), "{told}");
    }
}
