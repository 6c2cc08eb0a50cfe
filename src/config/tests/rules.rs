//! Path rules that are allowed and cannot be what was meant.

use super::{parse, with_crm};

/// The warnings of a file: code, place, words.
fn warnings(text: &str) -> Vec<(&'static str, String, String)> {
    let checked = parse(&with_crm(text)).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    let warnings = checked.warnings.iter();
    warnings
        .map(|each| {
            let place = format!("{}:{}", each.line(), each.column());
            (
                each.code().id,
                place,
                format!("{} / {}", each.message(), each.remedy()),
            )
        })
        .collect()
}

/// Text, then `LINE:COLUMN words` for each warning with this code, in order.
fn check(id: &str, rows: &[(&str, &[&str])]) {
    for (text, expected) in rows {
        let found = warnings(text);
        assert_eq!(found.len(), expected.len(), "{text}\n{found:?}");
        for ((code, place, words), expected) in found.iter().zip(*expected) {
            let (at, part) = expected.split_once(' ').unwrap();
            assert_eq!((*code, place.as_str()), (id, at), "{text}\n{words}");
            assert!(words.contains(part), "{text}\n{words}");
        }
    }
}

const API: &str = "[upstream.any]\nprovider = \"oauth2\"\ntoken_url = \"https://a.example/token\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n";

#[test]
fn a_rule_with_a_prefix_that_rules_do_not_see_is_warned_of_and_told_without() {
    let base = format!("{API}api_url = \"https://a.example/tenants/acme/v3\"\n");
    let with_base = |more: &str| format!("{base}{more}");
    let route = |path: &str| format!("[route.r]\nupstream = \"crm\"\npath = \"{path}\"\n");
    let crm = |more: &str, route: &str| format!("{{CRM}}{more}{route}");
    check(
        "UA-0142",
        &[
            (
                "{CRM}deny = [\"/ok/**\", \"/crm/admin/**\"]\n",
                &[
                    "6:19 `/crm/admin/**` begins with `/crm` that rules see no path with / write \"/admin/**\"; if paths of the API",
                ],
            ),
            (
                "{CRM}deny = [\"DELETE /CRM/x/\"]\n",
                &["6:9 write \"DELETE /x\""],
            ),
            ("{CRM}allow = [\"/crm/**\"]\n", &["6:10 write \"/**\""]),
            ("{CRM}deny = [\"/crm\"]\n", &["6:9 write \"/\""]),
            (
                "[defaults.upstream]\ndeny = [\"/crm/x\"]\n{CRM}",
                &["2:9 write \"/x\""],
            ),
            (
                "{CRM}deny = [\"/crms/x\", \"/x/crm\", \"/**\", \"/*/x\", \"/\"]\n",
                &[],
            ),
            // Routes are the only ways then.
            (
                &crm("deny = [\"/apps/crm/x\"]\n", &route("/apps/crm")),
                &["6:9 write \"/x\""],
            ),
            (
                &crm("deny = [\"/crm/x\", \"/apps\"]\n", &route("/apps/crm")),
                &[],
            ),
            (&crm("deny = [\"/x\"]\n", &route("/")), &[]),
            (
                &crm(
                    "",
                    &format!("{}deny = [\"/r/x\", \"/crm/x\"]\n", route("/r")),
                ),
                &["9:9 write \"/x\""],
            ),
            // What is in front of every call, as it is and behind the name.
            (
                &with_base(
                    "deny = [\"POST /tenants/Acme/v3/admin/**\", \"/any/tenants/acme/v3/x\"]\n",
                ),
                &["7:9 write \"POST /admin/**\"", "7:43 write \"/x\""],
            ),
            (
                &with_base("allow = [\"/tenants/acme/**\", \"/v3/**\"]\n"),
                &[],
            ),
            (
                &with_base(
                    "[route.r]\nupstream = \"any\"\npath = \"/r\"\ndeny = [\"/tenants/acme/v3\"]\n",
                ),
                &["10:9 write \"/\""],
            ),
        ],
    );
}

#[test]
fn a_rule_that_may_not_be_shown_is_warned_of_without_its_text() {
    let printed = "{CRM}deny = [{ command = [\"printf\", \"/crm/hunter2\"] }]\n";
    let told = warnings(printed);
    assert_eq!(told.len(), 1, "{told:?}");
    let (code, place, words) = &told[0];
    assert_eq!((*code, place.as_str()), ("UA-0142", "6:9"));
    assert!(
        words.contains("leave it out") && !words.contains("hunter"),
        "{words}"
    );
}

#[test]
fn a_deny_that_replaces_rules_of_the_defaults_is_warned_of_and_told_whole() {
    let defaults = "[defaults.upstream]\ndeny = [\"DELETE /**\", \"/admin/**\"]\n{CRM}";
    let with = |own: &str| format!("{defaults}{own}\n");
    check(
        "UA-0143",
        &[
            (
                &with("deny = [\"/x\", \"DELETE /**\"]"),
                &["8:8 write deny = [\"/x\", \"DELETE /**\", \"/admin/**\"]"],
            ),
            (
                &with("deny = [\"/admin/**\"]"),
                &["8:8 lacks rules that stand there"],
            ),
            (
                &with("deny = [\"/Admin/\", \"DELETE /admin/**\", \"POST /**\"]"),
                &["8:8 \"DELETE /**\", \"/admin/**\"]"],
            ),
            (
                &with("deny = [\"/x\", \"/admin/**\", \"delete /**\"]").replace("delete", "DELETE"),
                &[],
            ),
            // That deny as much, or say that nothing is denied.
            (&with("deny = [\"/**\"]"), &[]),
            (&with("deny = []"), &[]),
            (defaults, &[]),
            ("{CRM}deny = [\"/x\"]\n", &[]),
        ],
    );
    let printed = "[defaults.upstream]\ndeny = [{ command = [\"printf\", \"/hunter2\"] }]\n{CRM}deny = [\"/x\"]\n";
    let told = warnings(printed);
    assert!(told.len() == 1 && !told[0].2.contains("hunter"), "{told:?}");
}
