"""Pictures: rows like any other, so that a desk anywhere shows what only its station has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from kiosk.model.content import Series
from kiosk.model.plain import from_plain, to_plain
from kiosk.model.relevance.picture import Picture
from kiosk.model.work import Event
from kiosk.store import lease
from kiosk.store.cases import instance_of
from kiosk.store.choosing.tables import picture, picture_wish
from kiosk.store.journal import Journal
from kiosk.store.lease import Lease
from kiosk.store.tables import instance, intake, patient_case, series, study

KEPT = 256  # frames of a series: the oldest go first
CRASHED = "picture.crashed"


@dataclass(frozen=True, slots=True)
class Wish:
    """Frames `first` to `first + count` of a series (its row); of series 0 a small one of each
    series of the case."""

    id: int
    case: int
    series: int = 0
    first: int = 0
    count: int = 0


class Pictures:
    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    # -- what there is ---------------------------------------------------------------------

    def small(self, case_id: int) -> dict[int, Picture]:
        """By the series' row: one small picture, or why there is none."""
        query = (
            select(picture)
            .join(series, series.c.id == picture.c.series)
            .join(study, study.c.id == series.c.study)
            .where(study.c.case_id == case_id, picture.c.small.is_(True))
        )
        return {int(row.series): _picture(row) for row in self._connection.execute(query)}

    def newest(self) -> int:
        """Changes when a small picture was made: no journal line says so."""
        query = select(func.max(picture.c.id)).where(picture.c.small.is_(True))
        return int(self._connection.execute(query).scalar() or 0)

    def frames(self, series_id: int, first: int, count: int) -> tuple[Picture, ...]:
        """Those of the range that were made."""
        query = (
            select(picture)
            .where(picture.c.series == series_id, picture.c.small.is_(False))
            .where(picture.c.position >= first, picture.c.position < first + count)
            .order_by(picture.c.position)
        )
        return tuple(_picture(row) for row in self._connection.execute(query))

    def series_of(self, case_id: int) -> tuple[tuple[int, int], ...]:
        """The case's series as (study's row, series' row), in their order."""
        query = (
            select(study.c.id, series.c.id)
            .join(series, series.c.study == study.c.id)
            .where(study.c.case_id == case_id)
            .order_by(study.c.id, series.c.id)
        )
        return tuple((int(row[0]), int(row[1])) for row in self._connection.execute(query))

    def series(self, series_id: int) -> Series:
        """A series of the case as the catalog has it."""
        row = self._connection.execute(select(series).where(series.c.id == series_id)).one()
        lines = self._connection.execute(
            select(instance).where(instance.c.series == series_id).order_by(instance.c.id)
        )
        stated = from_plain(Series, {**row.attributes, "instances": []})
        return replace(stated, instances=tuple(instance_of(line) for line in lines))

    def crashes(self, intake_id: int) -> int:
        """How often a decoder died on this medium."""
        return sum(event.kind == CRASHED for event in self._journal.of(intake=intake_id))

    # -- wishes ----------------------------------------------------------------------------

    def wish(self, case_id: int, series_id: int = 0, first: int = 0, count: int = 0) -> None:
        """Asks the case's station for them; asking twice is asking once."""
        values = {"case_id": case_id, "series": series_id, "first": first, "frames": count}
        same = [getattr(picture_wish.c, name) == value for name, value in values.items()]
        if self._connection.execute(select(picture_wish.c.id).where(*same)).first() is None:
            self._connection.execute(picture_wish.insert().values(values))

    def claim(self, station: str, seconds: float) -> tuple[Wish, Lease] | None:
        here = (
            select(patient_case.c.id)
            .join(intake, intake.c.id == patient_case.c.intake)
            .where(intake.c.station == station)
        )
        where = (picture_wish.c.case_id.in_(here),)
        found = lease.claim(self._connection, picture_wish, self._now(), station, seconds, *where)
        if found is None:
            return None
        row, held = found
        return Wish(row.id, row.case_id, row.series, row.first, row.frames), held

    def extend(self, held: Lease, seconds: float) -> None:
        lease.extend(self._connection, picture_wish, held, self._now(), seconds)

    def free(self, station: str) -> None:
        """At the engine's start: what a dead engine of this station held may be claimed again."""
        table = picture_wish.c
        where = (table.lease_owner == station) & (table.lease_token != "")
        self._connection.execute(picture_wish.update().where(where).values(lease_until=0.0))

    def granted(self, held: Lease) -> None:
        """The wish is fulfilled as far as it can be."""
        lease.confirm(self._connection, picture_wish, held)
        self._connection.execute(delete(picture_wish).where(picture_wish.c.id == held.id))

    def later(self, held: Lease) -> None:
        """The engine ends before the wish is fulfilled: the next one goes on."""
        lease.settle(self._connection, picture_wish, held, {}, self._now())

    def keep(self, series_id: int, made: Iterable[Picture], small: bool = False) -> None:
        """New ones in the place of old ones, and no more than a series' share of them."""
        rows = [
            {
                "series": series_id,
                "position": each.position,
                "small": small,
                "value": to_plain(replace(each, data=b"")) | {"data": None},
                "data": each.data,
            }
            for each in made
        ]
        mine = (picture.c.series == series_id) & (picture.c.small.is_(small))
        at = [row["position"] for row in rows]
        self._connection.execute(delete(picture).where(mine, picture.c.position.in_(at)))
        if rows:
            self._connection.execute(picture.insert(), rows)
        newest = select(picture.c.id).where(mine).order_by(picture.c.id.desc()).limit(KEPT)
        self._connection.execute(delete(picture).where(mine, picture.c.id.not_in(newest)))

    def crashed(self, intake_id: int, case_id: int) -> None:
        self._journal.write(Event(CRASHED, intake=intake_id, case=case_id))

    def drop(self, study_id: int) -> None:
        """The decision on it has fallen: only the small ones stay."""
        mine = select(series.c.id).where(series.c.study == study_id)
        self._connection.execute(
            delete(picture).where(picture.c.series.in_(mine), picture.c.small.is_(False))
        )

    def drop_all(self, intake_id: int) -> None:
        """The medium's bytes are gone, and so are its pictures."""
        cases = select(patient_case.c.id).where(patient_case.c.intake == intake_id)
        studies = select(study.c.id).where(study.c.case_id.in_(cases))
        mine = select(series.c.id).where(series.c.study.in_(studies))
        self._connection.execute(delete(picture).where(picture.c.series.in_(mine)))
        self._connection.execute(delete(picture_wish).where(picture_wish.c.case_id.in_(cases)))


def _picture(row: Row[Any]) -> Picture:
    value = {name: each for name, each in row.value.items() if name != "data"}
    return replace(from_plain(Picture, value), data=bytes(row.data))
