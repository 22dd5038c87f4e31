"""A3: who may sign in, as what, and with which badge, PIN or password. Each change has a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from kiosk.desk.acting import Acting
from kiosk.desk.refusal import Refused
from kiosk.desk.roles import Doing, Role
from kiosk.desk.signing import secrets
from kiosk.desk.signing.lockout import Boot, Here, seconds_left
from kiosk.desk.snapshots import Mood, Notice, PeopleSnapshot, PersonRow, say
from kiosk.store import Origin, Person, Standing, Transaction, login_of

NAME = re.compile(r"[\w.@-]{1,64}")
BADGE = re.compile(r"[!-~]{4,64}")
ALERTED_FOR = timedelta(hours=24)


class Keeping(Acting):
    """Commands of IT. The last account of it that is kept here cannot be lost."""

    _boot: Callable[[], Boot]

    def people(self) -> PeopleSnapshot:
        self._allow(Doing.PEOPLE)
        here = Here(self._policy.site.station, self._boot(), self._now())
        policy = self._policy.sign_in
        with self._reading() as tx:
            rows = tuple(self._row(tx, person, here) for person in tx.people.all())
            notices = alerts(tx, self._now())
        return PeopleSnapshot(
            self._header(), rows, notices, policy.pin_digits, policy.password_letters
        )

    def _row(self, tx: Transaction, person: Person, here: Here) -> PersonRow:
        wait = seconds_left(tx.tries.of(person.name), here, self._policy.sign_in)
        until = here.now + timedelta(seconds=wait)
        return PersonRow(
            person.id,
            person.name,
            person.full_name,
            Role(person.role),
            person.origin.value,
            person.state.value,
            bool(person.pin_hash),
            bool(person.password_hash) and person.origin is Origin.LOCAL,
            bool(person.badges),
            person.last_at,
            until.isoformat(timespec="seconds") if wait else "",
        )

    def add_person(self, name: str, role: Role, full_name: str, reason: str) -> int:
        """Somebody new, who cannot sign in before a PIN or a password is set. The number of the
        row."""
        self._allow(Doing.PEOPLE)
        _given(reason)
        if not NAME.fullmatch(login_of(name)):
            raise Refused(say("KX-417"))
        with self._writing() as tx:
            full = full_name.strip()[:100]
            added = tx.people.add(name, role.value, Origin.LOCAL, self.operator.name, full)
            if added is None:
                raise Refused(say("KX-415"))
            return added.id

    def set_role(self, person: int, role: Role, reason: str) -> None:
        self._allow(Doing.PEOPLE)
        with self._writing() as tx:
            found = self._person(tx, person)
            if role is not Role.IT:
                _not_the_last(tx, found)
            tx.people.set_role(found, role.value, self.operator.name, _given(reason))

    def set_standing(
        self, person: int, standing: Literal["active", "locked", "removed"], reason: str
    ) -> None:
        """Locked by IT, unlocked (also from too many tries), or removed."""
        self._allow(Doing.PEOPLE)
        with self._writing() as tx:
            found = self._person(tx, person)
            if standing != "active":
                _not_the_last(tx, found)
            tx.tries.clear(found.name)
            tx.people.set_state(found, Standing(standing), self.operator.name, _given(reason))

    def set_badge(self, person: int, number: str, reason: str) -> None:
        """The badge that was just scanned is theirs, and no older one; "" takes it away."""
        self._allow(Doing.PEOPLE)
        _given(reason)
        if number and not BADGE.fullmatch(number.strip()):
            raise Refused(say("KX-419"))
        with self._writing() as tx:
            salt = tx.people.salt()
        digest = secrets.badge_digest(number, salt) if number else ""
        with self._writing() as tx:
            found = self._person(tx, person)
            if not digest:
                tx.people.take_badge(found, self.operator.name)
            elif not tx.people.give_badge(found, digest, self.operator.name):
                raise Refused(say("KX-416"))

    def set_secret(
        self, person: int, kind: Literal["pin", "password"], secret: str, reason: str
    ) -> None:
        """A new PIN, or password, which ends a lock after too many tries."""
        self._allow(Doing.PEOPLE)
        _given(reason)
        policy = self._policy.sign_in
        with self._reading() as tx:
            found = self._person(tx, person)
        if kind == "pin" and secrets.weak_pin(secret, policy.pin_digits):
            raise Refused(say("KX-412", n=policy.pin_digits))
        if kind == "password" and secrets.weak_password(
            secret, policy.password_letters, found.name
        ):
            raise Refused(say("KX-413", n=policy.password_letters))
        if found.origin is not Origin.LOCAL:
            raise Refused(say("KX-434"))
        hashed = secrets.hashed(secret)
        with self._writing() as tx:
            tx.people.set_secret(found, self.operator.name, **{f"{kind}_hash": hashed})
            tx.tries.clear(found.name)

    def _person(self, tx: Transaction, person: int) -> Person:
        found = tx.people.get(person)
        if found is None or found.state is Standing.REMOVED:
            raise Refused(say("KX-427"))
        return found


def alerts(tx: Transaction, now: datetime) -> tuple[Notice, ...]:
    """Emergency access of the last day is said to whoever answers for it."""
    last = tx.journal.newest("access.emergency")
    if last is None or now - datetime.fromisoformat(last.at) > ALERTED_FOR:
        return ()
    when, data = datetime.fromisoformat(last.at), last.data
    who = last.actor.removeprefix("emergency: ")
    where, why = str(data.get("station")), str(data.get("reason"))
    return (Notice(Mood.STOP, say("KX-418", who=who, place=where, time=when, why=why)),)


def _given(reason: str) -> str:
    if not reason.strip():
        raise Refused(say("KX-422"))
    return reason.strip()[:200]


def _not_the_last(tx: Transaction, found: Person) -> None:
    """An account of IT that is kept here, active, and with a way in."""
    able = [
        each.id
        for each in tx.people.all()
        if each.role == Role.IT
        and each.origin is Origin.LOCAL
        and each.state is Standing.ACTIVE
        and (each.password_hash or (each.pin_hash and each.badges))
    ]
    if able == [found.id]:
        raise Refused(say("KX-411"))
