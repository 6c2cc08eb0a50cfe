//! [`Fields`]: what a login call says, however its client wrote it.

use memchr::memmem;
use serde_json::Value;

/// How clients write the fields of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-www-form-urlencoded` or `multipart/form-data`.
    Form,
    /// JSON, whatever the content type says.
    Json,
}

/// Names and values, in the order in which they came: those of the query first. Empty ones are left out.
#[derive(Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a call. What cannot be read has no fields.
    pub fn read(encoding: Encoding, query: Option<&str>, content_type: &str, body: &[u8]) -> Self {
        let mut fields = form(query.unwrap_or_default().as_bytes());
        fields.extend(match encoding {
            Encoding::Json => json(body),
            Encoding::Form => match boundary(content_type) {
                Some(boundary) => multipart(body, &boundary),
                None => form(body),
            },
        });
        fields.retain(|(_, value)| !value.is_empty());
        Self(fields)
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().find(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }
}

fn form(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// The plain values of an object.
fn json(text: &[u8]) -> Vec<(String, String)> {
    let Ok(Value::Object(object)) = serde_json::from_slice(text) else {
        return Vec::new();
    };
    let plain = |(name, value)| match value {
        Value::String(text) => Some((name, text)),
        Value::Number(number) => Some((name, number.to_string())),
        _ => None,
    };
    object.into_iter().filter_map(plain).collect()
}

/// The boundary of a `multipart/form-data` (RFC 7578 section 4.1).
fn boundary(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').map(str::trim);
    let kind = parameters.next()?;
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.find_map(|parameter| value_of(parameter, "boundary"))?;
    (!boundary.is_empty()).then(|| boundary.to_owned())
}

/// The parts that are fields; files are none.
fn multipart(body: &[u8], boundary: &str) -> Vec<(String, String)> {
    // The first delimiter needs no line break before it.
    let body = [b"\r\n", body].concat();
    let delimiter = format!("\r\n--{boundary}");
    let mut starts: Vec<usize> = memmem::find_iter(&body, delimiter.as_bytes()).collect();
    starts.push(body.len());
    let parts = starts.windows(2).filter_map(|ends| {
        let [start, end] = ends else { return None };
        part(body.get(start + delimiter.len()..*end)?)
    });
    parts.collect()
}

/// A part: the rest of the delimiter's line, header fields, an empty line, the value.
fn part(text: &[u8]) -> Option<(String, String)> {
    let blank = memmem::find(text, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(text.get(..blank)?);
    let mut parameters = head.lines().find_map(disposition)?;
    let name = parameters
        .clone()
        .find_map(|parameter| value_of(parameter, "name"))?;
    if parameters.any(|parameter| value_of(parameter, "filename").is_some()) {
        return None;
    }
    let value = String::from_utf8(text.get(blank + 4..)?.to_vec()).ok()?;
    Some((name.to_owned(), value))
}

/// The parameters of a `Content-Disposition: form-data`.
fn disposition(line: &str) -> Option<impl Iterator<Item = &str> + Clone> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("content-disposition")
        .then(|| value.split(';').map(str::trim))
}

/// The value of `NAME=VALUE` or `NAME="VALUE"`.
fn value_of<'a>(parameter: &'a str, name: &str) -> Option<&'a str> {
    let (own, value) = parameter.split_once('=')?;
    let value = value
        .strip_prefix('"')
        .map_or(value, |value| value.strip_suffix('"').unwrap_or(value));
    own.eq_ignore_ascii_case(name).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(encoding: Encoding, content_type: &str, rows: &[(&str, &str)]) {
        for (request, expected) in rows {
            let (query, body) = request.split_once('\n').unwrap_or(("", request));
            let body = body.replace('\n', "\r\n");
            let fields = Fields::read(encoding, Some(query), content_type, body.as_bytes());
            let found: Vec<_> = fields
                .0
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            assert_eq!(found.join(" "), *expected, "{content_type} {request}");
        }
    }

    #[test]
    fn forms_are_read_with_the_query_before_them() {
        check(
            Encoding::Form,
            "application/x-www-form-urlencoded",
            &[
                ("a=x+y%2Bz&b=1", "a=x y+z b=1"),
                ("b=2&c\na=1&b=1&d=", "b=2 a=1 b=1"),
                ("a=1\n", "a=1"),
                ("", ""),
                ("{\"a\":1}", ""),
            ],
        );
        check(Encoding::Form, "", &[("a=1", "a=1")]);
    }

    #[test]
    fn the_fields_of_a_multipart_form_are_read() {
        let kind = "multipart/form-data; boundary=\"-x y\"; charset=utf-8";
        let field = |name: &str, value: &str| {
            format!("---x y\nContent-Disposition: form-data; name=\"{name}\"\n\n{value}\n")
        };
        let two = format!("\n{}{}---x y--\n", field("a", "1"), field("b", "x\n=&+y"));
        let file = two.replace("name=\"a\"", "name=\"a\"; filename=\"f\"");
        let plain = two
            .replace("name=\"a\"", "Name=a")
            .replace("\n\n1", "\nContent-Type: text/plain\n\n1");
        let cut = format!(
            "\n{}---x y\nContent-Disposition: form-data; name=\"b\"\n",
            field("a", "1")
        );
        check(
            Encoding::Form,
            kind,
            &[
                (&two, "a=1 b=x\r\n=&+y"),
                (&format!("q=0\nbefore{two}"), "q=0 a=1 b=x\r\n=&+y"),
                (&file, "b=x\r\n=&+y"),
                (&plain, "a=1 b=x\r\n=&+y"),
                (&cut, "a=1"),
                ("\na=1", ""),
            ],
        );
        check(Encoding::Form, "multipart/form-data", &[("\na=1", "a=1")]);
    }

    #[test]
    fn the_plain_values_of_a_json_object_are_read() {
        check(
            Encoding::Json,
            "text/plain",
            &[
                (
                    "legacy=1\n{\"a\":\"x\\u0020y\",\"b\":7,\"c\":{},\"d\":[1],\"e\":null,\"f\":\"\"}",
                    "legacy=1 a=x y b=7",
                ),
                ("\n[1]", ""),
                ("\n{\"a\":", ""),
                ("\na=1", ""),
            ],
        );
    }
}
