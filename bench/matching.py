"""Whose scans these are, at scale: `python -m bench.matching [RECORDS [DISCS]]`.

A made-up town (bench/population: none of its rates were used to fit the matcher) is registered
through the ADT parser into SQLite, then the discs of registered people and of strangers are
matched as the engine matches them, while registrations keep coming at 100 a second, each durable
by itself. Printed: what is accepted, asked and missed, by name origin and by completeness; picks
of the front desk, right and wrong by kind of mistake; the time of one decision; that every
probability is recomputed from the stored record. 100,000 records without arguments.

Figures on the labelled data of another generator (names after the US Census and SSA, 100,000
patients, thresholds of the policy's defaults), in a run on seed 4242 with a name mix of 42 %
Hispanic names, which nobody had looked at before; the model was fitted on seed 7 with US names.
Of 25,002 discs 0.801 were accepted (0.944 of the registered), none wrongly, and 0.054 left to a
person, with the right record among the first three for 0.969 of them; 0.0022 of the registered
were missed. Among look-alikes alone (twins, fathers and sons, two of one name and birth date)
0.020 were linked wrongly, nearly all of them indistinguishable people. Of right picks 0.961 were
accepted; of wrong ones none of strangers, namesakes, fathers and sons, and 0.003 of twins.
Fewer than the goals ask for: 0.82, 0.97, and 0.001 of twins.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random

from bench.population import Disc, Person, Town, registration
from kiosk import identity
from kiosk.cli.adt import Feed
from kiosk.engine.casework import candidates
from kiosk.model.matching import Proposal, Recommendation
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.policy.sections import Adt
from kiosk.policy.sections import Identity as Settings
from kiosk.store import Store
from kiosk.store import open as open_store

RECORDS, DISCS, SEED, RATE = 100_000, 20_000, 5, 100
GROUP, AGAIN = 1000, 5000


@dataclass
class Tally:
    """Counts of answers, by any group of discs."""

    all: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)

    def add(self, group: str, accepted: bool) -> None:
        self.all[group] += 1
        self.accepted[group] += accepted

    def __str__(self) -> str:
        shares = (f"{g} {self.accepted[g] / n:.4f} of {n}" for g, n in self.all.items())
        return ", ".join(sorted(shares))


@dataclass
class Figures:
    """What came of all discs and picks."""

    decisions: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    missed: int = 0
    among_first: Tally = field(default_factory=Tally)
    origin: Tally = field(default_factory=Tally)
    completeness: Tally = field(default_factory=Tally)
    picks: Tally = field(default_factory=Tally)
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    recomputed: bool = True


def main() -> int:
    given = [int(a) for a in sys.argv[1:]]
    records, count = (*given, *(RECORDS, DISCS)[len(given) :])
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as name:
        figures = measure(Path(name), records, count)
    print(report(figures))
    return 0


def measure(folder: Path, records: int, count: int) -> Figures:
    """The figures of `count` discs against a roster of `records`, in a database in `folder`."""
    town = Town(records, SEED)
    url = f"sqlite:///{folder / 'bench.db'}"
    rows = _opened(url)
    try:
        feed = Feed(rows, Adt())
        messages = [registration(mrn, p, n) for n, (mrn, _, p) in enumerate(town.records)]
        for start in range(0, len(messages), GROUP):
            feed.apply(messages[start : start + GROUP])
        with registrations(url, town):
            return _matched(rows, town, count)
    finally:
        rows.close()


@contextmanager
def registrations(url: str, town: Town) -> Iterator[None]:
    """RATE registrations a second from a process of its own, as the feed's listener is one."""
    context = multiprocessing.get_context("spawn")
    ended = context.Event()
    known = [(mrn, person) for mrn, _, person in town.records[:AGAIN]]
    feed = context.Process(target=_register, args=(url, known, len(town.records), ended))
    feed.start()
    try:
        yield
    finally:
        ended.set()
        feed.join()


def _register(url: str, known: list[tuple[str, Person]], number: int, ended: Event) -> None:
    rows = _opened(url)
    feed = Feed(rows, Adt())
    due = time.monotonic()
    while not ended.wait(max(due - time.monotonic(), 0)):
        mrn, person = known[number % len(known)]
        moved = replace(person, street=f"{number} NEW ST")
        feed.apply([registration(mrn, moved, number)])
        number, due = number + 1, due + 1 / RATE
    rows.close()


def _opened(url: str) -> Store:
    return open_store(url, keys_of=identity.keys_of, name_keys_of=identity.name_keys_of)


def _matched(rows: Store, town: Town, count: int) -> Figures:
    figures, random = Figures(), Random(SEED)
    by_name = _by_name(town)
    for disc in town.discs(count):
        proposal = _asked(rows, stated(disc), None, figures)
        _identified(figures, town, disc, proposal)
        for kind, mrn in _picks(town, disc, by_name, random):
            pick = Identifier(mrn, "BENCH")
            found = _asked(rows, stated(disc), pick, figures)
            figures.picks.add(kind, found.recommendation is Recommendation.ACCEPT)
    return figures


def _asked(
    rows: Store, disc: PatientIdentity, picked: Identifier | None, figures: Figures
) -> Proposal:
    began, busy = time.perf_counter(), time.process_time()
    with rows.read() as tx:
        found, counts = candidates(tx, disc, picked)
    proposal = identity.propose(disc, found, counts, Settings(), picked)
    figures.seconds.append(time.perf_counter() - began)
    figures.processor.append(time.process_time() - busy)
    said = tuple(c.probability for c in proposal.candidates)
    figures.recomputed &= identity.recompute(proposal) == said
    return proposal


def _identified(figures: Figures, town: Town, disc: Disc, proposal: Proposal) -> None:
    own = set(town.mrns.get(disc.owner, ()))
    listed = [c.local.identity.identifier.value in own for c in proposal.candidates]
    accepted = proposal.recommendation is Recommendation.ACCEPT
    figures.decisions[proposal.recommendation.value] += 1
    figures.wrong += accepted and not listed[0]
    if not own or disc.name == "ANONYMOUS":
        return
    figures.missed += proposal.recommendation is Recommendation.NONE
    figures.origin.add(town.people[disc.owner].origin, accepted)
    figures.completeness.add(_completeness(disc), accepted)
    if proposal.recommendation is Recommendation.REVIEW:
        figures.among_first.add("", any(listed[:3]))


def _completeness(disc: Disc) -> str:
    for what, there in (("no birth date", disc.birth_date), ("no sex", disc.sex)):
        if not there:
            return what
    words = disc.name.partition("=")[0].replace("^", " ").split()
    return "everything" if len(words) > 2 else "no middle name"


def _by_name(town: Town) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for owner in town.mrns:
        person = town.people[owner]
        found.setdefault((person.family, person.given), []).append(owner)
    return found


def _picks(
    town: Town, disc: Disc, by_name: dict[tuple[str, str], list[int]], random: Random
) -> Iterator[tuple[str, str]]:
    """The right pick, and the mistakes that a front desk makes."""
    person = town.people[disc.owner]
    if disc.owner in town.mrns:
        yield "genuine", town.mrns[disc.owner][0]
    others = [o for o in by_name.get((person.family, person.given), ()) if o != disc.owner]
    others = [o for o in others if town.people[o].born != person.born and o != person.namesake]
    if others:
        yield "namesake", town.mrns[random.choice(others)][0]
    for kind, other in (("twin", person.twin), ("father or son", person.namesake)):
        if other in town.mrns:
            yield kind, town.mrns[other][0]
    yield from _stranger(town, disc, random)


def _stranger(town: Town, disc: Disc, random: Random) -> Iterator[tuple[str, str]]:
    mrn, owner, _ = random.choice(town.records)
    if owner != disc.owner:
        yield "stranger", mrn


def stated(disc: Disc) -> PatientIdentity:
    return PatientIdentity(
        identifiers=(Identifier("A99"),),
        names=(PersonName.from_dicom(disc.name),),
        birth_date=disc.birth_date,
        sex=disc.sex,
        address=disc.address,
        telephone=disc.telephone,
    )


def report(figures: Figures) -> str:
    """The figures in lines for people."""
    total = sum(figures.decisions.values())
    share = {d: figures.decisions[d] / max(total, 1) for d in ("accept", "review", "none")}
    known = sum(figures.origin.all.values())
    return "\n".join(
        (
            f"{total} discs: accept {share['accept']:.4f}, review {share['review']:.4f}, "
            f"none {share['none']:.4f}; wrong {figures.wrong}; "
            f"missed {figures.missed / max(known, 1):.4f} of {known} registered with a name",
            f"right record among the first three of those to review: {figures.among_first}",
            f"accepted by name origin: {figures.origin}",
            f"accepted by completeness: {figures.completeness}",
            f"picks accepted: {figures.picks}",
            f"one decision with {RATE} registrations a second: {_times(figures.seconds)} "
            f"(goal 20 ms), of the processor {_times(figures.processor)}",
            f"every probability recomputed from its record: {figures.recomputed}",
        )
    )


def _times(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"


if __name__ == "__main__":
    raise SystemExit(main())
