"""zuora-sdk with a token that is junk: the proxy's own token takes its place."""

import json

import zuora_sdk
from zuora_sdk.zuora_client import ZuoraClient

from support import counters, done, hint, session_ended, shows, turn

configuration = hint("zuora-sdk", {"zuora_sdk": zuora_sdk})
configuration.access_token = "junk-of-the-caller"
client = ZuoraClient("nobody", "nothing", env=None, config=configuration)
client.set_accept_encoding("gzip")

# How a dead token is reported: 401 in two forms, and 200.
IN_401 = ("message", "reasons")


def create():
    request = zuora_sdk.CreateAccountRequest(name="Größe & Söhne", currency="EUR", bill_cycle_day=1)
    return client.accounts_api().create_account(request)


@shows("zuora-sdk: creates")
def _():
    made = create()
    assert made.success and made.account_number == "A00000021"


@shows("zuora-sdk: reads")
def _():
    assert client.accounts_api().get_account("A00000001").success


@shows("zuora-sdk: updates")
def _():
    request = zuora_sdk.UpdateAccountRequest(name="Other")
    assert client.accounts_api().update_account("A00000001", request).success


@shows("zuora-sdk: queries")
def _():
    found = client.object_queries_api().query_accounts(page_size=10)
    assert [one.account_number for one in found.data] == ["A00000001"] and found.next_page


@shows("zuora-sdk: a long list arrives, and its next page leads back to the proxy")
def _():
    api = client.api_client
    request = api.param_serialize("GET", "/v1/accounts", auth_settings=["bearerAuth"])
    answer = api.call_api(*request)
    told = json.loads(answer.read())
    assert answer.status == 200 and len(told["accounts"]) == 20
    assert told["nextPage"].startswith(api.configuration.host), told["nextPage"]
    assert answer.data.count(b'"accountNumber"') == 20


for shape in (*IN_401, "success200"):

    @shows(f"zuora-sdk: the token ends between two calls, told as {shape}")
    def _():
        turn({"billing": {"dead": shape}})
        with session_ended("zuora"):
            assert client.accounts_api().get_account("A00000001").success
        with session_ended("zuora"):
            assert client.object_queries_api().query_accounts().data


for shape in IN_401:

    @shows(f"zuora-sdk: the token ends before a create, told as {shape}")
    def _():
        turn({"billing": {"dead": shape}})
        with session_ended("zuora"):
            assert create().success


@shows("zuora-sdk: a create that is told with 200 is not sent again; the call after it is served")
def _():
    turn({"billing": {"dead": "success200"}})
    with session_ended("zuora"):
        refused = create()
    assert not refused.success and str(refused.reasons[0].code) == "90000011"
    assert create().success


@shows("zuora-sdk: an internal hiccup (401, `Failed to get user info`) is tried again with the same token")
def _():
    logins = counters()["billing_token_requests"]
    hiccup = {"status": 401, "content_type": "application/json", "body": '{"message":"Failed to get user info"}'}
    turn({"zuora": {"next": [hiccup]}})
    assert client.accounts_api().get_account("A00000001").success
    assert counters()["billing_token_requests"] == logins


turn({"billing": {"dead": "message"}})
done()
