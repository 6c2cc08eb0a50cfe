//! What a mistake looks like, and what it never shows.

use std::path::Path;

use super::{parse, with_crm};
use crate::config::{Config, SHIPPED};

fn rendered(text: &str) -> String {
    parse(&with_crm(text)).unwrap_err().render(false)
}

#[test]
fn problems_are_drawn_under_their_lines_and_counted() {
    let text = "[upstream.crm]\nprovider = \"salesforse\"\n\n[server]\nlisen = \"localhost:1\"\n";
    let expected = r#"error[UA-0107]: unknown provider `salesforse`
 --> proxy.toml:2:12
  |
2 | provider = "salesforse"
  |            ^^^^^^^^^^^^ no provider with this name
  |
  = help: did you mean `salesforce`?

error[UA-0103]: unknown key `lisen` in [server]
 --> proxy.toml:5:1
  |
5 | lisen = "********"
  | ^^^^^ no key with this name
  |
  = help: did you mean `listen`?

2 errors in proxy.toml; nothing was started."#;
    assert_eq!(rendered(text), expected);
}

#[test]
fn a_single_problem_is_one_error() {
    let expected = r#"error[UA-0120]: others can reach this listener and would act with the upstream's credential
 --> proxy.toml:7:10
  |
7 | listen = "0.0.0.0:80"
  |          ^^^^^^^^^^^^ not a loopback address
  |
  = help: listen on localhost, or ask callers for [access] keys (`upauth key NAME` makes one) or for certificates (tls with client_ca), or say [access] open = true if something else keeps strangers away

1 error in proxy.toml; nothing was started."#;
    assert_eq!(
        rendered("{CRM}[server]\nlisten = \"0.0.0.0:80\"\n"),
        expected
    );
}

#[test]
fn a_problem_of_the_whole_file_points_at_its_beginning() {
    let expected = "error[UA-0129]: there is no upstream
 --> proxy.toml:1:1
  |
1 |
  | ^
  |
  = help: add [upstream.NAME] with provider, login_url, client_id and client_secret

1 error in proxy.toml; nothing was started.";
    assert_eq!(rendered("# nothing\n"), expected);
}

#[test]
fn a_secret_is_hidden_in_the_quoted_line() {
    let text = "[upstream.z]\nprovider = \"zuora\"\nlogin_url = \"https://z.example\"\nclient_id = \"i\"\nclient_secret = \"hunter2 ${NOWHERE}\"\n";
    let expected = r#"error[UA-0113]: the environment variable `NOWHERE` is not set
 --> proxy.toml:5:18
  |
5 | client_secret = "********"
  |                  ^^^^^^^^
  |
  = help: set it: export NOWHERE=...; text may have a default: "${NOWHERE:-default}"

1 error in proxy.toml; nothing was started."#;
    assert_eq!(rendered(text), expected);
}

#[test]
fn color_is_used_only_if_asked_for() {
    let problems = parse("x = 1").unwrap_err();
    assert!(!problems.render(false).contains('\x1b'));
    assert!(problems.render(true).contains('\x1b'));
}

#[test]
fn no_problem_shows_a_secret() {
    let rows = [
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret = \"hunter2\" x\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret = hunter2\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret = \"hunter2\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret \"hunter2\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclientsecret = \"hunter2\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret =\n\"hunter2\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret =\n  'hunter2'\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret =\n\nhunter2\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret\n= \"hunter2\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret = \"a\"\n\"hunter2\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\npassword = \"hunter2\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret = [\"hunter2\"]\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret = { value = \"hunter2\" }\n",
        "[upstream.crm]\nprovider = \"zuora\"\nclient_secret = \"hunter2 ${NOWHERE}\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nlogin_url = \"https://me:hunter2@z.example\"\n",
        "[access]\norigins = [\"https://me:hunter2@z.example\"]\n",
        "[access]\nhosts = [\"https://me:hunter2@z.example\"]\n",
        "[upstream.crm]\nprovider = \"salesforce\"\ninstance_hosts = [\"me:hunter2@z.example\"]\n",
        "[upstream.crm]\nprovider = \"zuora\"\nhost = \"me:hunter2@z.example\"\n",
        "[server]\nlisten = \"me:hunter2@localhost:1\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nset_headers = { Authorization = \"hunter2\" }\n",
        "[upstream.crm]\nprovider = \"zuora\"\nrefresh_token = \"hunter2\"\n",
        "upstream = { crm = { provider = \"x\", client_secret = \"hunter2\" } }\n",
        "[upstream.crm]\nprovider = \"\"\"zuora\nclient_secret = \"hunter2\"\n",
        "[upstream.crm]\nprovider = \"\"\"zuora\\\nclient_secret = \"hunter2\"\n\"\"\"\n",
        "[upstream.crm]\nprovider = '''zuora\nclient_secret = \"hunter2\"\n'''\n",
        "[outbound]\nproxy = { url = \"http://p\", username = \"u\", password = \"hunter2\" }\n",
        "[upstream.crm]\nprovider = \"oauth2\"\ntoken_url = \"me:hunter2@z.example/t\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nlogin_url = \"me:hunter2@z.example\"\n",
        "[outbound]\nproxy = \"me:hunter2@p.example\"\n",
        "[server]\ntls = { cert = { file = \"c\" }, key = \"hunter2\" }\n",
        "[outbound]\nproxy = { url = \"http://u:pa,hunter2@p:3128\" }\n",
        "[outbound]\nproxy = { url = \"http://p:3128\", username = \"u\", pass = \"hunter2\" }\n",
        "[outbound]\nproxy = \"http://u:hunter2 word@p:3128\"\n",
        "[outbound]\nproxy = \"http://u:hunter2`w@p:3128\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nlogin_url = \"https://me:p'hunter2@z.example\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nlogin_url = \"https://me:hunter2\\u0040z.example\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\npass = \"hunter2\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nset_header = { X-Functions-Key = \"hunter2\" }\n",
        "[upstream.crm]\nprovider = \"zuora\"\ncomand = [\"curl\", \"-u\", \"me:hunter2\"]\n",
        "[upstream.crm]\nprovider = \"none\" # password = \"hunter2\"\n",
        "[access]\norigins = [\n  \"x y\", # hunter2\n  2 ]\n",
    ];
    rows.into_iter().for_each(hides);
}

#[test]
fn no_problem_shows_a_secret_in_the_place_of_a_name_or_a_server() {
    let rows = [
        "[outbound]\nproxy = \"me:hunter2\"\n",
        "[outbound]\nproxy = { url = \"http://p:1\", except = [\"u:hunter2\"] }\n",
        "[outbound]\nproxy = \"http:///u:hunter2\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nlogin_url = \"http:u:hunter2\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nset_headers = { \"X-Key: hunter2\" = \"x\" }\n",
        "[upstream.crm]\nprovider = \"zuora\"\nremove_headers = [\"X-Key;hunter2\"]\n",
        "[upstream.crm]\nprovider = \"zuora\"\n\"client_secret=hunter2\" = 1\n",
        "[access]\nkeys = { \"a:hunter2\" = \"a\" }\n",
        "[outbound]\nproxy = { url = \"me:hunter2\" }\n",
        "[upstream.crm]\nprovider = \"oauth2\"\ntoken_headers = { \"X-Key: hunter2\" = \"x\" }\n",
    ];
    rows.into_iter().for_each(hides);
}

fn hides(text: &str) {
    let problems = parse(text).unwrap_err();
    for shown in [
        problems.render(false),
        problems.render(true),
        format!("{problems:?}"),
    ] {
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
}

#[test]
fn no_problem_names_a_key_that_is_a_secret_in_a_broken_file() {
    for text in [
        "upstream = { a = = b = \"\npassword = 'hunter2'\n =[\nserve",
        "[[server\nadmin = {\npassword = 'hunter2'\n = 1 }\n",
        "[server]\nx = [{\npassword = \"hunter2\"\n.listen = 1 }]\n = \n",
        "keys = [\"hunter2\" = 1, { a = = 1 }]\n",
    ] {
        for shown in [
            parse(text).unwrap_err().render(false),
            format!("{:?}", parse(text).unwrap_err()),
        ] {
            assert!(!shown.contains("hunter2"), "{text}\n{shown}");
        }
    }
    // What shows in the lines is named.
    let shown = parse("upstream = { a = = 1 }\nupstream.crm = 1\nserver = 1\n").unwrap_err();
    assert!(shown.render(false).contains("`server` must be a table"));
}

#[test]
fn no_problem_shows_what_a_variable_says() {
    let env = |name: &str| (name == "SECRET").then(|| "hunter2".to_owned());
    for text in [
        "[server]\nlisten = \"${SECRET}\"\n",
        "[server]\nlisten = { env = \"SECRET\" }\n",
        "[upstream.crm]\nprovider = { env = \"SECRET\" }\n",
        "[log]\nlevel = \"a${SECRET}\"\n",
        "[outbound]\nproxy = \"a ${SECRET}\"\n",
        "[upstream.crm]\nprovider = \"${SECRET}\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nlogin_url = \"${SECRET}\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\ndeny = [\"${SECRET}\"]\n",
        "[upstream.crm]\nprovider = \"zuora\"\nconnect_timeout = \"${SECRET}\"\n",
        "[upstream.crm]\nprovider = \"zuora\"\nhost = \"${SECRET}/x\"\n",
        "[access]\nkeys = [{ name = \"a ${SECRET}\", sha256 = \"x\" }]\n",
    ] {
        let problems = Config::parse(text, "proxy.toml", Path::new("."), &env).unwrap_err();
        let shown = problems.render(false);
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
}

#[test]
fn no_problem_shows_a_secret_whatever_letter_is_missing_or_line_is_broken() {
    let text = "[upstream.crm]\nprovider = \"zuora\"\nlogin_url = \"https://me:hunter2@z.example\"\nclient_id = 'hunter2'\nclient_secret = \"hunter2\"\npassword = { value = \"hunter2\" }\nx = \n";
    // Without its `@` the password in the URL is a port, and a wrong one.
    let sign = text.find('@').unwrap();
    let url = text.find("https").unwrap()..sign + 1;
    let mut mistaken = Vec::new();
    for at in 0..text.len() {
        let (mut less, mut broken) = (text.to_owned(), text.to_owned());
        less.remove(at);
        broken.insert(at, '\n');
        mistaken.extend((at != sign).then_some(less));
        mistaken.extend((!url.contains(&at)).then_some(broken));
    }
    for mistaken in mistaken {
        let shown = parse(&mistaken).unwrap_err().render(false);
        // A letter of the value itself may be the one that is missing.
        assert!(
            !shown.contains("hunt") && !shown.contains("ter2"),
            "{mistaken}\n{shown}"
        );
    }
}

#[test]
fn every_beginning_of_the_shipped_file_is_read_and_drawn() {
    // A character of several bytes must not split a caret.
    let text = SHIPPED.replace("DEMO_USERNAME", "DEMO_\u{dc}SER\u{1f600}");
    for (end, _) in text.char_indices().step_by(41) {
        let problems = parse(&text[..end]).unwrap_err();
        assert!(problems.render(false).contains("nothing was started"));
    }
}

/// A Salesforce upstream, with a line of its client secret.
fn crm(secret: &str) -> String {
    format!(
        "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"https://a.my.salesforce.com\"\nclient_id = \"i\"\n{secret}\n"
    )
}

#[test]
fn what_was_put_where_a_name_or_a_template_belongs_is_not_shown() {
    const PUT: &str = "Zq7vXw9KpL2mN4tR8sYb";
    let sound = |line: &str| crm(&format!("client_secret = \"${{SECRET}}\"\n{line}"));
    let url = |url: &str| {
        format!(
            "[upstream.any]\nprovider = \"oauth2\"\ntoken_url = \"{url}\"\napi_url = \"https://h.example\"\nclient_id = \"i\"\nclient_secret = \"${{SECRET}}\"\n"
        )
    };
    for (text, code) in [
        (
            crm(&format!("client_secret = {{ env = \"{PUT}!\" }}")),
            "UA-0114",
        ),
        (
            crm(&format!("client_secret = {{ env = '{PUT}' }}")),
            "UA-0113",
        ),
        (crm(&format!("client_secret.env = \"{PUT}\"")), "UA-0113"),
        (crm(&format!("client_secret.env = \"{PUT}!\"")), "UA-0114"),
        (crm(&format!("client_secret = \"${{{PUT}}}\"")), "UA-0113"),
        (
            crm(&format!("[upstream.crm.client_secret]\nenv = \"{PUT}\"")),
            "UA-0113",
        ),
        (
            sound(&format!("read_only = {{ env = \"{PUT}-\" }}")),
            "UA-0105",
        ),
        (
            sound(&format!("header = {{ name = \"X-T\", value = \"{PUT}\" }}")),
            "UA-0127",
        ),
        (
            sound(&format!("header.name = \"X-T\"\nheader.value = \"{PUT}\"")),
            "UA-0127",
        ),
        (
            sound(&format!(
                "header = [{{ name = \"X-T\", value = \"{PUT} \\n\" }}]"
            )),
            "UA-0127",
        ),
        (url(&format!("https://h.example/token#{PUT}")), "UA-0116"),
        (
            url(&format!("https://h.example/token#/x?k={PUT}")),
            "UA-0116",
        ),
        (url(&format!("ftp://h.example/token#k={PUT}")), "UA-0116"),
    ] {
        let shown = rendered(&text);
        assert!(shown.contains(code), "{text}\n{shown}");
        assert!(!shown.contains(&PUT[..7]), "{shown}");
    }
}

#[test]
fn the_name_of_a_variable_is_told() {
    for (secret, name) in [
        ("{ env = \"CRM_9\" }", "CRM_9"),
        ("\"${crm_secret}\"", "crm_secret"),
    ] {
        let shown = rendered(&crm(&format!("client_secret = {secret}")));
        let told = format!("the environment variable `{name}` is not set");
        assert!(
            shown.contains(&told) && shown.contains(&format!("client_secret = {secret}")),
            "{shown}"
        );
    }
}
