#!/usr/bin/env python3
"""What slow connections cost the others: latencies of usual requests with and without 2,000 of them, in alternating rounds.

  benches/slow.py                  2,000 slow connections, six rounds of each kind, about three minutes
  benches/slow.py --slow 5000      must be within [server.limits] connections, and within the limit on open files

It builds `upauth` as the gate does (`cargo build --release`) and runs it with one worker. Two callers ask one after the other, a few
hundred times a second. Slow connections are a process of their own; nine of ten send a head a byte a second, and come back when they
are cut; of the others half send an upload a byte a second, and half take a KiB a second of a long answer. In each round with them all of them
are there before the first request is counted.

The figures are medians over rounds, since other work on the machine falls into rounds of either kind. Needs cargo and python3; only
loopback; everything it starts ends with it.
"""

import argparse
import multiprocessing
import socket
import statistics
import tempfile
import time
from pathlib import Path

import gate
import idle

CALLERS, REST = 2, 0.004
# Seconds of a round: longer than a head may take, so that every slow one is cut within it.
ROUND = 12
HEAD = b"GET /small HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
UPLOAD = b"POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
LONG = b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n"
LONG_BODY = 8 << 20


def begin(at, number):
    """A slow connection, and what is done with it each second. Of ten in a row one is no head: an upload and an answer by turns."""
    stream = socket.create_connection(at, gate.PATIENCE)
    if number % 10:
        stream.sendall(HEAD)
    elif number % 20:
        stream.sendall(UPLOAD)
    else:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.sendall(LONG)
        return stream, lambda: stream.recv(1024)
    return stream, lambda: stream.send(b"x")


def be_slow(at, count, ready, over):
    """All slow connections, until it is over. What is cut begins again."""
    idle.allow_files(2 * count + 300)
    held = [begin(at, number) for number in range(count)]
    ready.set()
    while not over.is_set():
        began = time.monotonic()
        for number, (stream, step) in enumerate(held):
            try:
                stream.setblocking(False)
                step()
            except BlockingIOError:
                pass
            except OSError:
                stream.close()
                held[number] = begin(at, number)
        over.wait(max(0, began + 1 - time.monotonic()))
    for stream, _ in held:
        stream.close()


def measure(at):
    """The latencies of a round, in milliseconds."""

    def caller():
        took = []
        with gate.connect(at) as messages:
            end = time.monotonic() + ROUND
            while (began := time.monotonic()) < end:
                gate.ask(messages, "/small", 1024)
                took.append(1000 * (time.monotonic() - began))
                time.sleep(REST)
        return took

    return [one for took in gate.together(CALLERS, caller) for one in took]


def with_slow(at, count):
    """The same beside slow connections."""
    context = multiprocessing.get_context("spawn")
    ready, over = context.Event(), context.Event()
    process = context.Process(target=be_slow, args=(at, count, ready, over))
    process.start()
    try:
        if not ready.wait(gate.PATIENCE):
            raise gate.Failed("the slow connections were not made")
        return measure(at)
    finally:
        over.set()
        process.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slow", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--binary", type=Path, help="measure this program instead of building one")
    options = parser.parse_args()
    idle.allow_files(2 * options.slow + 300)
    binary = (options.binary or gate.build()).resolve()
    upstream = gate.start_upstream(gate.ANSWERS | {"/long": gate.with_length("200 OK", "x" * LONG_BODY)})
    rounds = {"alone": [], "beside them": []}
    with tempfile.TemporaryDirectory(prefix="upauth-slow-") as folder:
        with gate.running(binary, gate.CONFIG, upstream, Path(folder) / "run") as (_, url):
            at = gate.address(url)
            for _ in range(options.rounds):
                for kind, took in (("alone", measure(at)), ("beside them", with_slow(at, options.slow))):
                    cuts = statistics.quantiles(took, n=100)
                    rounds[kind].append((cuts[49], cuts[98], len(took)))
    print(f"{options.slow:,} slow connections, {options.rounds} rounds of {ROUND} s each way; medians over rounds")
    print(f"{'ms':<12} {'p50':>8} {'p99':>8} {'p99 least':>10} {'p99 most':>10} {'requests':>9}")
    for kind, figures in rounds.items():
        p50, p99, counts = zip(*figures)
        median = statistics.median
        print(f"{kind:<12} {median(p50):>8.2f} {median(p99):>8.2f} {min(p99):>10.2f} {max(p99):>10.2f} {sum(counts):>9,}")
    ratio = [statistics.median(one[1] for one in rounds[kind]) for kind in rounds]
    print(f"p99 beside them is {ratio[1] / ratio[0]:.2f} times that alone")


if __name__ == "__main__":
    gate.end_with(main)
