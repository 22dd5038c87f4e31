"""Routing: which studies and series go to which archives, by rules and first match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from kiosk.policy.conditions import Condition, Facts
from kiosk.policy.sections import Section

Names = Annotated[tuple[str, ...], Field(min_length=1, max_length=32)]


class Rule(Section):
    """`whole`: "study" takes the whole study as soon as one of its series fits (a report stays
    with its images), "series" only the series that fit; the rest is for the rules below."""

    to: Names  # names of destinations
    name: str = ""  # for people
    when: Condition = Condition()
    whole: Literal["study", "series"] = "study"


class Routing(Section):
    """First match wins. What no rule takes goes to `default`; without one, to every archive."""

    default: tuple[str, ...] = ()
    rule: Annotated[tuple[Rule, ...], Field(max_length=500)] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One study's way to one archive. `series` are positions in the study, `because` says which
    rule sent it there."""

    destination: str
    series: frozenset[int]
    because: str


def routes(
    routing: Routing, destinations: Sequence[str], series: Sequence[Facts]
) -> tuple[Route, ...]:
    """Where the `series` of one study go, in the order of `destinations`. Every series goes
    somewhere as long as there is a destination at all."""
    taken: dict[str, dict[int, str]] = {name: {} for name in destinations}
    left = set(range(len(series)))
    for number, rule in enumerate(routing.rule, 1):
        fitting = {n for n in left if rule.when.holds(series[n])}
        mine = left if fitting and rule.whole == "study" else fitting
        _take(taken, rule.to, mine, label(number, rule))
        left = left - mine
    _take(taken, routing.default or destinations, left, _otherwise(routing))
    return tuple(_routes_of(taken))


def _take(
    taken: dict[str, dict[int, str]], names: Sequence[str], series: set[int], because: str
) -> None:
    for name in names:
        taken[name] |= dict.fromkeys(series, because)


def _routes_of(taken: dict[str, dict[int, str]]) -> Iterator[Route]:
    for name, why in taken.items():
        if why:
            because = "; ".join(dict.fromkeys(why[n] for n in sorted(why)))
            yield Route(name, frozenset(why), because)


def label(number: int, rule: Rule) -> str:
    """How a rule is called: its number, and its name or else what it asks."""
    said = rule.name or rule.when.words or "everything"
    return f"rule {number} ({said})"


def _otherwise(routing: Routing) -> str:
    if routing.default:
        return "the default" if not routing.rule else "no rule fits: the default"
    return "no rule fits: every archive" if routing.rule else "there are no rules: every archive"


def idle_rules(routing: Routing) -> Iterator[tuple[int, int]]:
    """Numbers of the rules that can never match, each with the earlier rule that leaves nothing
    for it."""
    for number, rule in enumerate(routing.rule, 1):
        for before, earlier in enumerate(routing.rule[: number - 1], 1):
            if earlier.when.covers(rule.when):
                yield number, before
                break
