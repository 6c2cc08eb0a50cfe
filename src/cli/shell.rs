//! Text that is printed for a shell: whoever pastes it gets what is meant.

use std::path::Path;

use super::args::CONFIG;
use super::environment;

/// In single quotes, in which nothing means anything to a shell but the quote itself.
pub(super) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// ` --config PATH` for a command line; nothing where the command finds this configuration by itself.
pub(super) fn with_config(path: &Path) -> String {
    let usual = environment("UPAUTH_CONFIG").unwrap_or_else(|| CONFIG.to_owned());
    let path = path.display().to_string();
    match path == usual {
        true => String::new(),
        false => format!(" --config {}", word(&path)),
    }
}

/// One word: quoted, if a shell would read it in another way.
fn word(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&b);
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => quoted(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_names_the_configuration_unless_it_is_the_usual_one() {
        let rows = [
            ("proxy.toml", ""),
            ("./proxy.toml", " --config ./proxy.toml"),
            ("/etc/up auth/a.toml", " --config '/etc/up auth/a.toml'"),
            ("it's.toml", r" --config 'it'\''s.toml'"),
            ("~/$HOME", " --config '~/$HOME'"),
        ];
        for (path, expected) in rows {
            assert_eq!(with_config(Path::new(path)), expected, "{path}");
        }
    }
}
