//! [`Mask`]: a configuration as it may be quoted in a problem, with its secrets taken out.
//!
//! It works on the bare text, because it must also hold where the text is not TOML. It rather hides too
//! much than too little; references (`{ env = "NAME" }`, `"${NAME}"`) stay: they help and are no secrets.

mod lines;
mod names;
mod scan;

use std::ops::Range;

pub(super) use self::names::is_name;
use self::scan::Scan;

/// The masked text, and which bytes of the original are hidden in it.
pub(super) struct Mask {
    text: String,
    hidden: Vec<Hidden>,
}

struct Hidden {
    range: Range<usize>,
    /// Bytes in the masked text.
    shown: usize,
}

impl Mask {
    pub(super) fn of(text: &str) -> Self {
        let scan = Scan::new(text);
        Self::hiding(scan.secrets(), text)
    }

    /// A message, which may quote a value between backticks, without the user names, passwords and queries of URLs in it.
    /// Where a string is not closed, the value goes on over whatever lines come next: these are left out, and what looks
    /// like a secret in a value is hidden.
    pub(super) fn message(text: &str) -> String {
        let mut ranges = Vec::new();
        let scan = Scan::new(text);
        scan.hide_in_urls(&mut ranges);
        if let (Some(open), Some(close)) = (text.find('`'), text.rfind('`')) {
            let quoted = Scan::new(scan.slice(open + 1..close)).secrets();
            let quoted = quoted.into_iter();
            ranges.extend(quoted.map(|range| open + 1 + range.start..open + 1 + range.end));
        }
        let masked = Self::hiding(ranges, text).text;
        match masked.split_once(['\n', '\r']) {
            None => masked,
            Some((first, _)) if first.matches('`').count() % 2 == 0 => format!("{first}…"),
            Some((first, _)) => format!("{first}…`"),
        }
    }

    fn hiding(mut ranges: Vec<Range<usize>>, text: &str) -> Self {
        let scan = Scan::new(text);
        ranges.sort_by_key(|range| range.start);
        let mut masked = String::with_capacity(text.len());
        let mut hidden = Vec::new();
        let mut done = 0;
        for range in ranges {
            let range = range.start.max(done)..range.end;
            if range.is_empty() {
                continue;
            }
            masked.push_str(scan.slice(done..range.start));
            // Line breaks stay, so that the lines after it keep their numbers.
            let breaks = scan.slice(range.clone()).matches('\n').count();
            masked.push_str(STARS);
            masked.push_str(&"\n".repeat(breaks));
            done = range.end;
            let shown = STARS.len() + breaks;
            hidden.push(Hidden { range, shown });
        }
        masked.push_str(scan.slice(done..text.len()));
        Self {
            text: masked,
            hidden,
        }
    }

    /// The text that may be shown.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether what is written at `span` of the original, a string or a part of one, does not show at all.
    pub(super) fn hides(&self, span: &Range<usize>) -> bool {
        let shown = self.text.get(self.span(span)).unwrap_or_default();
        shown.trim_matches(['"', '\'', '\n']) == STARS
    }

    /// Where `span` of the original is in the masked text.
    pub(super) fn span(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.moved(span.start, false).min(self.text.len());
        let end = self.moved(span.end, true).min(self.text.len());
        start..end.max(start)
    }

    fn moved(&self, offset: usize, to_end: bool) -> usize {
        let (mut original, mut masked) = (0, 0);
        for Hidden { range, shown } in &self.hidden {
            if offset <= range.start {
                break;
            }
            masked += range.start - original;
            if offset < range.end {
                return masked + if to_end { *shown } else { 0 };
            }
            masked += shown;
            original = range.end;
        }
        masked + (offset - original)
    }
}

/// What stands for whatever is hidden.
pub(super) const STARS: &str = "********";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(&str, &str)]) {
        for (text, expected) in rows {
            assert_eq!(Mask::of(text).text(), *expected, "{text}");
        }
    }

    #[test]
    fn secrets_are_hidden_and_references_stay() {
        let rows = [
            (
                "client_secret = \"hunter2\" # x",
                "client_secret = \"********\" # x",
            ),
            ("client_secret='hunter2'", "client_secret='********'"),
            (
                "\"client_secret\" = \"hunter2\"",
                "\"client_secret\" = \"********\"",
            ),
            ("clientsecrt = \"hunter2\"", "clientsecrt = \"********\""),
            ("pasword = \"hun\\\"ter2\"", "pasword = \"********\""),
            ("password = \"hunter2", "password = \"********"),
            ("password = hunter2", "password = ********"),
            ("password \"hunter2\"", "password \"********\""),
            ("password: hunter2\nb = 1", "password: ********\nb = 1"),
            ("password hunter2", "password ********"),
            (
                "password = \"\"\"a\nb\"\"\"\nc = 1",
                "password = \"\"\"********\n\"\"\"\nc = 1",
            ),
            (
                "a = { password = \"x\", b = \"y\" }",
                "a = { password = \"********\", b = \"y\" }",
            ),
            (
                "x.client_secret.value = \"x\"",
                "x.client_secret.value = \"********\"",
            ),
            (
                "client_secret.env = \"NAME\"",
                "client_secret.env = \"NAME\"",
            ),
            (
                "client_secret = { env = \"NAME\" }",
                "client_secret = { env = \"NAME\" }",
            ),
            (
                "client_secret = { file = 'a', value = 'x' }",
                "client_secret = { file = 'a', value = '********' }",
            ),
            (
                "password = { command = [\"op\", \"x\"] }",
                "password = { command = [\"********\", \"********\"] }",
            ),
        ];
        check(&rows);
    }

    #[test]
    fn what_holds_secrets_among_other_things_shows_none_of_it() {
        let rows = [
            (
                "request = { a = \"x\", b = { env = \"B\" }, c = { d = 1 } }",
                "request = { a = \"********\", b = { env = \"B\" }, c = { d = ******** } }",
            ),
            (
                "token_headers = { X-Key = \"x\" }",
                "token_headers = { X-Key = \"********\" }",
            ),
            (
                "command = [\"curl\", \"-u\", \"me:hunter2\"]",
                "command = [\"********\", \"********\", \"********\"]",
            ),
            (
                "set_headers = { X-Key = \"x\" }",
                "set_headers = { X-Key = \"********\" }",
            ),
            ("fields = { error = \"/x\" }", "fields = { error = \"/x\" }"),
        ];
        check(&rows);
    }

    #[test]
    fn keys_are_hidden_and_what_only_names_them_stays() {
        let rows = [
            ("key = \"ab12\"", "key = \"********\""),
            ("keyy = \"ab12\"", "keyy = \"********\""),
            ("key = { file = \"k\" }", "key = { file = \"k\" }"),
            ("key_id = \"k1\"", "key_id = \"k1\""),
            ("keys = \"upauth-1\"", "keys = \"********\""),
            (
                "keys = [\"upauth-1\", { name = \"a\", key = \"upauth-2\" }]",
                "keys = [\"********\", { name = \"a\", key = \"********\" }]",
            ),
            (
                "keys = [{ name = \"a\", sha256 = \"x\", upstreams = [\"crm\"] }]",
                "keys = [{ name = \"a\", sha256 = \"********\", upstreams = [\"crm\"] }]",
            ),
            (
                "client_secret = \"a\" b\" # c\nd = 1",
                "client_secret = \"********\" ********\nd = 1",
            ),
        ];
        check(&rows);
    }

    #[test]
    fn headers_urls_and_other_words_are_told_apart() {
        let rows = [
            (
                "[a.client_secret]\nvalue = \"x\"\n[b]\nc = \"d\"",
                "[a.client_secret]\nvalue = \"********\"\n[b]\nc = \"d\"",
            ),
            (
                "client_id = \"${CLIENT_ID}\"",
                "client_id = \"${CLIENT_ID}\"",
            ),
            (
                "client_id = \"${CLIENT_ID:-abc}\"",
                "client_id = \"********\"",
            ),
            (
                "login_url = \"https://u:p@host/x\"",
                "login_url = \"https://********@host/x\"",
            ),
            ("user = \"me@host\"", "user = \"me@host\""),
            (
                "api_url = \"https://host/x?k=y\"",
                "api_url = \"https://host/x?********\"",
            ),
            ("deny = [\"/a?b\"]", "deny = [\"/a?b\"]"),
            ("url = \"https:/u:p@host\"", "url = \"********@host\""),
            (
                "set = { Authorization = \"Bearer x\" }",
                "set = { Authorization = \"********\" }",
            ),
            (
                "grant = \"password\"\nx = \"y\"",
                "grant = \"password\"\nx = \"y\"",
            ),
            ("deny = [\"/password/**\"]", "deny = [\"/password/**\"]"),
            (
                "token_wait = \"3x\"\nsession_timeout = \"1\"",
                "token_wait = \"3x\"\nsession_timeout = \"1\"",
            ),
            ("password = \"\"\"open\nend", "password = \"\"\"********\n"),
        ];
        check(&rows);
    }

    #[test]
    fn a_secret_below_its_key_is_hidden_and_what_follows_is_not() {
        let rows = [
            ("password =\n\"hunter2\"", "password =\n********"),
            (
                "password = # why\n\n  'hunter2' x",
                "password = ********\n\n  ********",
            ),
            ("password =\nhunter2\na = 1", "password =\n********\na = 1"),
            ("password =\naHVudGVyMg==\n", "password =\n********\n"),
            ("password =\na=hunter2\n[b]", "password =\n********\n[b]"),
            ("password\n= \"hunter2\"", "password\n= \"********\""),
            ("password:\n  hunter2\n", "password:\n  ********\n"),
            (
                "password =\n'hunter2'\npassword\n= \"hunter3\"\n",
                "password =\n********\n\n\n",
            ),
            (
                "password = \"a\"\nb\nsecret \"hunter2\" # c\n",
                "password = \"********\"\n********\n\n",
            ),
            (
                "password = \"a\"\n\"hunter2\"\n\"hunter3\"\nb = \"c\"",
                "password = \"********\"\n********\n\nb = \"c\"",
            ),
            ("password =\n[\"hunter2\"]\n", "password =\n********\n"),
            (
                "password = \"a\"\n[upstream.b]\n",
                "password = \"********\"\n[upstream.b]\n",
            ),
            (
                "password = \"a\"\n# b\nc.d = true\n",
                "password = \"********\"\n# b\nc.d = true\n",
            ),
            (
                "a = { password = \"a\" }\n\"b\" = 2\n",
                "a = { password = \"********\" }\n\"b\" = 2\n",
            ),
        ];
        check(&rows);
    }

    #[test]
    fn places_move_with_the_text() {
        let mask = Mask::of("a = { password = \"xy\", b = 1 }");
        let b = "a = { password = \"xy\", b".len() - 1;
        let span = mask.span(&(b..b + 1));
        assert_eq!(mask.text().get(span), Some("b"));
        let value = "a = { password = ".len();
        assert_eq!(
            mask.text().get(mask.span(&(value..value + 4))),
            Some("\"********\"")
        );
        assert_eq!(
            mask.text().get(mask.span(&(value + 2..value + 3))),
            Some("********")
        );
    }
}
