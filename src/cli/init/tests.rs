//! What is written, asked for and refused.

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

/// What an upstream of this kind cannot do without, as options.
fn needed(kind: &Kind) -> Wishes {
    let is_needed = |key| kind.keys.iter().any(|(needed, _)| *needed == key);
    let value = |key, value: &str| is_needed(key).then(|| value.to_owned());
    let tenant = format!("https://mc{}.auth.marketingcloudapis.com", "0".repeat(26));
    let login_url = match kind.provider {
        "marketing-cloud" => &tenant,
        _ => "https://acme.my.salesforce.com",
    };
    Wishes {
        provider: Some(kind.provider.to_owned()),
        name: None,
        login_url: value("login_url", login_url),
        token_url: value("token_url", "https://acme.example/token"),
        api_url: value("api_url", "https://acme.example"),
        client_id: value("client_id", "id\""),
        username: value("username", "me"),
    }
}

/// Gives one option.
type Give = fn(&mut Wishes, Option<String>);

/// An option that is not written would leave the default in its place, and a secret would go to another host.
#[test]
fn what_is_given_is_written_or_refused_whatever_the_provider() {
    let rows: [(&str, Give); 5] = [
        ("login_url", |wishes, given| wishes.login_url = given),
        ("token_url", |wishes, given| wishes.token_url = given),
        ("api_url", |wishes, given| wishes.api_url = given),
        ("client_id", |wishes, given| wishes.client_id = given),
        ("username", |wishes, given| wishes.username = given),
    ];
    let (mut written, mut refused) = (Vec::new(), Vec::new());
    for kind in KINDS {
        for (key, give) in rows {
            let mut wishes = needed(kind);
            give(&mut wishes, Some("https://given.example".to_owned()));
            let path = path();
            let case = format!("{} {key}", kind.provider);
            match init(&path, &wishes, None).0 {
                Exit::Done => {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let line = format!("{key:<14} = \"https://given.example\"\n");
                    assert_eq!(text.matches(&line).count(), 1, "{case}: {text}");
                    std::fs::remove_file(path).unwrap();
                    written.push(case);
                }
                Exit::Usage => {
                    assert!(!path.exists(), "{case}");
                    refused.push(case);
                }
                other => panic!("{case}: {other:?}"),
            }
        }
    }
    for case in [
        "marketing-cloud-legacy login_url",
        "marketing-cloud-legacy api_url",
        "zuora api_url",
    ] {
        assert!(written.contains(&case.to_owned()), "{written:?}");
    }
    for case in ["zuora token_url", "zuora username", "salesforce username"] {
        assert!(refused.contains(&case.to_owned()), "{refused:?}");
    }
}

#[test]
fn hosts_that_some_packages_have_are_asked_for_and_nothing_is_an_answer() {
    let start = "marketing-cloud-legacy\n\nid\n";
    let tenant = "https://acme.auth.marketingcloudapis.com";
    let rest = "https://acme.rest.marketingcloudapis.com";
    for (answers, hosts) in [("\n\n".to_owned(), 0), (format!("{tenant}\n{rest}\n"), 2)] {
        let path = path();
        let answers = format!("{start}{answers}");
        let (exit, _, err) = init(&path, &Wishes::default(), Some(&answers));
        assert_eq!(exit, Exit::Done, "{err}");
        assert!(
            err.contains("login_url: ") && err.contains("[none]"),
            "{err}"
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text.matches("marketingcloudapis.com\"\n").count(),
            hosts,
            "{text}"
        );
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn what_is_written_for_each_provider_is_sound_once_its_secrets_are_there() {
    for kind in KINDS {
        let path = path();
        let wishes = Wishes {
            provider: Some(kind.provider.to_owned()),
            name: Some("my-own".to_owned()),
            ..needed(kind)
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
