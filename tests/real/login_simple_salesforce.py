"""simple-salesforce logs in by its own calls. The proxy answers them; the key is the client secret or the password.

It asks https://DOMAIN.salesforce.com, whatever it is told: an adapter takes the place of the name that would lead to the
proxy.
"""

import os

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceAuthenticationFailed, SalesforceError

from support import counters, done, hint, session_ended, shows

URL = os.environ["UPAUTH_URL"]
KEY = os.environ["UPAUTH_KEY"]
QUERY = "SELECT Id, Name FROM Account"


class ToProxy(HTTPAdapter):
    def send(self, request, **options):
        request.url = request.url.replace("https://acme.my.salesforce.com", URL)
        return super().send(request, **options)


def connect(headers={}, **credentials):
    session = requests.Session()
    session.headers.update(headers)
    session.mount("https://acme.my.salesforce.com/", ToProxy())
    return Salesforce(domain="acme.my", session=session, **credentials)


def works(crm):
    assert crm.sf_instance == URL.removeprefix("https://"), crm.sf_instance
    assert len(crm.query_all(QUERY)["records"]) == 4


@shows("simple-salesforce: by password, the key as client secret")
def _():
    works(connect(username="u@acme.example", password="old", consumer_key="any", consumer_secret=KEY))


@shows("simple-salesforce: by password, the key as password")
def _():
    works(connect(username="u@acme.example", password=KEY, consumer_key="any", consumer_secret="old"))


@shows("simple-salesforce: by client credentials, which it sends as Basic; the session ends under it")
def _():
    crm = connect(consumer_key="any", consumer_secret=KEY)
    works(crm)
    with session_ended("salesforce"):
        works(crm)


@shows("simple-salesforce: by a signed assertion, the key in a header of the session")
def _():
    assertion = {"username": "u@acme.example", "consumer_key": "any", "privatekey_file": "../keys/rsa.pem"}
    works(connect({"X-Upauth-Key": KEY}, **assertion))
    try:
        connect(**assertion).query(QUERY)
        raise AssertionError("let in")
    except SalesforceError as refused:
        assert "UA-0221" in str(refused)


@shows("simple-salesforce: Bulk 1.0 carries the placeholder in its own field")
def _():
    crm = connect(consumer_key="any", consumer_secret=KEY)
    assert crm.bulk.Account.insert([{"Name": "Bulk"}])[0]["success"]


@shows("simple-salesforce: without a login, the key as its session id")
def _():
    works(hint("simple-salesforce", {"Salesforce": Salesforce, "os": os}))


@shows("simple-salesforce: a wrong key is told as an invalid client, and costs no login")
def _():
    before = counters()["token_requests"]
    try:
        connect(consumer_key="any", consumer_secret="wrong")
        raise AssertionError("let in")
    except SalesforceAuthenticationFailed as refused:
        assert refused.code == "invalid_client" and "UA-0221" in str(refused)
    assert counters()["token_requests"] == before


done()
