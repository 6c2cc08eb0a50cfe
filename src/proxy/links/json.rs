//! [`InJson`]: URLs that are strings in JSON.

use std::collections::VecDeque;

use bytes::Bytes;

use super::places::{ALL, Places};
use super::{DEEPEST, LONGEST_TEXT, put};
use crate::message::Links;

/// A document on its way through.
pub(in crate::proxy) struct InJson {
    links: Links,
    places: Places,
    /// The objects and arrays around the next byte, outermost first.
    around: Vec<Container>,
    at: At,
    /// The URL that is held back, from its opening quote on; or the key that is being read.
    held: Vec<u8>,
    /// Not understood any more: everything passes.
    lost: bool,
}

struct Container {
    is_object: bool,
    /// Which places lead here.
    leads: u32,
    /// Which of them lead on through the current member or element.
    member: u32,
    expects_key: bool,
}

#[derive(Clone, Copy)]
enum At {
    Between,
    String { kind: Kind, escaped: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Key,
    Url,
    Other,
}

impl InJson {
    pub(super) fn new(links: Links, places: Places) -> Self {
        Self {
            links,
            places,
            around: Vec::new(),
            at: At::Between,
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
                At::Between => {
                    if self.between(byte) == Some(Kind::Url) {
                        put(out, bytes.slice(from..index));
                        from = index + 1;
                    }
                }
                At::String { kind, escaped } => {
                    let ended = self.within(kind, escaped, byte);
                    if kind == Kind::Url {
                        from = index + 1;
                        if ended {
                            put(out, self.turned());
                        } else if self.held.len() > LONGEST_TEXT {
                            put(out, self.end());
                            self.lost = true;
                        }
                    }
                }
            }
        }
        put(out, bytes.slice(from..));
    }

    pub(super) fn end(&mut self) -> Bytes {
        match std::mem::replace(&mut self.at, At::Between) {
            At::String {
                kind: Kind::Url, ..
            } => std::mem::take(&mut self.held).into(),
            _ => Bytes::new(),
        }
    }

    /// A byte between strings; says of what kind a string is that begins here.
    fn between(&mut self, byte: u8) -> Option<Kind> {
        match byte {
            b'"' => {
                let kind = self.kind_of_string();
                let escaped = false;
                self.at = At::String { kind, escaped };
                self.held.clear();
                if kind == Kind::Url {
                    self.held.push(byte);
                }
                return Some(kind);
            }
            b'{' | b'[' => self.open(byte == b'{'),
            b'}' | b']' => {
                self.around.pop();
            }
            b':' | b',' => {
                if let Some(container) = self.around.last_mut() {
                    container.expects_key = byte == b',' && container.is_object;
                }
            }
            _ => {}
        }
        None
    }

    /// A byte within a string; says whether it ended there.
    fn within(&mut self, kind: Kind, escaped: bool, byte: u8) -> bool {
        let ended = byte == b'"' && !escaped;
        if kind == Kind::Url || (kind == Kind::Key && !ended && self.held.len() <= LONGEST_TEXT) {
            self.held.push(byte);
        }
        if ended {
            self.at = At::Between;
            if kind == Kind::Key {
                self.choose_member();
            }
        } else {
            let escaped = byte == b'\\' && !escaped;
            self.at = At::String { kind, escaped };
        }
        ended
    }

    fn kind_of_string(&self) -> Kind {
        let Some(container) = self.around.last() else {
            return Kind::Other;
        };
        match container.expects_key {
            true => Kind::Key,
            false if self.places.end(container.member, self.around.len()) => Kind::Url,
            false => Kind::Other,
        }
    }

    fn open(&mut self, is_object: bool) {
        if self.around.len() == DEEPEST {
            self.lost = true;
            return;
        }
        let leads = self.around.last().map_or(ALL, |outer| outer.member);
        let depth = self.around.len() + 1;
        let member = match is_object {
            true => 0,
            false => self.places.through(leads, depth, None),
        };
        self.around.push(Container {
            is_object,
            leads,
            member,
            expects_key: is_object,
        });
    }

    fn choose_member(&mut self) {
        let depth = self.around.len();
        let leads = self.around.last().map_or(0, |container| container.leads);
        let member = self.places.through(leads, depth, Some(&self.held));
        if let Some(container) = self.around.last_mut() {
            container.member = member;
        }
    }

    /// The URL that was held back, turned if it is one that leads back.
    fn turned(&mut self) -> Bytes {
        let held = std::mem::take(&mut self.held);
        let url: Option<String> = serde_json::from_slice(&held).ok();
        let turned = url.and_then(|url| self.links.turn_absolute(&url));
        match turned.and_then(|url| serde_json::to_vec(&url).ok()) {
            Some(turned) => turned.into(),
            None => held.into(),
        }
    }
}
