"""Who is at the screen: badge and PIN, name and password, and nobody in any other way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kiosk.desk import Desk, Doing, Refused, Role
from kiosk.desk.signing import Boot
from kiosk.desk.signing.secrets import weak_password, weak_pin
from kiosk.desk.snapshots import Asks, Idle, SignIn
from tests.desk.conftest import World

PIN, PASSWORD, BADGE = "908172", "correct horse battery", "04A1B2C3"


def refused(call: object) -> str:
    assert callable(call)
    with pytest.raises(Refused) as refusal:
        call()
    return str(refusal.value.message.id)


def entrance(desk: Desk) -> SignIn:
    body = desk.entrance().body
    assert isinstance(body, SignIn)
    return body


def test_a_badge_asks_for_its_pin_and_its_person_is_the_actor_from_then_on(world: World) -> None:
    world.person("anna", Role.FRONT_DESK, badge=BADGE, pin=PIN)
    desk = world.closed_desk()
    assert entrance(desk).asks is Asks.NAME
    desk.badge(BADGE)
    assert (entrance(desk).asks, entrance(desk).who) == (Asks.PIN, "anna")
    desk.sign_in(PIN)
    assert desk.touch().header.operator == "anna"
    assert isinstance(desk.touch().body, Idle)
    desk.eject("A1")
    assert world.lines("drive")[0][1] == "anna"
    desk.sign_out()
    assert refused(lambda: desk.eject("A1")) == "KX-409"
    kinds = [(kind, actor) for kind, actor, _ in world.lines("access")]
    assert kinds == [("access.signed-in", "anna"), ("access.signed-out", "anna")]


def test_a_name_and_its_password_sign_in_and_a_pin_alone_does_not(world: World) -> None:
    world.person("Berta", Role.HIM, badge=BADGE, pin=PIN, password=PASSWORD)
    desk = world.closed_desk()
    assert refused(lambda: desk.sign_in(PIN, "Berta")) == "KX-414"
    desk.sign_in(PASSWORD, " BERTA ")
    assert desk.worklist().header.operator == "Berta"
    assert desk.worklist().header.role is Role.HIM


def test_what_is_answered_tells_nothing_about_who_exists(world: World) -> None:
    """A name that nobody has is counted and locked as every other."""
    world.person("anna", Role.HIM, password=PASSWORD)
    world.set(tries=3)
    for name in ("anna", "zoe"):
        desk = world.closed_desk()
        said = [refused(lambda d=desk, n=name: d.sign_in("wrong", n)) for _ in range(4)]
        assert said == ["KX-414", "KX-414", "KX-402", "KX-402"]
    actors = [actor for kind, actor, _ in world.lines("access.refused")]
    assert actors == ["anna"] * 3 + [""] * 3  # a password may have been typed as a name


def test_a_badge_that_nobody_has_is_said(world: World) -> None:
    desk = world.closed_desk()
    assert refused(lambda: desk.badge("99999999")) == "KX-401"
    assert entrance(desk).asks is Asks.NAME
    assert world.lines("access")[0][2]["code"] == "unknown-badge"


@pytest.mark.parametrize("secret", ["", "0"])
def test_an_empty_or_missing_secret_never_fits(world: World, secret: str) -> None:
    """Also for somebody who has none yet."""
    world.person("anna", Role.FRONT_DESK, badge=BADGE)
    desk = world.closed_desk()
    assert refused(lambda: desk.sign_in(secret, "anna")) in ("KX-403", "KX-414")
    desk.badge(BADGE)
    assert refused(lambda: desk.sign_in(secret)) in ("KX-403", "KX-404")


def lock_out(world: World) -> Desk:
    world.set(tries=3, lock_minutes=15)
    world.person("anna", Role.FRONT_DESK, badge=BADGE, pin=PIN)
    desk = world.closed_desk()
    desk.badge(BADGE)
    for _ in range(3):
        refused(lambda: desk.sign_in("111222"))
    return desk


def test_too_many_tries_lock_until_the_time_that_is_said(world: World) -> None:
    """The right PIN does not open it either, and begins anew afterwards."""
    desk = lock_out(world)
    with pytest.raises(Refused) as refusal:
        desk.sign_in(PIN)
    assert refusal.value.message.id == "KX-402"
    assert refusal.value.message.values["time"] == world.at + timedelta(minutes=15)
    assert [actor for _, actor, _ in world.lines("access.locked-out")] == ["anna"]
    world.wait(minutes=15)
    desk.sign_in(PIN)
    assert desk.operator.name == "anna"


def test_a_lock_survives_a_restart_and_every_setting_of_the_clock(world: World) -> None:
    """Forwards, backwards, and with a restart of program and machine in between."""
    desk = lock_out(world)
    world.at += timedelta(days=400)  # the clock is set, no time has passed
    assert refused(lambda: desk.sign_in(PIN)) == "KX-402"
    again = world.closed_desk()  # another process
    again.badge(BADGE)
    assert refused(lambda: again.sign_in(PIN)) == "KX-402"
    world.boot = Boot("second", 20.0)  # the machine was started anew 20 s ago
    assert refused(lambda: again.sign_in(PIN)) == "KX-402"
    world.at -= timedelta(days=800)
    world.boot = replace(world.boot, seconds=16 * 60.0)
    assert refused(lambda: again.sign_in(PIN)) == "KX-402"
    world.at += timedelta(days=800)
    again.sign_in(PIN)
    assert again.operator.name == "anna"


def test_a_lock_holds_at_every_station(world: World) -> None:
    """Another machine has run for days: its own clock says how long ago it was."""
    lock_out(world)
    world.boot = Boot("elsewhere", 9e6)
    other = world.closed_desk("kiosk-2")
    other.badge(BADGE)
    assert refused(lambda: other.sign_in(PIN)) == "KX-402"
    world.wait(minutes=15)
    other.sign_in(PIN)
    assert other.operator.name == "anna"


def test_a_crash_in_the_middle_of_a_try_does_not_give_it_back(world: World) -> None:
    """It is counted before it is known how it ends."""
    world.set(tries=3)
    world.person("anna", Role.FRONT_DESK, badge=BADGE, pin=PIN)
    for _ in range(3):
        world.closed_desk()._count("anna")
    desk = world.closed_desk()
    desk.badge(BADGE)
    assert refused(lambda: desk.sign_in(PIN)) == "KX-402"


def test_it_unlocks_before_the_time(world: World) -> None:
    desk = lock_out(world)
    it = world.desk(Role.IT, "root")
    (row,) = it.people().rows
    assert row.locked_until == (world.at + timedelta(minutes=15)).isoformat(timespec="seconds")
    it.set_standing(row.person, "active", "she came by")
    desk.sign_in(PIN)
    assert desk.operator.name == "anna"


def test_a_locked_screen_is_taken_up_by_the_same_person_or_taken_over(world: World) -> None:
    """Until then nothing can be done at it, and the journal says which it was."""
    world.person("anna", Role.HIM, password=PASSWORD)
    world.person("berta", Role.HIM, password=PASSWORD)
    desk = world.closed_desk()
    desk.sign_in(PASSWORD, "anna")
    desk.lock()
    assert entrance(desk).locked == "anna"
    assert refused(desk.worklist) == "KX-409"
    desk.sign_in(PASSWORD, "anna")
    desk.lock()
    desk.sign_in(PASSWORD, "berta")
    assert desk.worklist().header.operator == "berta"
    assert [(kind, actor) for kind, actor, _ in world.lines("access")] == [
        ("access.signed-in", "anna"),
        ("access.screen-locked", "anna"),
        ("access.resumed", "anna"),
        ("access.screen-locked", "anna"),
        ("access.signed-out", "anna"),
        ("access.taken-over", "berta"),
    ]


def test_signing_in_over_somebody_signs_them_out_first(world: World) -> None:
    """Also where the second one's password is not right: nobody goes on under another's name."""
    world.person("anna", Role.HIM, password=PASSWORD)
    desk = world.closed_desk()
    desk.sign_in(PASSWORD, "anna")
    assert refused(lambda: desk.sign_in("wrong", "berta")) == "KX-414"
    assert refused(desk.worklist) == "KX-409"
    kinds = [kind for kind, _, _ in world.lines("access")]
    assert kinds == ["access.signed-in", "access.signed-out", "access.refused"]


def test_who_is_locked_or_gets_another_role_loses_it_at_once_wherever_signed_in(
    world: World,
) -> None:
    anna = world.person("anna", Role.HIM, password=PASSWORD)
    desk = world.closed_desk()
    desk.sign_in(PASSWORD, "anna")
    it = world.desk(Role.IT, "root")
    it.set_role(anna, Role.FRONT_DESK, "moved")
    assert refused(desk.worklist) == "KX-410"
    it.set_standing(anna, "locked", "left")
    assert refused(lambda: desk.find(1, "DOE")) == "KX-409"
    assert refused(lambda: desk.sign_in(PASSWORD, "anna")) == "KX-407"
    assert refused(lambda: desk.sign_in("something else", "anna")) == "KX-414"


def test_emergency_access_needs_the_policy_a_name_and_a_reason(world: World) -> None:
    desk = world.closed_desk()
    assert refused(lambda: desk.emergency("Dr. Rose", "trauma")) == "KX-410"
    world.set(emergency=True)
    desk = world.closed_desk()
    assert entrance(desk).emergency
    assert refused(lambda: desk.emergency("Dr. Rose", " ")) == "KX-422"
    assert refused(lambda: desk.emergency("", "trauma")) == "KX-422"


def test_emergency_access_opens_the_front_desk_alone_and_alerts(world: World) -> None:
    """It ends when the screen locks: nobody goes on with it."""
    world.set(emergency=True)
    desk = world.closed_desk()
    desk.emergency("Dr. Rose", "trauma, no badge here")
    header = desk.touch().header
    assert (header.operator, header.role) == ("emergency: Dr. Rose", Role.FRONT_DESK)
    assert header.caution is not None
    assert refused(desk.worklist) == "KX-410"
    (alert,) = world.desk(Role.HIM_LEAD).worklist().notices[-1:]
    assert alert.message.id == "KX-418"
    said = alert.message.values
    assert (said["who"], said["why"]) == ("Dr. Rose", "trauma, no badge here")
    assert world.desk(Role.IT).people().notices[0].message.id == "KX-418"
    desk.lock()
    assert entrance(desk).locked == ""
    assert [kind for kind, _, _ in world.lines("access")] == [
        "access.emergency",
        "access.emergency-ended",
    ]


# -- people --------------------------------------------------------------------------------------


def test_the_last_account_of_it_cannot_be_lost(world: World) -> None:
    """Neither removed nor locked nor made something else; with a second one it can."""
    first = world.person("ina", Role.IT, password=PASSWORD)
    world.person("jo", Role.IT)  # cannot sign in, so does not count
    it = world.desk(Role.IT, "root")
    for lost in (
        lambda: it.set_standing(first, "removed", "left"),
        lambda: it.set_standing(first, "locked", "left"),
        lambda: it.set_role(first, Role.HIM, "moved"),
    ):
        assert refused(lost) == "KX-411"
    world.person("kai", Role.IT, password=PASSWORD)
    it.set_standing(first, "removed", "left")
    assert [row.name for row in it.people().rows] == ["jo", "kai"]


def test_every_change_of_a_person_has_a_reason_and_a_line(world: World) -> None:
    anna = world.person("anna", Role.HIM, badge=BADGE, pin=PIN, password=PASSWORD)
    it = world.desk(Role.IT, "ina")
    for change in (
        lambda why: it.add_person("nora", Role.HIM, "", why),
        lambda why: it.set_role(anna, Role.HIM_LEAD, why),
        lambda why: it.set_badge(anna, "5555", why),
        lambda why: it.set_secret(anna, "pin", "271828", why),
        lambda why: it.set_standing(anna, "locked", why),
    ):
        before = len(world.lines("person"))
        assert refused(lambda c=change: c("  ")) == "KX-422"
        assert len(world.lines("person")) == before
        change("asked in person")
        assert len(world.lines("person")) == before + 1
    everything = repr(world.lines(""))
    assert not [secret for secret in (PIN, PASSWORD, BADGE, "271828") if secret in everything]


def test_a_name_is_taken_once_and_a_removed_person_comes_back_without_the_old_way_in(
    world: World,
) -> None:
    anna = world.person("anna", Role.HIM, badge=BADGE, pin=PIN, password=PASSWORD)
    it = world.desk(Role.IT, "ina")
    assert refused(lambda: it.add_person("ANNA", Role.HIM, "", "new")) == "KX-415"
    it.set_standing(anna, "removed", "left")
    assert it.add_person("anna", Role.HIM, "", "back again") == anna
    desk = world.closed_desk()
    assert refused(lambda: desk.badge(BADGE)) == "KX-401"
    assert refused(lambda: desk.sign_in(PASSWORD, "anna")) == "KX-414"


def test_a_badge_is_one_persons(world: World) -> None:
    world.person("anna", Role.HIM, badge=BADGE)
    berta = world.person("berta", Role.HIM)
    it = world.desk(Role.IT, "ina")
    assert refused(lambda: it.set_badge(berta, BADGE, "new")) == "KX-416"
    assert refused(lambda: it.set_badge(berta, "a b", "new")) == "KX-419"


@pytest.mark.parametrize("pin", ["12345", "111111", "123456", "654321", "90817x", "9" * 13, ""])
def test_a_pin_that_is_easy_to_guess_is_refused(pin: str) -> None:
    assert weak_pin(pin, 6)
    assert not weak_pin(PIN, 6)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaa", "francesca.maria", "x" * 300])
def test_a_password_that_is_easy_to_guess_is_refused(password: str) -> None:
    assert weak_password(password, 12, "Francesca.Maria")
    assert not weak_password(PASSWORD, 12, "francesca.maria")


def test_secrets_and_badges_lie_in_the_database_as_hashes_only(world: World) -> None:
    """The file itself is searched."""
    world.person("anna", Role.HIM, badge=BADGE, pin=PIN, password=PASSWORD)
    with world.store.read() as tx:
        person = tx.people.named("anna")
    assert person is not None
    assert person.pin_hash.startswith("$argon2id$v=19$m=65536")
    assert PIN not in repr(person)
    assert "argon2" not in repr(person)
    path = world.store.engine.url.database
    assert path is not None
    world.store.close()
    with open(path, "rb") as file:
        rows = file.read()
    assert not [s for s in (PIN, PASSWORD, BADGE) if s.encode() in rows]


def test_who_came_in_by_emergency_access_confirms_nobody(world: World) -> None:
    """Even where the front desk may say "same person": who it is was not proved."""
    world.set(required=True, emergency=True, front_desk_confirms=True)
    desk = world.closed_desk()
    desk.emergency("Dr. Rose", "trauma, nobody of the desk is here")
    with pytest.raises(Refused, match="KX-410"):
        desk.confirm(1, "1")
    world.person("fran", Role.FRONT_DESK)
    assert Doing.CONFIRM in world.signed_in(Role.FRONT_DESK).touch().header.may
