//! `upauth init`: writes a configuration to begin with, for one upstream.

mod kinds;

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
    for (key, what) in kind.keys {
        let given = match *key {
            "login_url" => &wishes.login_url,
            "token_url" => &wishes.token_url,
            "api_url" => &wishes.api_url,
            "username" => &wishes.username,
            _ => &wishes.client_id,
        };
        let value = answers.find(key, given.as_ref(), what, None, out)?;
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
        let default = usual.map_or_else(String::new, |usual| format!(" [{usual}]"));
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
mod tests {
    use super::*;

    fn init(path: &Path, wishes: &Wishes, answers: Option<&str>) -> (Exit, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut answers = answers.map(str::as_bytes);
        let asked = answers.as_mut().map(|answers| answers as &mut dyn BufRead);
        let exit = run(path, wishes, asked, &mut Output::into(&mut out, &mut err));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (exit, text(out), text(err))
    }

    fn path() -> std::path::PathBuf {
        let name = crate::secret::hex(&crate::secret::random::<8>());
        std::env::temp_dir().join(format!("upauth-init-{name}.toml"))
    }

    #[test]
    fn what_is_written_for_each_provider_is_sound_once_its_secrets_are_there() {
        for kind in KINDS {
            let path = path();
            let wishes = Wishes {
                provider: Some(kind.provider.to_owned()),
                login_url: Some(match kind.provider {
                    "marketing-cloud" => {
                        format!("https://mc{}.auth.marketingcloudapis.com", "0".repeat(26))
                    }
                    _ => "https://acme.my.salesforce.com".to_owned(),
                }),
                token_url: Some("https://acme.example/token".to_owned()),
                api_url: Some("https://acme.example".to_owned()),
                client_id: Some("id\"".to_owned()),
                username: Some("me".to_owned()),
                name: Some("my-own".to_owned()),
            };
            let (exit, out, err) = init(&path, &wishes, None);
            assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{}", kind.provider);
            assert!(out.contains("export MY_OWN_CLIENT_SECRET=..."), "{out}");
            let set = |name: &str| name.starts_with("MY_OWN_").then(|| "secret".to_owned());
            let checked = Config::load(&path, &set).unwrap();
            assert!(checked.warnings.is_empty() && checked.config.upstream("my-own").is_some());
            let problems = Config::load(&path, &|_| None).unwrap_err();
            assert_eq!(problems.iter().count(), kind.secrets.len());
            assert!(
                problems
                    .iter()
                    .all(|problem| problem.remedy().contains("export MY_OWN_"))
            );
            let before = std::fs::read(&path).unwrap();
            assert_eq!(init(&path, &wishes, None).0, Exit::Io, "never overwritten");
            assert_eq!(std::fs::read(&path).unwrap(), before);
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn every_provider_of_the_configuration_can_be_begun_with() {
        let text = "[upstream.crm]\nprovider = \"none\"\n";
        let problems = Config::parse(text, "proxy.toml", Path::new(""), &|_| None).unwrap_err();
        let known: Vec<_> = KINDS.iter().map(|kind| kind.provider).collect();
        assert!(
            problems.render(false).contains(&known.join(", ")),
            "{}",
            problems.render(false)
        );
    }

    #[test]
    fn what_is_missing_is_asked_for_where_somebody_is_there_and_named_otherwise() {
        let path = path();
        let (exit, out, err) = init(&path, &Wishes::default(), None);
        assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
        assert!(
            err.starts_with("--provider is missing: one of salesforce"),
            "{err}"
        );
        let answers = "zuora\n\nhttps://rest.zuora.com\n";
        let (exit, _, err) = init(&path, &Wishes::default(), Some(answers));
        assert_eq!(exit, Exit::Usage);
        assert!(
            err.ends_with("nothing was written: there is no client_id\n"),
            "{err}"
        );
        let (exit, _, err) = init(&path, &Wishes::default(), Some("zuora\nmy own\n"));
        assert_eq!(exit, Exit::Usage);
        assert!(
            err.contains("`my own` cannot be a name") && !path.exists(),
            "{err}"
        );
        let wrong = "zuora\n\nhttps://rest.zuora.com/oauth/token\nid\n";
        let (exit, _, err) = init(&path, &Wishes::default(), Some(wrong));
        assert_eq!(exit, Exit::Usage);
        assert!(err.contains("UA-0116") && !path.exists(), "{err}");
        let (exit, out, _) = init(&path, &Wishes::default(), Some(&format!("{answers}id\n")));
        assert_eq!(exit, Exit::Done);
        assert!(out.contains("/billing/..."), "{out}");
        std::fs::remove_file(path).unwrap();
    }
}
