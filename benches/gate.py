#!/usr/bin/env python3
"""What a request costs the real program: user instructions and heap allocations, as a gate.

  benches/gate.py              measures, prints a table, ends with 1 if a figure is above its limit
  benches/gate.py --update     measures, and writes the figures to benches/gate.json

It builds `upauth` (`cargo build --release`: without LTO, which would take too long for a gate; the figures are for that
profile alone) and runs it under valgrind's callgrind, with one worker, the access log in a file and all else as it is by
default, between callers and an upstream of its own. Each scenario is run with N and with 2N requests: the difference, by N, is
the cost of a request without that of the start. All threads count. Neither clocks nor other work on the machine are in a
figure; what the kernel does is not, either.

Needs cargo, python3 and valgrind. Only loopback; everything it starts ends with it.

The scripts beside this one (`flat.py`, `idle.py`, `events.py`) measure other things of the same program, between the same two ends.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIGURES = HERE / "gate.json"
MACHINE = "Linux x86_64"

# What a figure may be above the one that is checked in. Runs of one program differ by less than half a per cent in
# instructions, on a busy machine too, and by no allocation; builds by up to two, since a change elsewhere may have the compiler
# inline something else. Another compiler may make more of it.
TOLERANCE = {"instructions": 0.03, "allocations": 0.02}
# Requests of the shorter run, and the connections they come over.
REQUESTS, CALLERS = 5000, 4
# Nothing here waits longer, in seconds: valgrind is some fifty times slower than the machine.
PATIENCE = 300

TOKEN = "gate-0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghij"
CONFIG = """
[server]
listen = "127.0.0.1:0"
workers = 1
state = "{work}/state"
[admin]
listen = "127.0.0.1:0"
[log]
access = "{work}/access.log"
[upstream.api]
provider = "oauth2"
grant = "client_credentials"
token_url = "http://{upstream}/token"
api_url = "http://{upstream}"
client_id = "gate"
client_secret = "gate"
"""
REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: gate/1.0 (linux; x86_64)\r\nAccept: application/json\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "X-Request-Id: 3f1c8a52-6f0e-4b51-9a51-2d9c2b1f6a77\r\n\r\n"
)
ANSWER = (
    "HTTP/1.1 {status}\r\nServer: upstream\r\nDate: Sat, 21 Nov 2026 22:00:00 GMT\r\nContent-Type: application/json\r\n"
    "Cache-Control: no-store\r\nX-Request-Id: 7b0f7f0e-8e0c-4c8e-9f4e-0d6a2f1c9b11\r\nVary: Accept-Encoding\r\n"
)


def with_length(status, body):
    return f"{ANSWER.format(status=status)}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def chunked(count, size):
    chunk = f"{size:x}\r\n{'x' * size}\r\n"
    return f"{ANSWER.format(status='200 OK')}Transfer-Encoding: chunked\r\n\r\n{chunk * count}0\r\n\r\n".encode()


# Each scenario: the path asked for, what the upstream answers, and how many bytes of body the caller must get.
SCENARIOS = {
    "GET 1 KiB": ("/small", with_length("200 OK", "x" * 1024), 1024),
    "GET 32 chunks of 512 B": ("/chunked", chunked(32, 512), 32 * 512),
}
ANSWERS = {path: answer for path, answer, _ in SCENARIOS.values()}
GRANTED = with_length("200 OK", json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}))
REFUSED = with_length("401 Unauthorized", "missing or wrong token, or wrong host")


class Failed(Exception):
    """The gate cannot tell; the text says why."""


# -- the two ends


class Messages:
    """The HTTP messages of a connection; knows no more of HTTP than the two ends need."""

    def __init__(self, stream):
        self.stream, self.rest = stream, b""
        stream.settimeout(PATIENCE)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _more(self):
        piece = self.stream.recv(65536)
        if not piece:
            raise EOFError
        self.rest += piece

    def _until(self, end):
        while (at := self.rest.find(end)) < 0:
            self._more()
        return self._take(at + len(end))

    def _take(self, length):
        while len(self.rest) < length:
            self._more()
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def head(self):
        """The first line and the header fields by lower-case name of the next message."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").strip().split("\r\n")
        return first, {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}

    def chunk(self):
        """The next chunk of a body; an empty one is the end."""
        size = int(self._until(b"\r\n"), 16)
        return self._take(size + 2)[:-2]

    def next(self):
        """The first line, the header fields, and the body of the next message."""
        first, fields = self.head()
        if fields.get("transfer-encoding") != "chunked":
            return first, fields, self._take(int(fields.get("content-length", 0)))
        return first, fields, b"".join(iter(self.chunk, b""))


def start_upstream(answers=ANSWERS):
    """The API and its token endpoint; refuses what a proxy did not work on. Lives as long as this process. An answer is its bytes, or
    a function that writes it to the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = "{}:{}".format(*listener.getsockname())

    def serve(stream):
        with stream:
            messages = Messages(stream)
            try:
                while True:
                    first, fields, _ = messages.next()
                    path = first.split(" ")[1]
                    worked_on = fields.get("authorization") == f"Bearer {TOKEN}" and fields.get("host") == address
                    answer = GRANTED if path == "/token" else answers[path] if worked_on else REFUSED
                    answer(stream) if callable(answer) else stream.sendall(answer)
            except (EOFError, OSError):
                pass

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return address


def address(url):
    """Host and port of a URL."""
    host, port = url.split("//")[1].split("/")[0].rsplit(":", 1)
    return host, int(port)


@contextlib.contextmanager
def connect(to):
    """The messages of a new connection."""
    with socket.create_connection(to, PATIENCE) as stream:
        yield Messages(stream)


def ask(messages, path, expected, host="localhost"):
    """A request whose answer is checked."""
    messages.stream.sendall(REQUEST.format(path=path, host=host).encode())
    first, _, body = messages.next()
    if not first.startswith("HTTP/1.1 200 ") or len(body) != expected:
        raise Failed(f"GET {path} was answered with {first!r} and {len(body)} bytes")


def together(count, task):
    """What `task` gives on each of `count` threads."""
    given, failures = [], []

    def one():
        try:
            given.append(task())
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise Failed(f"the proxy did not serve: {failures[0]!r}")
    return given


def ask_all(url, path, expected, count, host):
    """`count` requests, over each of the callers' connections one after the other."""

    def caller():
        with connect(address(url)) as messages:
            for _ in range(count // CALLERS):
                ask(messages, path, expected, host)

    together(CALLERS, caller)


# -- the program under callgrind


def need(program):
    if not shutil.which(program):
        raise Failed(f"{program} is missing: install it (Debian: apt-get install {program})")


def build(profile="release"):
    command = ["cargo", "build", "--quiet", "--profile", profile, "--locked", "--bin", "upauth"]
    subprocess.run(command, cwd=HERE.parent, check=True)
    binary = HERE.parent / os.environ.get("CARGO_TARGET_DIR", "target") / profile / "upauth"
    if not binary.exists():
        raise Failed(f"no binary at {binary}")
    return binary


@contextlib.contextmanager
def running(binary, config, upstream, work, under=()):
    """The program with a configuration, in a new folder, `under` another program if one is given. In the block: its process, and a
    URL of its server; at the end of the block it must end in order."""
    work.mkdir()
    file = work / "proxy.toml"
    file.write_text(config.format(work=work, upstream=upstream))
    with open(work / "out", "wb") as out, open(work / "err", "wb") as err:
        process = subprocess.Popen([*under, binary, "run", "--config", file], stdout=out, stderr=err)
    try:
        yield process, await_url(process, work)
        process.send_signal(signal.SIGTERM)
        if (code := process.wait(PATIENCE)) != 0:
            raise Failed(f"upauth ended with {code}\n{(work / 'err').read_text()}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def counted(binary, scenario, count, work, config, at):
    """What a whole run of the program with `count` requests cost."""
    path, _, expected = SCENARIOS[scenario]
    host, slash, prefix = at.partition("/")
    profile = work / "callgrind.out"
    callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", f"--log-file={work}/valgrind.log"]
    with running(binary, config, start_upstream(), work, callgrind) as (_, url):
        ask_all(url, slash + prefix + path, expected, count, host)
        # Once it is told to end, it writes for two seconds more, which is little under valgrind.
        lines = lines_of(work / "access.log", count)
    if lines != count:
        raise Failed(f"{lines} lines in the access log for {count} requests")
    return read(profile)


def lines_of(log, count):
    """How many lines a file has once there are `count`, or for all time."""
    deadline = time.monotonic() + PATIENCE
    while (lines := log.read_text().count("\n")) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    return lines


def await_url(process, work):
    """Where it serves, once it says so: the first upstream's line has the address of all."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"^  [^( ]\S* +(http://\S+)", (work / "out").read_text(), re.M):
            return found[1]
        time.sleep(0.1)
    told = "".join(file.read_text() for file in (work / "err", work / "valgrind.log") if file.exists())
    raise Failed(f"upauth did not start:\n{told}")


def read(profile):
    """The instructions of a callgrind profile, and the calls of the allocator in it.

    A call stands as `cfn=(number) name`, the name only where the number is new, then `calls=count target`.
    """
    names, instructions, allocations, called = {}, None, 0, None
    with open(profile) as lines:
        for line in lines:
            if found := re.match(r"c?fn=\((\d+)\)(?: (.*))?", line):
                number, name = found.groups()
                if name:
                    names[number] = name
                called = names[number] if line.startswith("c") else None
            elif line.startswith("calls=") and called in ALLOCATORS:
                allocations += int(line[6:].split()[0])
            elif line.startswith(("summary:", "totals:")):
                instructions = int(line.split()[1])
    if not instructions or not allocations:
        raise Failed(f"{profile} has {instructions} instructions and {allocations} allocations: is the allocator another?")
    return {"instructions": instructions, "allocations": allocations}


# The program's own, and those of the C library, which C code in it calls.
ALLOCATORS = {"malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "memalign"}
ALLOCATORS |= {"mi_malloc", "mi_zalloc", "mi_realloc", "mi_malloc_aligned", "mi_zalloc_aligned", "mi_realloc_aligned"}


def cost(binary, scenario, work, config=CONFIG, at="localhost"):
    """What one request costs, per figure; `at` is its host, with what stands before its path."""
    work.mkdir(exist_ok=True)
    runs = [
        counted(binary, scenario, count, work / f"{scenario} {count}".replace(" ", "-"), config, at)
        for count in (REQUESTS, 2 * REQUESTS)
    ]
    return {kind: round((runs[1][kind] - runs[0][kind]) / REQUESTS, 1) for kind in TOLERANCE}


# -- the verdict


def judge(figures, known):
    """Prints the table; the sentences about what is above its limit."""
    above = []
    print(f"{'per request':<24} {'figure':<13} {'checked in':>10} {'limit':>10} {'now':>10}")
    for scenario, kinds in figures.items():
        for kind, now in kinds.items():
            before = known[scenario][kind]
            limit = before * (1 + TOLERANCE[kind])
            remark = ""
            if now > limit:
                remark = "TOO MUCH"
                above.append(f"{scenario}: {now:,} {kind} per request, {now / before - 1:+.1%}; {limit:,.1f} are allowed")
            elif now < before * (1 - TOLERANCE[kind]):
                remark = f"{now / before - 1:+.1%}: check it in"
            print(f"{scenario:<24} {kind:<13} {before:>10,.1f} {limit:>10,.1f} {now:>10,.1f}  {remark}".rstrip())
    return above


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write what is measured to benches/gate.json")
    parser.add_argument("--binary", type=Path, help="measure this program instead of building one (for experiments)")
    parser.add_argument("--keep", type=Path, help="keep the profiles in this new folder (for callgrind_annotate)")
    options = parser.parse_args()

    machine = f"{platform.system()} {platform.machine()}"
    if machine != MACHINE:
        print(f"benches/gate.py: the figures are for {MACHINE}, and this is {machine}: NOTHING WAS MEASURED")
        return
    need("valgrind")
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    known = json.loads(FIGURES.read_text())
    if not options.update and known["figures"].keys() != SCENARIOS.keys():
        raise Failed("benches/gate.json has other scenarios than this script: run benches/gate.py --update")

    binary = options.binary or build()
    with tempfile.TemporaryDirectory(prefix="upauth-gate-") as folder:
        work = options.keep or Path(folder)
        figures = {scenario: cost(binary.resolve(), scenario, work.resolve()) for scenario in SCENARIOS}
    above = judge(figures, figures | known["figures"])
    if options.update:
        now = {"profile": "release", "machine": machine, "rustc": rustc, "figures": figures}
        FIGURES.write_text(json.dumps(now, indent=2) + "\n")
    elif above:
        lines = ["A request costs more than it did.", *above, "Find out why (--keep FOLDER, then callgrind_annotate)."]
        lines.append("If it is worth that, run benches/gate.py --update and commit benches/gate.json with the reason.")
        if known["rustc"] != rustc:
            lines.append(f"The figures were made by rustc {known['rustc']}; this is {rustc}.")
        raise Failed("\n  ".join(lines))


def end_with(main):
    """Runs a script of this folder; a sentence instead of a traceback where it cannot tell."""
    try:
        main()
    except Failed as failure:
        sys.exit(f"benches/{Path(sys.argv[0]).name}: {failure}")


if __name__ == "__main__":
    end_with(main)
