"""How callers of HTTP/2 write: streams as frames between one another, frames that no library writes, and damage.

A `Batch` is what one connection sends: plain streams, and when these have their answers a second flight, in which streams are odd,
or in which the frames are wrong. What comes of a stream among wrong frames has no meaning that could be told.
"""

import random
import struct
from typing import NamedTuple

import hpack

from generate import INSERTED
from h2_requests import Grammar

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32
CANCEL = 8


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Flight(NamedTuple):
    sent: bytes
    streams: dict  # by their ids what is asked for
    split: set  # the streams whose heads stand in several frames


class Batch(NamedTuple):
    first: Flight
    second: Flight
    is_damaged: bool  # the second one

    @property
    def cases(self):
        return len(self.first.streams) + len(self.second.streams)


# Kind, flags, stream, payload. Streams: none, one that is begun already, the next one, one of the other side's, one that never was.
NONE, OPEN, NEXT, THEIRS, IDLE = "none", "open", "next", "theirs", "idle"
GET = b"\x82\x86\x84\x41\x09localhost"
ODD_FRAMES = [
    (DATA, 0, NONE, b"x"), (DATA, 0, IDLE, b"x"), (DATA, 0, THEIRS, b"x"), (DATA, END_STREAM, OPEN, b"x"), (DATA, 0, OPEN, b"x" * 16385), (DATA, PADDED, OPEN, b"\x05x"), (DATA, PADDED, OPEN, b""), (DATA, 0xF6, OPEN, b"x"),
    (HEADERS, 5, NONE, GET), (HEADERS, 5, THEIRS, GET), (HEADERS, 5, OPEN, GET), (HEADERS, 4, OPEN, b"\0\x01x\x01y"), (HEADERS, 0, OPEN, b"\0\x01x\x01y"), (HEADERS, 1, NEXT, GET), (HEADERS, 13, NEXT, b"\xff" + GET),
    (HEADERS, 37, NEXT, b"\0\0"), (HEADERS, 37, NEXT, b"\xff\xff\xff\xff\0" + GET), (HEADERS, 5, NEXT, b""), (HEADERS, 5, NEXT, b"\x80" + GET), (HEADERS, 5, NEXT, GET + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    (HEADERS, 5, NEXT, GET + b"\xfe"), (HEADERS, 5, NEXT, GET + b"\x3f\xe1\xff\xff\x7f"), (HEADERS, 5, NEXT, GET + b"\x40\x01x\x84\xff\xff\xff\xff"), (HEADERS, 5, NEXT, GET + b"\x40\x01x\x81\x00"), (HEADERS, 5, NEXT, GET + b"\x40\x01x\x7f"),
    (HEADERS, 5, NEXT, b"\x20\x3f\xe1\x1f" + GET), (HEADERS, 5, NEXT, GET + b"\x20"), (HEADERS, 5, NEXT, GET + b"\x0f\x2e\x0310\r"),
    (PRIORITY, 0, OPEN, b"\0\0\0\0\1"), (PRIORITY, 0, NONE, b"\0\0\0\0\1"), (PRIORITY, 0, OPEN, b"\0"), (RST_STREAM, 0, OPEN, b"\0\0\0\x08"), (RST_STREAM, 0, IDLE, b"\0\0\0\x08"), (RST_STREAM, 0, NONE, b"\0\0\0\x08"), (RST_STREAM, 0, OPEN, b"\0"),
    (SETTINGS, 0, NONE, b"\0\4\xff\xff\xff\xff"), (SETTINGS, 0, NONE, b"\0\4\0\0\0\0"), (SETTINGS, 0, NONE, b"\0\5\0\0\0\1"), (SETTINGS, 0, NONE, b"\0\2\0\0\0\5"), (SETTINGS, 0, OPEN, b""), (SETTINGS, ACK, NONE, b""), (SETTINGS, ACK, NONE, b"x"),
    (SETTINGS, 0, NONE, b"\0\1\0\0\0\0"), (SETTINGS, 0, NONE, b"\0\6\0\0\0\1"), (SETTINGS, 0, NONE, b"\0\x08\0\0\0\1"), (SETTINGS, 0, NONE, b"xyz"), (PUSH_PROMISE, 4, OPEN, b"\0\0\0\2" + GET), (PUSH_PROMISE, 4, NONE, b"\0\0\0\2" + GET),
    (PING, 0, NONE, b"12345678"), (PING, 0, OPEN, b"12345678"), (PING, 0, NONE, b"1"), (PING, ACK, NONE, b"12345678"), (GOAWAY, 0, NONE, b"\0" * 8), (GOAWAY, 0, OPEN, b"\0" * 8), (GOAWAY, 0, NONE, b"\0"),
    (WINDOW_UPDATE, 0, NONE, b"\0\0\0\0"), (WINDOW_UPDATE, 0, OPEN, b"\0\0\0\0"), (WINDOW_UPDATE, 0, OPEN, b"\x7f\xff\xff\xff"), (WINDOW_UPDATE, 0, NONE, b"\x7f\xff\xff\xff"), (WINDOW_UPDATE, 0, IDLE, b"\0\0\0\1"), (WINDOW_UPDATE, 0, NONE, b""),
    (CONTINUATION, 4, NONE, b""), (CONTINUATION, 4, OPEN, b"\0\x01x\x01y"), (CONTINUATION, 4, NEXT, GET), (0x0A, 0, NONE, b"x"), (0x10, 0, NONE, b"\0\0\0\1u=1"), (0xFF, 0xFF, OPEN, b"x" * 100),
]  # fmt: skip


class Generator:
    def __init__(self, seed):
        self.random = random.Random(f"HTTP/2 {seed}")
        self.grammar = Grammar(self.random)

    def batch(self):
        pick = self.random
        writer = Writer(pick)
        first = writer.flight([self.grammar.plain() for _ in range(pick.choice([0, 0, 1, 2]))])
        first = first._replace(sent=PREFACE + frame(SETTINGS, 0, 0) + first.sent)
        is_damaged = pick.random() < 0.3
        if not is_damaged:
            asked = [self.grammar.odd() for _ in range(pick.choice([1, 1, 2]))] + [
                self.grammar.plain() for _ in range(pick.choice([0, 0, 1, 2]))
            ]
            pick.shuffle(asked)
            return Batch(first, writer.flight(asked), False)
        asked = [self.grammar.odd() if pick.random() < 0.2 else self.grammar.plain() for _ in range(pick.choice([1, 1, 2, 3]))]
        second = writer.flight(asked, is_damaged=True)
        # Who says good-bye need not wait for a stream that the other side took for none.
        return Batch(first, second._replace(sent=second.sent + frame(GOAWAY, 0, 0, b"\0" * 8)), True)


class Writer:
    """Writes the streams of one connection, whose fields are compressed with what both sides remember of it."""

    def __init__(self, pick):
        self.random, self.encoder, self.next = pick, hpack.Encoder(), 1

    def flight(self, asked, is_damaged=False):
        """Streams with their frames between one another."""
        pick, written, streams, self.split = self.random, [], {}, set()
        waiting = [self._stream(one, streams) for one in asked]
        while waiting:
            turn = pick.choice(waiting) if pick.random() < 0.7 else waiting[0]
            if said := next(turn, None):
                written.append(said)
            else:
                waiting.remove(turn)
        sent = self._damaged(written, list(streams)) if is_damaged else b"".join(written)
        return Flight(sent, streams, self.split)

    def _stream(self, asked, streams):
        """What is written of a stream, each piece when its turn comes: the order is a part of the compression."""
        pick = self.random
        stream, self.next = self.next, self.next + 2
        streams[stream] = asked
        is_last = asked.ends and not asked.pieces and not asked.trailers
        yield self._fields(stream, asked.fields, is_last)
        for at, piece in enumerate(asked.pieces, 1):
            is_last = asked.ends and at == len(asked.pieces) and not asked.trailers
            yield self._padded(DATA, END_STREAM * is_last, stream, piece)
        if asked.ends and asked.trailers:
            yield self._fields(stream, asked.trailers, True)
        if asked.after:
            yield frame(DATA, pick.choice([0, END_STREAM]), stream, asked.after)
        if not asked.ends and pick.random() < 0.7:
            yield frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))

    def _fields(self, stream, fields, is_last):
        pick = self.random
        if pick.random() < 0.05:
            self.encoder.header_table_size = pick.choice([0, 100, 4096])
        secret = pick.choice([0, 0.2, 1])
        # Not all remember a field without a name: none is to be remembered.
        fields = [(name, value, not name or pick.random() < secret) for name, value in fields]
        # The library takes long for Huffman's code of long values.
        is_short = all(len(value) < 1000 for _, value, _ in fields)
        block = self.encoder.encode(fields, huffman=is_short and pick.random() < 0.5)
        pieces, most = [], pick.choice([16000, 16000, max(len(block) // 3, 1)])
        while block or not pieces:
            pieces.append(block[:most])
            block = block[most:]
        if len(pieces) > 1:
            self.split.add(stream)
        flags = [0] * len(pieces)
        flags[-1] = END_HEADERS
        flags[0] |= END_STREAM * is_last
        if pick.random() < 0.1:
            flags[0] |= HAS_PRIORITY
            pieces[0] = b"\0\0\0\0\x0f" + pieces[0]
        first, *more = zip(flags, pieces)
        return b"".join(
            [self._padded(HEADERS, first[0], stream, first[1]), *(frame(CONTINUATION, *flag, stream, piece) for *flag, piece in more)]
        )

    def _padded(self, kind, flags, stream, payload):
        if self.random.random() > 0.1:
            return frame(kind, flags, stream, payload)
        padding = self.random.choice([0, 1, 100])
        return frame(kind, flags | PADDED, stream, bytes([padding]) + payload + b"\0" * padding)

    # -- damage

    def _damaged(self, written, streams):
        pick = self.random
        match pick.randint(0, 2):
            case 0:
                for _ in range(pick.choice([1, 1, 2])):
                    written.insert(pick.randint(0, len(written)), self._odd_frame(streams))
            case 1:
                at = pick.randrange(len(written))
                head, payload = written[at][:9], self._changed(written[at][9:])
                # The length is that of what is written now, where one frame was.
                written[at] = struct.pack(">I", len(payload))[1:] + head[3:] + payload
            case 2:
                return self._changed(b"".join(written))
        return b"".join(written)

    def _odd_frame(self, streams):
        pick = self.random
        kind, flags, where, payload = pick.choice(ODD_FRAMES)
        stream = {NONE: 0, OPEN: pick.choice(streams), NEXT: self.next, THEIRS: 2, IDLE: self.next + 100}[where]
        return frame(kind, flags, stream, payload)

    def _changed(self, said):
        pick, said = self.random, bytearray(said)
        for _ in range(pick.choice([1, 1, 1, 2, 3])):
            # Heads stand at the beginning, and bodies may be long.
            at = pick.randint(0, len(said) if pick.random() < 0.3 else min(len(said), 120))
            match pick.randint(0, 5):
                case 0 | 1 if said:
                    said[at % len(said)] ^= 1 << pick.randint(0, 7)
                case 2 if said:
                    said[at % len(said)] = pick.randint(0, 255)
                case 3:
                    said[at:at] = pick.choice(INSERTED)
                case 4:
                    del said[at : at + pick.choice([1, 1, 2, 8, 40])]
                case 5:
                    said[at:at] = said[pick.randint(0, at) : at]
        return bytes(said)
