"""What people do about studies: tick, let go, hold, discard, want after all; and look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kiosk.desk.acting import Acting
from kiosk.desk.choosing import views
from kiosk.desk.refusal import Refused
from kiosk.desk.roles import Doing
from kiosk.desk.snapshots import TriageSnapshot, ViewSnapshot, say
from kiosk.model.relevance.choice import Choice, Standing
from kiosk.model.relevance.picture import Picture
from kiosk.store import Transaction

AHEAD = 32  # frames that are asked for at once


class Choosing(Acting):
    """Queries and commands of the desk; each command is one transaction."""

    # -- queries ---------------------------------------------------------------------------

    def triage(self) -> TriageSnapshot:
        """D3: what waits for somebody's eyes, and what was left out and is still here."""
        self._allow(Doing.TRIAGE)
        with self._reading() as tx:
            return views.queue(tx, self._header(), self.operator)

    def view(self, study: int) -> ViewSnapshot:
        """D3: one study. Raises Refused when nobody ever had to choose it."""
        self._allow(Doing.TRIAGE)
        with self._reading() as tx:
            found = _choice(tx, study)
            return views.view(tx, self._header(), self.operator, found, self._policy, self._now())

    def frames(self, study: int, series: int, first: int, count: int) -> tuple[Picture, ...]:
        """Those of the range that there are; the study's station is asked for the others."""
        self._allow(Doing.TRIAGE)
        count = max(0, min(count, AHEAD))
        with self._reading() as tx:
            case = _choice(tx, study).case
            if (study, series) not in tx.pictures.series_of(case):
                raise Refused(say("KX-440"))
            found = tx.pictures.frames(series, first, count)
        if len(found) < count:
            with self._writing() as tx:
                tx.pictures.wish(case, series, max(0, first), count)
        return found

    # -- commands --------------------------------------------------------------------------

    def choose(self, intake: int, ticked: tuple[int, ...]) -> None:
        """K6: these studies of a medium are wanted, the others are left; both are remembered."""
        self._allow(Doing.BRING)
        with self._writing() as tx:
            cases = [c.id for c in tx.cases.of_intake(intake) if tx.choices.is_open(c.id)]
            if not cases:
                raise Refused(say("KX-441"))
            for case in cases:
                tx.choices.choose(case, ticked, self.operator.name)

    def accept(self, study: int, reason: str = "", to: tuple[str, ...] = ()) -> None:
        """Triage lets it go: where the rules say, or, with a reason, to other archives."""
        with self._deciding(study) as (tx, found):
            if to and not self._policy.relevance.override:
                raise Refused(say("KX-443"))
            if any(self._policy.destination_named(name) is None for name in to):
                raise Refused(say("KX-439"))
            if to and not reason.strip():
                raise Refused(say("KX-422"))
            tx.choices.accept(found, self.operator.name, reason.strip(), to)
            tx.pictures.drop(study)
            tx.choices.wake(found.case)

    def hold(self, study: int, reason: str) -> None:
        """It waits, until somebody decides or the policy's time is over."""
        with self._deciding(study) as (tx, found):
            days = self._policy.relevance.held_days
            tx.choices.hold(found, self.operator.name, _given(reason), days)

    def discard(self, study: int, reason: str) -> None:
        """It is not brought in; what was read stays here for the retention time."""
        with self._deciding(study) as (tx, found):
            tx.choices.discard(found, self.operator.name, _given(reason))
            tx.pictures.drop(study)
            tx.end_case(found.case)
            tx.choices.wake(found.case)

    def want(self, study: int, reason: str) -> None:
        """What was left out is wanted after all, as long as it is here."""
        self._allow(Doing.TRIAGE)
        with self._writing() as tx:
            found = _choice(tx, study)
            if found.standing not in (Standing.LEFT, Standing.DISCARDED, Standing.OPEN):
                raise Refused(say("KX-441"))
            if tx.intakes.is_purged(tx.cases.get(found.case).intake):
                raise Refused(say("KX-442"))
            tx.choices.want(found, self.operator.name, _given(reason))
            tx.intakes.reopen(tx.cases.get(found.case).intake)
            tx.choices.wake(found.case)

    @contextmanager
    def _deciding(self, study: int) -> Iterator[tuple[Transaction, Choice]]:
        """What waits for triage, to be decided by one whom the rule names."""
        self._allow(Doing.TRIAGE)
        with self._writing() as tx:
            found = _choice(tx, study)
            if (refusal := views.blocked(found, self.operator)) is not None:
                raise Refused(refusal)
            yield tx, found


def _choice(tx: Transaction, study: int) -> Choice:
    try:
        return tx.choices.get(study)
    except KeyError:
        raise Refused(say("KX-440")) from None


def _given(reason: str) -> str:
    if not reason.strip():
        raise Refused(say("KX-422"))
    return reason.strip()
