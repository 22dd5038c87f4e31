"""Conditions: what a rule may ask about scans. Routing asks, and whatever else decides by rule.

A condition states values for what it cares about; all that it states must hold, and of several
values one. What is unknown of the scans fits no statement about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from kiosk.model.content import Series, Study
from kiosk.model.patient import LocalPatient
from kiosk.policy.sections import Section, Site

Words = Annotated[
    tuple[Annotated[str, AfterValidator(str.strip), Field(min_length=1)], ...],
    Field(max_length=200),
]
Days = Annotated[int, Field(ge=0, le=50_000)]
PAST = frozenset({"finished", "cancelled"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one series, its study and its patient; "" and None are unknown. `visits`
    are the patient's present and coming ones: class (HL7 PV1-2) and department (PV1-3.1)."""

    modality: str = ""
    body_part: str = ""
    institution: str = ""
    age_days: int | None = None
    site: str = ""
    station: str = ""
    visits: tuple[tuple[str, str], ...] = ()


def facts_of(
    study: Study, series: Series, patient: LocalPatient | None, site: Site, today: date
) -> Facts:
    """`patient` is the local record, None as long as nobody is chosen."""
    visits = patient.visits if patient else ()
    return Facts(
        series.modality,
        series.body_part,
        study.institution,
        _age(study.date, today),
        site.name,
        site.station,
        tuple(
            (v.patient_class, v.location.partition("^")[0]) for v in visits if v.status not in PAST
        ),
    )


def _age(study_date: str, today: date) -> int | None:
    """In days; a date to come is a clock or a typing error, not an age."""
    try:
        age = (today - datetime.strptime(study_date, "%Y%m%d").date()).days  # noqa: DTZ007
    except ValueError:
        return None
    return age if age >= 0 else None


class Condition(Section):
    """Every setting that is left out does not matter. Upper and lower case are the same; in
    `institution`, `department`, `site` and `station` a `*` stands for any text. A `department`
    and a `patient_class` must be those of one and the same visit."""

    modality: Words = ()  # (0008,0060) of the series: CT, MR, US ...
    body_part: Words = ()  # (0018,0015) of the series: CHEST, HEART ...
    institution: Words = ()  # (0008,0080): where the scans were made
    older_than_days: Days | None = None
    newer_than_days: Days | None = None
    site: Words = ()  # this hospital, as `site.name` has it
    station: Words = ()  # where the medium was put in
    department: Words = ()  # of a present or coming visit
    patient_class: Words = ()  # I, O, E ... of such a visit

    @model_validator(mode="after")
    def _can_hold(self) -> Condition:
        old, new = self.older_than_days, self.newer_than_days
        if old is not None and new is not None and old >= new - 1:
            raise ValueError("no study is older than the one and newer than the other")
        return self

    def holds(self, facts: Facts) -> bool:
        return (
            _one_of(self.modality, facts.modality)
            and _one_of(self.body_part, facts.body_part)
            and _like(self.institution, facts.institution)
            and _like(self.site, facts.site)
            and _like(self.station, facts.station)
            and self._age_holds(facts.age_days)
            and self._visit_holds(facts.visits)
        )

    def _age_holds(self, days: int | None) -> bool:
        if self.older_than_days is None and self.newer_than_days is None:
            return True
        if days is None:
            return False
        old_enough = self.older_than_days is None or days > self.older_than_days
        return old_enough and (self.newer_than_days is None or days < self.newer_than_days)

    def _visit_holds(self, visits: tuple[tuple[str, str], ...]) -> bool:
        if not self.patient_class and not self.department:
            return True
        return any(
            _one_of(self.patient_class, kind) and _like(self.department, where)
            for kind, where in visits
        )

    def covers(self, other: Condition) -> bool:
        """Whether whatever fits `other` fits this one; False also where that cannot be told."""
        return (
            _covers(self.modality, other.modality, _one_of)
            and _covers(self.body_part, other.body_part, _one_of)
            and _covers(self.institution, other.institution)
            and _covers(self.site, other.site)
            and _covers(self.station, other.station)
            and _covers(self.department, other.department)
            and _covers(self.patient_class, other.patient_class, _one_of)
            and _at_most(self.older_than_days, other.older_than_days)
            and _at_most(other.newer_than_days, self.newer_than_days, first_may_be_open=False)
        )

    @property
    def words(self) -> str:
        """What it asks, in one line for people; "" when it asks nothing."""
        stated = self.model_dump(exclude_defaults=True)
        parts = (
            f"{name.replace('_', ' ')} {value if isinstance(value, int) else ' or '.join(value)}"
            for name, value in stated.items()
        )
        return ", ".join(parts)


def _one_of(wanted: tuple[str, ...], found: str) -> bool:
    return not wanted or found.strip().casefold() in {each.casefold() for each in wanted}


def _like(wanted: tuple[str, ...], untrusted_found: str) -> bool:
    found = untrusted_found.strip().casefold()
    return not wanted or (
        bool(found) and any(fnmatchcase(found, each.casefold()) for each in wanted)
    )


def _covers_text(wide: tuple[str, ...], each: str) -> bool:
    plain = not set(each) & set("*?[")
    return _one_of(wide, each) or (plain and _like(wide, each))


Fits = Callable[[tuple[str, ...], str], bool]


def _covers(wide: tuple[str, ...], narrow: tuple[str, ...], fits: Fits = _covers_text) -> bool:
    return not wide or (bool(narrow) and all(fits(wide, each) for each in narrow))


def _at_most(first: int | None, second: int | None, first_may_be_open: bool = True) -> bool:
    """`first <= second`; an end that is open on the wide side always covers, on the narrow side
    never does."""
    if first_may_be_open and first is None:
        return True
    if not first_may_be_open and second is None:
        return True
    return first is not None and second is not None and first <= second
