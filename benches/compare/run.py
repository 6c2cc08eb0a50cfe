#!/usr/bin/env python3
"""What upauth costs per request beside nginx and HAProxy that do the same work: set `Authorization: Bearer` and `Host`, stream the rest.

  benches/compare/run.py                    nine scenarios, five rounds: under four minutes, after the build
  benches/compare/run.py --rounds 15 --scenarios get-1k,chunked
  benches/compare/run.py --noise            nginx a second time, as a measure of the day's noise
  benches/compare/run.py --syscalls         system calls per GET of 1 KiB instead (strace): a figure without noise

Needs two cores, the Rust toolchain, python3, and of Debian nginx, haproxy, wrk, nghttp2-client and openssl (strace for --syscalls).

How it measures. Each proxy has one worker, alone on one core; wrk (h2load for HTTP/2), the origin and this script are on another. The origin is nginx
(`origin.conf`) and answers 401 unless both fields are exactly right; the token endpoint is this script. The proxies take turns of one
second within a round, in another order each round. CPU time per request is what the scheduler says all threads of a proxy ran
(/proc/PID/task/*/schedstat), the kernel's work for them included, by the requests that wrk counted. A ratio is the median of the ratios
within each round, so that a machine whose speed drifts makes no difference; differences below 5 % mean nothing, with few rounds 10 %.
nginx sends each chunk alone and makes no more than some 6,000 chunked answers a second, so there the proxies are not saturated.
upauth runs with everything on and logs each request to a file; nginx and HAProxy log nothing and check no certificate.

Everything is on loopback, and whatever was started ends with this script.
"""

import argparse
import contextlib
import grp
import http.client
import http.server
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOKEN = "compare-0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefgh"
# Debian keeps servers where not every user's PATH looks.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
TICK = 1 / os.sysconf("SC_CLK_TCK")
# Nothing here waits longer for a program to start or end, in seconds.
PATIENCE = 20


class Failed(Exception):
    """Nothing can be told; the text says why."""


class Scenario:
    def __init__(self, text, path, size, port="PLAIN", connections=64, upload=0, close=False, streams=0):
        self.text, self.path, self.size, self.port = text, path, size, port
        self.connections, self.upload, self.close, self.streams = connections, upload, close, streams

    @property
    def scheme(self):
        return "https" if self.port == "TLS_IN" else "http"


SCENARIOS = {
    "get-1k": Scenario("GET 1 KiB, kept alive", "/1k", 1024),
    "chunked": Scenario("GET 32 chunks of 512 B, each sent alone", "/chunked", 16 * 1024),
    "get-64k": Scenario("GET 64 KiB", "/64k", 64 * 1024, connections=16),
    "get-1m": Scenario("GET 1 MiB", "/1m", 1024 * 1024, connections=8),
    "post-1k": Scenario("POST 1 KiB", "/1k", 1024, upload=1024),
    "new-conn": Scenario("a new connection each", "/1k", 1024, close=True),
    "tls-in": Scenario("TLS from the caller", "/1k", 1024, port="TLS_IN"),
    "tls-up": Scenario("TLS to the upstream", "/1k", 1024, port="TLS_UP"),
    "h2-in": Scenario("HTTP/2 from the caller, over TLS, 8 connections of 16 streams", "/1k", 1024, port="TLS_IN", connections=8, streams=16),
}


# -- programs


def program(name, package=None):
    found = shutil.which(name, path=PATH)
    if not found:
        raise Failed(f"{name} is missing: install it (Debian: apt-get install {package or name})")
    return found


def free_ports(count):
    """From where no system finds a port by itself: the callers' connections take none of them meanwhile."""
    with contextlib.ExitStack() as held:
        ports = []
        while len(ports) < count:
            port = random.randrange(10_000, 30_000)
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
        return ports


@contextlib.contextmanager
def running(name, command, core, folder, port):
    """A program on one core, once it accepts connections; told to end after the block."""
    with open(folder / "out", "wb") as out:
        process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{name} did not start:\n{(folder / 'out').read_text()[-2000:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_token_endpoint():
    """Grants the token to whoever asks; lives as long as this process. Its port."""

    class Grant(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Grant)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def make_certificate(work):
    """For 127.0.0.1, of no authority but itself."""
    command = [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", work / "key.pem", "-out", work / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True)
    (work / "both.pem").write_text((work / "cert.pem").read_text() + (work / "key.pem").read_text())


def build():
    print("building upauth (--profile dist: some minutes the first time)", file=sys.stderr)
    command = ["cargo", "build", "--quiet", "--profile", "dist", "--locked", "--bin", "upauth"]
    subprocess.run(command, cwd=ROOT, check=True)
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "dist" / "upauth"


# -- the proxies


class Stage:
    """Everything that runs: the origin, the token endpoint and the proxies, each in a folder of its own."""

    def __init__(self, options, work, held):
        self.options, self.work, self.held = options, work, held
        origin, origin_tls = free_ports(2)
        user = os.getuid(), os.getgid()
        self.values = {"TOKEN": TOKEN, "BODY1K": "x" * 1024, "ORIGIN": origin, "ORIGIN_TLS": origin_tls, "TOKENS": start_token_endpoint()}
        self.values |= {"USER": pwd.getpwuid(user[0]).pw_name, "GROUP": grp.getgrgid(user[1]).gr_name}
        make_certificate(work)
        folder, config = self.config("origin", "origin.conf", {})
        for name, size in (("16k", 16 * 1024), ("64k", 64 * 1024), ("1m", 1024 * 1024)):
            (folder / name).write_bytes(b"x" * size)
        command = [program("nginx"), "-p", folder, "-e", folder / "error.log", "-c", config]
        held.enter_context(running("the origin", command, options.load_core, folder, origin))
        self.proxies = {}

    def config(self, name, template, values):
        folder = self.work / name
        folder.mkdir()
        for file in ("cert.pem", "key.pem", "both.pem"):
            shutil.copy(self.work / file, folder)
        text = (HERE / template).read_text()
        for key, value in (self.values | values | {"DIR": folder}).items():
            text = text.replace(f"@{key}@", str(value))
        (folder / template).write_text(text)
        return folder, folder / template

    def start(self, name, template, command):
        ports = dict(zip(("PLAIN", "TLS_IN", "TLS_UP"), free_ports(3)))
        folder, config = self.config(name, template, ports)
        command = [str(part).format(folder=folder, config=config) for part in command]
        process = self.held.enter_context(running(name, command, self.options.proxy_core, folder, ports["PLAIN"]))
        self.proxies[name] = Proxy(name, process.pid, ports)

    def start_all(self, upauth):
        nginx = [program("nginx"), "-p", "{folder}", "-e", "{folder}/error.log", "-c", "{config}"]
        self.start("nginx", "nginx.conf", nginx)
        if self.options.noise:
            self.start("nginx-again", "nginx.conf", nginx)
        self.start("haproxy", "haproxy.cfg", [program("haproxy"), "-db", "-f", "{config}"])
        self.start("upauth", "upauth.toml", [upauth, "run", "--config", "{config}"])


class Proxy:
    def __init__(self, name, pid, ports):
        self.name, self.pid, self.ports = name, pid, ports

    def url(self, scenario):
        return f"{scenario.scheme}://127.0.0.1:{self.ports[scenario.port]}{scenario.path}"

    def check(self, scenario):
        """One request, its answer looked at whole: what wrk counts later is an answer like this one."""
        address = "127.0.0.1", self.ports[scenario.port]
        if scenario.scheme == "https":
            connection = http.client.HTTPSConnection(*address, timeout=PATIENCE, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("POST" if scenario.upload else "GET", scenario.path, b"x" * scenario.upload or None)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200 or body != b"x" * scenario.size:
                raise Failed(f"{self.name}, {scenario.text}: answered with {answer.status} and {len(body)} bytes: {body[:200]!r}")

    def processes(self):
        """This process and all below it."""
        children = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
        found, left = [], [self.pid]
        while left:
            found.append(left.pop())
            left += children.get(found[-1], [])
        return found

    def ran(self):
        """Seconds of CPU time of all threads so far, and those of them in user space (which the kernel only samples)."""
        total = user = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                total += sum(int(one.read_text().split()[0]) for one in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
                user += int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]) * TICK
        return total, user


# -- measuring


def load_http2(stage, proxy, scenario, seconds):
    """As `load`, over HTTP/2."""
    command = ["taskset", "-c", str(stage.options.load_core), program("h2load", "nghttp2-client"), "-t1", f"-c{scenario.connections}"]
    command += [f"-m{scenario.streams}", f"-D{seconds}", proxy.url(scenario)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    done = re.search(r"finished in [^,]*, ([\d.]+) req/s", told), re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", told)
    if not all(done) or "protocol: h2" not in told or any(int(done[1][number]) for number in (2, 3)):
        raise Failed(f"{proxy.name}, {scenario.text}: not every request succeeded:\n{told}")
    return int(done[1][1]), float(done[0][1])


def load(stage, proxy, scenario, seconds):
    """Requests in a row as fast as they are answered: how many, and how many a second."""
    if scenario.streams:
        return load_http2(stage, proxy, scenario, seconds)
    command = ["taskset", "-c", str(stage.options.load_core), program("wrk"), "-t1", f"-c{scenario.connections}", f"-d{seconds}s"]
    if scenario.close:
        command += ["-H", "Connection: close"]
    if scenario.upload:
        script = stage.work / "post.lua"
        script.write_text(f'wrk.method = "POST"\nwrk.body = string.rep("x", {scenario.upload})\n')
        command += ["-s", str(script)]
    told = subprocess.run([*command, proxy.url(scenario)], capture_output=True, text=True, check=True).stdout
    done, rate = re.search(r"(\d+) requests in", told), re.search(r"Requests/sec: +([\d.]+)", told)
    # Of connections that are closed as they were asked to be, wrk counts some as errors.
    if not done or not int(done[1]) or "Non-2xx" in told or ("Socket errors" in told and not scenario.close):
        raise Failed(f"{proxy.name}, {scenario.text}: not every request succeeded:\n{told}")
    return int(done[1]), float(rate[1])


def turn(stage, proxy, scenario):
    """Microseconds of CPU time per request, those in user space, and requests a second."""
    before = proxy.ran()
    requests, rate = load(stage, proxy, scenario, stage.options.seconds)
    total, user = (after - earlier for after, earlier in zip(proxy.ran(), before))
    return total / requests * 1e6, user / requests * 1e6, rate


def compare(stage, scenario):
    """Per proxy, the turns of all rounds."""
    proxies = list(stage.proxies.values())
    for proxy in proxies:
        proxy.check(scenario)
        load(stage, proxy, scenario, 1)
    turns = {proxy.name: [] for proxy in proxies}
    for number in range(stage.options.rounds):
        first = number % len(proxies)
        for proxy in proxies[first:] + proxies[:first]:
            turns[proxy.name].append(turn(stage, proxy, scenario))
    return turns


def ratio(turns, name, base):
    """The median of the ratios of each round, and the least and largest of them."""
    each = [one[0] / other[0] for one, other in zip(turns[name], turns[base])]
    return f"{statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})"


def tables(stage, names):
    proxies = list(stage.proxies)
    pairs = [("upauth", "nginx"), ("upauth", "haproxy"), *([("nginx-again", "nginx")] if stage.options.noise else [])]
    head = ["scenario", *(f"{name}: us (user)" for name in proxies), *(f"{name} / {base}" for name, base in pairs)]
    print("| " + " | ".join([*head, *(f"{name}: req/s" for name in proxies)]) + " |")
    print("|---|" + "---:|" * (len(head) - 1 + len(proxies)), flush=True)
    for name in names:
        turns = compare(stage, SCENARIOS[name])
        middle = {proxy: [statistics.median(column) for column in zip(*turns[proxy])] for proxy in proxies}
        cells = [f"{middle[proxy][0]:.1f} ({middle[proxy][1]:.1f})" for proxy in proxies]
        cells += [ratio(turns, *pair) for pair in pairs] + [f"{middle[proxy][2]:,.0f}" for proxy in proxies]
        print("| " + " | ".join([SCENARIOS[name].text, *cells]) + " |", flush=True)


KINDS = {
    "reads": ("read", "readv", "recvfrom", "recvmsg"),
    "writes": ("write", "writev", "sendto", "sendmsg"),
    "epoll_wait": ("epoll_wait", "epoll_pwait", "epoll_pwait2"),
}


def count_system_calls(stage):
    """With 64 connections that are never idle; the making of these connections is counted, too. strace slows a proxy down some twenty
    times, so what is done a number of times a second, such as writing a log, is counted twenty times too often."""
    scenario = SCENARIOS["get-1k"]
    print("| proxy | all | " + " | ".join(KINDS) + " | others | req/s |\n|---|---:|" + "---:|" * len(KINDS) + "---|---:|")
    for proxy in stage.proxies.values():
        proxy.check(scenario)
        load(stage, proxy, scenario, 1)
        out = stage.work / f"strace-{proxy.name}"
        attached = [part for pid in proxy.processes() for part in ("-p", str(pid))]
        strace = subprocess.Popen([program("strace"), "-c", "-f", "-o", out, *attached], stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(1)
            if strace.poll() is not None:
                raise Failed(f"strace cannot attach (as root it can): {strace.stderr.read()}")
            requests, rate = load(stage, proxy, scenario, 5)
        finally:
            strace.send_signal(signal.SIGINT)
            strace.communicate()
        lines = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) (?:[ \d]+ )?(\w+)$", out.read_text(), re.M)
        calls = {name: int(count) / requests for count, name in lines if name != "total"}
        whole = sum(calls.values())
        kinds = [sum(calls.pop(name, 0) for name in names) for names in KINDS.values()]
        others = ", ".join(f"{name} {count:.2f}" for name, count in calls.items() if count >= 0.01)
        print(f"| {proxy.name} | {whole:.2f} | " + " | ".join(f"{kind:.2f}" for kind in kinds) + f" | {others} | {rate:,.0f} |", flush=True)


def main():
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="some of: %(default)s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1, help="how long a turn lasts")
    parser.add_argument("--noise", action="store_true", help="measure nginx a second time")
    parser.add_argument("--syscalls", action="store_true", help="count system calls instead")
    parser.add_argument("--binary", type=Path, help="this upauth instead of one that is built")
    parser.add_argument("--proxy-core", type=int, default=cores[-1])
    parser.add_argument("--load-core", type=int, default=cores[0])
    options = parser.parse_args()
    names = options.scenarios.split(",")
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise Failed(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    if options.proxy_core == options.load_core:
        raise Failed("two cores are needed: one for the proxy, one for what calls it and answers it")
    program("h2load", "nghttp2-client")
    for name in ("nginx", "haproxy", "wrk", "openssl", *(["strace"] if options.syscalls else [])):
        program(name)
    program("taskset", "util-linux")
    upauth = (options.binary or build()).resolve()
    os.sched_setaffinity(0, {options.load_core})
    with tempfile.TemporaryDirectory(prefix="upauth-compare-") as work, contextlib.ExitStack() as held:
        stage = Stage(options, Path(work), held)
        stage.start_all(upauth)
        if options.syscalls:
            count_system_calls(stage)
        else:
            tables(stage, names)


if __name__ == "__main__":
    # SIGTERM ends as Ctrl-C does: with everything that was started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except (Failed, subprocess.CalledProcessError) as failure:
        sys.exit(f"benches/compare/run.py: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
