"""simple-salesforce through an upstream's own TLS listener, as `upauth env` says. Its session id is junk."""

from simple_salesforce import Salesforce

from support import done, end_session, hint, session_ended, shows

crm = hint("simple-salesforce", {"Salesforce": Salesforce})
answers = []
crm.session.hooks["response"].append(lambda answer, *_, **__: answers.append(answer))

QUERY = "SELECT Id, Name FROM Account WHERE Name LIKE '100%+ü'"
NAMES = ["Account 1", "Account 2", "Account 3", "Account 4"]


@shows("simple-salesforce: a query follows its pages")
def _():
    assert [one["Name"] for one in crm.query_all(QUERY)["records"]] == NAMES


@shows("simple-salesforce: the session ends between two calls")
def _():
    with session_ended("salesforce"):
        assert crm.limits()["DailyApiRequests"]["Max"] == 15000


@shows("simple-salesforce: the session ends between two pages")
def _():
    records = crm.query_all_iter(QUERY)
    first = [next(records), next(records)]
    with session_ended("salesforce"):
        rest = list(records)
    assert [one["Name"] for one in first + rest] == NAMES


@shows("simple-salesforce: create, get, update and delete")
def _():
    made = crm.Account.create({"Name": "Größe & Söhne"})
    assert made["success"] and made["id"].startswith("001")
    assert crm.Account.get(made["id"])["Name"] == "Account 1"
    assert crm.Account.update(made["id"], {"Name": "Other"}) == 204
    assert crm.Account.delete(made["id"]) == 204


@shows("simple-salesforce: the session ends before a create, whose body is sent again")
def _():
    with session_ended("salesforce"):
        assert crm.Account.create({"Name": "Once"})["success"]


@shows("simple-salesforce: Bulk 1.0 inserts")
def _():
    results = crm.bulk.Account.insert([{"Name": f"Bulk {n}"} for n in range(25)], batch_size=10)
    assert len(results) == 25 and all(one["success"] for one in results)


@shows("simple-salesforce: the session ends between a Bulk 1.0 job and its batch")
def _():
    def end_after_job(answer, *_, **__):
        if answer.request.url.endswith("/job"):
            end_session("salesforce")

    crm.session.hooks["response"].append(end_after_job)
    try:
        with session_ended("salesforce"):
            # Used once, so that the session ends anew between the job and the batch.
            crm.limits()
            results = crm.bulk.Account.insert([{"Name": "Bulk"}])
    finally:
        crm.session.hooks["response"].remove(end_after_job)
    assert len(results) == 1 and results[0]["success"]


@shows("simple-salesforce: a body in chunks arrives whole")
def _():
    crm.apexecute("stream", params={"bytes": 300_000})
    assert answers[-1].headers["transfer-encoding"] == "chunked"
    assert answers[-1].content == bytes(n % 251 for n in range(300_000))


# A dead session was told in chunks and gzip as well, since the client asks for gzip.
@shows("simple-salesforce: gzip passes, and no answer was an error")
def _():
    assert any(one.headers.get("content-encoding") == "gzip" for one in answers)
    assert all(one.url.startswith("https://localhost:") and one.ok for one in answers)


@shows("simple-salesforce: answers say which upstream served them, and when a request was sent again")
def _():
    assert all(one.headers["x-upauth-upstream"].startswith("crm") for one in answers)
    assert any(one.headers.get("x-upauth-replayed") == "1" for one in answers)


done()
