"""What callers send: requests by a grammar, odd ones, and ones that were damaged. All of it follows from a seed.

A `Batch` is what one connection sends at once: some plain requests, one odd or damaged, and one to end with. What stands before
the odd one is known to be looked at, so every case is tried; the one at the end, which is none, may be taken for a part of it.
"""

import random
from typing import NamedTuple


class Plain(NamedTuple):
    """A request that has one meaning: what must come of it."""

    method: bytes
    target: bytes
    own: list  # the values of its `X-Own` fields
    body: bytes


class Batch(NamedTuple):
    sent: bytes
    plain: list  # the meanings of the requests before the odd one
    last: bytes  # the target of the one at the end
    cases: int


METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"]
ODD_METHODS = [
    b"get", b"Post", b"TRACE", b"CONNECT", b"PRI", b"QUERY", b"LOCK", b"M-SEARCH", b"GETX", b"GE T", b"G\0T", b"", b" GET",
    b"\r\nGET", b"\nPOST", b"POST\t", b"\xffGET", b"GET:", b"X" * 300,
]  # fmt: skip
SEGMENTS = [
    b"api", b"v1", b"a.b", b"~u", b"x-y_z", b"%41", b"%2e", b"a%20b", b"%C3%A9", b"a;p=1", b"a:b", b"@x", b"!$&'()*+,=", b"0",
    b"services", b"index.html", b"a" * 60,
]  # fmt: skip
ODD_SEGMENTS = [
    b"..", b".", b"", b"...", b"%2e%2e", b"%2E.", b"..;", b"%2f", b"%5c", b"\\", b"%00", b"%zz", b"%", b"%u002f", b"\xc3\xa9", b"\xff", b"\xc0\xae",
    b"a b", b"a\tb", b"\x7f", b"<x>", b'"', b"{y}", b"|", b"^", b"`", b"[0]", b"#f", b"?", b"a#b?c", b"%0d%0aX:y", b"\r", b"\0", b"http://e.example",
]  # fmt: skip
QUERIES = [b"", b"", b"?", b"?a=b", b"?a=b&c=d", b"?q=%20%2B+", b"?a[]=1", b"?x=/../y", b"??", b"?u=http://e.example/"]
ODD_QUERIES = [b"?a b", b"?\xc3\xa9", b"?a#b", b"?\0", b"?<>\"{}|\\^`", b"?" + b"q" * 9000, b"?%", b"?a\r"]
ODD_TARGETS = [
    b"*", b"", b"api", b"localhost:80", b"http://", b"http:///x", b"//e.example/x", b"http://e.example/x", b"https://localhost/x", b"HTTP://LOCALHOST/x",
    b"http://u@localhost/x", b"http://localhost:1/x", b"http://localhost", b"http://localhost?x", b"ftp://localhost/x", b"http://[::1]/x", b"/\\e.example", b"\\x",
    b"?x", b"#", b"/ HTTP/1.1", b"http://localhost\\@e.example/", b"/x\x0by", b"javascript:1",
]  # fmt: skip
ODD_VERSIONS = [
    b" HTTP/1.0", b" HTTP/1.0", b" HTTP/1.0", b" HTTP/1.2", b" HTTP/0.9", b" HTTP/2.0", b" http/1.1", b" HTTP/1.1 ", b" HTTP/1.10", b" HTTP/01.1",
    b" HTTP/1,1", b"  HTTP/1.1", b"\tHTTP/1.1", b" HTTP/1.1\0", b"", b" HTTP", b" HTTP/1.1 x",
]  # fmt: skip
NAMES = [b"Accept", b"User-Agent", b"X-Request-Id", b"Accept-Language", b"If-Match", b"X-A_b", b"x.y", b"X-1!#$%&'*+^`|~", b"Range", b"Content-Type"]
VALUES = [b"", b"*/*", b"a, b;q=0.5", b'"quoted, \\" text"', b"x" * 200, b"application/json", b"bytes=0-1", b"caf\xe9", b"\xc3\xa9", b"a\tb", b"a  b", b":", b"a: b"]
ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\r\n\r\n", b" \r\n", b"\0\r\n", b"\x85"]
ODD_FIELDS = [
    b"X-Own : a", b"X-Own\t: a", b" X-Own: a", b"X-Own", b": a", b"X Own: a", b"X-Own:a\rb", b"X-Own: a\nb: c", b"X-Own: a\0b", b"X-Own: \x01", b"X-Own: a\x7f", b"X\xff: a",
    b"X-Own: a\r\n b", b"X-Own: a\r\n\tb", b"X-Own: a\r\n Content-Length: 5", b"X-Own:\r\n a", b"X-Own: \x0b a \x0c", b"X-Own:\xa0a", b"X-Own: a\x85b", b"X-Own: \xe5\x98\x8d\xe5\x98\x8aX-Evil: 1",
    b"X-Own: " + b"a" * 20000, b"X" * 300 + b": a", b"(X): a", b"X-Own;: a", b"X-Own:\t\t a \t", b"X-Own: a\r\nX-Own: a",
    b"Host: localhost", b"Host: e.example", b"Host:", b"hOsT: localhost:80", b"Host : localhost", b"X-Host: e.example",
    b"Connection: close", b"Connection: keep-alive", b"Connection: x-own", b"Connection: X-Own, close", b"Connection: host", b"Connection: content-length", b"Connection: transfer-encoding",
    b"Connection: authorization, via", b"Connection: close, , x\xff", b"Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", b"Connection: te\r\nTE: trailers",
    b"Connection:\r\nConnection: x-own", b"Keep-Alive: timeout=5", b"Proxy-Connection: close", b"Proxy-Authorization: Basic eDp5", b"TE: trailers, deflate", b"Trailer: Content-Length",
    b"Upgrade: websocket", b"Upgrade: TLS/1.0", b"Expect: 100-continue", b"Expect: 200-ok", b"Expect:", b"Expect: 100-continue, 100-continue",
    b"Authorization: Bearer mine", b"authorization : x", b"Authorization_: x", b"Cookie: a=b", b"Via: 1.1 upauth", b"Via: 1.0 a", b"X-Forwarded-For: 1.2.3.4", b"X_Forwarded_For: 1", b"Forwarded: for=x",
    b"Origin: null", b"Referer: http://localhost/", b"Content-Length_: 5", b"Content_Length: 5", b"Transfer_Encoding: chunked", b"X-HTTP-Method-Override: DELETE", b"Max-Forwards: 0",
    b"Content-Length: 0", b"Content-Encoding: gzip", b"Accept-Encoding: gzip", b"Date: x", b"Content-Length:",
]  # fmt: skip
ODD_LENGTHS = [
    b"+%d", b"-%d", b"%d, %d", b"%d,", b"0%d", b"%d.0", b"0x%x", b"%d\0", b" %d ", b"\t%d", b"%d %d", b"%d\r\nContent-Length: %d", b"%d\r\nContent-Length: 0", b"%d_0",
    b"18446744073709551616", b"99999999999999999999999", b"", b"%d;", b'"%d"', b"\x0b%d", b"%d\r\n", b"1e1",
]  # fmt: skip
ODD_CODINGS = [
    b"Transfer-Encoding: Chunked", b"Transfer-Encoding:chunked", b"Transfer-Encoding:\tchunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding: chunked ", b"Transfer-Encoding: chunked,", b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity", b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunked;q=1", b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: chun\r\n ked", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked\0", b"Transfer-Encoding: c\xe8unked",
    b"Transfer_Encoding: chunked", b"Transfer-Encoding\xa0: chunked", b"X: y\nTransfer-Encoding: chunked", b"Transfer-Encoding:", b"transfer-encoding: CHUNKED",
]  # fmt: skip
ODD_SIZES = [b"0x%x", b"+%x", b"-%x", b"%x ", b" %x", b"\t%x", b"%x\t", b"%x_0", b"%xg", b"", b"00000000000000000%x", b"1%016x", b"%x\0", b"%x\r", b"%x,", b"%x.0"]
EXTENSIONS = [b";a", b";a=b", b';a="b c"', b";a=b;c", b" ;a", b"; a = b"]
ODD_EXTENSIONS = [b';a="\r\n', b";\n", b";a\rb", b";\0", b";" + b"e" * 3000, b";\xff", b";a\nb", b';a="\\"']
TRAILERS = [b"X-Trailer: a\r\n", b"Content-MD5: x\r\n", b"X-A: 1\r\nX-B: 2\r\n"]
ODD_TRAILERS = [
    b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: e.example\r\n", b"Authorization: x\r\n", b"X-Trailer : a\r\n", b" folded\r\n", b"X: a\n", b"X\r\n", b"GET / HTTP/1.1\r\n", b"X: \0\r\n",
    b"\n", b"X: a\rY: b\r\n",
]  # fmt: skip
INNER = b"GET /inner HTTP/1.1\r\nHost: localhost\r\nX-Own: inner\r\n\r\n"
BODIES = [
    b"", b"x", b"a=b&c=d", b'{"a": "b"}', INNER, b"0\r\n\r\n" + INNER, b"\r\n\r\n", b"\r\n" + INNER, b"\0\r\n\xff\n", b"5\r\nhello\r\n0\r\n\r\n", b"x" * 1000, b"y" * 1025, b"\xff\xfe" * 3000,
    INNER * 30,
]  # fmt: skip
INSERTED = [b"\r", b"\n", b"\r\n", b"\0", b" ", b":", b"\t", b",", b";", b"\x0b", b"\xa0", b"\r\n\r\n", b"0\r\n\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"%", b"#", b"\\"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ends = 0

    def batch(self):
        pick = self.random
        plain = [self._plain() for _ in range(pick.choice([0, 0, 0, 1, 1, 2]))]
        odd = self._odd() if pick.random() < 0.5 else self._damaged()
        self.ends += 1
        last = b"/end/%d" % self.ends
        end = b"GET " + last + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        sent = b"".join(bytes_ for _, bytes_ in plain) + odd + end
        return Batch(sent, [meaning for meaning, _ in plain], last, len(plain) + 1)

    def _sometimes(self, chance, odd, usual):
        return self.random.choice(odd if self.random.random() < chance else usual)

    # -- requests that mean one thing

    def _plain(self):
        pick = self.random
        method = pick.choice(METHODS)
        target = b"".join(b"/" + pick.choice(SEGMENTS) for _ in range(pick.randint(1, 4))) + pick.choice(QUERIES)
        prefix = pick.choice([b"", b"", b"", b"http://localhost"])
        lines = [b"Host: localhost"]
        own = [pick.choice(VALUES) for _ in range(pick.choice([0, 1, 2, 4]))]
        for _ in range(pick.choice([0, 1, 2, 4])):
            lines.append(self._line(pick.choice(NAMES), pick.choice(VALUES)))
        body = pick.choice(BODIES)
        framed = body
        if pick.random() < 0.5:
            lines.append(pick.choice([b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked"]))
            framed = self._chunked(body, 0)
        elif body or pick.random() < 0.5:
            lines.append(b"Content-Length: %d" % len(body))
        pick.shuffle(lines)
        places = sorted(pick.randint(0, len(lines)) for _ in own)
        for place, value in reversed([*zip(places, own)]):
            lines.insert(place, self._line(pick.choice([b"X-Own", b"x-own"]), value))
        head = b"%s %s%s HTTP/1.1\r\n%s\r\n\r\n" % (method, prefix, target, b"\r\n".join(lines))
        return Plain(method, target, own, body), head + framed

    def _line(self, name, value):
        pick = self.random
        return name + pick.choice([b":", b": ", b": ", b":  \t"]) + value + pick.choice([b"", b"", b" ", b"\t "])

    def _chunked(self, body, chance):
        """`body` in chunks; what may be odd of them is, by `chance`."""
        pick = self.random
        said = []
        while body:
            size = pick.choice([1, 2, 7, 16, 255, 4096])
            piece, body = body[:size], body[size:]
            written = pick.choice([b"%x", b"%X", b"0%x", b"000%x"])
            said.append(self._number(self._sometimes(chance, ODD_SIZES, [written]), len(piece)))
            if pick.random() < 0.2:
                said.append(self._sometimes(chance, ODD_EXTENSIONS, EXTENSIONS))
            end = self._sometimes(chance / 2, [b"\n", b"", b"\r", b"x\r\n"], [b"\r\n"])
            said += [b"\r\n", piece, end]
        said.append(self._sometimes(chance, [b"", b"00", b"0 ", b"-0", b"0;x", b"0\n"], [b"0"]) + b"\r\n")
        if pick.random() < 0.2:
            said.append(self._sometimes(chance * 3, ODD_TRAILERS, TRAILERS))
        said.append(self._sometimes(chance / 2, [b"", b"\n", b"\r"], [b"\r\n"]))
        return b"".join(said)

    @staticmethod
    def _number(form, number):
        return form % ((number,) * form.count(b"%"))

    # -- odd ones

    def _odd(self):
        pick = self.random
        chance = pick.choice([0.01, 0.03, 0.1, 0.3])
        segments = b"".join(b"/" + self._sometimes(chance, ODD_SEGMENTS, SEGMENTS) for _ in range(pick.randint(1, 4)))
        usual = [segments + self._sometimes(chance, ODD_QUERIES, QUERIES)]
        target = self._sometimes(chance, ODD_TARGETS, usual)
        lines = [
            self._sometimes(chance, ODD_METHODS, METHODS)
            + self._sometimes(chance / 5, [b"  ", b"\t", b""], [b" "])
            + target
            + self._sometimes(chance, ODD_VERSIONS, [b" HTTP/1.1"])
        ]
        fields = [b"Host: localhost"] * (pick.random() > chance / 3)
        for _ in range(pick.choice([0, 1, 2, 4])):
            name = pick.choice([b"X-Own", pick.choice(NAMES)])
            fields.append(self._sometimes(chance * 3, ODD_FIELDS, [name + b": " + pick.choice(VALUES)]))
        body = pick.choice(BODIES)
        framing, framed = self._framing(body, chance)
        fields += framing
        pick.shuffle(fields)
        if pick.random() < chance / 10:
            fields *= 40
        said = [line + self._sometimes(chance / 10, ENDS, [b"\r\n"]) for line in lines + fields]
        return b"".join(said) + self._sometimes(chance / 5, ENDS, [b"\r\n"]) + framed

    def _framing(self, body, chance):
        pick = self.random
        length = b"Content-Length: " + self._number(self._sometimes(chance, ODD_LENGTHS, [b"%d"]), len(body))
        coding = self._sometimes(chance, ODD_CODINGS, [b"Transfer-Encoding: chunked"])
        kind = pick.random()
        if kind < 0.15:
            return [], b""
        if kind < 0.5:
            return [length], body
        if kind < 0.85:
            return [coding], self._chunked(body, chance / 3)
        if kind < 0.95:
            chunked = self._chunked(body, 0)
            of = pick.choice([len(body), len(chunked), 0, 3])
            return [b"Content-Length: %d" % of, coding], chunked
        return [length, b"Content-Length: %d" % pick.choice([0, len(body), len(body) + 1])], body

    # -- damaged ones

    def _damaged(self):
        pick = self.random
        said = bytearray(self._odd() if pick.random() < 0.4 else self._plain()[1])
        for _ in range(pick.choice([1, 1, 1, 2, 3, 5])):
            # Heads are short and bodies may be long: most damage is done to the head.
            reach = len(said) if pick.random() < 0.3 else min(len(said), said.find(b"\r\n\r\n") % (len(said) + 1) + 4)
            at = pick.randint(0, reach)
            match pick.randint(0, 8):
                case 0 if said:
                    said[at % len(said)] ^= 1 << pick.randint(0, 7)
                case 1 if said:
                    said[at % len(said)] = pick.randint(0, 255)
                case 2 | 3 | 4:
                    said[at:at] = pick.choice(INSERTED)
                case 5:
                    del said[at : at + pick.choice([1, 1, 2, 8, 40])]
                case 6 | 7:
                    lines = bytes(said).split(b"\r\n")
                    line = pick.randrange(len(lines))
                    where = pick.randrange(len(lines) + 1)
                    lines.insert(where, lines[line] if pick.random() < 0.7 else lines.pop(line))
                    said = bytearray(b"\r\n".join(lines))
                case 8:
                    other = self._odd() if pick.random() < 0.5 else self._plain()[1]
                    said = said[:at] + other[pick.randint(0, len(other)) :]
        return bytes(said)
