"""Commands about who may sign in at the screens, for whoever administers this machine: here the
first account is made. A PIN, a password or a badge is typed or piped, never an argument, which
every process of the machine could read."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, Literal

import typer

from kiosk.cli.context import ConfigOption, JsonOption, fail, opened, say
from kiosk.cli.service import open_desk
from kiosk.desk import Desk, Refused, Role
from kiosk.desk.snapshots import PersonRow

app = typer.Typer(name="people", help="Who may sign in at the screens, and as what.")

REFUSALS = {
    "KX-411": "This is the last account of IT that is kept here. Add another one first.",
    "KX-412": "The PIN is too short or too plain: it needs {n} to 12 digits, not all the same and "
    "not in a row.",
    "KX-413": "The password is too short or too plain: it needs {n} characters and must not be "
    "the name.",
    "KX-415": "There is a person of this name already.",
    "KX-416": "Somebody else has this badge. Take it away there first.",
    "KX-417": "A name has letters, digits, dots, dashes and @ only, at most 64.",
    "KX-419": "This is no badge number: 4 to 64 visible characters.",
    "KX-422": "Give a reason: --reason says in words why.",
    "KX-427": "There is no such person.",
    "KX-434": "The password of this person is the directory's. It is changed there.",
    "KX-503": "The database is busy. Nothing was changed; try again.",
}


class Way(StrEnum):
    PASSWORD = "password"  # noqa: S105
    PIN = "pin"


Name = Annotated[str, typer.Argument(help="The name that the person signs in with.")]
RoleName = Annotated[Role, typer.Option("--role", help="What the person may do.")]
Reason = Annotated[str, typer.Option(help="Why, in words; kept with the record.")]
With = Annotated[Way, typer.Option("--with", help="A password, or a badge and its PIN.")]


@app.command()
def add(
    name: Name,
    role: RoleName,
    full_name: Annotated[str, typer.Option(help="As it is shown beside it.")] = "",
    way: With = Way.PASSWORD,
    reason: Reason = "added at the command line",
    config: ConfigOption = None,
) -> None:
    """Add a person. Asks for a password (or, with --with pin, for a badge and a PIN)."""
    with _desk(config) as desk:
        badge = _asked("Badge number", hidden=False) if way is Way.PIN else ""
        secret = _secret(way)
        number = desk.add_person(name, role, full_name, reason)
        try:
            if badge:
                desk.set_badge(number, badge, reason)
            desk.set_secret(number, way.value, secret, reason)
        except Refused as refusal:
            say(f"{name} was added, but cannot sign in yet: see kiosk people reset.")
            raise refusal
    say(f"{name} can sign in as {role.value}.")


@app.command(name="list")
def list_(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Everybody who may sign in, with what, and since when somebody is locked out."""
    with _desk(config) as desk:
        rows = desk.people().rows
    if as_json:
        typer.echo(json.dumps([_plain(row) for row in rows], ensure_ascii=False))
    for row in () if as_json else rows:
        locked = f"locked until {row.locked_until}" if row.locked_until else row.state
        ways = [w for w, has in (("badge", row.badge), ("pin", row.pin)) if has]
        ways += ["password"] * row.password + ["directory"] * (row.origin == "directory")
        has = "+".join(ways) or "no way in yet"
        say(f"{row.name:24} {row.role.value:11} {has:20} {locked:12} {row.last_at or 'never'}")


@app.command()
def lock(name: Name, reason: Reason, config: ConfigOption = None) -> None:
    """Nobody signs in under this name until it is unlocked; who is signed in is out at once."""
    _set(config, name, "locked", reason)


@app.command()
def unlock(name: Name, reason: Reason, config: ConfigOption = None) -> None:
    """Takes back a lock, also the one after too many tries."""
    _set(config, name, "active", reason)


@app.command()
def remove(name: Name, reason: Reason, config: ConfigOption = None) -> None:
    """The person is gone, with badge, PIN and password; the journal keeps the name."""
    _set(config, name, "removed", reason)


@app.command()
def reset(
    name: Name, reason: Reason, way: With = Way.PASSWORD, config: ConfigOption = None
) -> None:
    """A new password, or PIN; it also ends a lock after too many tries."""
    with _desk(config) as desk:
        person = _person(desk, name)
        desk.set_secret(person, way.value, _secret(way), reason)


@app.command()
def badge(name: Name, reason: Reason, config: ConfigOption = None) -> None:
    """A new badge instead of the old one; an empty answer takes it away."""
    with _desk(config) as desk:
        person = _person(desk, name)
        desk.set_badge(person, _asked("Badge number", hidden=False), reason)


@app.command()
def role(name: Name, role: RoleName, reason: Reason, config: ConfigOption = None) -> None:
    """Another role."""
    with _desk(config) as desk:
        desk.set_role(_person(desk, name), role, reason)


# -- shared ------------------------------------------------------------------------------------


@contextmanager
def _desk(config: Any) -> Iterator[Desk]:
    """The desk of whoever administers this machine. Refusals end the program, in words."""
    who = os.environ.get("SUDO_USER") or getpass.getuser()
    with opened(config) as context:
        try:
            yield open_desk(context, Role.IT, who)
        except Refused as refusal:
            words = REFUSALS[refusal.message.id].format(**refusal.message.values)
            fail(words, 2 if refusal.message.id == "KX-422" else 1)


def _set(
    config: Any, name: str, standing: Literal["active", "locked", "removed"], reason: str
) -> None:
    with _desk(config) as desk:
        desk.set_standing(_person(desk, name), standing, reason)


def _person(desk: Desk, name: str) -> int:
    fold: Callable[[str], str] = lambda text: text.strip().casefold()  # noqa: E731
    for row in desk.people().rows:
        if fold(row.name) == fold(name):
            return row.person
    fail("There is no such person: kiosk people list names them.")


def _secret(way: Way) -> str:
    """Typed twice, or the next line of a pipe."""
    what = "PIN" if way is Way.PIN else "Password"
    secret = _asked(what)
    if sys.stdin.isatty() and _asked(f"{what} once more") != secret:
        fail("The two are not the same. Nothing was changed.")
    return secret


def _asked(what: str, hidden: bool = True) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return getpass.getpass(f"{what}: ") if hidden else input(f"{what}: ")


def _plain(row: PersonRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "full_name": row.full_name,
        "role": row.role.value,
        "origin": row.origin,
        "state": row.state,
        "pin": row.pin,
        "password": row.password,
        "badge": row.badge,
        "last_at": row.last_at,
        "locked_until": row.locked_until,
    }
