"""A caller of HTTP/2: sends its batch, and reads until each stream has an end or the proxy ends the connection."""

import asyncio
import time
from typing import NamedTuple

import hpack

from h2_frames import ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, RST_STREAM, SETTINGS, frame
from traffic import PATIENCE


class Ending(NamedTuple):
    """What became of a stream: an answer, or (`None`) a reset."""

    status: int | None
    seen: int | None = None  # the number of the request upstream


class Outcome(NamedTuple):
    endings: dict  # by stream
    is_over: bool  # the proxy ended the connection
    hangs: bool  # neither that nor an end of each stream
    faults: list
    took: float  # seconds


class Caller(asyncio.Protocol):
    def __init__(self, batch, began):
        self.batch, self.buffer, self.faults = batch, b"", []
        self.endings, self.heads, self.block = {}, {}, None
        self.decoder = hpack.Decoder()
        self.done = asyncio.get_running_loop().create_future()
        self.began = began
        self.waits = [batch.first, batch.second]

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.batch.first.sent)
        self._go_on()

    def _go_on(self):
        """The next flight, once all of the one before has its end; then the end."""
        while self.waits and self.endings.keys() >= self.waits[0].streams.keys():
            self.waits.pop(0)
            if self.waits:
                self.transport.write(self.waits[0].sent)
            else:
                self.finish(is_over=False)
                self.transport.close()

    def data_received(self, data):
        self.buffer += data
        while len(self.buffer) >= 9 and len(self.buffer) >= (end := 9 + int.from_bytes(self.buffer[:3], "big")):
            kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
            payload, self.buffer = self.buffer[9:end], self.buffer[end:]
            self._take(kind, flags, stream, payload)
        self._go_on()

    def _take(self, kind, flags, stream, payload):
        if flags & PADDED and kind in (DATA, HEADERS):
            payload = payload[1 : len(payload) - payload[0]]
        if kind == SETTINGS and not flags & ACK:
            self.transport.write(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.transport.write(frame(PING, ACK, 0, payload))
        elif kind in (HEADERS, CONTINUATION):
            self.block = payload if kind == HEADERS else self.block + payload
            if flags & END_HEADERS:
                self._head(stream, dict(self.decoder.decode(self.block, raw=True)))
        elif kind == RST_STREAM:
            # Who has answered need not take the rest of a body.
            self.endings.setdefault(stream, self.heads.get(stream, Ending(None)))
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            if stream in self.endings or stream not in self.heads:
                self.faults.append(f"stream {stream} ended twice, or without an answer")
            self.endings[stream] = self.heads.get(stream)

    def _head(self, stream, fields):
        status, seen = int(fields[b":status"]), fields.get(b"x-seen")
        if status >= 200:
            if stream in self.heads:
                self.faults.append(f"stream {stream} has two answers")
            self.heads[stream] = Ending(status, None if seen is None else int(seen))

    def connection_lost(self, _):
        self.finish(is_over=True)

    def finish(self, is_over, hangs=False):
        if not self.done.done():
            # An answer whose end is lost is one of a request that came.
            endings = self.heads | self.endings
            self.done.set_result(Outcome(endings, is_over, hangs, self.faults, time.monotonic() - self.began))


async def send_all(batches, address, at_once, judge):
    """Sends all batches, so many at once; what came of each goes to `judge`."""
    loop = asyncio.get_running_loop()

    async def worker():
        for batch in batches:
            # The proxy's clock runs as soon as it has the connection.
            began = time.monotonic()
            transport, caller = await loop.create_connection(lambda: Caller(batch, began), *address)
            timer = loop.call_later(PATIENCE, caller.finish, False, True)
            judge(batch, await caller.done)
            timer.cancel()
            transport.close()

    await asyncio.gather(*(worker() for _ in range(at_once)))
