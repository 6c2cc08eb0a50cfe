"""zuora-sdk logs in by `initialize()`. The proxy answers it; the key is the client secret."""

import os

import zuora_sdk
from zuora_sdk.zuora_client import ZuoraClient

from support import counters, done, hint, session_ended, shows

CLIENT_ID = "00000000-0000-0000-0000-000000000000"


def connect(secret):
    configuration = zuora_sdk.Configuration(host=os.environ["UPAUTH_URL"])
    client = ZuoraClient(CLIENT_ID, secret, env=None, config=configuration)
    client._max_retries = 1
    client.initialize()
    client.stop_auto_auth()
    return client


@shows("zuora-sdk: initialize() with the key as client secret, and calls")
def _():
    client = connect(os.environ["UPAUTH_KEY"])
    assert client.token["access_token"].startswith("00D000000000000!")
    assert client.accounts_api().get_account("A00000001").success
    with session_ended("zuora"):
        assert client.object_queries_api().query_accounts().data


@shows("zuora-sdk: without a login, the key as its access token")
def _():
    configuration = hint("zuora-sdk", {"zuora_sdk": zuora_sdk, "os": os})
    client = ZuoraClient("nobody", "nothing", env=None, config=configuration)
    assert client.accounts_api().get_account("A00000001").success


@shows("zuora-sdk: a wrong key is refused, and costs no login")
def _():
    before = counters()["billing_token_requests"]
    client = connect("wrong")
    assert client.token["access_token"] is None
    try:
        client.accounts_api().get_account("A00000001")
        raise AssertionError("let in")
    except zuora_sdk.exceptions.ForbiddenException as refused:
        assert "UA-022" in refused.body
    assert counters()["billing_token_requests"] == before


done()
