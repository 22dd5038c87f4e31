"""Lines that are slow, belong to others by day, or end in an archive that blames itself for one
image: nothing loops, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from kiosk.cli.demonstration import discs
from kiosk.engine.delivering.backing_off import busy_until
from kiosk.model.delivery import Answer
from kiosk.model.work import DeliveryState
from kiosk.policy.sections import Destination
from tests.engine.conftest import ARCHIBALD, Station, policy_for
from tests.peers.scripted import Conversation, Scripted, scripted


def target(peer: Scripted, **more: object) -> Destination:
    settings = {"verify_level": 0, "commitment": False} | more
    return Destination(name="PACS", port=peer.port, ae_title="ORTHANC", **settings)


def local(here: Station, hour: int) -> None:
    """Moves the station's clock to this hour of its own time zone, later today or tomorrow."""
    now = here.at.astimezone()
    then = now.replace(hour=hour, minute=30, second=0, microsecond=0)
    here.at = then if then > now else then + timedelta(days=1)


def test_nothing_is_sent_in_the_hours_of_others_and_all_of_it_after_them(
    here: Station, known: Path
) -> None:
    with scripted() as peer:
        here.use(policy_for(target(peer, busy_hours="07:00-18:00")))
        local(here, 10)
        here.register()
        intake = here.insert(known)
        here.work()
        assert peer.received == []
        waiting = here.deliveries(intake)
        assert all("before 18:00" in d.problem for d in waiting)
        assert all(datetime.fromisoformat(d.due_at).astimezone().hour == 18 for d in waiting)
        local(here, 18)
        here.work()
        assert len(peer.received) == 7
        assert {d.state for d in here.deliveries(intake)} == {DeliveryState.COMMITTED}


def test_what_is_being_sent_when_those_hours_begin_goes_on_after_them(
    here: Station, known: Path
) -> None:
    """The image at hand ends in order; no failure is counted."""

    def late(count: int, conversation: Conversation) -> None:
        if count == 2:
            local(here, 7)
        conversation.answer(0x0000)

    with scripted(late) as peer:
        here.use(policy_for(target(peer, busy_hours="07:00-18:00")))
        local(here, 6)
        here.register()
        intake = here.insert(known)
        here.work()
        assert len(peer.received) == 2
        with here.rows.read() as tx:
            assert tx.destinations.get("kiosk-1", "PACS").failures == 0
        local(here, 18)
        here.work()
        assert sorted(peer.received) == sorted(set(peer.received))
        assert {d.state for d in here.deliveries(intake)} == {DeliveryState.COMMITTED}


@pytest.mark.parametrize(
    ("hours", "hour", "until"),
    [
        ("", 12, None),
        ("07:00-18:00", 6, None),
        ("07:00-18:00", 7, 18),
        ("07:00-18:00", 18, None),
        ("22:00-06:00", 23, 6),
        ("22:00-06:00", 2, 6),
        ("22:00-06:00", 12, None),
    ],
)
def test_hours_may_go_past_midnight(
    here: Station, hours: str, hour: int, until: int | None
) -> None:
    local(here, hour)
    found = busy_until(here.engine.site, Destination(name="PACS", busy_hours=hours))
    assert (None if found is None else found.hour) == until
    assert found is None or timedelta() < found - here.at <= timedelta(hours=12)


@pytest.mark.parametrize("hours", ["7-18", "07:00-25:00", "07:00", "07:00-18:00 "])
def test_hours_that_are_none_are_refused_by_the_policy(hours: str) -> None:
    with pytest.raises(ValidationError):
        Destination(name="PACS", busy_hours=hours)


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc with one image of the known patient."""
    stated = discs.Stated(
        f"{ARCHIBALD.family}^{ARCHIBALD.given}", ARCHIBALD.birth_date, ARCHIBALD.sex
    )
    files = discs.file_set_of(discs.ARCHIBALD, stated)
    name = min(n for n in files if n not in ("DICOMDIR", "README.TXT"))
    image = tmp_path_factory.mktemp("discs") / "single.iso"
    return discs.burn({name: files[name]}, image, "SINGLE")


def full_for(first: list[bytes]) -> Callable[[int, Conversation], None]:
    """A700 for the first image that came, for ever: it lacks an attribute."""

    def behave(_count: int, conversation: Conversation) -> None:
        first.append(conversation.sop_instance)
        conversation.answer(0xA700 if conversation.sop_instance == first[0] else 0x0000)

    return behave


def test_a_study_of_one_image_that_is_always_refused_for_now_is_held_once_others_pass(
    here: Station, single: Path, known: Path
) -> None:
    """While nothing passes the archive may really be full: it is tried on, ever more rarely."""
    with scripted(full_for([])) as peer:
        here.use(policy_for(target(peer)))
        here.register()
        odd = here.insert(single)
        for _ in range(5):
            here.work()
            here.pass_(minutes=5)
        assert {d.state for d in here.deliveries(odd)} == {DeliveryState.QUEUED}
        here.insert(known)
        for _ in range(5):
            here.work()
            here.pass_(minutes=5)
        (held,) = here.deliveries(odd)
        assert held.state is DeliveryState.HELD
        assert [(r.answer, r.code) for r in here.results(held)] == [(Answer.REFUSED, 0xA700)]
        tried = peer.stores
        here.pass_(hours=5)
        here.work()
        assert peer.stores == tried
