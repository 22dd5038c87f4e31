"""The roster: who is registered here. (Laid out by the roster's author.)"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from kiosk.model.patient import LocalPatient


class Roster:
    def __init__(
        self,
        connection: Connection,
        keys_of: Callable[[LocalPatient], frozenset[str]],
        name_keys_of: Callable[[LocalPatient], frozenset[str]],
    ) -> None:
        self._connection = connection
