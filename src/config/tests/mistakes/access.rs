//! Mistakes in `[access] keys`.

use super::{check, check_all};

/// `sha256sum` of `a`, and of `b`.
const A: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
const B: &str = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";

fn keys(entries: &str) -> String {
    let entries = entries.replace("{A}", &format!("sha256 = \"{A}\""));
    let entries = entries.replace("{B}", &format!("sha256 = \"{B}\""));
    format!("{{CRM}}[access]\nkeys = {entries}\n")
}

fn check_keys(rows: &[(&str, &str)]) {
    for (entries, expected) in rows {
        check(&keys(entries), &[expected]);
    }
}

#[test]
fn a_key_has_a_name_and_a_digest() {
    check_keys(&[
        ("\"etl\"", "UA-0105 7:8 keys = [{"),
        ("{}", "UA-0105 7:8 keys = [{"),
        ("[\"etl\"]", "UA-0105 7:9 write keys = [{ name = \"etl\""),
        ("[{ {A} }]", "UA-0106 7:9 lacks `name`"),
        ("[{ name = \"\", {A} }]", "UA-0106 7:9 lacks `name`"),
        ("[{ name = \"etl\" }]", "UA-0106 7:9 `upauth key NAME`"),
        ("[{ name = \"E T L\", {A} }]", "UA-0109 7:18 lower-case"),
        ("[{ name = 1, {A} }]", "UA-0105 7:18 "),
        ("[{ name = \"etl\", sha256 = 1 }]", "UA-0105 7:34 "),
        (
            "[{ name = \"etl\", sha256 = \"abc\" }]",
            "UA-0150 7:34 has 3 characters instead of 64",
        ),
        (
            "[{ name = \"etl\", sha256 = \"upauth-0123456789abcdef0123456789abcdef\" }]",
            "UA-0150 7:34 is the key itself",
        ),
        (
            "[{ name = \"etl\", sha256 = \"zzzz8112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\" }]",
            "UA-0150 7:34 no hexadecimal digits",
        ),
        (
            "[{ name = \"etl\", sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\" }]",
            "UA-0150 7:34 of nothing",
        ),
        (
            "[{ name = \"etl\", sha256 = \"01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b\" }]",
            "UA-0150 7:34 of nothing",
        ),
        (
            "[{ name = \"etl\", {A}, readonly = true }]",
            "UA-0103 7:102 did you mean `read_only`?",
        ),
        (
            "[{ name = \"etl\", {A}, read_only = \"yes\" }]",
            "UA-0105 7:114 true or false",
        ),
    ]);
}

#[test]
fn a_key_is_for_upstreams_that_there_are() {
    check_keys(&[
        (
            "[{ name = \"etl\", {A}, upstreams = [\"crn\"] }]",
            "UA-0111 7:115 did you mean `crm`?",
        ),
        (
            "[{ name = \"etl\", {A}, upstreams = [] }]",
            "UA-0108 7:114 leave `upstreams` out",
        ),
        (
            "[{ name = \"etl\", {A}, upstreams = \"crm\" }]",
            "UA-0105 7:114 a list",
        ),
    ]);
}

#[test]
fn keys_can_be_told_apart() {
    check_keys(&[
        (
            "[{ name = \"a\", {A} }, { name = \"a\", {B} }]",
            "UA-0151 7:102 same `name`",
        ),
        (
            "[{ name = \"a\", {A} }, { name = \"b\", {A} }]",
            "UA-0151 7:102 same `sha256`",
        ),
    ]);
}

#[test]
fn all_mistakes_of_all_keys_are_told_at_once() {
    check(
        &keys(
            "[\n  { name = \"etl\" },\n  { name = \"etl\", sha256 = \"x\", upstreams = [\"a\", \"b\"] },\n]",
        ),
        &[
            "UA-0106 8:3 ",
            "UA-0150 9:28 ",
            "UA-0111 9:46 ",
            "UA-0111 9:51 ",
        ],
    );
}

#[test]
fn keys_and_open_are_for_the_listeners_of_callers_alone() {
    let one = keys("[{ name = \"etl\", {A} }]");
    check_all(&[
        (
            &format!("{one}[admin]\nlisten = \"0.0.0.0:7718\"\n"),
            "UA-0120 9:10 no key opens the admin listener",
        ),
        (
            "{CRM}[access]\nopen = true\n[admin]\nlisten = \"0.0.0.0:7718\"\n",
            "UA-0120 9:10 nor does [access] open",
        ),
        (&format!("{one}open = true\n"), "UA-0152 8:8 remove `open`"),
        (
            "{CRM}[access]\nkeys = []\nopen = true\n",
            "UA-0152 8:8 remove `open`",
        ),
    ]);
}
