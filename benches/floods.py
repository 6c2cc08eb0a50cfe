#!/usr/bin/env python3
"""What floods cost: callers who read nothing of large answers, streams and windows of HTTP/2, and frames without end.

  benches/floods.py                     all of them, some nine minutes
  benches/floods.py --only PING         those whose name has this in it

It builds `upauth` as the gate does (`cargo build --release`) and runs it with one worker, anew for each flood, with two upstreams: the
flood asks one, and two callers ask the other, one request after the other, before and during the flood. The flood is a process of its own and writes its
frames of HTTP/2 itself; so is the upstream that it asks.

Of frames a flood first writes 500,000, in batches; behind each batch is a PING, and the next batch begins when that is answered, so
that what was written was worked through. The CPU time of all threads of the process (the kernel's work for them included), by the frames, is
printed for the first fifth and for the last: it is flat if they are alike. Then the flood goes on while the others ask. Where the proxy gives
up the connection, the flood comes back with another; what it wrote is counted, though little of that was taken. The latency is the 99th
percentile of each of five seconds; of these, the median. Memory is VmRSS before, the largest ever (VmHWM), and VmRSS when the others
have asked for some seconds after the flood.

Needs cargo and python3; only loopback; everything it starts ends with it. Some floods need 13,000 open files.
"""

import argparse
import asyncio
import contextlib
import itertools
import multiprocessing
import re
import socket
import statistics
import struct
import tempfile
import time
from pathlib import Path

import gate
import idle
import slow

FRAMES, BATCH, WRITERS = 500_000, 500, 4
# Seconds that the others ask, before the flood and beside it; and after its end, until memory is looked at again.
ROUND, REST = 5, 1
LARGE = 100 << 20

CONFIG = """
[server]
listen = "127.0.0.1:0"
workers = 1
state = "{{work}}/state"
[admin]
listen = ""
[log]
access = "{{work}}/access.log"
[server.limits]
requests_in_flight = {places}
"""
UPSTREAM = """
[upstream.{name}]
provider = "oauth2"
grant = "client_credentials"
token_url = "http://{address}/token"
api_url = "http://{address}"
client_id = "{name}"
client_secret = "gate"
connections = {connections}
"""


# -- the upstream


async def answer(reader, writer):
    """Answers /token and /small, sends /large as far as it is taken, and never reads the body of /deaf."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            if path == b"/deaf":
                return await writer.wait_closed()
            elif path == b"/large":
                # What the system holds of it is no memory of the proxy's, but the machine's.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 10)
                writer.write(f"{gate.ANSWER.format(status='200 OK')}Content-Length: {LARGE}\r\n\r\n".encode())
                for _ in range(LARGE // len(PIECE)):
                    writer.write(PIECE)
                    await writer.drain()
            else:
                if found := re.search(rb"content-length: (\d+)", head, re.I):
                    await reader.readexactly(int(found[1]))
                writer.write(gate.GRANTED if path == b"/token" else SMALL)


PIECE = b"x" * (64 << 10)
SMALL = gate.ANSWERS["/small"]


def be_upstream(told):
    """The upstream: tells its address, and serves until it is ended."""

    async def serve():
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4096, limit=64 << 10)
        told.send("{}:{}".format(*server.sockets[0].getsockname()))
        await server.serve_forever()

    asyncio.run(serve())


# -- frames (RFC 9113)

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, WINDOW, CONTINUATION, UNKNOWN = 0, 1, 2, 3, 4, 6, 8, 9, 0xFA
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WIDEST = (1 << 31) - 1
CANCEL = struct.pack(">I", 8)


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def head(method, path):
    """A block of fields (RFC 7541): the method and http by their places, the path and `localhost` as they are."""
    path = path.encode()
    return bytes([{"GET": 0x82, "POST": 0x83}[method], 0x86, 0x04, len(path)]) + path + b"\x01\x09localhost"


def odd(number):
    """The stream of the `number`th request of a connection."""
    return 2 * number + 1


# A window of 2 GiB less one for each stream, and for the connection.
OPENED = PREFACE + frame(SETTINGS, payload=struct.pack(">HI", 4, WIDEST)) + frame(WINDOW, payload=struct.pack(">I", WIDEST - 65535))


# -- connections that are held


def reads_nothing(at, _):
    """A large answer over HTTP/1.1, of which nothing is read."""
    stream = narrow(at)
    stream.sendall(b"GET /api/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return stream, None


def reads_a_byte(at, number):
    """The same, but for a byte a second."""
    stream, _ = reads_nothing(at, number)
    return stream, lambda: stream.recv(1)


def streams(at, _):
    """100 large answers over HTTP/2, as much of each as may be sent, of which nothing is read."""
    stream = narrow(at)
    asked = (frame(HEADERS, END_STREAM | END_HEADERS, odd(number), head("GET", "/api/large")) for number in range(100))
    stream.sendall(OPENED + b"".join(asked))
    return stream, None


def uploads(at, _):
    """100 uploads over HTTP/2 that wait for an upstream: of each as much as may be sent."""
    stream = socket.create_connection(at, gate.PATIENCE)
    begun = (frame(HEADERS, END_HEADERS, odd(number), head("POST", "/api/large")) for number in range(100))
    stream.sendall(PREFACE + frame(SETTINGS) + b"".join(begun))
    rooms = {0: 65535} | {odd(number): 65535 for number in range(100)}
    stream.settimeout(1)
    buffer = b""
    with contextlib.suppress(OSError):
        while piece := stream.recv(65536):
            buffer += piece
            while len(buffer) >= 9 and len(buffer) >= (end := 9 + int.from_bytes(buffer[:3])):
                kind, on, payload = buffer[3], int.from_bytes(buffer[5:9]), buffer[9:end]
                buffer = buffer[end:]
                # Its SETTINGS are not acknowledged, so that what a stream may send is what it may without.
                if kind == WINDOW and on in rooms:
                    rooms[on] += int.from_bytes(payload)
            for on in range(1, 200, 2):
                while (part := min(rooms[0], rooms[on], 16 << 10)) > 0:
                    stream.sendall(frame(DATA, 0, on, bytes(part)))
                    rooms[0], rooms[on] = rooms[0] - part, rooms[on] - part
    return stream, None


def heads(at, _):
    """100 requests over HTTP/2 with heads of 50 KiB each, which wait for an upstream."""
    stream = narrow(at)
    field = b"\0\x01a\x7f" + bytes([0x80 | (16000 - 127) & 0x7F, (16000 - 127) >> 7]) + b"a" * 16000
    asked = (
        frame(HEADERS, END_STREAM, odd(number), head("GET", "/api/large"))
        + frame(CONTINUATION, 0, odd(number), field) * 2
        + frame(CONTINUATION, END_HEADERS, odd(number), field)
        for number in range(100)
    )
    stream.settimeout(10)
    with contextlib.suppress(OSError):
        stream.sendall(OPENED + b"".join(asked))
    return stream, None


def half_heads(at, _):
    """60 KiB of a head of HTTP/1.1 without an end, which is cut after ten seconds."""
    stream = narrow(at)
    stream.sendall(b"GET /api/small HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: " + b"a" * (60 << 10))
    return stream, None


def unread_pings(at, _):
    """PINGs as long as they are taken, of whose answers nothing is read."""
    return unread(at, frame(PING, payload=bytes(8)))


def unread_settings(at, _):
    """The same with SETTINGS."""
    return unread(at, frame(SETTINGS))


def unread(at, one):
    stream = narrow(at)
    stream.sendall(OPENED)
    batch = one * 2000
    stream.settimeout(0.3)
    with contextlib.suppress(OSError):
        while True:
            stream.sendall(batch)
    return stream, None


def narrow(at):
    """A connection for which the system holds little on this side."""
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.settimeout(gate.PATIENCE)
    stream.connect(at)
    return stream


def hold(begin, count, at, _, ready, over):
    """Holds connections until it is over."""
    held = [begin(at, number) for number in range(count)]
    ready.set()
    while not over.wait(1):
        for stream, step in held:
            if step:
                stream.setblocking(False)
                with contextlib.suppress(OSError):
                    step()
    for stream, _ in held:
        stream.close()


# -- frames without end


def pings(_):
    return frame(PING, payload=bytes(8))


def settings(_):
    return frame(SETTINGS, payload=struct.pack(">HI", 4, 65535))


def windows(number):
    # None may sum up to more than 2 GiB.
    return frame(WINDOW, payload=struct.pack(">I", 1))


def priorities(number):
    return frame(PRIORITY, 0, odd(number % 1000), bytes(3) + b"\0\x01")


def unknown(_):
    return frame(UNKNOWN, payload=bytes(8))


def resets(number):
    return frame(HEADERS, END_STREAM | END_HEADERS, odd(number), head("GET", "/api/small")) + frame(RESET, 0, odd(number), CANCEL)


def empty_data(number):
    return (frame(HEADERS, END_HEADERS, 1, head("POST", "/api/deaf")) if number == 0 else b"") + frame(DATA, 0, 1)


def small_data(number):
    return (frame(HEADERS, END_HEADERS, 1, head("POST", "/api/deaf")) if number == 0 else b"") + frame(DATA, 0, 1, b"x")


def continuations(number):
    return frame(HEADERS, 0, 1, head("GET", "/api/small")) if number == 0 else frame(CONTINUATION, 0, 1)


class Writer:
    """A connection of a flood of frames."""

    marks = itertools.count()

    def __init__(self, at, make):
        self.at, self.make, self.stream = at, make, None

    def write(self):
        """A batch, and how many frames it has."""
        if self.stream is None:
            self.stream, self.written, self.seen = socket.create_connection(self.at, gate.PATIENCE), 0, b""
            self.stream.sendall(PREFACE + frame(SETTINGS))
        self.mark = struct.pack(">Q", 0xF100D << 32 | next(self.marks))
        frames = b"".join(map(self.make, range(self.written, self.written + BATCH)))
        self.written += BATCH
        try:
            self.stream.sendall(frames + frame(PING, payload=self.mark))
        except OSError:
            self.close()

    def is_worked_through(self):
        """Waits for that. `False`: the connection was given up."""
        try:
            while self.stream and self.mark not in self.seen:
                piece = self.stream.recv(65536)
                if not piece:
                    break
                self.seen = self.seen[-32:] + piece
            else:
                return self.stream is not None
        except OSError:
            pass
        self.close()
        return False

    def close(self):
        if self.stream:
            self.stream.close()
        self.stream = None


def write(make, count, at, sent, ready, over):
    """Writes frames until it is over."""
    writers = [Writer(at, make) for _ in range(count)]
    ready.set()
    while not over.is_set():
        for writer in writers:
            writer.write()
        for writer in writers:
            sent[1] += not writer.is_worked_through()
            sent[0] += BATCH
    for writer in writers:
        writer.close()


# Each flood: what is done, with what, how many connections, how many requests the flooded upstream takes at once, and how many the
# proxy does.
FLOODS = {
    "B1 heads without end": (hold, half_heads, 2000, 256, 4096),
    "B5 answers unread": (hold, reads_nothing, 500, 500, 4096),
    "B5 answers, 1 B/s": (hold, reads_a_byte, 500, 500, 4096),
    "B11 answers unread, 40 connections": (hold, streams, 40, 256, 4096),
    "B11 answers unread": (hold, streams, 100, 256, 4096),
    "B11 answers unread, 10,000 at once": (hold, streams, 100, 10_000, 20_000),
    "B11 uploads that wait": (hold, uploads, 40, 1, 4096),
    "B11 heads that wait": (hold, heads, 40, 1, 4096),
    "B10 SETTINGS": (write, settings, WRITERS, 256, 4096),
    "B10 SETTINGS, answers unread": (hold, unread_settings, 100, 256, 4096),
    "B10 PING": (write, pings, WRITERS, 256, 4096),
    "B10 PING, answers unread": (hold, unread_pings, 100, 256, 4096),
    "B10 WINDOW_UPDATE": (write, windows, WRITERS, 256, 4096),
    "B10 PRIORITY": (write, priorities, WRITERS, 256, 4096),
    "B10 unknown frames": (write, unknown, WRITERS, 256, 4096),
    "B7 HEADERS and RST_STREAM": (write, resets, WRITERS, 256, 4096),
    "B8 empty CONTINUATION": (write, continuations, WRITERS, 256, 4096),
    "B9 empty DATA": (write, empty_data, WRITERS, 256, 4096),
    "B9 DATA of 1 B": (write, small_data, WRITERS, 256, 4096),
}


# -- what it costs


def worked(process, sent, frames):
    """The CPU time so far in microseconds, and the frames, once so many were written."""
    deadline = time.monotonic() + gate.PATIENCE
    while sent[0] < frames:
        if time.monotonic() > deadline:
            raise gate.Failed(f"{sent[0]:,} of {frames:,} frames were taken in {gate.PATIENCE} s")
        time.sleep(0.001)
    return 1000 * idle.busy(process), sent[0]


def fifths(process, sent):
    """Microseconds per frame in the first fifth and in the last."""
    at = [worked(process, sent, part * FRAMES // 5) for part in (0, 1, 4, 5)]
    return [(end - begin) / (last - first) for (begin, first), (end, last) in (at[:2], at[2:])]


def settle(process):
    """Waits until memory has not grown for three seconds."""
    most, since = 0, time.monotonic()
    while time.monotonic() < since + 3:
        if (now := idle.resident(process)) > most + most // 100:
            most, since = now, time.monotonic()
        time.sleep(0.1)


def most(process):
    """VmHWM in KiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)[1])


def p99(at):
    """Of the others, in milliseconds, the median over seconds, or how they are answered instead."""
    codes, took, began = set(), [[] for _ in range(ROUND)], time.monotonic()

    def caller():
        with gate.connect(at) as messages:
            while (asked := time.monotonic()) < began + ROUND:
                messages.stream.sendall(gate.REQUEST.format(path="/calm/small", host="localhost").encode())
                first, _, _ = messages.next()
                codes.add(first.split()[1])
                took[int(asked - began)].append(1000 * (time.monotonic() - asked))
                time.sleep(slow.REST)

    gate.together(slow.CALLERS, caller)
    if codes != {"200"}:
        return "answered with " + ", ".join(sorted(codes))
    return f"{statistics.median(statistics.quantiles(second, n=100)[98] for second in took if len(second) > 1):.2f}"


def flood(kind, process, at):
    """The cells of a row."""
    way, with_what, count, *_ = FLOODS[kind]
    with gate.connect(at) as messages:
        gate.ask(messages, "/api/small", 1024)
    alone, before = p99(at), idle.resident(process)
    context = multiprocessing.get_context("spawn")
    ready, over, sent = context.Event(), context.Event(), context.Array("Q", 2)
    flooding = context.Process(target=way, args=(with_what, count, at, sent, ready, over))
    flooding.start()
    try:
        if not ready.wait(gate.PATIENCE):
            raise gate.Failed(f"{kind}: it did not begin")
        per_frame = fifths(process, sent) if way is write else []
        settle(process)
        beside = p99(at)
    finally:
        over.set()
        flooding.join()
    # The allocator gives back what it has when it is asked for something.
    time.sleep(REST)
    p99(at)
    frames = [f"{sent[0]:,}", f"{sent[1]:,}"] if way is write else ["", ""]
    times = [f"{time:.2f}" for time in per_frame] or ["", ""]
    memory = [f"{size / 1024:.1f}" for size in (before, most(process), idle.resident(process))]
    return [f"{count:,}", *frames, *times, *memory, alone, beside]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only floods with this in their name")
    parser.add_argument("--binary", type=Path, help="measure this program instead of building one")
    options = parser.parse_args()
    kinds = [kind for kind in FLOODS if options.only in kind]
    idle.allow_files(13_000)
    binary = (options.binary or gate.build()).resolve()
    context = multiprocessing.get_context("spawn")
    told, tell = context.Pipe(duplex=False)
    context.Process(target=be_upstream, args=(tell,), daemon=True).start()
    flooded, calm = told.recv(), gate.start_upstream()
    print("| flood | connections | frames | given up | us/frame, first | last | MiB before | most | after | p99 alone, ms | beside |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory(prefix="upauth-floods-") as folder:
        for number, kind in enumerate(kinds):
            *_, connections, places = FLOODS[kind]
            config = CONFIG.format(places=places)
            config += UPSTREAM.format(name="api", address=flooded, connections=connections)
            config += UPSTREAM.format(name="calm", address=calm, connections=256)
            with gate.running(binary, config, calm, Path(folder) / str(number)) as (process, url):
                print("|", " | ".join([kind, *flood(kind, process, gate.address(url))]), "|", flush=True)


if __name__ == "__main__":
    gate.end_with(main)
