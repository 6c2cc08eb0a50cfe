#!/usr/bin/env python3
"""Whether a request costs the same however much the file says: user instructions of a GET of 1 KiB, as gate.py counts them,
with 1, 100 and 10,000 upstreams, and with 1 and 5,000 routes by path and by host. The one that is asked is the last of the file.

  benches/flat.py              measures, prints a table, ends with 1 if a figure is more than 3 % from the first of its kind

Needs what gate.py needs; takes some minutes.
"""

import argparse
import tempfile
from pathlib import Path

import gate

TOLERANCE = 0.03

UPSTREAM = """
[upstream.{name}]
provider = "oauth2"
grant = "client_credentials"
token_url = "http://{{upstream}}/token"
api_url = "http://{{upstream}}"
client_id = "{name}"
client_secret = "gate"
"""
ROUTE = """
[route.{name}]
upstream = "{upstream}"
{place}
"""


def upstreams(count):
    """`count` upstreams, the last of them `api`."""
    return gate.CONFIG.replace(
        "[upstream.api]", "".join(UPSTREAM.format(name=f"a{n}") for n in range(count - 1)) + "[upstream.api]"
    )


def routes(count, place):
    """`count` routes to one upstream, the last of them `api`; `place` is what leads to each."""
    names = [*(f"a{n}" for n in range(count - 1)), "api"]
    return gate.CONFIG + "".join(ROUTE.format(name=name, upstream="api", place=place.format(name)) for name in names)


# Each kind: the file, the counts, and where the last one is asked.
KINDS = {
    "upstreams": (upstreams, [1, 100, 10_000], "localhost/api"),
    "routes by path": (lambda count: routes(count, 'path = "/{}"'), [1, 5_000], "localhost/api"),
    "routes by host": (lambda count: routes(count, 'host = "{}.test"'), [1, 5_000], "api.test"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, help="measure this program instead of building one")
    options = parser.parse_args()
    gate.need("valgrind")
    binary = (options.binary or gate.build()).resolve()
    uneven = []
    print("| in the file | instructions | to the first | allocations |\n|---|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory(prefix="upauth-flat-") as folder:
        for kind, (config, counts, at) in KINDS.items():
            first = None
            for count in counts:
                now = gate.cost(binary, "GET 1 KiB", Path(folder) / f"{kind}-{count}".replace(" ", "-"), config(count), at)
                first = first or now["instructions"]
                ratio = now["instructions"] / first - 1
                print(f"| {count:,} {kind} | {now['instructions']:,.0f} | {ratio:+.1%} | {now['allocations']} |", flush=True)
                if abs(ratio) > TOLERANCE:
                    uneven.append(f"{count:,} {kind}: {ratio:+.1%} instructions; {TOLERANCE:.0%} are allowed")
    if uneven:
        raise gate.Failed("\n  ".join(["What a request costs depends on how much the file says.", *uneven]))


if __name__ == "__main__":
    gate.end_with(main)
