"""What may come upstream of a request over HTTP/2: nothing if it is malformed (RFC 9113, sections 8.1 to 8.3), else what was asked for."""

import re
from itertools import accumulate

from h2_requests import GIVEN, MARK

NAME = re.compile(rb"[a-z0-9!#$%&'*+\-.^_`|~]+")
PSEUDO = {b":method", b":scheme", b":authority", b":path"}
OF_HTTP_1 = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
# What h2 knows of pseudo fields: any other is an error of the connection.
LATE = PSEUDO | {b":protocol", b":status"}
# Ours: of these `traffic.faults` says what they may be, and the readers what they mean. The last one is counted down.
OURS = {b"host", b"authorization", b"via", b"content-length", b"transfer-encoding", b"max-forwards"}


def as_read(asked):
    """A request whose head stands in several frames, as h2 (the library) may read it: where a frame ends within a field it forgets what
    was wrong before. What it noticed it has left out; a pseudo field that is there twice is the first one. A field without a name it
    takes for such an end."""
    pseudo, fields = {}, []
    for name, value in asked.fields:
        if not name.startswith(b":"):
            if name and name not in OF_HTTP_1 and (name != b"te" or value == b"trailers"):
                fields.append((name, value))
        elif not fields:
            pseudo.setdefault(name, value)
        elif name not in LATE:
            fields.append((name, value))
    return asked._replace(fields=[*pseudo.items(), *fields])


def target(path):
    """A path as it goes on: what a fragment is, the library drops unseen."""
    path, mark, _ = path.partition(b"#")
    return path or b"/" * len(mark)


def malformed(asked):
    """Why nothing of it may come upstream, each reason."""
    names = [name for name, _ in asked.fields]
    pseudo = [name for name in names if name.startswith(b":")]
    if pseudo != names[: len(pseudo)]:
        yield "a pseudo field among the others"
    if not PSEUDO.issuperset(pseudo) or len(set(pseudo)) < len(pseudo):
        yield "pseudo fields that are unknown, or there twice"
    if missing := {b":method", b":scheme", b":path"}.difference(pseudo):
        yield f"no {missing}"
    if wrong := [name for name in names[len(pseudo) :] if not NAME.fullmatch(name)]:
        yield f"names that are none: {wrong}"
    if wrong := [value for name, value in asked.fields if name != b":path" and re.search(rb"[\0\r\n]", value)]:
        yield f"values that are none: {wrong}"
    if wrong := OF_HTTP_1.intersection(names):
        yield f"fields of HTTP/1: {wrong}"
    if any(value.lower() != b"trailers" for value in asked.values(b"te")):
        yield "TE"
    # Whoever sends more than was told has sent a whole body where a frame ends at that length.
    lengths = {*accumulate(map(len, asked.pieces))} or {0}
    if any(not value.isdigit() or int(value) not in lengths for value in asked.values(b"content-length")):
        yield "a length that is not that of the body"
    if not asked.ends and not asked.values(b"content-length"):
        yield "a body that broke off"
    if any(not re.fullmatch(rb"/[^\0- \x7f]*", target(path)) for path in asked.values(b":path")):
        yield "a path that is none"
    hosts = {host.lower() for host in asked.values(b":authority") + asked.values(b"host")}
    if len(hosts) != 1 or len(asked.values(b"host")) > 1 or not re.fullmatch(rb"(localhost\.?|\[::1\])(:[0-9]+)?", *hosts):
        yield f"hosts that are not one of ours: {hosts}"


def otherwise(asked, came):
    """What of a request upstream is not what its caller asked for, each thing."""
    yield from malformed(asked)
    if asked.values(b":method") != [came.method]:
        yield "the method"
    if [target(path) for path in asked.values(b":path")] != [came.target]:
        yield "the target"
    told = asked.values(b"content-length")
    if came.body != asked.body[: int(told[0]) if told and told[0].isdigit() else None]:
        yield "the body"
    # Blanks around a value mean nothing (RFC 9110, section 5.5).
    names = {name for name, _ in came.fields} - OURS | {b"x-own"}
    for name in sorted(names):
        if [value.strip(b" \t") for value in asked.values(name)] != came.values(name):
            yield f"the fields {name}"


def foreign(came, asked):
    """What a request upstream has that bears the mark of another request, or of another place than this."""
    own = b"\n".join(came.values(b"x-own"))
    others = b"\n".join(name + value for name, value in came.fields if name != b"x-own")
    for place, text in {"target": came.target, "x-own": own, "body": came.body, "elsewhere": others + came.method}.items():
        for found in MARK.findall(text):
            number, of = GIVEN.get(found, (asked.number, place))
            if number != asked.number or (of != place and asked.kind != "mutated"):
                yield f"the mark of {number} for {of} in {place}"


def bearers(came):
    """The requests whose marks stand in the target."""
    return {GIVEN[found][0] for found in MARK.findall(came.target) if found in GIVEN}
