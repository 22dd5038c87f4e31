"""What every part of the desk acts through; `Desk` has it, the parts only name it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from kiosk.desk.roles import Doing, Operator
from kiosk.desk.snapshots import Header
from kiosk.policy import Policy
from kiosk.store import Transaction


class Acting(ABC):
    """One operator at one station: who acts, by which policy, at what time, on which rows."""

    operator: Operator
    _policy: Policy
    _now: Callable[[], datetime]

    @abstractmethod
    def _allow(self, doing: Doing) -> None:
        """Raises Refused where the role may not do this."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Transaction]:
        """The rows of one instant."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Transaction]:
        """One transaction. Raises Refused where the database is busy."""

    @abstractmethod
    def _header(self, step: int = 0, steps: int = 0) -> Header:
        """The line on top of the screen."""
