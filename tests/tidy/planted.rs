//! Imports that the house forbids, planted to be found.

use super::forbidden_imports;

#[test]
fn a_planted_import_is_found() {
    let rows: [(&str, &str, &[&str]); 14] = [
        ("src/config/mod.rs", "use crate::token::Handle;", &["token"]),
        ("src/config/mod.rs", "use crate::message::Origin;", &[]),
        ("src/config/log.rs", "use crate::config::Problems;", &[]),
        ("src/egress/pool.rs", "use crate::server;", &["server"]),
        (
            "src/tls/mod.rs",
            "use crate::{clock, provider::{Login, Data}, proxy};",
            &["provider", "proxy"],
        ),
        (
            "src/token/life.rs",
            "let x: crate::proxy::Proxy;",
            &["proxy"],
        ),
        ("src/clock.rs", "use super::secret;", &["secret"]),
        (
            "src/clock.rs",
            "// crate::app\n/// [`crate::app`]\n/* crate::app /* */ */ let s = \"crate::app\";",
            &[],
        ),
        (
            "src/clock.rs",
            "let c = '\"'; use crate::app; let d = '\"';",
            &["app"],
        ),
        (
            "src/clock.rs",
            "let s = r#\"\" crate::app \"#; fn f<'a>(x: &'a u8) {}",
            &[],
        ),
        ("src/clock.rs", "use crate as house;", &["the whole house"]),
        (
            "src/emulator/zuora.rs",
            "use crate::secret; use crate::emulator::Clock;",
            &["secret"],
        ),
        ("src/proxy/mod.rs", "use crate::emulator;", &["emulator"]),
        (
            "src/app/mod.rs",
            "use crate::emulator; use crate::proxy; pub(crate) fn f() {}",
            &[],
        ),
    ];
    for (path, text, expected) in rows {
        let found = forbidden_imports(path, text);
        let expected: Vec<String> = expected
            .iter()
            .map(|to| format!("{path} imports {to}"))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}
