"""What must become of a batch over HTTP/2: each stream has an end, and what came of it upstream is what was asked for."""

import collections

from h2_rules import as_read, bearers, foreign, otherwise
from tally import Cases


class Http2(Cases):
    def __init__(self, tally, patience):
        super().__init__("HTTP/2", tally)
        self.patience = patience
        # By its number: what was asked for once, and of that what has no answer, which may be lost, or never was upstream.
        self.once, self.unanswered = set(), {}

    def judge(self, batch, outcome):
        self.connections += 1
        self.wrong += (f"{fault}: {batch}" for fault in outcome.faults)
        if outcome.hangs:
            self.wrong.append(f"streams without an end: {batch} became {outcome}")
        numbers = {asked.number for flight in (batch.first, batch.second) for asked in flight.streams.values()}
        for flight, is_damaged in (batch.first, False), (batch.second, batch.is_damaged):
            for stream, asked in flight.streams.items():
                ending = outcome.endings.get(stream)
                came = None if ending is None or ending.seen is None else self.tally.saw(ending.seen)
                asked = as_read(asked) if stream in flight.split else asked
                self._count(asked, came, ending, outcome)
                if not is_damaged:
                    self._judge(asked, came, ending, outcome, is_first=flight is batch.first)
                elif came is None:
                    self.tally.lost += 1
                elif strange := bearers(came) - numbers:
                    self.wrong.append(f"a request bears the mark of {strange}, of another connection: {batch} came as {came}")

    def _judge(self, asked, came, ending, outcome, is_first):
        self.once.add(asked.number)
        if came is not None:
            self._compare(asked, came)
            return
        self.unanswered[asked.number] = asked
        # A plain one may have to go with a connection that another one spoiled.
        if asked.kind == "plain" and outcome.took <= self.patience and (is_first or ending is not None):
            self.wrong.append(f"a plain request did not come: {asked} became {ending}")

    def _compare(self, asked, came):
        if wrong := [*otherwise(asked, came), *foreign(came, asked)]:
            self.wrong.append(f"a request came otherwise, {wrong}: {asked} came as {came}")

    def _count(self, asked, came, ending, outcome):
        if came is not None:
            became = "forwarded"
        elif ending is not None:
            became = str(ending.status or "reset")
        elif asked.kind == "plain" and outcome.took > self.patience:
            became = "cut by the clock"
        else:
            became = "gone with its connection"
        self.became[became] += 1

    def claims(self, request):
        """Whether a request upstream that nobody was answered is of a caller here, who could not be answered any more."""
        for number in bearers(request) & self.unanswered.keys():
            self._compare(self.unanswered.pop(number), request)
            return True
        return False

    def finish(self):
        super().finish()
        count = collections.Counter(number for request in self.record.seen for number in bearers(request))
        self.wrong += (f"request {number} came {count[number]} times" for number in self.once if count[number] > 1)
