//! `upauth init`: writes a configuration to begin with, for one upstream.

mod kinds;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{BufRead, Write as _};
use std::path::Path;

use clap::Args;

use self::kinds::{KINDS, Kind};
use super::output::Output;
use super::{Exit, shell};
use crate::config::{Config, is_name};

/// What is known from the beginning; what is missing is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Wishes {
    /// salesforce, zilliant, zuora, marketing-cloud, marketing-cloud-legacy or oauth2
    #[arg(long)]
    provider: Option<String>,
    /// What the upstream is called: it answers at /NAME/...
    #[arg(long)]
    name: Option<String>,
    /// Where to log in
    #[arg(long, value_name = "URL")]
    login_url: Option<String>,
    /// The token endpoint with its path, for oauth2
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// The address of the API, where a token does not bring it
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    /// The client's id; its secret is never asked for
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The user, where there is one
    #[arg(long)]
    username: Option<String>,
}

impl Wishes {
    /// The keys of the upstream that were given, each under its name in the file.
    fn keys(&self) -> BTreeMap<&'static str, &String> {
        // All are named here, so that one that is new cannot be forgotten.
        let Self {
            provider: _,
            name: _,
            login_url,
            token_url,
            api_url,
            client_id,
            username,
        } = self;
        let keys = [
            ("login_url", login_url),
            ("token_url", token_url),
            ("api_url", api_url),
            ("client_id", client_id),
            ("username", username),
        ];
        let given = keys.into_iter();
        given
            .filter_map(|(key, value)| Some((key, value.as_ref()?)))
            .collect()
    }
}

/// Writes the configuration. `asked` answers what `wishes` leave open, if somebody is there.
pub(super) fn run(
    path: &Path,
    wishes: &Wishes,
    asked: Option<&mut dyn BufRead>,
    out: &mut Output<'_>,
) -> Exit {
    if path.exists() {
        out.error(&format!(
            "{} is there already and stays as it is; for another file: --config PATH",
            path.display()
        ));
        return Exit::Io;
    }
    let mut answers = Answers { asked };
    let Some((kind, name, text)) = written(wishes, &mut answers, out) else {
        return Exit::Usage;
    };
    // Only what is sound but for the secrets is written.
    let secrets = |_: &str| Some("x".to_owned());
    let shown = path.display().to_string();
    if let Err(problems) = Config::parse(&text, &shown, Path::new(""), &secrets) {
        out.error(&problems.but("nothing was written").render(out.color));
        return Exit::Usage;
    }
    // Not even one that has come in the meantime is overwritten.
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
        out.error(&format!("cannot write {shown}: {error}"));
        return Exit::Io;
    }
    out.answer(&format!("{shown} is written. What is left to do:"));
    for secret in kind.secrets {
        out.answer(&format!("  export {}=...", variable(&name, secret)));
    }
    let from = shell::with_config(path);
    out.answer(&format!("  upauth check --live{from}"));
    out.answer(&format!(
        "  upauth run{from}\nwhich serves http://localhost:7717/{name}/..."
    ));
    Exit::Done
}

/// The text, and what it is for. `None`: something is missing, which was said.
fn written(
    wishes: &Wishes,
    answers: &mut Answers<'_>,
    out: &mut Output<'_>,
) -> Option<(&'static Kind, String, String)> {
    let providers: Vec<_> = KINDS.iter().map(|kind| kind.provider).collect();
    let what = format!("one of {}", providers.join(", "));
    let provider = answers.find("provider", wishes.provider.as_ref(), &what, None, out)?;
    let Some(kind) = KINDS.iter().find(|kind| kind.provider == provider) else {
        out.error(&format!("unknown provider `{provider}`: {what}"));
        return None;
    };
    let what = "what the upstream is called: it answers at /NAME/...";
    let name = answers.find("name", wishes.name.as_ref(), what, Some(kind.name), out)?;
    if !is_name(&name) {
        out.error(&format!(
            "`{name}` cannot be a name: 1 to 40 lower-case letters, digits and hyphens; nothing was written"
        ));
        return None;
    }
    let mut text = format!("{HEAD}[upstream.{name}]\n");
    line(&mut text, "provider", &format!("{provider:?}"));
    let mut given = wishes.keys();
    for (key, what) in kind.keys {
        let value = answers.find(key, given.remove(key), what, None, out)?;
        line(&mut text, key, &format!("{value:?}"));
    }
    for (key, what) in kind.optional {
        let value = answers.find(key, given.remove(key), what, Some(""), out)?;
        if !value.is_empty() {
            line(&mut text, key, &format!("{value:?}"));
        }
    }
    // Whatever else was given is written, too: whether it is a key of this provider's, the configuration knows.
    for (key, value) in given {
        line(&mut text, key, &format!("{value:?}"));
    }
    for secret in kind.secrets {
        let variable = variable(&name, secret);
        line(&mut text, secret, &format!("{{ env = \"{variable}\" }}"));
    }
    text.push_str(TAIL);
    Some((kind, name, text))
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key:<14} = {value}");
}

fn variable(name: &str, key: &str) -> String {
    format!("{name}_{key}").to_uppercase().replace('-', "_")
}

/// Whoever answers what is not said on the command line.
struct Answers<'a> {
    asked: Option<&'a mut dyn BufRead>,
}

impl Answers<'_> {
    /// What was given, or is answered, or else usual. `None`: nobody can say, which was said.
    fn find(
        &mut self,
        key: &str,
        given: Option<&String>,
        what: &str,
        usual: Option<&str>,
        out: &mut Output<'_>,
    ) -> Option<String> {
        if let Some(given) = given {
            return Some(given.clone());
        }
        let flag = key.replace('_', "-");
        let Some(asked) = &mut self.asked else {
            if usual.is_none() {
                out.error(&format!("--{flag} is missing: {what}"));
            }
            return usual.map(str::to_owned);
        };
        let default = match usual {
            None => String::new(),
            Some("") => " [none]".to_owned(),
            Some(usual) => format!(" [{usual}]"),
        };
        out.error(&format!("{key}: {what}{default}"));
        let mut line = String::new();
        let _ = asked.read_line(&mut line);
        match (line.trim(), usual) {
            ("", None) => {
                out.error(&format!("nothing was written: there is no {key}"));
                None
            }
            ("", Some(usual)) => Some(usual.to_owned()),
            (answer, _) => Some(answer.to_owned()),
        }
    }
}

const HEAD: &str = "\
# What is wrong with this file, `upauth check` says. Every key is documented in the proxy.toml that is shipped with upauth.

# An upstream is one API account. It answers at http://localhost:7717/NAME/..., and callers need no credential.
";
const TAIL: &str = "\
# A secret may also be { file = \"PATH\" }, or { command = [\"PROGRAM\", \"ARGUMENT\"] }: it is read at each login.
# read_only      = true               # GET, HEAD and OPTIONS only
# listen         = \"localhost:7770\"   # an address of its own, where no prefix is needed
# tls            = \"auto\"             # https there, by an own authority: `upauth env NAME` prints it

# [server]
# listen         = \"localhost:7717\"   # where callers connect
# [admin]
# listen         = \"localhost:7718\"   # where `upauth status` asks; metrics and health
";

#[cfg(test)]
mod tests;
