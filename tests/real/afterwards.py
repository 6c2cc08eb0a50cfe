"""What the emulator saw of all clients, and what the proxies wrote meanwhile."""

import os
import re
from pathlib import Path

from support import counters, done, shows

seen = counters()
work = Path(os.environ["REAL_WORK"])
claims = (work / "claims").read_text()
# Logins that no ended session explains: the first of each proxy, and one for every 40 s that the emulator ran. Its sessions end
# after 45 s without use; its Zuora tokens live 60 s, of which the proxy leaves the last 20 unused.
unasked = 2 + int(os.environ["REAL_SECONDS"]) // 40 * 2


@shows("sessions really ended under the clients")
def _():
    ended = claims.count("# ended ")
    assert ended > 0 and seen["dead_sessions"] >= ended, (ended, seen["dead_sessions"])


for field, claim in {
    "dummy_credentials": "no credential of a caller reached a provider",
    "both_header_forms": "no request carried two different tokens",
    "wrong_host": "every request named the host it went to",
    "refused_logins": "no login was refused",
    "credentials_in_query": "no login had its credentials in the query",
}.items():

    @shows(claim)
    def _():
        assert seen[field] == 0, (field, seen[field])


for provider, field in {"salesforce": "token_requests", "zuora": "billing_token_requests"}.items():

    @shows(f"{provider}: one login at first, one before and one after each session that ended, and few for age")
    def _():
        ended = claims.count(f"# ended {provider}")
        assert seen[field] <= 2 * ended + unasked, (seen[field], ended, unasked)


@shows("at most one login of each account was under way at once")
def _():
    assert seen["token_requests_at_once"] <= 2, seen["token_requests_at_once"]


@shows("neither secrets nor tokens nor keys are in what the proxies wrote")
def _():
    written = "".join((work / name).read_text() for name in ("proxy.out", "proxy.err", "keyed.out", "keyed.err"))
    assert "GET" in written, "the access log is empty"
    secrets = [os.environ[name] for name in os.environ if re.fullmatch(r"DEMO_\w*(SECRET|PASSWORD|TOKEN)", name)]
    assert secrets
    secrets += [os.environ["UPAUTH_KEY"], os.environ["REAL_KEY_SHA256"]]
    for text in [*secrets, "junk-of-the-caller", "00Dxx0000000001!", "00D000000000000!"]:
        assert text not in written, "found one"


done()
