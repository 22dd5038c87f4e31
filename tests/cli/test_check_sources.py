"""`kiosk check` knocks at other registers; without one everything goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk import identity, store
from kiosk.cli import check
from kiosk.cli.context import Context
from kiosk.policy import Policy
from tests.peers import free_port
from tests.peers.pdq import naming, supplier
from tests.peers.wlmscpfs import wlmscpfs


@pytest.mark.peer("wlmscpfs")
def test_each_source_is_knocked_at_and_one_that_is_away_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "worklist").mkdir()
    with supplier(naming()) as mpi, wlmscpfs(tmp_path / "worklist", []) as port:
        sources = [
            {"name": "MPI", "kind": "pdq", "port": mpi.port},
            {"name": "RIS", "kind": "worklist", "port": port},
            {"name": "AWAY", "kind": "fhir", "url": f"http://127.0.0.1:{free_port()}/fhir"},
        ]
        policy = Policy.model_validate({"source": sources})
        rows = store.open(
            f"sqlite:///{tmp_path / 'kiosk.db'}",
            keys_of=identity.keys_of,
            name_keys_of=identity.name_keys_of,
        )
        context = Context(policy, None, tmp_path, rows, store.Vault(tmp_path / "vault"))
        found = {c.name: c for c in check.run(context) if c.name.startswith("source ")}
        rows.close()
    states = [found[f"source {name}"].state for name in ("MPI", "RIS", "AWAY")]
    assert states == [check.PASS, check.PASS, check.WARN]
    assert "used without it" in found["source AWAY"].fix
    assert mpi.questions == []
