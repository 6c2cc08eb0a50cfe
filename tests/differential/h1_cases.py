"""What must become of a batch over HTTP/1."""

from tally import Cases


class Http1(Cases):
    def __init__(self, tally, patience):
        super().__init__("HTTP/1", tally)
        self.patience = patience

    def judge(self, batch, outcome):
        answers, plain = outcome.answers, len(batch.plain)
        self.tally.lost += outcome.is_reset
        self.connections += 1
        came = [None if seen is None else self.tally.saw(seen) for _, seen in answers]
        if outcome.took > self.patience and (len(answers) < plain or 408 in [status for status, _ in answers[:plain]]):
            self.became["cut by the clock"] += batch.cases
            return
        for meaning, request, (status, _) in zip(batch.plain, came, answers):
            if request is None or (request.method, request.target, request.values(b"x-own"), request.body) != tuple(meaning):
                self.wrong.append(f"a plain request came otherwise: {meaning} was answered {status}, and came as {request}")
        if len(answers) < plain:
            self.wrong.append(f"plain requests without an answer: {batch.sent!r} was answered {answers}")
        for status, seen in answers[: batch.cases]:
            self.became["forwarded" if seen is not None else str(status)] += 1
        # What never became a request has no answer.
        if (missing := batch.cases - len(answers)) > 0:
            self.became["no answer"] += missing
