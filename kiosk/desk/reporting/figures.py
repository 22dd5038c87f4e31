"""From what was brought to figures: counts, shares and times, by day, site, sender or program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from kiosk.model.content import Severity
from kiosk.store import Brought

FEWEST = 5  # with fewer, a share or a median says more of chance than of anybody
UNNAMED = "(not named)"
NO_SCANS = frozenset({"no-dicom", "medium-blank", "medium-audio"})
LOCKED = frozenset({"medium-encrypted", "encrypted", "encrypted-refused", "packed"})


@dataclass(frozen=True, slots=True)
class Figures:
    """One line. Shares are of `media`, but `automatic` of the decided cases; 0 to 1, and None where
    fewer than FEWEST are behind it. Times are seconds from arrival: median and 95th percentile."""

    name: str
    media: int
    studies: int
    bytes: int
    automatic: float | None
    unreadable: float | None
    damaged: float | None
    no_scans: float | None
    locked: float | None
    unsafe: float | None
    several: float | None
    wrong_patient: float | None
    verdict: tuple[float, float] | None
    copied: tuple[float, float] | None
    returned: tuple[float, float] | None
    done: tuple[float, float] | None


@dataclass
class _Sums:
    media: int = 0
    studies: int = 0
    bytes: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    automatic: int = 0
    decided: int = 0
    times: dict[str, list[float]] = field(default_factory=dict)


def outcome(one: Brought) -> str:
    """What a medium turned out to be: `scans`, `damaged` (some of them hurt), `no_scans`, `locked`,
    `unsafe`, `unreadable`, or `under_way`."""
    if one.failure is not None:
        if one.failure.severity is Severity.UNSAFE:
            return "unsafe"
        if one.failure.code in NO_SCANS:
            return "no_scans"
        return "locked" if one.failure.code in LOCKED else "unreadable"
    if one.ledger is None:
        return "under_way"
    hurt = one.ledger.damaged + one.ledger.unreadable
    return "damaged" if hurt else "scans"


def of_sender(one: Brought) -> str:
    """The institution that most of its studies name."""
    return one.senders[0] if one.senders else UNNAMED


BY: dict[str, Callable[[Brought], str]] = {
    "day": lambda one: datetime.fromisoformat(one.at).astimezone().date().isoformat(),
    "site": lambda one: one.station,
    "sender": of_sender,
    "software": lambda one: one.medium.maker or UNNAMED,
    "way": lambda one: one.medium.kind.value,
}


def figures(lines: Iterable[Brought], by: str) -> tuple[Figures, ...]:
    """A line for each value of `by` (a key of BY): days of this machine's time zone in order, else
    most media first. The last one, named "", is of all together."""
    key = BY[by]
    groups: dict[str, _Sums] = {}
    everything = _Sums()
    for one in lines:
        for sums in (groups.setdefault(key(one), _Sums()), everything):
            _add(sums, one)
    order = sorted(groups, key=lambda name: (by != "day" and -groups[name].media, name))
    return (*(_line(name, groups[name]) for name in order), _line("", everything))


def _add(sums: _Sums, one: Brought) -> None:
    sums.media += 1
    sums.studies += one.studies
    sums.bytes += one.medium.bytes
    sums.automatic += one.automatic
    sums.decided += one.automatic + one.by_people
    for said in _said(one):
        sums.outcomes[said] = sums.outcomes.get(said, 0) + 1
    for name, seconds in one.until.items():
        sums.times.setdefault(name, []).append(seconds)


def _said(one: Brought) -> Iterator[str]:
    yield outcome(one)
    if one.cases > 1:
        yield "several"
    if one.not_ours or one.otherwise:
        yield "wrong_patient"


def _line(name: str, sums: _Sums) -> Figures:
    def share(kind: str) -> float | None:
        return _share(sums.outcomes.get(kind, 0), sums.media)

    return Figures(
        name,
        sums.media,
        sums.studies,
        sums.bytes,
        automatic=_share(sums.automatic, sums.decided),
        unreadable=share("unreadable"),
        damaged=share("damaged"),
        no_scans=share("no_scans"),
        locked=share("locked"),
        unsafe=share("unsafe"),
        several=share("several"),
        wrong_patient=share("wrong_patient"),
        verdict=_time(sums.times.get("verdict", [])),
        copied=_time(sums.times.get("copied", [])),
        returned=_time(sums.times.get("returned", [])),
        done=_time(sums.times.get("done", [])),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole >= FEWEST else None


def _time(seconds: list[float]) -> tuple[float, float] | None:
    """Median and 95th percentile (nearest rank)."""
    if len(seconds) < FEWEST:
        return None
    ordered = sorted(seconds)
    return median(ordered), ordered[-(-len(ordered) * 95 // 100) - 1]
