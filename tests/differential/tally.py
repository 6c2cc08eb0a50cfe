"""What became of the cases of one run, and whatever is not as it must be: what callers were told and what came upstream is the same."""

import collections

# Differences that are printed.
SHOWN = 10


class Tally:
    """All answers, over whatever they came."""

    def __init__(self, record):
        self.record, self.wrong, self.answered = record, [], set()
        # Answers that may have been lost with their connections.
        self.lost = 0

    def saw(self, seen):
        """The request upstream that an answer is of."""
        if seen in self.answered:
            self.wrong.append(f"two answers are of one request: {self.record.seen[seen]}")
        self.answered.add(seen)
        return self.record.seen[seen]

    def finish(self, kinds):
        self.wrong += self.record.faults
        missing = [request for number, request in enumerate(self.record.seen) if number not in self.answered]
        missing = [request for request in missing if not any(kind.claims(request) for kind in kinds)]
        if len(missing) > self.lost:
            self.wrong.append(f"{len(missing)} requests upstream that no caller was answered: {missing[:SHOWN]}")

    def told(self):
        broken = sum(bool(stream.rest) for stream in self.record.streams)
        return f"{len(self.record.seen)} requests upstream in {len(self.record.streams)} streams, of which {broken} broke off"


class Cases:
    """What became of the cases of one kind of callers."""

    def __init__(self, kind, tally):
        self.kind, self.tally, self.record, self.wrong = kind, tally, tally.record, tally.wrong
        self.became, self.connections = collections.Counter(), 0

    def claims(self, _):
        """Whether a request upstream of which no answer came is of a caller here, and may be."""
        return False

    def finish(self):
        # The machine had something else to do, and the proxy no patience: that says nothing of either.
        if self.became["cut by the clock"] > self.became.total() / 100:
            self.wrong.append("the machine is too slow: more than one case of a hundred was cut by the clock")

    def told(self):
        cases, forwarded = self.became.total(), self.became["forwarded"]
        others = ", ".join(f"{what}: {count}" for what, count in sorted(self.became.items()) if what != "forwarded")
        return f"{self.kind}: {cases} cases over {self.connections} connections: {forwarded} forwarded, {cases - forwarded} not ({others})"
