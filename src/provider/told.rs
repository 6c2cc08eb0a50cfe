//! [`Told`]: what a token answer says that callers are told as well, when their own logins are answered here.

use serde_json::Value;

use super::login::{self, Login, Secrets};
use super::refusal;

/// Whom a token is for and what it may do. Nothing of it is a secret: every caller can ask the API for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The path of the user who logged in: `/id/ORG/USER` (Salesforce).
    pub identity: Option<String>,
    /// The granted scope, words with blanks between them.
    pub scope: Option<String>,
    /// What was asked for beside that and is not granted, in the same form.
    pub lacks: Option<String>,
}

impl Told {
    /// What `answer`, which grants `token` where `asked` was asked for, says. What is not of the usual form, or repeats a
    /// secret, is not told.
    pub(super) fn of(answer: &Value, token: &str, secrets: &Secrets, asked: Option<&str>) -> Self {
        let field = |name| answer.get(name).and_then(Value::as_str);
        let scope = field("scope").filter(|scope| {
            is_scope(scope) && refusal::shown(scope, secrets, &[token], LONGEST) == **scope
        });
        Self {
            identity: field("id").and_then(identity),
            lacks: scope.and_then(|granted| lacking(asked?, granted)),
            scope: scope.map(str::to_owned),
        }
    }
}

/// Clients (jsforce, sfdx-core) take the last two segments for the ids of org and user. What programs print names the
/// org alone.
fn identity(url: &str) -> Option<String> {
    let (_, ids) = url.split_once("://")?.1.split_once("/id/")?;
    let (org, user) = ids.split_once('/')?;
    let is_id = |id: &str| {
        matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (is_id(org) && is_id(user)).then(|| format!("/id/{org}/{user}"))
}

/// The scope that `login` asks for, if it does.
pub(super) fn asked(login: &Login) -> Option<&str> {
    let Login::Call(call) = login else {
        return None;
    };
    let mut parameters = call.parameters.iter();
    let (_, value) = parameters.find(|(name, _)| name == "scope")?;
    match value {
        login::Value::Text(text) => Some(text),
        login::Value::Json(json) => json.as_str(),
        login::Value::Fields(_) | login::Value::Assertion(_) => None,
    }
}

/// The words of `asked` that `granted` has not, by whatever name it has them: RFC 6749 section 5.1 lets a server grant
/// less, and wants it to say so. Some write commas, other cases, or the address of the API before the name.
fn lacking(asked: &str, granted: &str) -> Option<String> {
    let words = |text: &str| -> Vec<String> {
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        words.map(str::to_ascii_lowercase).collect()
    };
    let granted = words(granted);
    let has = |word: &str| {
        granted.iter().any(|have| {
            let rest = have.strip_suffix(word);
            rest.is_some_and(|before| before.is_empty() || before.ends_with('/'))
        })
    };
    let lacks: Vec<_> = words(asked)
        .into_iter()
        .filter(|word| !(is_no_right(word) || has(word)))
        .collect();
    (!lacks.is_empty()).then(|| lacks.join(" "))
}

/// What is asked for by these is another token, or whatever the client was given anyway: answers need not repeat it.
fn is_no_right(word: &str) -> bool {
    matches!(
        word,
        "openid" | "offline" | "offline_access" | "refresh_token"
    ) || word.ends_with("/.default")
}

/// RFC 6749 section 3.3.
fn is_scope(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(fits)
}

/// Of a scope, in bytes. Zuora's name every entity of the tenant.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provider::tests::{salesforce, secrets};

    #[test]
    fn org_and_user_are_told_whatever_the_host_is() {
        let (org, user) = ("00Dxx0000000001EAA", "005xx000000000AAAQ");
        let rows = [
            (
                format!("https://login.salesforce.com/id/{org}/{user}"),
                true,
            ),
            (
                format!("https://acme.my.site.com/partners/id/{org}/{user}"),
                true,
            ),
            (
                format!("http://127.0.0.1:80/id/{}/{}", &org[..15], &user[..15]),
                true,
            ),
            (org.to_owned(), false),
            (format!("/id/{org}/{user}"), false),
            (format!("https://login.salesforce.com/id/{org}"), false),
            (
                format!("https://login.salesforce.com/id/{org}/{user}/x"),
                false,
            ),
            (
                format!("https://login.salesforce.com/id/{org}/005xx00-000000AAAQ"),
                false,
            ),
            (
                format!("https://login.salesforce.com/id/{}/{user}", &org[..16]),
                false,
            ),
            (
                format!("https://login.salesforce.com/id/{org}/{user}?x"),
                false,
            ),
            (
                format!("https://login.salesforce.com/id/{org}/005/../xx0000000"),
                false,
            ),
            (String::new(), false),
        ];
        for (id, expected) in rows {
            let told = Told::of(&json!({ "id": id }), "t0ken", &Secrets::default(), None);
            let path = id.find("/id/").map(|at| id[at..].to_owned());
            assert_eq!(told.identity, path.filter(|_| expected), "{id}");
        }
    }

    #[test]
    fn the_scope_that_is_asked_for_is_a_text_of_the_login() {
        let mut provider = salesforce();
        assert_eq!(asked(&provider.login), None);
        let Login::Call(call) = &mut provider.login else {
            panic!("it calls an endpoint");
        };
        let text = |text: &str| login::Value::Text(text.to_owned().into());
        call.parameters.push(("resource".into(), text("other")));
        call.parameters.push(("scope".into(), text("api id")));
        assert_eq!(asked(&provider.login), Some("api id"));
    }

    #[test]
    fn a_scope_is_told_that_is_one_and_repeats_no_secret() {
        let secrets = secrets(&salesforce());
        let longest = "s".repeat(LONGEST);
        let rows = [
            (json!("api"), true),
            (json!("entity.1a-2b platform.write tenant.1"), true),
            (json!(longest), true),
            (json!(format!("{longest}s")), false),
            (json!(""), false),
            (json!("a\"b"), false),
            (json!("a\nb"), false),
            (json!("é"), false),
            (json!("api t0ken"), false),
            (json!("api AAAA0000"), false),
            (json!(["api"]), false),
        ];
        for (scope, expected) in rows {
            let told = Told::of(&json!({ "scope": scope }), "t0ken", &secrets, None);
            assert_eq!(told.scope.is_some(), expected, "{scope}");
        }
    }

    #[test]
    fn what_was_asked_for_and_is_not_granted_is_told_and_other_names_for_it_are_not_missed() {
        let rows = [
            ("read write", Some("read"), Some("write")),
            ("a b c", Some("b"), Some("a c")),
            ("read", Some("read write"), None),
            ("write read", Some("read write"), None),
            ("Read,write", Some("read,Write"), None),
            ("User.Read", Some("https://graph.example/User.Read"), None),
            ("ad", Some("read"), Some("ad")),
            ("https://api.example/.default", Some("x"), None),
            (
                "read openid offline_access refresh_token offline",
                Some("read"),
                None,
            ),
            // That it is the one that was asked for need not be said.
            ("read", None, None),
            ("read", Some(""), None),
        ];
        let secrets = secrets(&salesforce());
        for (asked, granted, lacks) in rows {
            let answer = granted.map_or(json!({}), |granted| json!({ "scope": granted }));
            let told = Told::of(&answer, "t0ken", &secrets, Some(asked));
            assert_eq!(told.lacks.as_deref(), lacks, "{asked} {granted:?}");
            let nothing_asked = Told::of(&answer, "t0ken", &secrets, None);
            assert_eq!(nothing_asked.lacks, None);
        }
    }
}
