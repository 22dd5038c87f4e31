"""What this site has imported, known again by the hash of its pixel data."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from kiosk.model.delivery import Answer
from kiosk.store.tables import (
    delivery,
    delivery_instance,
    instance,
    intake,
    patient_case,
    series,
    study,
)

SENT = (Answer.ACCEPTED, Answer.VERIFIED)


@dataclass(frozen=True, slots=True)
class Known:
    """How many of a case's images were sent before under other UIDs, of how many that have pixels,
    and the tickets with which they came."""

    images: int
    of: int
    tickets: tuple[str, ...] = ()


class Images:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def known(self, case_id: int) -> Known:
        """An archive that gives our images back under UIDs and a name of its own changes the
        header, not the pixels."""
        mine = (
            select(instance.c.id, instance.c.pixels, instance.c.sop_instance_uid)
            .join(series, series.c.id == instance.c.series)
            .join(study, study.c.id == series.c.study)
            .where(study.c.case_id == case_id, instance.c.pixels != "")
            .subquery()
        )
        theirs = instance.alias()
        found = (
            select(mine.c.id, intake.c.ticket)
            .join(theirs, theirs.c.pixels == mine.c.pixels)
            .join(series, series.c.id == theirs.c.series)
            .join(study, study.c.id == series.c.study)
            .join(patient_case, patient_case.c.id == study.c.case_id)
            .join(intake, intake.c.id == patient_case.c.intake)
            .where(study.c.case_id != case_id)
            .where(theirs.c.sop_instance_uid != mine.c.sop_instance_uid)
            .where(
                select(delivery.c.id)
                .join(delivery_instance, delivery_instance.c.delivery == delivery.c.id)
                .where(delivery.c.study == study.c.id)
                .where(delivery_instance.c.instance == theirs.c.id)
                .where(delivery_instance.c.answer.in_(SENT))
                .exists()
            )
            .distinct()
        )
        rows = self._connection.execute(found).all()
        count = select(func.count()).select_from(mine)
        total = int(self._connection.execute(count).scalar_one())
        return Known(len({row[0] for row in rows}), total, tuple(sorted({row[1] for row in rows})))
