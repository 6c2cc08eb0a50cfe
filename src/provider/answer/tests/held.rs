//! Tokens that another configuration let in.

use super::read_as;
use crate::config::salesforce::{Environment, Salesforce};
use crate::provider::tests::{salesforce_keys, zuora};
use crate::provider::{Provider, salesforce};

const DEV: &str = "https://acme--dev.sandbox.my.salesforce.com";
const OURS: &str = "00Dxx0000000aBc";

fn with(change: impl FnOnce(&mut Salesforce)) -> Provider {
    let mut keys = salesforce_keys();
    change(&mut keys);
    salesforce::provider(&keys, &[])
}

fn only(host: &str) -> Provider {
    with(|keys| keys.instance_hosts = Some(vec![host.parse().unwrap()]))
}

fn of_org(org: &str) -> Provider {
    with(|keys| keys.expect_org = Some(org.parse().unwrap()))
}

#[test]
fn a_held_token_is_accepted_where_a_new_one_like_it_would_be() {
    let any = with(|_| {});
    let ours = format!("https://login.salesforce.com/id/{OURS}/005xx0000000001");
    let rows = [
        (&any, Some(&ours), any.clone(), true),
        (&any, Some(&ours), only("*.salesforce.com"), true),
        (
            &any,
            Some(&ours),
            only("acme--dev.sandbox.my.salesforce.com"),
            true,
        ),
        (&any, Some(&ours), only("other.my.salesforce.com"), false),
        // Where the name alone was trusted, its addresses were not looked at.
        (
            &only("acme--dev.sandbox.my.salesforce.com"),
            Some(&ours),
            any.clone(),
            false,
        ),
        (
            &any,
            Some(&ours),
            with(|keys| keys.environment = Some(Environment::Sandbox)),
            true,
        ),
        (
            &any,
            Some(&ours),
            with(|keys| keys.environment = Some(Environment::Production)),
            false,
        ),
        (&any, Some(&ours), of_org(OURS), true),
        (&any, Some(&ours), of_org("00Dxx0000000aBcEAY"), true),
        (&any, Some(&ours), of_org("00Dxx0000000aBd"), false),
        (&any, None, of_org(OURS), false),
        (&of_org(OURS), Some(&OURS.to_owned()), of_org(OURS), true),
        (
            &of_org(OURS),
            Some(&OURS.to_owned()),
            of_org("00Dxx0000000aBd"),
            false,
        ),
        // It has no host that comes with the token.
        (&any, Some(&ours), zuora(), false),
    ];
    for (earlier, id, newer, expected) in rows {
        let mut json = serde_json::json!({ "access_token": "t", "instance_url": DEV });
        if let Some(id) = id {
            json["id"] = id.as_str().into();
        }
        let held = read_as(earlier, 200, json.to_string().as_bytes()).unwrap();
        let found = newer.accepts(earlier, &held);
        assert_eq!(found, expected, "{id:?} {:?}", newer.answer);
    }
}
