"""K2 and A3: signing in, and who may."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.desk.roles import Role
from kiosk.desk.snapshots.shared import Header, Message, Notice


class Asks(StrEnum):
    NAME = "name"  # a badge, or a name and a password
    PIN = "pin"
    PASSWORD = "password"  # noqa: S105 - of the directory, after a badge


@dataclass(frozen=True, slots=True)
class SignIn:
    """K2. `who` is the badge's, `locked` whose step is kept behind the lock. No patient is named:
    `verdict` says at most that there are scans on a disc."""

    asks: Asks = Asks.NAME
    who: str = ""
    locked: str = ""
    verdict: Message | None = None
    notices: tuple[Notice, ...] = ()
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class PersonRow:
    """`state` is `active` or `locked` (by IT); `locked_until` is set after too many tries."""

    person: int
    name: str
    full_name: str
    role: Role
    origin: str
    state: str
    pin: bool = False
    password: bool = False
    badge: bool = False
    last_at: str = ""
    locked_until: str = ""


@dataclass(frozen=True, slots=True)
class PeopleSnapshot:
    """A3."""

    header: Header
    rows: tuple[PersonRow, ...] = ()
    notices: tuple[Notice, ...] = ()
    pin_digits: int = 6
    password_letters: int = 12
