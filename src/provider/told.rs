//! [`Told`]: what a token answer says that callers are told as well, when their own logins are answered here.

use serde_json::Value;

use super::login::Secrets;
use super::refusal;

/// Whom a token is for and what it may do. Nothing of it is a secret: every caller can ask the API for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The path of the user who logged in: `/id/ORG/USER` (Salesforce).
    pub identity: Option<String>,
    /// The granted scope, words with blanks between them.
    pub scope: Option<String>,
}

impl Told {
    /// What `answer`, which grants `token`, says. What is not of the usual form, or repeats a secret, is not told.
    pub(super) fn of(answer: &Value, token: &str, secrets: &Secrets) -> Self {
        let field = |name| answer.get(name).and_then(Value::as_str);
        let scope = field("scope").filter(|scope| {
            is_scope(scope) && refusal::shown(scope, secrets, &[token], LONGEST) == **scope
        });
        Self {
            identity: field("id").and_then(identity),
            scope: scope.map(str::to_owned),
        }
    }
}

/// Clients take the last two segments for the ids of org and user (PROVIDERS 1.3). What programs print names the org
/// alone.
fn identity(url: &str) -> Option<String> {
    let (_, ids) = url.split_once("://")?.1.split_once("/id/")?;
    let (org, user) = ids.split_once('/')?;
    let is_id = |id: &str| {
        matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (is_id(org) && is_id(user)).then(|| format!("/id/{org}/{user}"))
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
            let told = Told::of(&json!({ "id": id }), "t0ken", &Secrets::default());
            let path = id.find("/id/").map(|at| id[at..].to_owned());
            assert_eq!(told.identity, path.filter(|_| expected), "{id}");
        }
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
            let told = Told::of(&json!({ "scope": scope }), "t0ken", &secrets);
            assert_eq!(told.scope.is_some(), expected, "{scope}");
        }
    }
}
