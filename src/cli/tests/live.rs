//! What `check --live` tells.

use super::{CRM, Exit, Folder, refusing, upstream_with_password};

#[test]
fn the_exit_of_a_live_check_tells_the_worst_whatever_comes_last() {
    let login = refusing().0.to_string();
    let refused = upstream_with_password("a", &login, "u");
    let unreachable = upstream_with_password("b", "127.0.0.1:1", "u");
    let (exit, _, err) = Folder::with(&format!("{refused}{unreachable}")).run("check --live");
    assert_eq!(exit, Exit::Refused, "{err}");
    let (refused, unreachable) = (refused.replace("upstream.a", "upstream.z"), unreachable);
    let (exit, _, err) = Folder::with(&format!("{unreachable}{refused}")).run("check --live");
    assert_eq!(exit, Exit::Refused, "{err}");
}

#[test]
fn what_is_likely_is_told_in_the_words_of_the_provider() {
    let oauth2 = |at: &str| {
        format!(
            "[upstream.a]\nprovider = \"oauth2\"\ntoken_url = \"http://{at}/token\"\napi_url = \"http://{at}\"\n\
             client_id = \"id\"\nclient_secret = \"secret\"\ngrant = \"password\"\nusername = \"u\"\npassword = \"pw\"\n"
        )
    };
    let login = refusing().0.to_string();
    let rows = [
        (upstream_with_password("a", &login, "u"), "security token"),
        (oauth2(&login), "fields, success"),
        (oauth2("127.0.0.1:1"), "token_url, encode"),
        (CRM.to_owned(), "not a token endpoint"),
    ];
    for (config, words) in rows {
        let (_, _, err) = Folder::with(&config).run("check --live");
        assert!(err.contains(words), "{words}: {err}");
    }
}
