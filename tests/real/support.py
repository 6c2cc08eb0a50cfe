"""What the Python clients share: one line per claim, the emulator's control port, and the line of `upauth env`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import traceback
import urllib.request

_claims = []


def shows(claim):
    """Runs the decorated function at once and prints what became of it."""

    def run(check):
        try:
            check()
            outcome = "ok"
        except Exception:
            traceback.print_exc()
            outcome = "not ok"
        print(f"{outcome} - {claim}", flush=True)
        _claims.append(outcome)

    return run


def done():
    """The last line of a client that came to its end."""
    print(f"1..{len(_claims)}", flush=True)
    sys.exit("not ok" in _claims)


def hint(client, names):
    """What the line of `upauth env` for a client makes, in Python."""
    start = f"# {client}: "
    lines = [line for line in os.environ["UPAUTH_ENV"].splitlines() if line.startswith(start)]
    assert len(lines) == 1, f"`upauth env` printed {len(lines)} lines for {client}"
    return eval(lines[0].removeprefix(start), names)


@contextlib.contextmanager
def session_ended(provider):
    """Ends the session that the proxy holds; what follows must have met a dead one."""
    before = counters()["dead_sessions"]
    end_session(provider)
    yield
    assert counters()["dead_sessions"] > before, "nothing met the dead session"


def end_session(provider):
    # Sessions do not end as often as here, and the proxy would think of a path that rejects: an operator tells it that they do.
    subprocess.run([os.environ["REAL_UPAUTH"], "token", "renew", os.environ["REAL_UPSTREAM"]], check=True, stdout=subprocess.DEVNULL)
    ended = _control(f"/end-session/{provider}", b"")["ended"]
    assert ended > 0, "there was no session to end"
    print(f"# ended {provider}", flush=True)


def turn(knobs):
    _control("/knobs", json.dumps(knobs).encode())


def counters():
    return _control("/counters")


def _control(path, body=None):
    with urllib.request.urlopen(os.environ["DEMO_CONTROL_URL"] + path, data=body, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


# A call that never ends shall not hold up the run. (The libraries set no time limits.)
signal.alarm(600)
