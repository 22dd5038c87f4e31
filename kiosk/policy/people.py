"""Who may use the screens, and how they show who they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from kiosk.policy.sections import LOOPBACK, Section

RoleName = Literal["front-desk", "nurse", "radiologist", "him", "him-lead", "it", "auditor"]


Risk = Literal["birth-date-and-sex", "minor", "rival"]


class Decisions(Section):
    """Where one person's "same person" is not enough: a lead has to come to the same. The risks are
    that birth date and sex both differ, that the patient is under 18, that another registered
    patient is as likely, but for the margin."""

    two_persons: tuple[Risk, ...] = ()
    rival_margin: Annotated[float, Field(ge=0, le=1)] = 0.2


class Group(Section):
    """Members of this group have this role; of several the one that stands first."""

    dn: Annotated[str, Field(min_length=3, max_length=1000, pattern="=")]
    role: RoleName


class Directory(Section):
    """The hospital's LDAP directory or Active Directory (there: `login = "sAMAccountName"`).

    An account of it, `bind_dn`, finds the person below `base`; then the person's own name and
    password are tried. Without `group_base` the groups are those of the entry's `memberOf`.
    """

    url: str
    start_tls: bool = False
    ca: Path | None = None  # None: the system's authorities
    bind_dn: str
    password_file: Path
    base: Annotated[str, Field(min_length=1)]
    login: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = "uid"
    full_name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = "cn"
    group_base: str = ""
    group: Annotated[tuple[Group, ...], Field(min_length=1, max_length=100)]
    answer_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    # While it is away: for so long after the directory last said yes may the same password be used
    # again. 0: nobody signs in while it is away.
    cache_hours: Annotated[float, Field(ge=0, le=168)] = 0.0

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("ldap", "ldaps") or not parts.hostname:
            raise ValueError("is no address like ldaps://directory.example.org")
        return url

    @model_validator(mode="after")
    def _never_in_the_clear(self) -> Directory:
        parts = urlsplit(self.url)
        if parts.scheme == "ldap" and not self.start_tls and parts.hostname not in LOOPBACK:
            raise ValueError("would send passwords in the clear: use ldaps:// or start_tls")
        return self


class SignIn(Section):
    """Signing in at the screens. Local people have a badge and a PIN, or a name and a password
    (`kiosk people add`); others are the hospital directory's. Whoever can run the `kiosk` commands
    on this machine needs no sign-in."""

    required: bool = True  # False: each desk acts as its own role, under the account that runs it
    tries: Annotated[int, Field(ge=3, le=20)] = 5
    lock_minutes: Annotated[float, Field(ge=1, le=1440)] = 15.0
    pin_digits: Annotated[int, Field(ge=4, le=12)] = 6  # at least
    password_letters: Annotated[int, Field(ge=8, le=64)] = 12  # at least
    front_desk_confirms: bool = False  # may it say "same person" on small differences?
    # Front desk only, for when somebody cannot sign in and a patient cannot wait: a name and a
    # reason are asked for, and everybody is alerted.
    emergency: bool = False
    directory: Directory | None = None
