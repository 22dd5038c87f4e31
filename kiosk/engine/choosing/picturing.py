"""Pictures that somebody wishes to see: decoded in a child, kept as rows. A medium whose images
end the decoder three times gets no more of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from kiosk.engine.parts import Settlement, Site
from kiosk.model.content import Instance, InstanceStatus, Series
from kiosk.model.relevance.picture import Asked, Picture, PictureKind
from kiosk.sandbox import pictures
from kiosk.store import Transaction, Wish

CRASHES = 3
MOST = 64  # frames of one wish
MOST_SERIES = 300  # small pictures of one case

Stopping = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One picture of a series (its row): to be decoded, or known not to be."""

    series: int
    asked: Asked
    instance: Instance


def make_pictures(site: Site, wish: Wish, stopping: Stopping) -> Settlement:
    """Each picture is kept as soon as it is made. Nothing of what a file holds ends the step."""
    with site.store.read() as tx:
        intake = tx.intakes.get(tx.cases.get(wish.case).intake)
        wanted = tuple(islice(_wanted(tx, wish), MOST if wish.series else MOST_SERIES))
        crashes = tx.pictures.crashes(intake.id)
    todo = [each for each in wanted if each.instance.status is InstanceStatus.OK]
    _keep(site, [(w, _nothing(w, "damaged")) for w in wanted if w not in todo])
    folder = site.vault.root / intake.ticket
    while todo and not stopping():
        if crashes >= CRASHES or not site.policy.relevance.previews:
            _keep(site, [(each, _nothing(each, "stopped")) for each in todo])
            todo = []
            break
        made = 0
        try:
            asked = [each.asked for each in todo]
            for found in pictures.make(folder, asked, site.policy.limits):
                _keep(site, [(todo[made], found)])
                made += 1
                if stopping():
                    break
        except pictures.Died:
            crashes += 1
            _keep(site, [(todo[made], _nothing(todo[made], "crashed"))])
            with site.store.begin() as tx:
                tx.pictures.crashed(intake.id, wish.case)
            made += 1
        todo = todo[made:]

    if todo and stopping():
        return lambda tx, held: tx.pictures.later(held)
    return lambda tx, held: tx.pictures.granted(held)


def _keep(site: Site, made: list[tuple[Wanted, Picture]]) -> None:
    if not made:
        return
    with site.store.begin() as tx:
        for wanted, found in made:
            at = replace(found, position=wanted.asked.position)
            tx.pictures.keep(wanted.series, (at,), wanted.asked.small)


def _nothing(wanted: Wanted, problem: str) -> Picture:
    return Picture(PictureKind.NOTHING, wanted.asked.position, problem=problem)


def _wanted(tx: Transaction, wish: Wish) -> Iterator[Wanted]:
    rows = tx.pictures.series_of(wish.case)
    if not wish.series:
        there = tx.pictures.small(wish.case)
        for row in (row for _, row in rows if row not in there):
            frames = list(_frames(tx.pictures.series(row), row))
            if frames:
                middle = frames[len(frames) // 2]
                yield replace(middle, asked=replace(middle.asked, small=True))
        return
    if wish.series not in {row for _, row in rows}:
        return
    found = tx.pictures.series(wish.series)
    there_are = {p.position for p in tx.pictures.frames(wish.series, wish.first, wish.count)}
    for each in islice(_frames(found, wish.series), wish.first, wish.first + wish.count):
        if each.asked.position not in there_are:
            yield each


def _frames(found: Series, row: int) -> Iterator[Wanted]:
    """Every frame of the series in the order of the images' numbers; one of what has none."""
    position = 0
    for each in sorted(found.instances, key=_order):
        for frame in range(max(1, min(each.frames, 100_000))):
            asked = Asked(
                position,
                each.file,
                frame,
                each.sop_class_uid,
                each.transfer_syntax_uid,
                each.pixel_offset,
            )
            yield Wanted(row, asked, each)
            position += 1


def _order(instance: Instance) -> tuple[int, str]:
    number = instance.number.strip()
    return (int(number), "") if number.lstrip("-").isdecimal() else (1 << 40, number)
