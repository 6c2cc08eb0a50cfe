//! What of a text that may be shown is for nobody's eyes all the same: users, passwords and queries of URLs.

use std::ops::Range;

/// `://user:password@`, and what was probably meant to be that; `?key=...`. The name of a user (`me@example.com`) stays.
pub(super) fn private(text: &str) -> Vec<Range<usize>> {
    let mut private = Vec::new();
    let mut ours = ["https:", "http:"].into_iter();
    let ours = ours.find(|ours| text.starts_with(ours));
    let scheme = text.split_once("//").map(|(scheme, _)| scheme).or(ours);
    let scheme = scheme.filter(|text| {
        let name = text.strip_suffix(':').unwrap_or(text);
        name.bytes().all(is_of_scheme)
    });
    let is_url = scheme.is_some();
    let behind = scheme.and_then(|scheme| text.strip_prefix(scheme));
    let behind = behind.map_or(text, |rest| rest.trim_start_matches('/'));
    let mut at = text.len() - behind.len();
    // A password may have any letter in it, in a URL that nobody has parsed yet.
    if let Some((before, _)) = text.rsplit_once('@') {
        let start = if at <= before.len() { at } else { 0 };
        if is_url || before.contains(':') {
            private.push(start..before.len());
        }
        at = before.len() + 1;
    }
    let rest = text.get(at..).unwrap_or_default();
    let authority = rest
        .split(['/', '?', '#', ';', '&'])
        .next()
        .unwrap_or_default();
    if is_url && authority.contains('%') {
        // Of a host no letter is written so.
        private.push(at..at + authority.len());
    } else if let Some((host, port)) = authority.rsplit_once(':')
        && is_url
        && !authority.ends_with(']')
    {
        // A host has no `:` in it, unless it stands in brackets.
        let is_port = port.starts_with("${") || port.bytes().all(|byte| byte.is_ascii_digit());
        let from = match host.split_once(':').filter(|_| !host.ends_with(']')) {
            Some((user, _)) => Some(user.len() + 1),
            None => (!is_port).then_some(host.len() + 1),
        };
        private.extend(from.map(|from| at + from..at + authority.len()));
    }
    if let Some(mark) = rest.find(['?', '#', ';', '&'])
        && (is_url || rest.contains('='))
    {
        private.push(at + mark + 1..text.len());
    }
    private
}

fn is_of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::private;

    #[test]
    fn of_urls_users_passwords_and_queries_are_private_whatever_letters_they_have() {
        let rows = [
            ("https://h.example:8443/x", "https://h.example:8443/x"),
            ("https://[::1]:80/x", "https://[::1]:80/x"),
            ("https://[::1]", "https://[::1]"),
            ("http://localhost:${PORT}", "http://localhost:${PORT}"),
            ("me@h.example", "me@h.example"),
            ("/a//b", "/a//b"),
            ("/a?b", "/a?b"),
            ("/v1/@me/**", "/v1/@me/**"),
            ("info,upauth::token=debug", "info,upauth::token=debug"),
            ("https://u:p@h/x", "https://*@h/x"),
            ("https://u@h/x", "https://*@h/x"),
            ("//u:p@h", "//*@h"),
            ("http://u:p,q r'\"`s@h", "http://*@h"),
            ("https://u:p@q/r?s#t@h:1/x?y", "https://*@h:1/x?*"),
            ("https://h/x?u=a@b", "https://*@b"),
            ("https:/u:p@h", "https:/*@h"),
            ("u:p//q@h", "*@h"),
            ("u@h//x", "u@h//x"),
            ("/a/@me//x", "/a/@me//x"),
            ("u:p@h", "*@h"),
            ("https://u:p%40h", "https://*"),
            ("https://u:p", "https://u:*"),
            ("http://u:p:3128", "http://u:*"),
            ("http://u:p:q/x", "http://u:*/x"),
            ("https://h/x?key=p", "https://h/x?*"),
            ("https://h/x#p", "https://h/x#*"),
            ("https://h;key=p", "https://h;*"),
            ("/x?key=p", "/x?*"),
            ("/x;id=p", "/x;*"),
            ("/x;p", "/x;p"),
            ("http:///u:p", "http:///u:*"),
            ("http:u:p", "http:u:*"),
            ("x-https://u:p", "x-https://u:*"),
            ("https://u%3ap:80/x", "https://*/x"),
            ("https://h/x&k=p", "https://h/x&*"),
            ("http://:p&q", "http://:*&*"),
            ("http://u:p&q/r;s", "http://u:*&*"),
        ];
        for (text, expected) in rows {
            let mut shown = text.to_owned();
            for range in private(text).into_iter().rev() {
                shown.replace_range(range, "*");
            }
            assert_eq!(shown, expected, "{text}");
        }
    }
}
