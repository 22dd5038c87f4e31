"""Builds the Debian package: `make deb`. Standard library only, run by Debian's own Python: the
environment that is made belongs to that version of it, so each release of Debian gets its own.

What goes in is what requirements.lock pins by hash, as wheels, and a wheel of this checkout. Two
builds of one commit are the same byte by byte: every time is the commit's, every order is sorted.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
UNITS, POLICIES = ROOT / "installer/systemd", ROOT / "assets/policies"
SOURCES = ("pyproject.toml", "README.md", "LICENSE")
MAINTAINER = "The Kiosk developers <kiosk@localhost.localdomain>"
LAUNCHER = """#!/bin/sh
# The version that lies here, wherever a link to it is called from.
export PYTHONSAFEPATH=1
exec "$(dirname "$(readlink -f "$0")")/python3" -I -m kiosk "$@"
"""
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
EXTRAS = ("fleet", "demo")  # one package for a kiosk of its own and for many; `kiosk demo` runs
# Of PySide6-Essentials: what no screen of ours loads. The first three are not for us to hand on
# (GPL or commercial), the rest is weight.
UNUSED = (
    "*VirtualKeyboard*", "*QuickTimeline*", "*Lottie*", "*Quick*", "*Qml*", "*Designer*", "*Test*",
    "*Help*", "*UiTools*", "*Concurrent*", "*Sql*", "*Xml.*", "*OpenGL.*", "*ShaderTools*",
    "lupdate", "lrelease", "linguist", "assistant", "designer", "uic", "rcc", "qmlls", "qmllint",
    "qmlformat", "balsam", "balsamui", "svgtoqml", "qsb", "*.pyi",
)  # fmt: skip
UNUSED_FOLDERS = (
    "qml", "metatypes", "doc", "glue", "include", "typesystems", "support/generate_pyi", "scripts",
    "Qt/qml", "Qt/metatypes", "Qt/libexec", "Qt/translations", "Qt/plugins/qmltooling",
    "Qt/plugins/qmllint", "Qt/plugins/qmlls", "Qt/plugins/designer", "Qt/plugins/sqldrivers",
    "Qt/plugins/virtualkeyboard", "Qt/plugins/platforminputcontexts",
)  # fmt: skip


def run(*words: object, **env: str) -> str:
    command = [str(word) for word in words]
    done = subprocess.run(
        command, env=os.environ | env, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True
    )
    return done.stdout.strip()


def kept_of_the_lock() -> str:
    """The lock's entries that the program needs to run: its own dependencies, and theirs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    named = {canonical(re.split(r"[^A-Za-z0-9._-]", each)[0]) for each in wanted}
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.lock").read_text().strip())
    by_name = {canonical(entry.partition("==")[0]): entry for entry in entries}
    kept: set[str] = set()
    while named - kept:
        kept |= named
        for name, entry in by_name.items():
            via = re.findall(r"^    #(?: via)?\s+([A-Za-z0-9._-]+)$", entry, re.MULTILINE)
            if kept.intersection(canonical(each) for each in via):
                named.add(name)
    return "\n".join(by_name[name] for name in sorted(kept)) + "\n"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def epoch() -> int:
    """The time of the commit, or what SOURCE_DATE_EPOCH says."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct"))


def release_of_debian() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next(line.partition("=")[2].strip('"') for line in lines if line[:11] == "VERSION_ID=")


# -- the environment ---------------------------------------------------------------------------


def tools(work: Path) -> Path:
    """What builds, in an environment of its own: nothing of it is installed anywhere."""
    home = work / "tools"
    if not (home / ".ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        run(sys.executable, "-m", "venv", home)
        pip(home, "install", "--require-hashes", "-r", HERE / "build-requirements.lock")
        (home / ".ready").touch()
    return home / "bin"


def pip(home: Path, *words: object) -> None:
    run(home / "bin/python", "-m", "pip", "--quiet", "--no-input", *words,
        PIP_DISABLE_PIP_VERSION_CHECK="1")  # fmt: skip


def environment(work: Path, home: Path) -> None:
    """A virtual environment at `home`, as it will lie below /opt/kiosk: Debian's Python, the locked
    wheels, this checkout as a wheel, one command."""
    own = tools(work)
    lock, wheels = work / "runtime.lock", work / "wheel"
    lock.write_text(kept_of_the_lock())
    shutil.rmtree(wheels, ignore_errors=True)
    source = work / "source"  # what is committed or would be: no leftovers of other builds
    shutil.rmtree(source, ignore_errors=True)
    for name in run("git", "ls-files", "kiosk", "assets", *SOURCES).splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    pip(work / "tools", "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, source)
    run(sys.executable, "-m", "venv", "--without-pip", home)
    into = ("--python", home / "bin/python", "install", "--no-compile")
    pip(work / "tools", *into, "--require-hashes", "--only-binary=:all:", "-r", lock)
    pip(work / "tools", *into, "--no-deps", "--no-index", *wheels.glob("*.whl"))
    _settle(home)
    sbom = home / "share/kiosk/sbom.cdx.json"
    run(own / "cyclonedx-py", "environment", "--output-reproducible", "--output-format", "JSON",
        "--output-file", sbom, home / "bin/python")  # fmt: skip


def _settle(home: Path) -> None:
    """Takes out what belongs to the place where it was made."""
    for each in (home / "bin").iterdir():
        each.unlink()
    (home / "bin/python3").symlink_to(f"/usr/bin/{PYTHON}")
    (home / "bin/python").symlink_to("python3")
    (home / "bin/kiosk").write_text(LAUNCHER)
    (home / "bin/kiosk").chmod(0o755)
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {PYTHON[6:]}\n"
    )
    shutil.rmtree(home / "include", ignore_errors=True)
    (home / "lib64").unlink(missing_ok=True)
    packages = home / "lib" / PYTHON / "site-packages"
    for made_here in (*packages.glob("*/direct_url.json"), *packages.rglob("__pycache__")):
        shutil.rmtree(made_here) if made_here.is_dir() else made_here.unlink()
    _without_unused(packages / "PySide6")
    shutil.rmtree(packages / "pynetdicom/apps")  # servers that write where a peer says
    for name in ("numpy", "pynetdicom", "pydicom", "fhir"):
        for tests in (packages / name).rglob("tests"):
            shutil.rmtree(tests, ignore_errors=True)
    for record in packages.glob("*/RECORD"):  # names only what is there
        lines = record.read_text().splitlines()
        ours = ("../../../bin/", "../../../include/")  # replaced above
        left = [line for line in lines if (packages / line.rsplit(",", 2)[0]).exists()]
        left = [line for line in left if not line.startswith(ours)]
        record.write_text("\n".join(sorted(left)) + "\n")


def _without_unused(pyside: Path) -> None:
    for name in UNUSED_FOLDERS:
        shutil.rmtree(pyside / name, ignore_errors=True)
    for pattern in UNUSED:
        for path in pyside.rglob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


# -- the package -------------------------------------------------------------------------------


def licences(home: Path, doc: Path) -> None:
    """Every licence text that a wheel brings, by the wheel's name."""
    packages = home / "lib" / PYTHON / "site-packages"
    for info in sorted(packages.glob("*.dist-info")):
        name = info.name.partition("-")[0].lower()
        for path in sorted(info.rglob("*")):
            if path.is_file() and re.match(r"(?i)(licen[cs]e|copying|notice|authors)", path.name):
                target = doc / "licenses" / name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def tree(work: Path, root: Path, version: str) -> None:
    """All files as they will lie on the machine."""
    home = root / "opt/kiosk" / version
    home.parent.mkdir(parents=True)
    environment(work, home)
    doc = root / "usr/share/doc/kiosk"
    doc.mkdir(parents=True)
    units = root / (
        "lib/systemd/system" if release_of_debian() < "13" else "usr/lib/systemd/system"
    )
    for source, target in (
        ("installer/50-kiosk.rules", root / "usr/share/polkit-1/rules.d/50-kiosk.rules"),
        ("installer/60-kiosk.rules", units.parents[1] / "udev/rules.d/60-kiosk.rules"),
        ("installer/sysusers.conf", root / "usr/lib/sysusers.d/kiosk.conf"),
        ("installer/tmpfiles.conf", root / "usr/lib/tmpfiles.d/kiosk.conf"),
        ("installer/pam.conf", root / "etc/pam.d/kiosk"),
        ("installer/kiosk.toml", root / "etc/kiosk/kiosk.toml"),
        ("installer/kiosk-run", root / "usr/sbin/kiosk-run"),
        ("installer/switch", root / "usr/lib/kiosk/switch"),
        ("installer/deb/lintian-overrides", root / "usr/share/lintian/overrides/kiosk"),
        ("installer/deb/copyright", doc / "copyright"),
        ("docs/installing.md", doc / "installing.md"),
        *((f"installer/systemd/{u.name}", units / u.name) for u in UNITS.iterdir()),
        *((f"assets/policies/{p.name}", doc / "examples" / p.name) for p in POLICIES.iterdir()),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, target)
    for name in ("kiosk-run", "switch"):
        (next(root.rglob(name))).chmod(0o755)
    licences(home, doc)
    shutil.copyfile(home / "share/kiosk/sbom.cdx.json", doc / "sbom.cdx.json")
    (root / "usr/bin").mkdir()
    (root / "usr/bin/kiosk").symlink_to("/opt/kiosk/current/bin/kiosk")
    _zipped(ROOT / "CHANGELOG.md", doc / "CHANGELOG.md.gz")
    said = f"kiosk ({version}) stable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n"
    said += f" -- {MAINTAINER}  {run('date', '-uRd', f'@{epoch()}')}\n"
    (doc / "changelog.gz").write_bytes(gzip.compress(said.encode(), 9, mtime=0))
    for page in ("kiosk.1", "kiosk-run.8"):
        manual = root / f"usr/share/man/man{page[-1]}"
        manual.mkdir(parents=True)
        _zipped(ROOT / "installer" / page, manual / f"{page}.gz")


def _zipped(source: Path, target: Path) -> None:
    target.write_bytes(gzip.compress(source.read_bytes(), 9, mtime=0))


def control(root: Path, version: str) -> None:
    """The DEBIAN folder: what the package is, needs and does."""
    folder = root / "DEBIAN"
    folder.mkdir()
    files = sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
    size = sum(-(-p.stat().st_size // 1024) for p in files)
    sums = [f"{_md5(p)}  {p.relative_to(root)}\n" for p in files if p.parts[-2] != "DEBIAN"]
    (folder / "md5sums").write_text("".join(s for s in sums if "  etc/" not in s))
    screen = run("bash", "installer/system-packages", "screen", "--list").split()
    needs = [PYTHON, "libc6 (>= 2.34)", "debconf (>= 0.5) | debconf-2.0", "systemd", "udev"]
    needs += ["udisks2", "polkitd", *screen]
    text = (HERE / "control.in").read_text()
    for name, value in (
        ("VERSION", version),
        ("ARCHITECTURE", run("dpkg", "--print-architecture")),
        ("SIZE", str(size)),
        ("DEPENDS", ", ".join(needs)),
        ("MAINTAINER", MAINTAINER),
    ):
        text = text.replace(f"@{name}@", value)
    (folder / "control").write_text(text)
    (folder / "conffiles").write_text("/etc/kiosk/kiosk.toml\n/etc/pam.d/kiosk\n")
    shutil.copyfile(HERE / "templates", folder / "templates")
    for name in ("config", "preinst", "postinst", "prerm", "postrm"):
        script = (HERE / name).read_text().replace("@VERSION@", version)
        (folder / name).write_text(script.replace("@PYTHON@", PYTHON))
        (folder / name).chmod(0o755)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def plain(root: Path) -> None:
    """Modes and times that depend on nobody's machine."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
        os.utime(path, (epoch(), epoch()), follow_symlinks=False)


def build(work: Path, into: Path) -> Path:
    declared = (ROOT / "kiosk/__init__.py").read_text()
    version = re.findall(r'^__version__ = "(.+)"', declared, re.MULTILINE)[0]
    version = f"{version}+deb{release_of_debian()}"
    os.environ |= {
        "SOURCE_DATE_EPOCH": str(epoch()),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
    }
    os.umask(0o022)
    root = work / "root"
    shutil.rmtree(root, ignore_errors=True)
    tree(work, root, version)
    control(root, version)
    plain(root)
    into.mkdir(parents=True, exist_ok=True)
    architecture = run("dpkg", "--print-architecture")
    package = into / f"kiosk_{version}_{architecture}.deb"
    run(
        "dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--threads-max=1", "--build", root, package
    )
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    sys.stdout.write(f"{package}\n{package.stat().st_size / 1e6:.0f} MB, sha256 {digest}\n")
    return package


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "dist")
    parser.add_argument("--work", type=Path, default=ROOT / "build/deb")
    args = parser.parse_args()
    build(args.work.resolve(), args.into.resolve())


if __name__ == "__main__":
    main()
