"""Whatever callers send: what the proxy writes upstream is, to every parser, exactly one and the same request.

  tests/differential/run [--seed N] [--cases N]

Ends with 1 if it is not; README.md says how to read what is printed then.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent.parent / "benches"))

import gate  # noqa: E402
import generate  # noqa: E402
import h2_caller  # noqa: E402
import h2_frames  # noqa: E402
import h2_planted  # noqa: E402
import readers  # noqa: E402
import traffic  # noqa: E402
from h1_cases import Http1  # noqa: E402
from h2_cases import Http2  # noqa: E402
from tally import SHOWN, Tally  # noqa: E402

# How long the proxy waits for the rest of what was begun, in seconds.
PATIENCE = 2
# Short bodies are read whole before they go on, longer ones stream: both are looked at.
CONFIG = """
[server]
listen = "127.0.0.1:0"
state = "{work}/state"
[server.limits]
header_timeout = "{patience}s"
idle_timeout = "{patience}s"
replay_bytes = "1KiB"
[admin]
listen = ""
[log]
access = "off"
level = "error"
[upstream.reads-strictly]
provider = "oauth2"
grant = "client_credentials"
token_url = "http://{upstream}/token"
api_url = "http://{upstream}"
client_id = "differential"
client_secret = "differential"
""".replace("{patience}", str(PATIENCE))
# Callers at once, of each kind.
CALLERS = 64
# Of four requests one is over HTTP/2.
PART = 4

# What is read otherwise than one careless reader would: a check that does not find these finds nothing.
PLANTED = {
    "a second request": (b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", b""),
    "a byte left over": (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n?", b""),
    "a body longer than told": (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nab", b"ab"),
    "two lengths": (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na", b"a"),
    "no last chunk": (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n", b"a"),
    "a bare CR": (b"GET / HTTP/1.1\r\nhost: x\r\nx-own: a\rb: c\r\n\r\n", b""),
}


def planted():
    for raw, body in PLANTED.values():
        stream = traffic.Stream()
        method, lines = raw[: raw.index(b" ")], raw[: raw.index(b"\r\n\r\n")].split(b"\r\n")[1:]
        fields = [tuple(line.split(b": ", 1)) for line in lines]
        stream.requests, stream.raw = [traffic.Request(method, b"/", fields, body)], [raw]
        yield stream


def differences(name, streams, readings):
    """Where a parser read otherwise than the upstream; how many requests it read, and how many it refused as it may."""
    wrong, compared, refused = [], 0, 0
    end, _ = traffic.read(readers.END)
    for stream, reading in zip(streams, readings):
        expected = [own(request, name) for request in stream.requests + [end] * (not stream.rest)]
        got = [own(request, name) for request in reading.requests]
        compared += len(got)
        if stream.may_be_refused and not got and reading.faults:
            refused += 1
        elif got != expected or (reading.faults and not stream.rest):
            wrong.append(told(name, stream, expected, got, reading.faults))
    return wrong, compared, refused


def told(name, stream, expected, got, faults):
    """Where it began."""
    raw = [*stream.raw, stream.rest or readers.END]
    at = next((at for at, (one, other) in enumerate(zip(got, expected)) if one != other), min(len(got), len(expected)))
    near = raw[max(at - 1, 0) : at + 1]
    return f"{name} read {len(got)} requests of {len(expected)}, and said {faults}; at {near} it read {got[at : at + 2]}"


def own(request, name):
    """A request as it is compared: behind nginx without what nginx writes anew."""
    if name != "nginx":
        return request
    fields = [field for field in request.fields if field[0] not in readers.OF_A_HOP]
    return request._replace(fields=fields + [(b"host", host) for host in request.values(b"host")])


def batches(generator, cases):
    while cases > 0:
        batch = generator.batch()
        cases -= batch.cases
        yield batch


async def send(binary, options, work):
    """Phase one: the callers, the proxy, its upstream. What the upstream saw, and what is wrong with it."""
    record = traffic.Record()
    tally = Tally(record)
    http1, http2 = kinds = Http1(tally, PATIENCE), Http2(tally, PATIENCE)
    over_http2 = options.cases // PART
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: traffic.Upstream(record), "127.0.0.1", 0)
    upstream = "{}:{}".format(*server.sockets[0].getsockname())
    # The upstream must serve while the proxy starts and ends.
    proxy = gate.running(binary, CONFIG, upstream, work / "proxy")
    _, url = await asyncio.to_thread(proxy.__enter__)
    try:
        at = gate.address(url)
        await asyncio.gather(
            traffic.send_all(batches(generate.Generator(options.seed), options.cases - over_http2), at, record, CALLERS, http1.judge),
            h2_caller.send_all(batches(h2_frames.Generator(options.seed), over_http2), at, CALLERS, http2.judge),
        )
    finally:
        await asyncio.to_thread(proxy.__exit__, None, None, None)
    server.close()
    for kind in kinds:
        kind.finish()
        print(kind.told())
    tally.finish(kinds)
    return record, tally


async def main():
    # All that is kept is kept to the end: looking through it again and again costs seconds, and stops callers within a request.
    gc.disable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="what all cases follow from (default 1)")
    parser.add_argument("--cases", type=int, default=100_000, help="requests of callers, one of four over HTTP/2 (default 100000)")
    parser.add_argument("--binary", type=Path, help="this program instead of a release build")
    options = parser.parse_args()
    binary = (options.binary or gate.build()).resolve()
    started = time.monotonic()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="upauth-differential-") as folder:
        work = Path(folder)
        record, tally = await send(binary, options, work)
        wrong = tally.wrong + [f"callers do not find what is planted: {what}" for what in h2_planted.not_found()]
        print(f"{tally.told()}; {time.monotonic() - started:.0f} s", flush=True)
        streams = {name: [*planted(), *readers.apart(name, record.streams)] for name in readers.MAY_REFUSE}
        readings = await asyncio.gather(
            asyncio.to_thread(readers.by_h11, streams["h11"]),
            readers.by_node(streams["node"]),
            readers.by_nginx(streams["nginx"], work),
        )
    for (name, sent), read in zip(streams.items(), readings):
        for what, stream, reading in zip(PLANTED, sent, read):
            if not differences(name, [stream], [reading])[0]:
                wrong.append(f"{name} does not find what is planted: {what}")
        found, compared, refused = differences(name, sent[len(PLANTED) :], read[len(PLANTED) :])
        wrong += found
        print(f"{name}: {compared} requests compared, {refused} refused as it may, {len(found)} streams read otherwise")
    print(f"{len(wrong)} differences, {time.monotonic() - started:.0f} s")
    for what in wrong[:SHOWN]:
        print(f"- {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
