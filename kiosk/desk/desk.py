"""The desk: what each screen asks for, and what people may do. Nothing here knows Qt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from kiosk.desk.choosing import Choosing
from kiosk.desk.deciding import Deciding, case_of
from kiosk.desk.recalling import Recalling
from kiosk.desk.receipts import Receipts
from kiosk.desk.refusal import Refused
from kiosk.desk.reporting.showing import Reporting
from kiosk.desk.roles import Doing, Operator, Role, everything
from kiosk.desk.signing import Boot, Keeping, SigningIn, alerts, this_boot
from kiosk.desk.snapshots import (
    CompareSnapshot,
    DeliveriesSnapshot,
    Header,
    HealthLine,
    HealthSnapshot,
    Mood,
    ReadOn,
    TouchSnapshot,
    WorklistSnapshot,
    say,
)
from kiosk.desk.views import finding, him, it, touch, verdict
from kiosk.model.matching import Action
from kiosk.model.medium import Medium, kind_at
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity
from kiosk.model.work import (
    CaseState,
    Delivery,
    DeliveryState,
    Event,
    Intake,
    IntakeState,
)
from kiosk.policy import Policy
from kiosk.store import DatabaseBusy, Store, Transaction

EJECT = "drive.eject-asked"
AGAIN = (DeliveryState.QUEUED, DeliveryState.HELD, DeliveryState.FAILED)
STEPS = {"reading": 1, "choose": 2, "same-person": 2, "him": 3, "result": 3, "problem": 3}
Checks = Callable[[], Iterable[HealthLine]]


class Desk(Deciding, Recalling, Choosing, SigningIn, Keeping, Receipts, Reporting):
    """One operator at one station. Queries answer with a frozen snapshot of one instant; a command
    is one transaction (state and journal line together) or raises Refused and changes nothing.

    `operator` is NOBODY where people sign in. `checks` are those of `kiosk check`; they look at
    peers and take seconds.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        operator: Operator,
        clock: Callable[[], datetime],
        checks: Checks = tuple,
        boot: Callable[[], Boot] = this_boot,
    ) -> None:
        self._store = store
        self._policy = policy
        self._now = clock
        self._checks = checks
        self._boot = boot
        self._session = self._badge = self._locked = None
        self._who = threading.RLock()
        self._health = HealthSnapshot(self._header_of(operator))
        self.operator = operator

    # -- queries ---------------------------------------------------------------------------

    def pulse(self) -> tuple[int, str, int]:
        """Changes when a snapshot may have: the journal's last id, the newest progress and small
        picture, the minute. Three indexed queries."""
        with self._reading() as tx:
            last, shown = tx.journal.last_id(), tx.intakes.shown_at(self._policy.site.station)
            shown = f"{shown} {tx.pictures.newest()}"
        return last, shown, int(self._now().timestamp() // 60)

    def touch(self) -> TouchSnapshot:
        """Before anybody has signed in: K1, or K2 once a disc is in."""
        self._still()
        if self.operator.role is None:
            return self._closed()
        self._allow(Doing.BRING)
        with self._reading() as tx:
            body = touch.body(tx, self._policy.site.station, self._now())
        snapshot = TouchSnapshot(self._header(), body)
        step = STEPS.get(snapshot.step, 0)
        return TouchSnapshot(self._header(step, 3 if step else 0), body)

    def find(self, intake: int, text: str) -> TouchSnapshot:
        """K3: the registered patients whom a number or the beginnings of names fit."""
        self._allow(Doing.BRING)
        age = timedelta(hours=self._policy.adt.max_age_hours)
        with self._reading() as tx:
            found = finding.find(tx, intake, text.strip(), self._now(), age)
        return TouchSnapshot(self._header(1, 3), found)

    def worklist(self) -> WorklistSnapshot:
        self._allow(Doing.SEE_WORKLIST)
        age = timedelta(hours=self._policy.adt.max_age_hours)
        with self._reading() as tx:
            found = him.worklist(tx, self._header(), self._now(), age)
            return replace(found, notices=(*found.notices, *alerts(tx, self._now())))

    def compare(self, case: int) -> CompareSnapshot:
        """Raises Refused when there is no such case."""
        self._allow(Doing.SEE_WORKLIST)
        with self._reading() as tx:
            found, header = case_of(tx, case), self._header()
            return him.compare(tx, found, header, self._policy, self._now(), self.operator)

    def deliveries(self) -> DeliveriesSnapshot:
        self._allow(Doing.SEE_HEALTH)
        with self._reading() as tx:
            return it.deliveries(tx, self._header(), self._policy, self._now())

    def health(self) -> HealthSnapshot:
        """What the last `check` found; empty and busy before the first."""
        self._allow(Doing.SEE_HEALTH)
        found = self._health
        return HealthSnapshot(self._header(), found.lines, found.overall, found.at)

    # -- commands of the front desk --------------------------------------------------------

    def bring(self, medium: Path, picked: Identifier | None = None) -> str:
        """A folder, an image or a device is to be read: the new intake's ticket. The engine finds
        out what it is."""
        self._allow(Doing.BRING)
        if not medium.exists():
            raise Refused(say("KX-425"))
        station = self._policy.site.station
        with self._writing() as tx:
            if picked is not None:
                _known(tx, picked)
            found = Medium(kind_at(medium), str(medium))
            return tx.intakes.create(found, station, self.operator.name, picked).ticket

    def pick(self, intake: int, picked: Identifier) -> None:
        """The front desk says whose disc it is. Cases that wait are matched again with that; what
        was decided stays decided."""
        self._allow(Doing.BRING)
        with self._writing() as tx:
            _known(tx, picked)
            tx.intakes.pick(intake, picked, self.operator.name)
            for case in tx.cases.of_intake(intake):
                if case.state is CaseState.AWAITING:
                    tx.cases.back_to_matching(case.id, self.operator.name, "picked")

    def eject(self, drive: str) -> None:
        """Asks the engine to open a drive: the hands on the hardware are the engine's."""
        self._allow(Doing.BRING)
        self._journal(Event(EJECT, actor=self.operator.name, data={"device": drive}))

    def read_on(self, intake: int) -> None:
        """A damaged medium is read once more, with three times the patience: only what is missing
        of it. The engine goes on where it stopped, under a new ticket; a reading that is still at
        it goes on for so much longer."""
        self._allow(Doing.BRING)
        with self._writing() as tx:
            found = _intake(tx, intake)
            if verdict.read_on(tx, found) is ReadOn.NOTHING:
                raise Refused(say("KX-433"))
            if found.state is IntakeState.FAILED:
                tx.intakes.again(intake, found.medium)
                return
            patience = 3 * self._policy.limits.patience_seconds
            if found.state is IntakeState.RECEIVED:
                so_far = max(found.patience, self._policy.limits.patience_seconds)
                tx.intakes.be_patient(intake, so_far + patience, self.operator.name)
                return
            who = (self.operator.name, found.picked)
            tx.intakes.create(found.medium, found.station, *who, patience)

    def finish(self, intake: int) -> None:
        """The screen is done with this disc: the next patient, or idle."""
        self._allow(Doing.BRING)
        self._journal(Event(touch.FINISHED, intake=intake, actor=self.operator.name))

    def to_him(self, case: int) -> None:
        """The front desk hands the question "same person?" on."""
        self._allow(Doing.BRING)
        with self._writing() as tx:
            found = case_of(tx, case)
            event = Event(touch.TO_HIM, found.intake, case, actor=self.operator.name)
            tx.journal.write(event)

    def confirm(self, case: int, local_key: str, shown: PatientIdentity | None = None) -> None:
        """ "Same person" on small differences, said at the front desk by one who may. `shown` is
        the candidate as the screen had it."""
        self._allow(Doing.CONFIRM)
        self._settle(case, Action.LINK, local_key, "confirmed with the patient", shown)

    # -- commands of HIM -------------------------------------------------------------------

    def assign(self, case: int) -> None:
        self._allow(Doing.ASSIGN)
        with self._writing() as tx:
            found = case_of(tx, case)
            if not tx.cases.assign(case, self.operator.name):
                raise Refused(say("KX-420", owner=found.owner))

    def unassign(self, case: int) -> None:
        self._allow(Doing.ASSIGN)
        with self._writing() as tx:
            case_of(tx, case)
            tx.cases.give_up(case, self.operator.name)

    # -- commands of IT --------------------------------------------------------------------

    def retry(self, delivery: int) -> None:
        """A stuck or waiting delivery is tried now; asking twice changes nothing twice."""
        self._allow(Doing.RETRY)
        with self._writing() as tx:
            found = _delivery(tx, delivery)
            if found is None or found.state not in AGAIN:
                raise Refused(say("KX-429"))
            if found.withheld:
                raise Refused(say("KX-447"))
            tx.deliveries.retry(delivery, self.operator.name)

    def pause(self, destination: str) -> None:
        """Nothing more is sent there or asked of it, until `resume`; what comes waits."""
        self._allow(Doing.PAUSE)
        with self._writing() as tx:
            name = self._destination(destination)
            tx.destinations.pause(self._policy.site.station, name, self.operator.name)

    def resume(self, destination: str) -> None:
        """It goes on, at once."""
        self._allow(Doing.PAUSE)
        with self._writing() as tx:
            name = self._destination(destination)
            tx.destinations.resume(self._policy.site.station, name, self.operator.name)

    def _destination(self, name: str) -> str:
        if self._policy.destination_named(name) is None:
            raise Refused(say("KX-439"))
        return name

    def check(self) -> HealthSnapshot:
        """Looks at everything that `kiosk check` looks at; takes seconds."""
        self._allow(Doing.SEE_HEALTH)
        order = (Mood.STOP, Mood.CARE, Mood.NOTE, Mood.BUSY, Mood.IDLE, Mood.GOOD)
        lines = tuple(sorted(self._checks(), key=lambda line: order.index(line.mood)))
        worst = lines[0].mood if lines else Mood.GOOD
        at = self._now().isoformat(timespec="seconds")
        self._health = HealthSnapshot(self._header(), lines, worst, at)
        return self._health

    # -- shared ----------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        try:
            with self._store.read() as tx:
                yield tx
        except DatabaseBusy:
            raise Refused(say("KX-503")) from None

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        try:
            with self._store.begin() as tx:
                yield tx
        except DatabaseBusy:
            raise Refused(say("KX-503")) from None

    def _allow(self, doing: Doing) -> None:
        self._still()
        if doing not in self._granted(self.operator):
            raise Refused(say("KX-410" if self.operator.role else "KX-409"))

    def _granted(self, operator: Operator) -> frozenset[Doing]:
        """The table, and what the policy adds to it."""
        granted = everything(operator.role)
        proved = operator.caution is None or operator.caution.id != "caution.emergency"
        if operator.role is Role.FRONT_DESK and proved and self._policy.sign_in.front_desk_confirms:
            granted |= {Doing.CONFIRM}
        return granted

    def _journal(self, event: Event) -> None:
        with self._writing() as tx:
            tx.journal.write(event)

    def _header(self, step: int = 0, steps: int = 0) -> Header:
        return self._header_of(self.operator, step, steps)

    def _header_of(self, operator: Operator, step: int = 0, steps: int = 0) -> Header:
        site = self._policy.site
        return Header(
            site.institution or site.name,
            site.station,
            operator.name,
            operator.role,
            self._now().isoformat(timespec="seconds"),
            step,
            steps,
            self._granted(operator),
            operator.caution,
            operator.role is None or self._session is not None,
        )


def _intake(tx: Transaction, intake: int) -> Intake:
    try:
        return tx.intakes.get(intake)
    except KeyError:
        raise Refused(say("KX-433")) from None


def _delivery(tx: Transaction, delivery: int) -> Delivery | None:
    try:
        return tx.deliveries.get(delivery)
    except KeyError:
        return None


def _known(tx: Transaction, picked: Identifier) -> LocalPatient:
    local = tx.roster.resolve(picked)
    if local is None:
        raise Refused(say("KX-424"))
    return local
