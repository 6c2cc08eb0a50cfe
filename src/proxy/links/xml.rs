//! [`InXml`]: URLs that are the text of elements in XML.
//!
//! Names count without their prefixes. No declaration or entity of the document's own is read: one that has some passes
//! as it is from there on, as does one that is not in an encoding like ASCII.

use std::collections::VecDeque;

use bytes::Bytes;

use super::places::{ALL, Places};
use super::{DEEPEST, LONGEST_TEXT, put};
use crate::message::Links;

/// A document on its way through.
pub(in crate::proxy) struct InXml {
    links: Links,
    places: Places,
    /// Which places lead through each of the elements around the next byte, outermost first.
    around: Vec<u32>,
    at: At,
    /// Markup, from behind its `<` to its `>`.
    markup: Vec<u8>,
    /// The text that is held back.
    held: Vec<u8>,
    /// Not understood any more: everything passes.
    lost: bool,
}

#[derive(Clone, Copy)]
enum At {
    Text,
    Url,
    /// Within this quotation mark, if any.
    Markup {
        quote: Option<u8>,
    },
}

impl InXml {
    pub(super) fn new(links: Links, places: Places) -> Self {
        Self {
            links,
            places,
            around: Vec::new(),
            at: At::Text,
            markup: Vec::new(),
            held: Vec::new(),
            lost: false,
        }
    }

    pub(super) fn push(&mut self, bytes: &Bytes, out: &mut VecDeque<Bytes>) {
        // From where on the bytes have not gone on yet.
        let mut from = 0;
        for (index, byte) in bytes.iter().copied().enumerate() {
            if self.lost {
                break;
            }
            match self.at {
                At::Text if byte != b'<' => {}
                At::Url if byte != b'<' => {
                    self.held.push(byte);
                    from = index + 1;
                    if self.held.len() > LONGEST_TEXT {
                        put(out, self.end());
                        self.lost = true;
                    }
                }
                At::Text | At::Url => {
                    put(out, self.turned());
                    self.markup.clear();
                    self.at = At::Markup { quote: None };
                }
                At::Markup { quote } => {
                    if self.within(quote, byte) && self.apply() {
                        put(out, bytes.slice(from..=index));
                        from = index + 1;
                    }
                }
            }
        }
        put(out, bytes.slice(from..));
    }

    pub(super) fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    /// A byte within markup; says whether it ended there.
    fn within(&mut self, quote: Option<u8>, byte: u8) -> bool {
        self.markup.push(byte);
        let markup = self.markup.as_slice();
        let quote = match (quote, byte) {
            (None, b'"' | b'\'') => Some(byte),
            (Some(open), _) if open == byte => None,
            _ => quote,
        };
        self.at = At::Markup { quote };
        if byte != b'>' {
            self.lost = markup.len() > LONGEST_TEXT;
            return false;
        }
        match markup {
            [b'?', ..] => markup.ends_with(b"?>"),
            [b'!', b'-', b'-', rest @ ..] => rest.ends_with(b"-->"),
            [b'!', b'[', ..] => markup.ends_with(b"]]>"),
            [b'!', ..] => {
                self.lost = true;
                false
            }
            _ => quote.is_none(),
        }
    }

    /// What whole markup does; says whether a URL begins behind it.
    fn apply(&mut self) -> bool {
        match self.markup.as_slice() {
            [b'?' | b'!', ..] | [.., b'/', b'>'] => {}
            [b'/', ..] => {
                self.around.pop();
            }
            tag => {
                let places = match self.around.last() {
                    Some(outer) => self
                        .places
                        .through(*outer, self.around.len(), Some(local(tag))),
                    None => ALL,
                };
                self.lost = self.around.len() == DEEPEST;
                self.around.push(places);
            }
        }
        let places = self.around.last().copied().unwrap_or_default();
        let depth = self.around.len().saturating_sub(1);
        let is_url = self.places.end(places, depth);
        self.at = if is_url { At::Url } else { At::Text };
        is_url
    }

    /// The text that was held back, turned if it is a URL that leads back.
    fn turned(&mut self) -> Bytes {
        let held = std::mem::take(&mut self.held);
        let turned = || {
            let text = std::str::from_utf8(&held).ok()?;
            let url = text.trim();
            let turned = self.links.turn_absolute(&decoded(url)?)?;
            // Blanks around it stay; `text` has no `url` before its own.
            Some(text.replacen(url, &encoded(&turned), 1))
        };
        match turned() {
            Some(turned) => turned.into(),
            None => held.into(),
        }
    }
}

/// The name in a start tag without its prefix.
fn local(tag: &[u8]) -> &[u8] {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'>';
    let name = tag.split(ends).next().unwrap_or_default();
    name.rsplit(|byte| *byte == b':').next().unwrap_or_default()
}

/// A text without its references; `None`: there are others than those of XML itself (section 4.6).
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';')?;
        let (_, letter) = ENTITIES.iter().find(|(known, _)| *known == name)?;
        decoded.push(*letter);
        decoded.push_str(rest);
    }
    Some(decoded)
}

fn encoded(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const ENTITIES: [(&str, char); 5] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
];
