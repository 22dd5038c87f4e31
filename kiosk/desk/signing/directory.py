"""The hospital's directory, asked over TLS: who is it, is it the password, in which groups.

One function and three answers, so that another library can take ldap3's place.
"""

from __future__ import annotations

import re
import ssl
import warnings
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from kiosk.policy.people import Directory
from kiosk.store import login_of

INVALID_CREDENTIALS = 49
BUSY, UNAVAILABLE = 51, 52
NAME = re.compile(r"[\w.@-]{1,64}")
MANY_GROUPS = 2000


@dataclass(frozen=True, slots=True)
class Found:
    """`role` is "" where none of the person's groups has one."""

    name: str
    full_name: str
    role: str


class DirectoryAway(RuntimeError):
    """It did not say yes or no; the text says why, and names nobody."""


class _Answered(DirectoryAway):
    """It refused for another reason than the secret."""

    def __init__(self, code: int) -> None:
        super().__init__(f"it answered with LDAP result {code}")
        self.code = code


def ask(settings: Directory, untrusted_name: str, secret: str) -> Found | None:
    """None where there is no such person or it is not the password. Raises DirectoryAway."""
    login = login_of(untrusted_name)
    # An empty password is no sign-in but an anonymous one (RFC 4513 5.1.2), which servers welcome.
    if not NAME.fullmatch(login) or not secret or "\0" in secret:
        return None
    with suppress(_troubles(), OSError), _Session(settings) as session:
        return session.look_up(login, secret)
    raise DirectoryAway("it does not answer, or its certificate is not the one that is trusted")


def reach(settings: Directory) -> str:
    """What keeps it from being asked, "" when nothing does."""
    try:
        with _Session(settings):
            return ""
    except DirectoryAway as e:
        return str(e)
    except (_troubles(), OSError):
        return "it does not answer, or its certificate is not the one that is trusted"


@cache
def _ldap3() -> Any:
    """Loaded when it is first needed; it still uses names of pyasn1 that are to go."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import ldap3
        import ldap3.utils.conv
        import ldap3.utils.dn
    return ldap3


def _troubles() -> Any:
    return _ldap3().core.exceptions.LDAPException


class _Session:
    """Bound as the account that may search."""

    def __init__(self, settings: Directory) -> None:
        self._settings = settings
        try:
            secret = settings.password_file.read_text(encoding="utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError):
            raise DirectoryAway("the file of its password cannot be read") from None
        self._server = _server(settings)
        self._search = self._bound(settings.bind_dn, secret)

    def __enter__(self) -> _Session:
        if self._search is None:
            raise DirectoryAway("it does not know our own account (bind_dn, password_file)")
        return self

    def __exit__(self, *_: object) -> None:
        if self._search is not None:
            self._search.unbind()

    def look_up(self, login: str, secret: str) -> Found | None:
        escape_filter_chars = _ldap3().utils.conv.escape_filter_chars
        settings = self._settings
        wanted = f"({settings.login}={escape_filter_chars(login)})"
        attributes = [settings.login, settings.full_name]
        attributes += [] if settings.group_base else ["memberOf"]
        entries = self._entries(settings.base, wanted, attributes, 2)
        if len(entries) != 1:  # nobody, or it cannot be told who
            return None
        dn, values = entries[0]
        name = next((n for n in values.get(settings.login, ()) if login_of(n) == login), "")
        if not name:
            return None
        if not self._is_theirs(dn, secret):
            return None
        groups = self._groups(dn, login) if settings.group_base else values.get("memberOf", ())
        full = next(iter(values.get(settings.full_name, ())), "")
        return Found(name, full, _role(settings, groups))

    def _is_theirs(self, dn: str, secret: str) -> bool:
        """A no is a no in whatever words: a locked or closed account is refused with 19, 50 or 53
        by some, which are there and have answered."""
        try:
            own = self._bound(dn, secret)
        except _Answered as answer:
            if answer.code in (BUSY, UNAVAILABLE):
                raise
            return False
        if own is not None:
            own.unbind()
        return own is not None

    def _groups(self, dn: str, login: str) -> tuple[str, ...]:
        escape_filter_chars = _ldap3().utils.conv.escape_filter_chars
        who, uid = escape_filter_chars(dn), escape_filter_chars(login)
        wanted = f"(|(member={who})(uniqueMember={who})(memberUid={uid}))"
        entries = self._entries(self._settings.group_base, wanted, ["cn"], MANY_GROUPS)
        return tuple(dn for dn, _ in entries)

    def _entries(
        self, base: str, wanted: str, attributes: list[str], limit: int
    ) -> list[tuple[str, dict[str, list[str]]]]:
        assert self._search is not None
        self._search.search(base, wanted, attributes=attributes, size_limit=limit)
        if self._search.result["result"] not in (0, 4):  # 4: more than the limit
            raise DirectoryAway("it refused our search (base, group_base)")
        return [
            (entry["dn"], {k: _texts(v) for k, v in entry["raw_attributes"].items()})
            for entry in self._search.response or ()
            if entry.get("type") == "searchResEntry"
        ]

    def _bound(self, dn: str, secret: str) -> Any:
        """A connection bound so, None where the secret is not right. Raises DirectoryAway."""
        connection = _ldap3().Connection(
            self._server,
            dn,
            secret,
            auto_referrals=False,  # a password goes to no other server than the configured
            receive_timeout=self._settings.answer_seconds,
            check_names=False,
        )
        with ExitStack() as undo:
            undo.callback(_close, connection)
            connection.open()
            if self._settings.start_tls and not connection.start_tls():
                raise DirectoryAway("it does not speak TLS")
            if connection.bind():
                undo.pop_all()
                return connection
            code = connection.result["result"]
        if code == INVALID_CREDENTIALS:
            return None
        raise _Answered(code)


def _close(connection: Any) -> None:
    """The library leaves open what it could not connect."""
    with suppress(OSError):
        if connection.socket is not None:
            connection.socket.close()


def _server(settings: Directory) -> Any:
    ldap3, parts = _ldap3(), urlsplit(settings.url)
    secure = parts.scheme == "ldaps"
    host = str(parts.hostname)
    return ldap3.Server(
        host,
        parts.port or (636 if secure else 389),
        use_ssl=secure,
        tls=_trust(settings, host) if secure or settings.start_tls else None,
        get_info=ldap3.NONE,
        connect_timeout=settings.answer_seconds,
    )


def _trust(settings: Directory, host: str) -> Any:
    """The library's own check of host names is older than Python's; a socket is wrapped by ours."""
    ldap3 = _ldap3()
    context = ssl.create_default_context(cafile=settings.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    base: Any = ldap3.Tls

    class Checked(base):  # type: ignore[misc]
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            wrapped = context.wrap_socket(connection.socket, server_hostname=host)
            connection.socket = wrapped

    return Checked(validate=ssl.CERT_REQUIRED)


def _role(settings: Directory, groups: Any) -> str:
    mine = {_plain_dn(dn) for dn in groups}
    return next((g.role for g in settings.group if _plain_dn(g.dn) in mine - {""}), "")


def _plain_dn(untrusted_dn: str) -> str:
    """For comparing: case and blanks around the parts do not matter (RFC 4517 4.2.15)."""
    ldap3 = _ldap3()
    try:
        parts = ldap3.utils.dn.parse_dn(untrusted_dn, strip=True)
    except ldap3.core.exceptions.LDAPInvalidDnError:
        return ""
    return "".join(f"{name}={value}{sep}".casefold() for name, value, sep in parts)


def _texts(values: list[bytes]) -> list[str]:
    return [value.decode("utf-8", "replace")[:1000] for value in values]
