"""What callers of HTTP/2 ask for: requests by a grammar, odd ones, and ones whose fields were mutated. All of it follows from a seed.

Unlike on HTTP/1, each request has one meaning, however odd: a list of fields and the bytes of a body, with an end or without.
Whatever of it comes upstream must be that. It bears marks of its own, one for each place where one may be seen again.
"""

import hashlib
import re
from typing import NamedTuple

from generate import BODIES, INSERTED, METHODS, NAMES, ODD_METHODS, ODD_QUERIES, ODD_SEGMENTS, ODD_TARGETS, QUERIES, SEGMENTS, VALUES

MARK = re.compile(rb"mark[0-9a-f]{12}")
# Where marks are seen again upstream. Those that are seen nowhere are `never`.
PLACES = ["target", "x-own", "body"]
# Of which request each mark is, and for which place.
GIVEN = {}


class Asked(NamedTuple):
    """A request as its caller means it."""

    number: int
    kind: str  # `plain`: it has nothing that could be refused; `odd`; `mutated`: marks may stand elsewhere
    fields: list  # with those that begin with a colon
    pieces: list  # of the body
    ends: bool  # whether the body ends as it should: with the stream
    trailers: list
    after: bytes  # what is written behind the end of the stream

    @property
    def body(self):
        return b"".join(self.pieces)

    def values(self, name):
        return [value for own, value in self.fields if own == name]


def mark(number, place):
    """The mark of a request for a place."""
    given = b"mark" + hashlib.blake2s(b"%d %s" % (number, place.encode()), digest_size=6).hexdigest().encode()
    GIVEN[given] = number, place
    return given


# `MARK` stands for a mark that is seen nowhere.
INNER = b"GET /MARK HTTP/1.1\r\nhost: localhost\r\n\r\n"
ODD_OWN = [
    b"a\r\nx-evil: MARK", b"a\nx-evil: MARK", b"a\rx-evil: MARK", b"a\0b", b"\r\n", b"a\r\n\r\n" + INNER, b"a\r\n MARK", b"\x01", b"a\x7f", b"\x0b a \x0c",
    b" a ", b"\ta\t", b"\xa0a", b"a\x85b", b"\xe5\x98\x8d\xe5\x98\x8ax-evil: 1", b"a\r", b"\na", b"a" * 3000, b"a" * 20000, b"\r\ncontent-length: 5", b"a, b\\\"",
]  # fmt: skip
ODD_FIELDS = [
    (b"X-Own", b"MARK"), (b"x-Own", b"MARK"), (b"x-own ", b"MARK"), (b" x-own", b"MARK"), (b"x-own:", b"MARK"), (b"x:own", b"MARK"), (b"x own", b"MARK"), (b"", b"MARK"), (b"x-own\0", b"MARK"),
    (b"x-own: MARK\r\nx-evil", b"MARK"), (b"x-own\n", b"MARK"), (b"x\xff", b"MARK"), (b"x-evil\r\n\r\n" + INNER, b""), (b"transfer-encoding: chunked\r\n", b"x"), (b"x" * 300, b"a"), (b"(x)", b"MARK"),
    (b"host", b"localhost"), (b"host", b"e.example"), (b"host", b""), (b"host", b" localhost"), (b"host", b"localhost:80"), (b"host", b"localhost\r\nx-evil: MARK"), (b"Host", b"localhost"), (b"x-host", b"e.example"),
    (b"connection", b"close"), (b"connection", b"x-own"), (b"connection", b"authorization, via"), (b"connection", b"host"), (b"connection", b"content-length"), (b"connection", b""), (b"Connection", b"close"),
    (b"keep-alive", b"timeout=5"), (b"proxy-connection", b"close"), (b"proxy-authorization", b"MARK"), (b"proxy-authenticate", b"MARK"), (b"http2-settings", b"MARK"), (b"trailer", b"content-length"),
    (b"te", b"trailers"), (b"te", b"trailers, deflate"), (b"te", b"gzip"), (b"te", b""), (b"te", b"Trailers"), (b"upgrade", b"websocket"), (b"upgrade", b"h2c"),
    (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity"), (b"transfer-encoding", b""), (b"transfer-encoding", b"gzip, chunked"), (b"Transfer-Encoding", b"chunked"), (b"transfer_encoding", b"chunked"),
    (b"content-length", b"0"), (b"content-length", b"5"), (b"content-length", b"+5"), (b"content-length", b"5, 5"), (b"content-length", b""), (b"content-length", b"18446744073709551616"), (b"content_length", b"5"),
    (b"expect", b"100-continue"), (b"expect", b"200-maybe"), (b"expect", b""), (b"authorization", b"Bearer MARK"), (b"authorization_", b"MARK"), (b"cookie", b"MARK=b"), (b"cookie", b"a=1; MARK=2\r\nx-evil: MARK"), (b"cookie", b""),
    (b"via", b"1.1 MARK"), (b"via", b"2 a, 1.1 b"), (b"x-forwarded-for", b"MARK"), (b"x_forwarded_for", b"MARK"), (b"forwarded", b"for=MARK"), (b"origin", b"null"), (b"referer", b"http://localhost/MARK"), (b"sec-fetch-site", b"none"),
    (b"max-forwards", b"0"), (b"max-forwards", b"5"), (b"x-http-method-override", b"DELETE"), (b"content-encoding", b"gzip"), (b"priority", b"u=1, i"), (b"alt-used", b"e.example"), (b"early-data", b"1"),
    (b":path", b"/MARK"), (b":method", b"GET"), (b":authority", b"localhost"), (b":scheme", b"http"), (b":protocol", b"websocket"), (b":status", b"200"), (b":foo", b"MARK"), (b":", b"MARK"), (b":Path", b"/MARK"), (b":host", b"e.example"),
]  # fmt: skip
# `None` leaves it out.
ODD_PSEUDO = {
    b":method": [None, b"GET /MARK HTTP/1.1\r\nx-evil: MARK\r\n\r\nGET", b"GET\r\n", b"CONNECT", *ODD_METHODS],
    b":scheme": [None, b"", b"HTTP", b"ftp", b"http://e.example/?", b"http\r\nx-evil: MARK", b"h t", b"://", b"http:", b"\0"],
    b":authority": [
        None, b"", b"e.example", b"LOCALHOST", b"localhost.", b"localhost:80", b"localhost:", b"localhost:x", b"u:p@localhost", b"localhost@e.example", b"localhost/..", b"localhost?x", b"localhost#x",
        b"localhost\r\nx-evil: MARK", b"local host", b" localhost", b"localhost\0", b"[::1]", b"[::1", b"localhost, e.example", b"localhost\\e.example", b"localhost%2e", b"\xff", b"http://localhost",
    ],
    b":path": [
        None, b"/MARK HTTP/1.1\r\nhost: e.example\r\n\r\n", b"/ HTTP/1.1\r\nx-evil: MARK\r\nx:", b"/\r\n\r\n" + INNER, b"/a\nb", b"/a\rb", b"/a\0b", b"/a b", b"/a\tb", b"/\x7f", b"/#", b"/a#MARK", *ODD_TARGETS,
    ],
}  # fmt: skip
TRAILERS = [[], [(b"x-trailer", b"MARK")], [(b"grpc-status", b"0"), (b"x-own", b"MARK")]]
ODD_TRAILERS = [
    [(b"content-length", b"9")], [(b"transfer-encoding", b"chunked")], [(b"host", b"e.example")], [(b"authorization", b"MARK")], [(b":path", b"/MARK")], [(b":method", b"GET")], [(b"X-Trailer", b"MARK")],
    [(b"x-trailer", b"a\r\nx-evil: MARK")], [(b"connection", b"close")], [(b"te", b"gzip")], [(b"x-trailer\r\n\r\n" + INNER, b"")], [(b"", b"")], [(b"x", b"y" * 3000)],
]  # fmt: skip
AFTER = [b"MARK", b"0\r\n\r\n" + INNER, INNER]


class Grammar:
    def __init__(self, random):
        self.random, self.count = random, 0

    def plain(self):
        return self._asked(0, "plain")

    def odd(self):
        asked = self._asked(self.random.choice([0.01, 0.02, 0.05, 0.2]), "odd")
        return asked if self.random.random() < 0.6 else asked._replace(kind="mutated", fields=self._mutated(asked.fields))

    def _asked(self, chance, kind):
        """A request; what may be odd in it is, by `chance`."""
        pick = self.random
        self.count += 1
        number = self.count
        body = pick.choice(BODIES)
        pieces = self._cut(body and mark(number, "body") + body)
        fields = self._pseudo(number, chance) + self._fields(number, chance)
        if pick.random() < 0.5:
            at, said = pick.randint(4, max(4, len(fields))), sum(map(len, pieces))
            fields.insert(at, (b"content-length", b"%d" % self._sometimes(chance, [0, 1, said + 1, said * 2, 9999999], [said])))
        if pick.random() < chance / 5:
            pick.shuffle(fields)
        if pick.random() < chance / 10:
            fields += fields[-1:] * 120
        trailers = self._sometimes(chance * 2, ODD_TRAILERS, TRAILERS) if pick.random() < 0.3 else []
        after = self._sometimes(chance / 4, AFTER, [b""])
        fields, trailers = ([(unmarked(name, number), unmarked(value, number)) for name, value in those] for those in (fields, trailers))
        return Asked(number, kind, fields, pieces, pick.random() >= chance / 8, trailers, unmarked(after, number))

    def _sometimes(self, chance, odd, usual):
        return self.random.choice(odd if self.random.random() < chance else usual)

    def _cut(self, body):
        pick = self.random
        pieces = [b""] * (pick.random() < 0.1)
        while body:
            # A few small ones, then all: the number of frames is limited.
            size = pick.choice([1, 7, 255, 4096]) if len(pieces) < 6 else len(body)
            pieces.append(body[:size])
            body = body[size:]
        return pieces + [b""] * (pick.random() < 0.1)

    def _pseudo(self, number, chance):
        pick = self.random
        segments = [self._sometimes(chance, ODD_SEGMENTS, SEGMENTS) for _ in range(pick.randint(0, 3))]
        segments.insert(pick.randint(0, len(segments)), mark(number, "target"))
        path = b"".join(b"/" + segment for segment in segments) + self._sometimes(chance, ODD_QUERIES, QUERIES)
        usual = [
            (b":method", pick.choice(METHODS)),
            (b":scheme", pick.choice([b"http", b"https"])),
            (b":authority", b"localhost"),
            (b":path", path),
        ]
        pick.shuffle(usual)
        chosen = [(name, self._sometimes(chance / 2, ODD_PSEUDO[name], [value])) for name, value in usual]
        return [(name, value) for name, value in chosen if value is not None]

    def _fields(self, number, chance):
        pick = self.random
        fields = []
        for _ in range(pick.choice([0, 1, 2, 4])):
            usual = [(pick.choice(NAMES).lower(), pick.choice(VALUES))]
            fields.append(self._sometimes(chance * 3, ODD_FIELDS, usual))
        for _ in range(pick.choice([0, 1, 2, 4])):
            value = mark(number, "x-own") + self._sometimes(chance * 2, ODD_OWN, VALUES)
            fields.insert(pick.randint(0, len(fields)), (b"x-own", value))
        # Crumbs, and what every library says.
        fields += [(b"cookie", b"MARK=1")] * pick.choice([0, 0, 0, 1, 2]) + [(b"te", b"trailers")] * (pick.random() < 0.1)
        return fields

    def _mutated(self, fields):
        """The fields with a few bytes or whole fields changed."""
        pick = self.random
        fields = list(fields)
        for _ in range(pick.choice([1, 1, 1, 2, 4])):
            at = pick.randrange(len(fields))
            match pick.randint(0, 5):
                case 0:
                    fields.insert(pick.randint(0, len(fields)), fields[at])
                case 1:
                    fields.insert(pick.randrange(len(fields)), fields.pop(at))
                case _:
                    which = pick.choice([0, 1, 1])
                    said = bytearray(fields[at][which])
                    where = pick.randint(0, len(said))
                    match pick.randint(0, 3):
                        case 0 | 1:
                            said[where:where] = pick.choice(INSERTED)
                        case 2:
                            del said[where : where + pick.choice([1, 1, 2, 8])]
                        case 3 if said:
                            said[where % len(said)] ^= 1 << pick.randint(0, 7)
                    changed = list(fields[at])
                    changed[which] = bytes(said)
                    fields[at] = tuple(changed)
        return fields


def unmarked(text, number):
    """`text` with the mark that is seen nowhere in its places."""
    return text.replace(b"MARK", mark(number, "never")) if b"MARK" in text else text
