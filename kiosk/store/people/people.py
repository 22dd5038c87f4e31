"""People and their badges. A secret is kept as its hash only, and the journal names neither."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from kiosk.model.work import Event
from kiosk.store.journal import Journal
from kiosk.store.tables import badge, badge_salt
from kiosk.store.tables import person as table


class Origin(StrEnum):
    """Who says that it is this person."""

    LOCAL = "local"
    DIRECTORY = "directory"


class Standing(StrEnum):
    ACTIVE = "active"
    LOCKED = "locked"  # by IT, until IT unlocks
    REMOVED = "removed"  # the name stays: the journal has it


@dataclass(frozen=True, slots=True)
class Person:
    """`name` is the actor of the journal's lines. Hashes are argon2's encoded form, "" for none."""

    id: int
    name: str
    full_name: str
    role: str
    origin: Origin
    state: Standing
    pin_hash: str = field(repr=False, default="")
    password_hash: str = field(repr=False, default="")
    verified_at: float = 0.0
    last_at: str = ""
    last_how: str = ""
    badges: int = 0

    @property
    def login(self) -> str:
        return login_of(self.name)


def login_of(name: str) -> str:
    """The name as it is compared: upper and lower case and widths are the same."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


class People:
    def __init__(
        self, connection: Connection, journal: Journal, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._now = now

    def get(self, id: int) -> Person | None:
        return self._one(table.c.id == id)

    def named(self, name: str) -> Person | None:
        return self._one(table.c.login == login_of(name))

    def by_badge(self, digest: str) -> Person | None:
        owner = select(badge.c.person).where(badge.c.digest == digest)
        return self._one(table.c.id.in_(owner))

    def all(self) -> tuple[Person, ...]:
        """Whoever was not removed, by name."""
        kept = table.c.state != Standing.REMOVED
        rows = self._connection.execute(select(table).where(kept).order_by(table.c.login))
        return tuple(self._person(row) for row in rows.all())

    def add(
        self, name: str, role: str, origin: Origin, actor: str, full_name: str = ""
    ) -> Person | None:
        """A new person, who cannot sign in before a PIN or password is set; None where the name is
        taken. A removed one comes back without the old badges and secrets."""
        before = self.named(name)
        if before is not None and before.state is not Standing.REMOVED:
            return None
        values = {"name": name.strip(), "full_name": full_name, "role": role, "origin": origin}
        values |= {"state": Standing.ACTIVE, "pin_hash": "", "password_hash": ""}
        if before is None:
            values |= {"login": login_of(name)}
            self._connection.execute(table.insert().values(values))
        else:
            self._change(before.id, verified_at=0.0, last_at="", last_how="", **values)
            self._connection.execute(delete(badge).where(badge.c.person == before.id))
        self._write("person.added", actor, name.strip(), role=role, origin=origin.value)
        return self.named(name)

    def set_role(self, person: Person, role: str, actor: str, reason: str) -> None:
        self._change(person.id, role=role)
        self._write("person.role", actor, person.name, role=role, was=person.role, reason=reason)

    def set_state(self, person: Person, state: Standing, actor: str, reason: str) -> None:
        """Locked, unlocked or removed; a removed person's badges are nobody's."""
        self._change(person.id, state=state)
        if state is Standing.REMOVED:
            self._change(person.id, pin_hash="", password_hash="")
            self._connection.execute(delete(badge).where(badge.c.person == person.id))
        done = "unlocked" if state is Standing.ACTIVE else state.value
        self._write("person.state", actor, person.name, state=done, reason=reason)

    def set_secret(self, person: Person, actor: str, **hashes: str) -> None:
        """`pin_hash` or `password_hash`, or both."""
        self._change(person.id, **hashes)
        given = sorted(name.removesuffix("_hash") for name, value in hashes.items() if value)
        self._write("person.secret", actor, person.name, secret=" and ".join(given))

    def remember(self, person: Person, password_hash: str, role: str, full_name: str) -> None:
        """What a directory has just said of a person of it."""
        if role != person.role:
            self._write("person.role", Origin.DIRECTORY, person.name, role=role, was=person.role)
        values = {"role": role, "full_name": full_name, "password_hash": password_hash}
        self._change(person.id, verified_at=self._now().timestamp(), **values)

    def forget_yes(self, person: Person) -> None:
        """A directory takes the password no longer that it said yes to."""
        self._change(person.id, verified_at=0.0, password_hash="")

    def signed_in(self, person: Person, how: str) -> None:
        at = self._now().isoformat(timespec="seconds")
        self._change(person.id, last_at=at, last_how=how)

    # -- badges ----------------------------------------------------------------------------

    def salt(self) -> str:
        """The site's, made when it is first asked for."""
        found = self._connection.execute(select(badge_salt.c.value)).scalar()
        if found is None:
            found = secrets.token_hex(16)
            self._connection.execute(badge_salt.insert().values(value=found))
        return str(found)

    def give_badge(self, person: Person, digest: str, actor: str) -> bool:
        """Instead of the one they had. False where somebody else has it."""
        owner = self.by_badge(digest)
        if owner is not None and owner.id != person.id:
            return False
        self._connection.execute(delete(badge).where(badge.c.person == person.id))
        self._connection.execute(badge.insert().values(digest=digest, person=person.id))
        self._write("person.badge", actor, person.name, badge="given")
        return True

    def take_badge(self, person: Person, actor: str) -> None:
        self._connection.execute(delete(badge).where(badge.c.person == person.id))
        self._write("person.badge", actor, person.name, badge="taken away")

    # -- shared ----------------------------------------------------------------------------

    def _one(self, where: Any) -> Person | None:
        row = self._connection.execute(select(table).where(where)).first()
        return self._person(row) if row else None

    def _person(self, row: Row[Any]) -> Person:
        mine = select(func.count()).select_from(badge).where(badge.c.person == row.id)
        return Person(
            row.id,
            row.name,
            row.full_name,
            row.role,
            Origin(row.origin),
            Standing(row.state),
            row.pin_hash,
            row.password_hash,
            row.verified_at,
            row.last_at,
            row.last_how,
            int(self._connection.execute(mine).scalar() or 0),
        )

    def _change(self, id: int, **values: Any) -> None:
        self._connection.execute(update(table).where(table.c.id == id).values(**values))

    def _write(self, kind: str, actor: str, name: str, **data: str) -> None:
        self._journal.write(Event(kind, actor=actor, data={"person": name, **data}))
