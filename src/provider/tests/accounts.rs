//! Who shares a token, and who shares refusals and budgets.

use super::*;

#[test]
fn an_account_is_shared_only_by_upstreams_that_may_share_its_token() {
    let of = |keys: &Zilliant| {
        let upstream = upstream(config::Provider::Zilliant(keys.clone()));
        let provider = Provider::of(&upstream);
        let secrets = secrets(&provider);
        let user = provider.user_key(&secrets);
        let user: Vec<_> = user.into_iter().map(Cow::into_owned).collect();
        (provider.account(&upstream), user)
    };
    let base = of(&zilliant_keys());
    assert_eq!(of(&zilliant_keys()), base);
    let change = |change: fn(&mut Zilliant)| {
        let mut keys = zilliant_keys();
        change(&mut keys);
        let changed = of(&keys);
        (changed.0 == base.0, changed.1 == base.1)
    };
    // (shares the token, shares refusals and budgets)
    type Row = (fn(&mut Zilliant), (bool, bool));
    let rows: [Row; 6] = [
        (
            |keys| keys.api_url = "https://other.zilliant.com".parse().unwrap(),
            (false, true),
        ),
        (|keys| keys.client_secret = source("B"), (false, true)),
        (|keys| keys.user.password = source("B"), (false, true)),
        (|keys| keys.user.username = source("B"), (false, false)),
        (|keys| keys.client_id = source("B"), (false, false)),
        (
            |keys| keys.login_url = "https://other.example.com".parse().unwrap(),
            (false, false),
        ),
    ];
    for (index, (mutate, expected)) in rows.into_iter().enumerate() {
        assert_eq!(change(mutate), expected, "row {index}");
    }
    let account = format!("{base:?}");
    assert!(!account.contains("TOKEN99") && !account.contains("AAAA0000"));
}

#[test]
fn another_allow_list_is_another_account() {
    let of = |keys: Salesforce| {
        let upstream = upstream(config::Provider::Salesforce(keys));
        Provider::of(&upstream).account(&upstream)
    };
    let mut narrow = salesforce_keys();
    narrow.instance_hosts = Some(vec!["acme.my.salesforce.com".parse().unwrap()]);
    assert_ne!(of(salesforce_keys()), of(narrow));
    let mut oauth = salesforce_keys();
    oauth.header = vec![Header::OAuth];
    assert_eq!(of(salesforce_keys()), of(oauth));
}
