"""The Debian package on a clean Debian: built twice, installed, run as its service user, upgraded,
rolled back, removed, purged. `make deb-test`: no part of `make test`, since it needs root, fetches
a Debian, and takes a quarter of an hour.

One machine for all, in the order of the file: each part goes on where the one before stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.vm.machine import until

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build/deb-test"
SUITE = {"12": "bookworm", "13": "trixie"}


def do(*words: object, **more: object) -> str:
    """Its output. Fails with it."""
    command = [str(word) for word in words]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return str(done.stdout)


def build(name: str) -> Path:
    into = WORK / name
    shutil.rmtree(into, ignore_errors=True)
    python = "/usr/bin/python3"  # Debian's own: the package's environment belongs to it
    do(python, "installer/deb/build.py", "--into", into, "--work", WORK / f"{name}-work", cwd=ROOT)
    (package,) = into.glob("kiosk_*.deb")
    return package


@dataclass
class Machine:
    """A clean Debian in a folder, entered with processes and mounts of its own."""

    root: Path

    def begun(self, *words: object) -> subprocess.Popen[str]:
        alone = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
        command = [*alone, f"--mount-proc={self.root}/proc", "chroot", self.root, *words]
        clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
        clean |= {"HOME": "/", "LC_ALL": "C.UTF-8"}
        clean |= {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}
        out, err = subprocess.PIPE, subprocess.STDOUT
        given = [str(word) for word in command]
        return subprocess.Popen(given, env=clean, stdout=out, stderr=err, text=True)

    def run(self, *words: object, fails: bool = False) -> str:
        with self.begun(*words) as process:
            said, _ = process.communicate()
        assert (process.returncode != 0) is fails, f"{words}: {process.returncode}\n{said}"
        return said

    def put(self, package: Path) -> str:
        shutil.copyfile(package, self.root / "tmp" / package.name)
        return f"/tmp/{package.name}"

    def install(self, package: Path, fails: bool = False) -> str:
        place = self.put(package)
        return self.run("apt-get", "install", "-qy", "--no-install-recommends", place, fails=fails)

    def link(self) -> str:
        return str((self.root / "opt/kiosk/current").readlink())

    def as_service(self, *words: str) -> str:
        return self.run("runuser", "-u", "kiosk", "--", *words)


def version_of(package: Path) -> str:
    return do("dpkg-deb", "-f", package, "Version").strip()


def repacked(package: Path, version: str, spoil: str = "") -> Path:
    """The same program as another version, maybe with a program that is spoilt."""
    was, tree = version_of(package), WORK / "repacked"
    shutil.rmtree(tree, ignore_errors=True)
    do("dpkg-deb", "-R", package, tree)
    (tree / "opt/kiosk" / was).rename(tree / "opt/kiosk" / version)
    for name in ("control", "postinst", "postrm"):
        file = tree / "DEBIAN" / name
        file.write_text(file.read_text().replace(was, version))
    if spoil:
        program = tree / "opt/kiosk" / version / "bin/kiosk"
        program.write_text(f"#!/bin/sh\n{spoil}\n" + program.read_text())
    made = WORK / f"kiosk_{version}.deb"
    do("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made)
    shutil.rmtree(tree)
    return made


@pytest.fixture(scope="module")
def package() -> Path:
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        pytest.skip("needs root and mmdebstrap (apt-get install mmdebstrap lintian)")
    WORK.mkdir(parents=True, exist_ok=True)
    return build("first")


@pytest.fixture(scope="module")
def machine(package: Path) -> Iterator[Machine]:
    release = re.findall(r"\+deb(\d+)", package.name)[0]
    base, root = WORK / f"{SUITE[release]}.tar", WORK / "root"
    if not base.exists():
        including = "--include=ca-certificates,init-system-helpers"
        do("mmdebstrap", "--mode=root", "--variant=minbase", including, SUITE[release], base)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    do("tar", "-xf", base, "-C", root, "--numeric-owner")
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    for here in ("/etc/resolv.conf", "/etc/hosts"):
        shutil.copyfile(here, root / here[1:])
    at_home = do("apt-config", "dump").splitlines()  # how this machine reaches Debian
    kept = [line for line in at_home if re.match(r"Acquire::https?::", line)]
    (root / "etc/apt/apt.conf.d/90reach").write_text("\n".join(kept) + "\n")
    for own in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(own, root / "usr/local/share/ca-certificates")
    made = Machine(root)
    made.run("update-ca-certificates")
    made.run("apt-get", "update", "-q")
    yield made
    shutil.rmtree(root)


def test_two_builds_are_the_same_byte_by_byte(package: Path) -> None:
    again = build("second")
    first, second = (hashlib.sha256(p.read_bytes()).hexdigest() for p in (package, again))
    assert first == second


def test_lintian_finds_nothing_but_what_is_explained(package: Path) -> None:
    assert do("lintian", "--fail-on", "error,warning", "--allow-root", package).strip() == ""


def test_every_part_is_named_with_its_licence_and_none_is_gpl(package: Path) -> None:
    tree = WORK / "looked-into"
    shutil.rmtree(tree, ignore_errors=True)
    do("dpkg-deb", "-x", package, tree)
    bill = json.loads((tree / "usr/share/doc/kiosk/sbom.cdx.json").read_text())
    parts = {part["name"].lower(): part for part in bill["components"]}
    assert {"pydicom", "pyside6_essentials", "sqlalchemy", "kiosk"} <= set(parts)
    assert not {"pytest", "mypy", "hypothesis", "cyclonedx-bom", "pip"} & set(parts)
    for part in parts.values():
        said = json.dumps(part.get("licenses", []))
        assert not re.search(r"(?<![AL])GPL", said) or "LGPL" in said, (part["name"], said)
    installed = {p.name.partition("-")[0].lower() for p in tree.rglob("*.dist-info")}
    assert len(installed) == len(parts)
    assert not list(tree.rglob("*VirtualKeyboard*"))
    shutil.rmtree(tree)


def test_it_is_installed_on_a_clean_debian(machine: Machine, package: Path) -> None:
    machine.install(package)
    assert machine.link() == version_of(package)
    assert machine.run("kiosk", "--version").strip() in version_of(package)
    state = machine.root / "var/lib/kiosk"
    assert (state.stat().st_mode & 0o777, state.stat().st_uid != 0) == (0o700, True)
    assert "cdrom" in machine.run("id", "kiosk")
    verify = "systemd-analyze verify kiosk-engine.service kiosk-inbound.service 2>&1; true"
    said = machine.run("sh", "-c", verify)  # there is no `man` on this machine
    assert not [line for line in said.splitlines() if "man kiosk" not in line], said


def test_the_service_user_can_check_it(machine: Machine) -> None:
    machine.run("kiosk-run", "db", "upgrade")
    said = machine.run("kiosk-run", "check", "--json", fails=True)  # no archive is configured yet
    checks = {c["name"]: c for c in json.loads(said[said.index("{") :])["checks"]}
    assert checks["database"]["state"] == "pass"
    assert checks["destinations"]["state"] == "fail"


def test_the_service_user_sees_the_whole_job(machine: Machine) -> None:
    assert "Every image is accounted for." in machine.as_service("kiosk", "demo", "--headless")


def test_a_version_that_is_not_fit_leaves_the_one_before_at_work(
    machine: Machine, package: Path
) -> None:
    was = version_of(package)
    spoilt = repacked(package, f"{was}.1", 'case "$1" in check) echo no; exit 1 ;; esac')
    said = machine.install(spoilt, fails=True)
    assert "is not fit for this kiosk" in said
    assert machine.link() == f"kept/{was}"
    assert machine.run("kiosk", "--version")


def test_an_upgrade_that_is_killed_in_its_middle_is_taken_back_and_can_go_on(
    machine: Machine, package: Path
) -> None:
    """As by a power failure: every process ends at once, while the new version checks itself."""
    was, now = machine.link(), f"{version_of(package)}.2"
    holds = "touch /tmp/once; exec sleep 3600"
    once = f'case "$1" in check) test -e /tmp/once || {{ {holds}; }} ;; esac'
    place = machine.put(repacked(package, now, once))
    with machine.begun("dpkg", "--install", place) as upgrade:
        until((machine.root / "tmp/once").exists, "the new version checks itself")
        upgrade.kill()
        upgrade.wait()
    assert (machine.root / "opt/kiosk/.switching").exists()
    machine.run("/usr/lib/kiosk/switch", "settle")  # as the engine's unit does first
    assert machine.link() == was
    assert machine.run("kiosk-run", "db", "verify")
    machine.run("dpkg", "--configure", "-a")
    assert machine.link() == now
    assert (machine.root / "opt/kiosk" / was / "bin/kiosk").exists()
    assert list((machine.root / "var/lib/kiosk/backups").glob("kiosk-*.db"))


def test_removed_it_leaves_data_and_configuration(machine: Machine) -> None:
    machine.run("apt-get", "remove", "-qy", "kiosk")
    assert (machine.root / "var/lib/kiosk/kiosk.db").exists()
    assert (machine.root / "etc/kiosk/kiosk.toml").exists()
    assert not list((machine.root / "opt/kiosk").glob("*"))


def test_purged_where_nobody_can_be_asked_patients_data_stays(machine: Machine) -> None:
    """What dpkg runs at a purge, before the purge."""
    assert "data is kept" in machine.run("/var/lib/dpkg/info/kiosk.postrm", "purge")
    assert (machine.root / "var/lib/kiosk/kiosk.db").exists()


def test_purged_with_a_yes_nothing_is_left(machine: Machine) -> None:
    yes = "echo kiosk kiosk/purge-data boolean true | debconf-set-selections"
    machine.run("sh", "-c", f"{yes}; apt-get purge -qy kiosk")
    for gone in ("var/lib/kiosk", "etc/kiosk", "opt/kiosk", "usr/lib/kiosk"):
        assert not (machine.root / gone).exists(), gone
