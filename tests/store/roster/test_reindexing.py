"""When a newer program looks for patients under other keys, the old roster is found under them."""

from __future__ import annotations

import pytest

from kiosk import store
from kiosk.model.patient import LocalPatient
from kiosk.store import Store, database
from tests.adt.messages import hl7
from tests.store.roster.test_roster_cases import arrive


def by_family(local: LocalPatient) -> frozenset[str]:
    return frozenset(f"family:{name.family}" for name in local.identity.names)


def by_birth_date(local: LocalPatient) -> frozenset[str]:
    return frozenset({f"born:{local.identity.birth_date}"})


def none(_local: LocalPatient) -> frozenset[str]:
    return frozenset()


def filled(url: str, count: int) -> None:
    old = store.open(url, keys_of=by_family, name_keys_of=none)
    with old.begin() as tx:
        for n in range(count):
            pid = f"PID|1||{n}^^^M||SMITH^ANN||1970{n // 28 % 12 + 1:02d}{n % 28 + 1:02d}|F"
            arrive(tx, hl7("A28", pid, control=str(n), at="20260101"))
        arrive(tx, hl7("A40", "PID|1||1^^^M", "MRG|2^^^M", control="merge", at="20260102"))
    old.close()


def found(rows: Store, key: str) -> set[str]:
    with rows.read() as tx:
        return {local.key for local in tx.roster.candidates([key])}


def test_records_are_found_under_the_newer_programs_keys_and_no_others(url: str) -> None:
    filled(url, 5)
    newer = store.open(url, keys_of=by_birth_date, name_keys_of=none)
    assert found(newer, "born:19700104") == {"4"}
    assert found(newer, "born:19700103") == set(), "a merged record is not found"
    assert found(newer, "family:SMITH") == set()
    with newer.read() as tx:
        assert len(tx.roster.search("smith")) == 4
    newer.close()


def test_records_are_indexed_anew_for_keys_that_few_of_them_have(url: str) -> None:
    """The matcher counts names apart for those whose birthday, 1 January, nobody knew."""
    old = store.open(url, keys_of=by_family, name_keys_of=none)
    with old.begin() as tx:
        arrive(tx, hl7("A28", "PID|1||1^^^M||YUSUF^OMAR||19760101|M", control="1", at="20260101"))
    old.close()

    def unknown_birthday(local: LocalPatient) -> frozenset[str]:
        born = local.identity.birth_date
        return by_family(local) | ({"no birthday"} if born.endswith("0101") else set())

    newer = store.open(url, keys_of=unknown_birthday, name_keys_of=none)
    assert found(newer, "no birthday") == {"1"}
    newer.close()


def test_a_program_that_looks_under_the_same_keys_indexes_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(url, 2)
    monkeypatch.setattr("kiosk.store.roster.rows.index_after", None)
    store.open(url, keys_of=by_family, name_keys_of=none).close()


def test_indexing_goes_on_where_it_was_killed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the parts that are still missing are made: a part that was kept is not made again."""
    filled(url, 7)
    real, parts = database.Transaction.set_mark, []

    def dies(tx: database.Transaction, station: str, name: str, value: int) -> None:
        parts.append((name, value))
        if len(parts) == 5:  # wanted, reached 0; then each part of three records
            raise KeyboardInterrupt
        real(tx, station, name, value)

    def three(roster: object, last: int, limit: int = 3) -> int:
        return store.roster.rows.index_after(
            roster._connection,
            last,
            roster._keys_of,
            limit,  # type: ignore[attr-defined]
        )

    monkeypatch.setattr("kiosk.store.roster.Roster.index_after", three)
    monkeypatch.setattr(database.Transaction, "set_mark", dies)
    with pytest.raises(KeyboardInterrupt):
        store.open(url, keys_of=by_birth_date, name_keys_of=none)
    assert parts[2:] == [("roster index reached", 3), ("roster index reached", 6), parts[4]]
    newer = store.open(url, keys_of=by_birth_date, name_keys_of=none)
    everybody = {f"born:197001{day:02d}": str(day) for day in (1, 2, 4, 5, 6, 7)}
    assert {key: found(newer, key) for key in everybody} == {k: {v} for k, v in everybody.items()}
    assert [p for p in parts[5:] if p[0] == "roster index reached"] == [("roster index reached", 7)]
    newer.close()
