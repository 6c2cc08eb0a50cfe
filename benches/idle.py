#!/usr/bin/env python3
"""What an idle keep-alive caller costs the real program: memory and CPU time.

  benches/idle.py                  4,000 callers
  benches/idle.py --callers 9000   must be within [server.limits] connections, and within the limit on open files

It builds `upauth` with the profile that is deployed (`cargo build --profile dist`) and runs it with one worker. Callers connect one after
the other, some 500 a second, ask once (GET 1 KiB) and keep the connection; three seconds after the last, what the process has grown
by (VmRSS) is divided by them. Then nobody does anything for two seconds, and the CPU time of that is printed, too.

Needs cargo and python3. Callers are sockets of this script; upauth lets in as many as leave it a file for a request of each: the script raises its
soft limit, which upauth inherits, to twice as many as there are callers, and says so if the hard limit (`ulimit -Hn`) is too low.
"""

import argparse
import contextlib
import re
import resource
import tempfile
import time
from pathlib import Path

import gate

PER_SECOND, REST, WATCH = 500, 3, 2


def allow_files(count):
    """Raises the limit on open files, which what is started here inherits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise gate.Failed(f"{count} open files are needed and {hard} allowed: raise the hard limit (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count if hard == resource.RLIM_INFINITY else hard, hard))


def resident(process):
    """VmRSS in KiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)[1])


def busy(process):
    """CPU time of all threads so far, in milliseconds."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6


def connect_all(url, count, kept):
    """`count` connections, kept in an ExitStack, over which one answer came."""
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0, began + number / PER_SECOND - time.monotonic()))
        gate.ask(kept.enter_context(gate.connect(gate.address(url))), "/small", 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=int, default=4000)
    parser.add_argument("--binary", type=Path, help="measure this program instead of building one")
    options = parser.parse_args()
    allow_files(2 * options.callers + 300)
    binary = (options.binary or gate.build("dist")).resolve()
    with tempfile.TemporaryDirectory(prefix="upauth-idle-") as folder:
        with gate.running(binary, gate.CONFIG, gate.start_upstream(), Path(folder) / "run") as (process, url):
            with contextlib.ExitStack() as kept:
                connect_all(url, 1, kept)
                time.sleep(REST)
                before = resident(process)
                connect_all(url, options.callers, kept)
                time.sleep(REST)
                after, began = resident(process), busy(process)
                time.sleep(WATCH)
                idle = (busy(process) - began) / WATCH
    print(f"{options.callers:,} idle callers: {before / 1024:.1f} MiB before them, {after / 1024:.1f} MiB with them:", end=" ")
    print(f"{(after - before) / options.callers:.1f} KiB each; {idle:.2f} ms of CPU time a second")


if __name__ == "__main__":
    gate.end_with(main)
