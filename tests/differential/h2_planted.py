"""What the judge of HTTP/2 must find, for a judge that finds none of it finds nothing: endings and requests upstream that are wrong."""

import random

import traffic
from h2_caller import Ending, Outcome
from h2_cases import Http2
from h2_frames import Batch, Flight
from h2_requests import Asked, Grammar, mark
from tally import Tally

NOTHING = Flight(b"", {}, set())
FINE = Outcome({1: Ending(200, 0)}, False, False, [], 0)


def own(asked):
    """A value that bears the mark of its request."""
    return b"x-own", mark(asked.number, "x-own")


def said(asked, *fields):
    return asked._replace(fields=[*asked.fields, *fields])


def passed(came, *fields):
    return came._replace(fields=[*came.fields, *fields])


# What was asked for, what came upstream, and what the caller was told, each changed from what is right.
PLANTED = {
    "another method": lambda asked, came: (asked, came._replace(method=b"LOCK"), FINE),
    "another target": lambda asked, came: (asked, came._replace(target=came.target + b"/x"), FINE),
    "a shorter body": lambda asked, came: (asked, came._replace(body=came.body[:-1]), FINE),
    "a longer body": lambda asked, came: (asked, came._replace(body=came.body + b"x"), FINE),
    "a body that broke off": lambda asked, came: (asked._replace(ends=False), came, FINE),
    "a length that lies": lambda asked, came: (said(asked, (b"content-length", b"99999")), came, FINE),
    "a field of nobody": lambda asked, came: (asked, passed(came, (b"x-evil", b"1")), FINE),
    "a field that was lost": lambda asked, came: (said(asked, own(asked)), came, FINE),
    "a field cut at CR LF": lambda asked, came: (
        said(asked, (b"x-own", b"a\r\nx-evil: b")),
        passed(came, (b"x-own", b"a"), (b"x-evil", b"b")),
        FINE,
    ),
    "a field with CR LF": lambda asked, came: (said(asked, (b"x-own", b"a\r\nb")), passed(came, (b"x-own", b"a\r\nb")), FINE),
    "a field of HTTP/1": lambda asked, came: (said(asked, (b"connection", b"close")), came, FINE),
    "a capital": lambda asked, came: (said(asked, (b"X-Evil", b"1")), came, FINE),
    "a path in two": lambda asked, came: (said(asked, (b":path", b"/")), came, FINE),
    "a host of another": lambda asked, came: (said(asked, (b"host", b"e.example")), came, FINE),
    "a field of a damaged head": lambda asked, came: (asked._replace(kind="mutated"), passed(came, (b"x-own", b"")), FINE),
    "a trailer among the fields": lambda asked, came: (asked, passed(came, (b"x-own", mark(asked.number, "never"))), FINE),
    "a field of another request": lambda asked, came: (asked, passed(came, (b"x-own", mark(asked.number + 1, "x-own"))), FINE),
    "no answer": lambda asked, came: (asked, came, FINE._replace(endings={}, is_over=True)),
    "a refusal": lambda asked, came: (asked, came, FINE._replace(endings={1: Ending(400)})),
    "no end": lambda asked, came: (asked, came, FINE._replace(hangs=True)),
    "a request that came twice": lambda asked, came: (asked, came, FINE, came),
    "an answer for two": lambda asked, came: (asked, came, FINE._replace(endings={1: Ending(200, 0), 3: Ending(200, 0)})),
}


def not_found():
    """What of all that is not found; or that what is right is taken for wrong."""
    asked = next(asked for asked in iter(Grammar(random.Random(1)).plain, None) if asked.body and not asked.values(b"content-length"))
    (method,), (target,) = asked.values(b":method"), asked.values(b":path")
    fields = [field for field in asked.fields if not field[0].startswith(b":") and field[0] not in (b"cookie", b"te")]
    came = traffic.Request(method, target, fields, asked.body)
    if findings(asked, came, FINE):
        yield "nothing"
    for what, change in PLANTED.items():
        if not findings(*change(asked, came)):
            yield what


def findings(asked: Asked, came, outcome, *more):
    record = traffic.Record()
    record.seen += [came, *more]
    tally = Tally(record)
    http2 = Http2(tally, patience=1)
    flight = Flight(b"", {stream: asked for stream in outcome.endings or [1]}, set())
    http2.judge(Batch(flight, NOTHING, False), outcome)
    http2.finish()
    tally.finish([http2])
    return tally.wrong
