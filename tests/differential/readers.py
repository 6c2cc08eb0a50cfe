"""Three parsers that know nothing of this proxy read what it wrote: h11, node's HTTP server, and nginx.

Each gets every stream of the upstream at once, as its bytes, with a request of its own behind it (`END`): were a byte left over, that
one would be read otherwise. What they read is compared with what the upstream of `traffic` read, which knew where each request ended.
"""

import asyncio
import concurrent.futures
import contextlib
import json
import re
import signal
import string
from pathlib import Path
from urllib.parse import unquote_to_bytes

import h11

from traffic import PATIENCE, Fault, Request, Stream, read

HERE = Path(__file__).resolve().parent
END = b"GET /end-of-stream HTTP/1.1\r\nHost: end\r\nConnection: close\r\n\r\n"
# nginx writes these anew, or adds them.
OF_A_HOP = {b"host", b"connection", b"content-length", b"transfer-encoding", b"x-stream"}
# Streams at once at one parser.
AT_ONCE = 16


class Reading:
    """What a parser made of one stream: the requests, and what else it said of it."""

    def __init__(self):
        self.requests, self.faults = [], []


def bytes_of(stream):
    """A stream as it is replayed. One that broke off ends there: behind it nothing could be told apart."""
    return b"".join(stream.raw) + (stream.rest or END)


# -- what a parser is known to refuse, although it is what a caller may send and this proxy passes on as it came


def is_beyond_ascii(request):
    """A target with bytes beyond ASCII, which are no URI, and which people give to curl and their APIs take. Harmless: h11 and node
    refuse it, and read nothing more of that connection; nginx takes the bytes as they are."""
    return not request.target.isascii()


def is_beyond_nginx(request):
    """A path that leaves its root or is no percent-encoding, a field twice that may be there once. Harmless: nginx answers 400 and
    reads nothing more of that connection."""
    path = request.target.partition(b"?")[0]
    names = [name for name, _ in request.fields]
    return (
        re.search(rb"%(?![0-9A-Fa-f]{2})|%00", path)
        or climbs(unquote_to_bytes(path))
        or any(names.count(name) > 1 for name in ONCE)
    )


def climbs(path):
    depth = 0
    for segment in path.split(b"/"):
        depth += -1 if segment == b".." else segment not in (b"", b".")
        if depth < 0:
            return True
    return False


ONCE = [b"content-type", b"if-match", b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since", b"range", b"user-agent"]
MAY_REFUSE = {"h11": is_beyond_ascii, "node": is_beyond_ascii, "nginx": is_beyond_nginx}


def apart(name, streams):
    """The streams as a parser gets them: what it may refuse comes alone, so that it hides nothing of the rest."""
    for stream in streams:
        rest = Stream()
        rest.rest = stream.rest
        for request, raw in zip(stream.requests, stream.raw):
            alone = MAY_REFUSE[name](request)
            to = Stream() if alone else rest
            to.requests.append(request)
            to.raw.append(raw)
            if alone:
                to.may_be_refused = True
                yield to
        if rest.requests or rest.rest:
            yield rest


# -- h11, in processes of their own


def by_h11(streams):
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        return list(pool.map(_read_by_h11, map(bytes_of, streams)))


def _read_by_h11(bytes_):
    reading = Reading()
    # As much of a message as it takes at once. It must have all of a stream at once.
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(bytes_)
    connection.receive_data(b"")
    head, pieces = None, []
    try:
        while True:
            match connection.next_event():
                case h11.Request() as head:
                    pieces = []
                case h11.Data(data=data):
                    pieces.append(bytes(data))
                case h11.EndOfMessage(headers=trailers):
                    fields = [(bytes(name), bytes(value)) for name, value in head.headers]
                    reading.requests.append(Request(head.method, head.target, fields, b"".join(pieces)))
                    if list(trailers):
                        reading.faults.append("trailers")
                    if connection.their_state is h11.MUST_CLOSE:
                        return reading
                    connection.send(h11.Response(status_code=200, headers=[]))
                    connection.send(h11.EndOfMessage())
                    connection.start_next_cycle()
                case h11.ConnectionClosed() | h11.NEED_DATA:
                    reading.faults.append("it ended between two requests")
                    return reading
                case other:
                    reading.faults.append(repr(other))
                    return reading
    except h11.RemoteProtocolError as error:
        reading.faults.append(str(error))
    return reading


# -- servers: a stream is a connection to them


async def replay(streams, connect):
    """Sends each stream to a server, over a connection by `connect`, which is told the number of the stream. What was answered."""
    answers = [b""] * len(streams)
    todo = iter(range(len(streams)))

    async def worker():
        for number in todo:
            reader, writer = await connect(number)
            sending = asyncio.create_task(send(writer, streams[number]))
            with contextlib.suppress(ConnectionError):
                answers[number] = await asyncio.wait_for(reader.read(), PATIENCE)
            await sending
            writer.close()

    async def send(writer, stream):
        with contextlib.suppress(ConnectionError):
            writer.write(bytes_of(stream))
            await writer.drain()
            if stream.rest:
                writer.write_eof()

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return answers


@contextlib.asynccontextmanager
async def running(*command, **streams):
    process = await asyncio.create_subprocess_exec(*command, **streams)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def by_node(streams):
    """What node says of each connection, which it does when that has ended."""
    pipe = asyncio.subprocess.PIPE
    async with running("node", str(HERE / "read_by_node.mjs"), stdout=pipe, limit=1 << 30) as node:
        port = int(await node.stdout.readline())
        numbers, readings = {}, {}

        async def connect(number):
            while True:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                # The system may give a port again that a stream before had.
                if numbers.setdefault(writer.get_extra_info("sockname")[1], number) == number:
                    return reader, writer
                writer.close()

        async def listen():
            while len(readings) < len(streams):
                said = json.loads(await asyncio.wait_for(node.stdout.readline(), PATIENCE))
                reading = readings[numbers[said["port"]]] = Reading()
                reading.faults = said["faults"]
                for method, target, fields, body in said["requests"]:
                    fields = [(latin1(name).lower(), latin1(value)) for name, value in fields]
                    reading.requests.append(Request(latin1(method), latin1(target), fields, latin1(body)))

        await asyncio.gather(replay(streams, connect), listen())
    return [readings[number] for number in range(len(streams))]


def latin1(text):
    return text.encode("latin-1")


async def by_nginx(streams, work):
    """What nginx passes on to a sink; its own refusals are among its answers."""
    readings = [Reading() for _ in streams]
    loop = asyncio.get_running_loop()
    sink = await loop.create_unix_server(lambda: Sink(readings), work / "sink")
    (work / "nginx.conf").write_text(string.Template((HERE / "nginx.conf").read_text()).safe_substitute(work=work))
    log = work / "nginx.log"

    async def connect(number):
        reader, writer = await asyncio.open_unix_connection(work / "nginx")
        # A line that its listener takes off: the address of the caller, which is the number of the stream here.
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        writer.write(f"PROXY TCP4 {address} {address} 1 1\r\n".encode())
        return reader, writer

    async with running("nginx", "-p", str(work), "-c", str(work / "nginx.conf"), "-e", str(log)) as nginx:
        while not (work / "nginx.pid").exists():
            if nginx.returncode is not None:
                raise OSError(f"nginx did not start:\n{log.read_text()}")
            await asyncio.sleep(0.05)
        answers = await replay(streams, connect)
    sink.close()
    for reading, answered in zip(readings, answers):
        statuses = re.findall(rb"^HTTP/1\.1 (\d{3}) ", answered, re.M)
        reading.faults += [f"it answered {status.decode()}" for status in statuses if status != b"200"]
    return readings


class Sink(asyncio.Protocol):
    """What nginx wrote, and for which stream."""

    def __init__(self, readings):
        self.readings, self.buffer = readings, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        try:
            found = read(self.buffer)
        except Fault:
            # What the proxy wrote was not canonical either; nginx answers that it got no answer.
            return self.transport.abort()
        if found is None:
            return
        request, length = found
        self.buffer = self.buffer[length:]
        _, *parts = map(int, request.values(b"x-stream")[0].split(b"."))
        self.readings[int.from_bytes(parts, "big")].requests.append(request)
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
