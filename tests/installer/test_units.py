"""systemd's units: hardened, of accounts of their own, and fed by a watchdog that is meant."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "installer/systemd").glob("*.service"))
MOST = 2.5
PROGRAM = "/opt/kiosk/current/bin/kiosk"


def of(path: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser["Service"]


def test_engine_receivers_screen_and_backups_have_a_unit_each() -> None:
    assert [path.stem for path in UNITS] == [
        "kiosk-backup",
        "kiosk-engine",
        "kiosk-inbound",
        "kiosk-ui",
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_exposed_little(unit: Path) -> None:
    """`systemd-analyze security` of a unit without any hardening says 9.2."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not on this machine")
    command = [tool, "security", "--offline=true", "--no-pager", str(unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", said.stdout + said.stderr)
    assert level is not None, said.stdout + said.stderr
    assert float(level[1]) <= MOST


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_runs_the_current_version_as_the_kiosks_account(unit: Path) -> None:
    service = of(unit)
    assert service["User"] == "kiosk"
    assert PROGRAM in service["ExecStart"].split()
    assert "/etc/kiosk/kiosk.toml" in service["ExecStart"]
    assert (service["LimitCORE"], service["MemorySwapMax"]) == ("0", "0")


def test_the_engine_is_watched_longer_than_a_loop_may_be_quiet() -> None:
    from kiosk.engine.telling.pulse import QUIET_SECONDS

    service = of(ROOT / "installer/systemd/kiosk-engine.service")
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
    assert float(service["WatchdogSec"]) > 2 * QUIET_SECONDS
    assert service["ExecStartPre"] == "+/usr/lib/kiosk/switch settle"


def test_secrets_come_from_systemd() -> None:
    for name in ("engine", "inbound"):
        service = of(ROOT / f"installer/systemd/kiosk-{name}.service")
        assert service["LoadCredential"] == "site:/etc/kiosk/credentials"


def test_the_configuration_that_is_installed_can_be_read() -> None:
    from kiosk.policy import load

    policy = load(ROOT / "installer/kiosk.toml")
    assert policy.database.state == "/var/lib/kiosk"
