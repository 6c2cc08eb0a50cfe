#!/usr/bin/env python3
"""How late server-sent events are that come with pauses: an upstream writes one every 100 ms, with the time in it; the caller looks at the
clock when it has it. Directly, and through the real program, for one stream and for fifty at once.

  benches/events.py [--seconds 5]

Prints, and judges nothing: it is the clock of a busy machine. What must never happen, that an event waits for the next one, is tested by
order and without a clock in tests/e2e/streaming.rs.

Needs cargo and python3; it builds `upauth` with the profile that is deployed (`cargo build --profile dist`).
"""

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import gate

PAUSE, STREAMS = 0.1, (1, 50)
PATH = "/events"


def event_after_event(count):
    """The answer: `count` events with pauses between them, each a chunk of its own."""

    def answer(stream):
        stream.sendall(f"{gate.ANSWER.format(status='200 OK')}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(count):
            time.sleep(PAUSE)
            event = f"data: {time.monotonic_ns()}\n\n"
            stream.sendall(f"{len(event):x}\r\n{event}\r\n".encode())
        stream.sendall(b"0\r\n\r\n")

    return answer


def lateness(to, head, count):
    """Of each event of a stream, the milliseconds since it was written."""
    late = []
    with gate.connect(to) as messages:
        messages.stream.sendall(head.encode())
        first, _ = messages.head()
        if not first.startswith("HTTP/1.1 200 "):
            raise gate.Failed(f"the stream was answered with {first!r}")
        while event := messages.chunk():
            late.append((time.monotonic_ns() - int(event.split()[1])) / 1e6)
    if len(late) != count:
        raise gate.Failed(f"{len(late)} chunks came of {count} events: some had waited for others")
    return late


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="how long each stream lasts")
    parser.add_argument("--binary", type=Path, help="measure this program instead of building one")
    options = parser.parse_args()
    count = max(1, round(options.seconds / PAUSE))
    binary = (options.binary or gate.build("dist")).resolve()
    upstream = gate.start_upstream({PATH: event_after_event(count)})
    direct = gate.REQUEST.format(path=PATH, host=f"{upstream}\r\nAuthorization: Bearer {gate.TOKEN}")
    print("| streams | way | events | median ms | 99 % | latest |\n|---:|---|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory(prefix="upauth-events-") as folder:
        with gate.running(binary, gate.CONFIG, upstream, Path(folder) / "run") as (_, url):
            through = gate.REQUEST.format(path="/api" + PATH, host="localhost")
            for streams in STREAMS:
                for way, to, head in (("direct", gate.address(f"http://{upstream}"), direct), ("upauth", gate.address(url), through)):
                    each = gate.together(streams, lambda: lateness(to, head, count))
                    late = sorted(itertools.chain.from_iterable(each))
                    percentile = late[min(len(late) - 1, len(late) * 99 // 100)]
                    figures = f"{len(late):,} | {statistics.median(late):.2f} | {percentile:.2f} | {late[-1]:.2f}"
                    print(f"| {streams} | {way} | {figures} |", flush=True)


if __name__ == "__main__":
    gate.end_with(main)
