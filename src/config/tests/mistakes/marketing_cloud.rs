//! Mistakes in both kinds of Marketing Cloud upstreams.

use super::{check, check_all};

const CLIENT: &str = "client_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n";

#[test]
fn an_installed_package_lacks_or_has_the_wrong_keys() {
    check(
        "[upstream.mail]\nprovider = \"marketing-cloud\"\nusername = \"u\"\nlegacy_token = true\n",
        &[
            "UA-0106 1:1 add login_url = \"https://SUBDOMAIN.auth.marketingcloudapis.com\"",
            "UA-0106 1:1 lacks `client_id`",
            "UA-0106 1:1 lacks `client_secret`",
            "UA-0128 3:1 marketing-cloud upstreams",
            "UA-0128 4:1 marketing-cloud upstreams",
        ],
    );
}

/// An upstream that is sound but for what is given.
fn mail(login_url: &str, more: &str) -> String {
    format!(
        "[upstream.mail]\nprovider = \"marketing-cloud\"\nlogin_url = \"{login_url}\"\n{CLIENT}{more}"
    )
}

#[test]
fn of_a_tenants_hosts_only_one_gives_tokens() {
    let rows = [
        (
            mail("https://mc1.rest.marketingcloudapis.com", ""),
            "UA-0118 3:13 write login_url = \"https://mc1.auth.marketingcloudapis.com\"",
        ),
        (
            mail("https://mc1.soap.marketingcloudapis.com", ""),
            "UA-0118 3:13 write login_url = \"https://mc1.auth.marketingcloudapis.com\"",
        ),
        (
            mail("https://auth.exacttargetapis.com", ""),
            "UA-0118 3:13 provider = \"marketing-cloud-legacy\"",
        ),
        (
            mail("https://www.exacttargetapis.com", ""),
            "UA-0118 3:13 is of legacy packages only",
        ),
        (
            mail("https://mc1.auth.marketingcloudapis.com/v2/token", ""),
            "UA-0116 3:13 write login_url = \"https://mc1.auth.marketingcloudapis.com\"",
        ),
        (
            mail("http://mc1.auth.marketingcloudapis.com", ""),
            "UA-0117 3:13 https",
        ),
    ];
    for (text, expected) in rows {
        check(&text, &[expected]);
    }
}

#[test]
fn keys_of_an_installed_package_have_the_wrong_values() {
    let good = "https://mc1.auth.marketingcloudapis.com";
    let rows = [
        (
            mail(good, "account_id = 510001\n"),
            "UA-0105 6:14 put it in quotation marks",
        ),
        (mail(good, "mid = \"1\"\n"), "UA-0103 6:1 `account_id`?"),
        (
            mail(good, "account_id = \"Acme\"\n"),
            "UA-0108 6:14 `Acme` is not the id of a business unit",
        ),
        (
            mail(good, "account_id = { env = \"URL\" }\n"),
            "UA-0108 6:14 digits only",
        ),
        (
            mail(good, "grant = \"password\"\n"),
            "UA-0108 6:9 client_credentials",
        ),
        (
            mail(good, "offline = true\n"),
            "UA-0128 6:1 only legacy packages",
        ),
        (
            mail(good, "scope = [\"email_read\"]\n"),
            "UA-0105 6:9 spaces between",
        ),
        (
            mail(
                good,
                "api_url = \"https://mc1.rest.marketingcloudapis.com/asset\"\n",
            ),
            "UA-0116 6:11 the path comes with each call",
        ),
        (
            mail(good, "soap_url = \"http://soap.example\"\n"),
            "UA-0117 6:12 plain_http = [\"soap.example\"]",
        ),
        (
            mail(good, "instance_hosts = [\"https://a.example\"]\n"),
            "UA-0124 6:19 without a scheme",
        ),
        (
            mail(good, "session_timeout = \"1h\"\n"),
            "UA-0128 6:1 marketing-cloud upstreams",
        ),
    ];
    for (text, expected) in rows {
        check(&text, &[expected]);
    }
}

#[test]
fn a_legacy_package_has_keys_that_do_not_apply() {
    let mail = |more: &str| {
        format!("[upstream.mail]\nprovider = \"marketing-cloud-legacy\"\n{CLIENT}{more}")
    };
    let rows = [
        (
            mail("offline = true\n"),
            "UA-0170 5:11 add [store] with kind = \"file\"",
        ),
        (
            mail("refresh_token = { env = \"SECRET\" }\n"),
            "UA-0128 5:1 offline = true",
        ),
        (
            mail("grant = \"refresh_token\"\n"),
            "UA-0108 5:9 for refresh tokens write offline = true",
        ),
        (
            mail("account_id = \"1\"\n"),
            "UA-0128 5:1 marketing-cloud-legacy upstreams",
        ),
        (
            mail("instance_hosts = []\n"),
            "UA-0128 5:1 marketing-cloud-legacy upstreams",
        ),
        (
            mail("legacy_token = \"yes\"\n"),
            "UA-0105 5:16 true or false",
        ),
        (
            mail("login_url = \"https://mc1.rest.marketingcloudapis.com\"\n"),
            "UA-0118 5:13 https://mc1.auth.marketingcloudapis.com",
        ),
        (
            mail("login_url = \"https://auth.exacttargetapis.com/v1/requestToken?legacy=1\"\n"),
            "UA-0116 5:13 write login_url = \"https://auth.exacttargetapis.com\"",
        ),
        (
            mail("soap_url = \"https://webservice.s6.exacttarget.com/Service.asmx\"\n"),
            "UA-0116 5:12 write soap_url = \"https://webservice.s6.exacttarget.com\"",
        ),
    ];
    for (text, expected) in rows {
        check(&text, &[expected]);
    }
    check_all(&[
        (
            "[upstream.m]\nprovider = \"marketing-cloud-legaci\"\n",
            "UA-0107 2:12 did you mean `marketing-cloud-legacy`?",
        ),
        (
            "{CRM}account_id = \"1\"\n",
            "UA-0128 6:1 salesforce upstreams",
        ),
    ]);
}
