#!/usr/bin/env python3
"""Builds upauth for what it does most: profile-guided optimization (the rustc book, "Profile-guided Optimization").

  benches/compare/pgo.py      prints the path of the program: target/pgo/upauth

It builds the program that counts, has it serve each load of run.py and calls with more fields and larger bodies for some seconds, and
builds it again by these counts. Each build is one of `--profile dist`, anew: allow for ten minutes. Nothing that is tested, nor the
Dockerfile, depends on it. What it brings is in docs/performance.md; run.py --binary target/pgo/upauth measures it.

Needs what run.py needs, except haproxy, and `rustup component add llvm-tools`.
"""

import argparse
import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import run

SECONDS = 3
FIELDS = {
    "Accept": "application/json, text/plain;q=0.9, */*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "de-DE,de;q=0.9,en;q=0.8",
    "Authorization": "Bearer of-the-caller",
    "Content-Type": "application/json; charset=utf-8",
    "Cookie": "a=1; b=2",
    "If-None-Match": '"0123456789"',
    "User-Agent": "pgo/1.0 (linux; x86_64)",
    "X-Correlation-Id": "3f1c8a52-6f0e-4b51-9a51-2d9c2b1f6a77",
}


def told(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def build(host, folder, flags):
    """The program as `--profile dist` makes it, with more flags: for the target by name, so that build scripts go without them."""
    print(f"building upauth with {flags}: some minutes", file=sys.stderr)
    command = ["cargo", "build", "--quiet", "--profile", "dist", "--locked", "--bin", "upauth", "--target", host]
    subprocess.run(command, cwd=run.ROOT, env=os.environ | {"RUSTFLAGS": flags, "CARGO_TARGET_DIR": str(folder)}, check=True)
    return folder / host / "dist" / "upauth"


def call(proxy, method, path, length):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.ports["PLAIN"], timeout=run.PATIENCE)
    with contextlib.closing(connection):
        for _ in range(500):
            connection.request(method, path, b"x" * length or None, FIELDS)
            connection.getresponse().read()


def train(upauth, work, held, options):
    stage = run.Stage(options, work, held)
    stage.start("upauth", "upauth.toml", [upauth, "run", "--config", "{config}"])
    proxy = stage.proxies["upauth"]
    for scenario in run.SCENARIOS.values():
        run.load(stage, proxy, scenario, SECONDS)
    for method, path, length in (("GET", "/1k", 0), ("GET", "/none", 0), ("POST", "/1k", 10_000), ("POST", "/1k", 200_000)):
        call(proxy, method, path, length)


def main():
    cores = sorted(os.sched_getaffinity(0))
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    options = argparse.Namespace(load_core=cores[0], proxy_core=cores[-1])
    host = next(line.split()[1] for line in told("rustc", "-vV").splitlines() if line.startswith("host:"))
    profdata = Path(told("rustc", "--print", "sysroot").strip(), "lib", "rustlib", host, "bin", "llvm-profdata")
    if not profdata.exists():
        raise run.Failed("llvm-profdata is missing: install it (rustup component add llvm-tools)")
    target = run.ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "pgo"
    with tempfile.TemporaryDirectory(prefix="upauth-pgo-") as work:
        counts = Path(work) / "counts"
        counting = build(host, target / "counting", f"-Cprofile-generate={counts}")
        with contextlib.ExitStack() as held:
            (Path(work) / "stage").mkdir()
            train(counting, Path(work) / "stage", held, options)
        # The program writes its counts when it ends.
        subprocess.run([profdata, "merge", "-o", target / "counts.profdata", counts], check=True)
    built = build(host, target / "optimized", f"-Cprofile-use={target / 'counts.profdata'}")
    shutil.copy(built, target / "upauth")
    print(target / "upauth")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except (run.Failed, subprocess.CalledProcessError) as failure:
        sys.exit(f"benches/compare/pgo.py: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
