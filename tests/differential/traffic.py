"""The two ends of the proxy: callers that send batches, and an upstream that keeps every byte it is sent.

The upstream reads strictly, and numbers each whole request in its answer (`X-Seen`): an answer that a caller gets says which
request upstream it is of. What is not canonical HTTP/1.1 is a fault.
"""

import asyncio
import re
import time
from typing import NamedTuple

TOKEN = b"differential-0123456789"
GRANT = b'{"access_token":"%s","token_type":"Bearer","expires_in":3600}' % TOKEN
# Nothing here waits longer, in seconds.
PATIENCE = 60

TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELD = re.compile(rb"^(" + TCHAR + rb"+):[ ]?((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)\r\n", re.M)
HEAD = re.compile(rb"([A-Z]+) (/[!-~\x80-\xff]*) HTTP/1\.1\r\n((?:" + TCHAR + rb"+:[\t -~\x80-\xff]*\r\n)*)\r\n")
CHUNK = re.compile(rb"([0-9A-Fa-f]+)\r\n")
ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
SEEN = re.compile(rb"^x-seen: (\d+)\r$", re.I | re.M)

# Fields of one connection, of the caller's side, and credentials that are not ours.
NEVER = {
    b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"proxy-authenticate", b"te", b"trailer", b"upgrade",
    b"http2-settings", b"expect", b"cookie", b"forwarded", b"x-forwarded-for", b"referer", b"origin", b"authorization_",
    b"x_forwarded_for", b"transfer_encoding", b"content_length",
}  # fmt: skip


class Request(NamedTuple):
    """A request as one reader understood it. Names are in lower case."""

    method: bytes
    target: bytes
    fields: list
    body: bytes

    def values(self, name):
        return [value for own, value in self.fields if own == name]


class Fault(Exception):
    """Bytes that are no canonical request."""


class Stream:
    """What came over one connection of the upstream: whole requests, and what was begun behind them."""

    def __init__(self):
        self.requests, self.raw, self.rest, self.may_be_refused = [], [], b"", False


class Upstream(asyncio.Protocol):
    """One connection of the capturing upstream; what all of them saw is in `record`."""

    def __init__(self, record):
        self.record, self.buffer, self.stream = record, b"", Stream()

    def connection_made(self, transport):
        self.transport = transport
        self.address = "{}:{}".format(*transport.get_extra_info("sockname")).encode()

    def data_received(self, data):
        self.buffer += data
        try:
            found = read(self.buffer)
            if found is None:
                return
            request, length = found
            if length != len(self.buffer):
                raise Fault("more behind a request")
        except Fault as fault:
            self.record.faults.append(f"{fault}: {self.buffer!r}")
            return self.transport.abort()
        raw, self.buffer = self.buffer, b""
        if request.target == b"/token" and not request.values(b"via"):
            return self.answer(b"Content-Type: application/json\r\n", GRANT)
        self.record.faults += (f"{fault}: {raw!r}" for fault in faults(request, self.address))
        if not self.stream.requests:
            self.record.streams.append(self.stream)
        self.stream.requests.append(request)
        self.stream.raw.append(raw)
        self.record.seen.append(request)
        self.answer(b"X-Seen: %d\r\n" % (len(self.record.seen) - 1), b"")

    def answer(self, fields, body):
        self.transport.write(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (fields, len(body), body))

    def connection_lost(self, _):
        self.stream.rest = self.buffer
        if self.buffer and not self.stream.requests:
            self.record.streams.append(self.stream)


class Record:
    def __init__(self):
        self.streams, self.seen, self.faults = [], [], []


def read(buffer):
    """The request at the beginning of `buffer` with its length; `None`: more must come."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = HEAD.fullmatch(buffer, 0, end + 4)
    if not head:
        raise Fault("a head that is not canonical")
    fields = [(name.lower(), value) for name, value in FIELD.findall(head[3])]
    if len(fields) != head[3].count(b"\n"):
        raise Fault("a field that is not canonical")
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise Fault("more than one framing field")
    if codings:
        if codings != [b"chunked"]:
            raise Fault("a coding that is not chunked")
        found = chunks(buffer, end + 4)
        if found is None:
            return None
        body, length = found
    else:
        told = lengths[0] if lengths else b"0"
        if not told.isdigit():
            raise Fault("an odd length")
        length = end + 4 + int(told)
        if len(buffer) < length:
            return None
        body = buffer[end + 4 : length]
    return Request(head[1], head[2], fields, body), length


def chunks(buffer, at):
    pieces = []
    while True:
        end = buffer.find(b"\r\n", at)
        if end < 0:
            return None
        size = CHUNK.fullmatch(buffer, at, end + 2)
        if not size:
            raise Fault("an odd chunk size")
        size, at = int(size[1], 16), end + 2
        if len(buffer) < at + size + 2:
            return None
        if buffer[at + size : at + size + 2] != b"\r\n":
            raise Fault("a chunk or the trailers do not end")
        pieces.append(buffer[at : at + size])
        at += size + 2
        if size == 0:
            return b"".join(pieces), at


def faults(request, address):
    """What a request that left the proxy may never be."""
    if request.values(b"host") != [address]:
        yield "not exactly one Host, ours"
    if request.values(b"authorization") != [b"Bearer " + TOKEN]:
        yield "not exactly one credential, ours"
    if len(request.values(b"via")) != 1:
        yield "not exactly one Via"
    if never := NEVER.intersection(name for name, _ in request.fields):
        yield f"fields that are not passed on: {never}"


# -- callers


class Outcome(NamedTuple):
    """The answers to a batch, but for interim ones: a status, and the number of the request upstream, if any."""

    answers: list
    is_reset: bool
    took: float  # seconds


class Caller(asyncio.Protocol):
    """One connection: sends a batch, and reads until the last request is answered or the proxy ends the connection."""

    def __init__(self, batch, record, began):
        self.batch, self.record, self.bytes, self.at, self.answers = batch, record, b"", 0, []
        self.done = asyncio.get_running_loop().create_future()
        self.began = began

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.batch.sent)

    def data_received(self, data):
        self.bytes += data
        while found := ANSWER.search(self.bytes, self.at):
            self.at = found.end()
            if found[1].startswith(b"1"):
                continue
            seen = SEEN.search(found[2])
            number = int(seen[1]) if seen else None
            self.answers.append((int(found[1]), number))
            if number is not None and self.record.seen[number].target == self.batch.last:
                self.transport.close()

    def connection_lost(self, error):
        self.done.set_result(Outcome(self.answers, error is not None, time.monotonic() - self.began))


async def send_all(batches, address, record, at_once, judge):
    """Sends all batches, so many at once; what came of each goes to `judge`."""
    loop = asyncio.get_running_loop()

    async def worker():
        for batch in batches:
            # The proxy's clock runs as soon as it has the connection.
            began = time.monotonic()
            _, caller = await loop.create_connection(lambda: Caller(batch, record, began), *address)
            judge(batch, await asyncio.wait_for(caller.done, PATIENCE))

    await asyncio.gather(*(worker() for _ in range(at_once)))
