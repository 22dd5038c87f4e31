"""Signing in at a screen: a badge and its PIN, a name and its password; in an emergency a reason.

A try is counted before it is known how it ends, and what is answered is the same whether or not
somebody of that name exists.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from kiosk.desk.acting import Acting
from kiosk.desk.refusal import Refused
from kiosk.desk.roles import NOBODY, Operator, Role
from kiosk.desk.signing import secrets
from kiosk.desk.signing.directory import DirectoryAway, ask
from kiosk.desk.signing.lockout import Boot, Here, counted, seconds_left
from kiosk.desk.snapshots import (
    Asks,
    Idle,
    Message,
    Mood,
    Notice,
    Reading,
    SignIn,
    TouchSnapshot,
    say,
)
from kiosk.desk.views import touch
from kiosk.model.work import Event
from kiosk.policy.people import Directory
from kiosk.store import Origin, Person, Standing, Transaction

CLOCK_SKEW = 300.0  # seconds that a clock may be put right by, without its being taken for a trick
EMERGENCY = "emergency: {name}"


@dataclass(frozen=True, slots=True)
class Session:
    """Who signed in; `person` is 0 in an emergency."""

    person: int


class SigningIn(Acting):
    """Commands of the desk. `operator` is whoever is signed in, NOBODY before and after."""

    _session: Session | None
    _badge: Person | None
    _locked: Operator | None
    _who: threading.RLock  # a screen has two threads
    _boot: Callable[[], Boot]

    # -- K1 and K2 before anybody has signed in --------------------------------------------

    def entrance(self) -> TouchSnapshot:
        """K2, at whichever desk."""
        policy, badge = self._policy.sign_in, self._badge
        with self._reading() as tx:
            body = touch.body(tx, self._policy.site.station, self._now(), signed_in=False)
            anybody = bool(tx.people.all()) or policy.directory is not None
        asks = Asks.NAME
        if badge is not None:
            asks = Asks.PIN if badge.origin is Origin.LOCAL else Asks.PASSWORD
        return TouchSnapshot(
            self._header(),
            SignIn(
                asks,
                badge.name if badge else "",
                self._locked.name if self._locked else "",
                body.verdict if isinstance(body, Reading) else None,
                () if anybody else (Notice(Mood.CARE, say("KX-408")),),
                policy.emergency,
            ),
        )

    def _closed(self) -> TouchSnapshot:
        """K1 as long as no disc is in."""
        with self._reading() as tx:
            body = touch.body(tx, self._policy.site.station, self._now(), signed_in=False)
        return TouchSnapshot(self._header(), body) if isinstance(body, Idle) else self.entrance()

    # -- commands --------------------------------------------------------------------------

    def badge(self, number: str) -> None:
        """A badge was scanned: whose PIN, or password, is asked for next."""
        with self._writing() as tx:
            salt = tx.people.salt()
        digest = secrets.badge_digest(number, salt)
        with self._writing() as tx:
            found = tx.people.by_badge(digest)
            if found is None:
                self._refused(tx, "", "unknown-badge")
        if found is None:
            raise Refused(say("KX-401"))
        self._badge = found

    def sign_in(self, secret: str, name: str = "") -> None:
        """After a badge its PIN (its directory's password, for a person of one); else a name and
        its password. Raises Refused: not right, too many tries, the directory is away."""
        self.sign_out()  # nobody works under another's name in between
        with_badge = self._badge is not None
        whose = self._badge.name if self._badge else name.strip()
        if not whose or not secret:
            raise Refused(say("KX-403"))
        left = self._count(whose)
        with self._reading() as tx:
            person = tx.people.named(whose)
        how = self._proved(person, whose, secret, with_badge)
        if not how:
            self._not_right(person, left, with_badge)
        with self._writing() as tx:
            tx.tries.clear(whose)
            person = tx.people.named(whose)
            if person is None or person.state is not Standing.ACTIVE:
                self._refused(tx, person.name if person else "", "closed")
            else:
                self._admit(tx, person, how)
        if self._session is None:
            raise Refused(say("KX-407"))

    def back(self) -> None:
        """Not this badge after all."""
        self._badge = None

    def sign_out(self) -> None:
        if self._session is None:
            return
        kind = "access.signed-out" if self._session.person else "access.emergency-ended"
        with self._writing() as tx:
            tx.journal.write(self._event(kind, self.operator.name))
        self._leave()

    def lock(self) -> None:
        """Nobody has touched the screen for a while. The same person goes on at the same step;
        another one may take over. An emergency ends."""
        if self._session is None or not self._session.person:
            self.sign_out()
            return
        with self._writing() as tx:
            tx.journal.write(self._event("access.screen-locked", self.operator.name))
        locked = self.operator
        self._leave()
        self._locked = locked

    def emergency(self, name: str, reason: str) -> None:
        """Nobody can sign in and a patient cannot wait: the front desk's screen opens for who says
        a name and a reason, and everybody is alerted."""
        if not self._policy.sign_in.emergency:
            raise Refused(say("KX-410"))
        if not name.strip() or not reason.strip():
            raise Refused(say("KX-422"))
        self.sign_out()
        who = EMERGENCY.format(name=name.strip()[:64])
        with self._writing() as tx:
            tx.journal.write(self._event("access.emergency", who, reason=reason.strip()[:200]))
        self._enter(Session(0), Operator(who, Role.FRONT_DESK, say("caution.emergency")))

    # -- who it is -------------------------------------------------------------------------

    def _proved(self, person: Person | None, name: str, secret: str, with_badge: bool) -> str:
        """How it was proved that it is this person, "" when it was not. Raises Refused."""
        kept = person is not None and person.state is not Standing.REMOVED
        local = person if kept and person and person.origin is Origin.LOCAL else None
        directory = self._policy.sign_in.directory
        if local is None and directory is not None:
            return self._by_directory(directory, person, name, secret)
        mine = (local.pin_hash if with_badge else local.password_hash) if local else ""
        return ("badge" if with_badge else "name") * secrets.fits(mine, secret)

    def _by_directory(
        self, directory: Directory, person: Person | None, name: str, secret: str
    ) -> str:
        try:
            found = ask(directory, name, secret)
        except DirectoryAway as away:
            return self._without(directory, person, name, secret, away)
        if found is None:
            if person is not None and secrets.fits(person.password_hash, secret):
                with self._writing() as tx:  # refused since its last yes
                    tx.people.forget_yes(person)
            return ""
        if not found.role:
            with self._writing() as tx:
                tx.tries.clear(name)
                self._refused(tx, person.name if person else "", "no-role")
            raise Refused(say("KX-406"))
        kept = secrets.hashed(secret) if directory.cache_hours else ""
        with self._writing() as tx:
            known = tx.people.named(found.name)
            if known is None or known.state is Standing.REMOVED:
                full = found.full_name
                who, origin = found.name, Origin.DIRECTORY
                known = tx.people.add(who, found.role, origin, "directory", full)
            if known is not None and known.state is Standing.ACTIVE:
                tx.people.remember(known, kept, found.role, found.full_name)
        return "directory"

    def _without(
        self,
        directory: Directory,
        person: Person | None,
        name: str,
        secret: str,
        away: DirectoryAway,
    ) -> str:
        """Nobody is let in because the directory is away; who was let in by it lately may be."""
        age = self._now().timestamp() - person.verified_at if person else -1.0
        fresh = -CLOCK_SKEW <= age <= directory.cache_hours * 3600
        mine = person.password_hash if person and fresh and directory.cache_hours else ""
        if secrets.fits(mine, secret):
            return "cached"
        if mine:
            return ""
        with self._writing() as tx:
            self._give_back(tx, name)  # it is nobody's fault
            self._refused(tx, person.name if person else "", "directory-away", why=str(away))
        raise Refused(say("KX-405"))

    # -- tries -----------------------------------------------------------------------------

    def _here(self) -> Here:
        return Here(self._policy.site.station, self._boot(), self._now())

    def _count(self, name: str) -> int:
        """How many tries are left after this one. Raises Refused when none was."""
        here, policy = self._here(), self._policy.sign_in
        with self._writing() as tx:
            before = tx.tries.of(name)
            wait = seconds_left(before, here, policy)
            if wait <= 0:
                tried = counted(before, here, policy)
                tx.tries.put(name, tried)
        if wait > 0:
            raise Refused(self._wait(wait))
        return policy.tries - tried.refused

    def _give_back(self, tx: Transaction, name: str) -> None:
        if (tried := tx.tries.of(name)) is not None:
            tx.tries.put(name, replace(tried, refused=tried.refused - 1, locked=False))

    def _wait(self, seconds: float) -> Message:
        return say("KX-402", time=self._now() + timedelta(seconds=seconds))

    def _not_right(self, person: Person | None, left: int, by_pin: bool) -> None:
        known = person.name if person else ""
        with self._writing() as tx:
            self._refused(tx, known, "not-right")
            if left <= 0:
                tx.journal.write(self._event("access.locked-out", known, code="too-many-tries"))
        if left <= 0:
            raise Refused(self._wait(60 * self._policy.sign_in.lock_minutes))
        raise Refused(say("KX-404" if by_pin else "KX-414", n=left))

    # -- in and out ------------------------------------------------------------------------

    def _admit(self, tx: Transaction, person: Person, how: str) -> None:
        before, kind, data = self._locked, "access.signed-in", {"how": how}
        if before is not None and before.name == person.name:
            kind = "access.resumed"
        elif before is not None:
            kind, data = "access.taken-over", data | {"from": before.name}
            tx.journal.write(self._event("access.signed-out", before.name))
        tx.people.signed_in(person, how)
        tx.journal.write(self._event(kind, person.name, **data))
        age = max(0, round((self._now().timestamp() - person.verified_at) / 3600))
        caution = say("caution.cached", n=age) if how == "cached" else None
        self._enter(Session(person.id), Operator(person.name, Role(person.role), caution))

    def _enter(self, session: Session, operator: Operator) -> None:
        with self._who:
            self._session, self.operator = session, operator
            self._badge = self._locked = None

    def _leave(self) -> None:
        with self._who:
            self.operator = NOBODY
            self._session = self._badge = self._locked = None

    def _still(self) -> None:
        """Whoever signed in may have lost the account or got another role since."""
        session = self._session
        if session is None or not session.person:
            return
        with self._reading() as tx:
            person = tx.people.get(session.person)
        with self._who:
            if self._session is not session:
                return  # somebody else has signed in meanwhile
            if person is None or person.state is not Standing.ACTIVE:
                self._leave()
            elif person.role != self.operator.role:
                self.operator = Operator(person.name, Role(person.role), self.operator.caution)

    def _refused(self, tx: Transaction, person: str, code: str, **more: str) -> None:
        tx.journal.write(self._event("access.refused", person, code=code, **more))

    def _event(self, kind: str, actor: str, **data: str) -> Event:
        return Event(kind, actor=actor, data={"station": self._policy.site.station, **data})
