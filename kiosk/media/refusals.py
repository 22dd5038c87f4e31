"""What is left on the medium, and why: entries that lie, lead elsewhere or can be run, and all that
lies past the policy's limits. Each refusal is a Finding; nothing is left out silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kiosk.model.content import Finding, Severity
from kiosk.policy.sections import Limits

HEAD = 132  # bytes that tell a DICOM file (PS3.10 7.1) and a program
_SAME_FINDING = 200
_PROGRAM_MAGIC = (
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"#!",
    b"dex\n",
    b"L\0\0\0\x01\x14\x02\0",  # a Windows shortcut
)
_PROGRAM_SUFFIXES = frozenset(
    "exe dll com bat cmd scr msi sys ocx jar cpl drv pif vbs ps1 so dylib apk lnk class".split()
)
_BARE_DATA_SET = (b"\x08\0", b"\x02\0", b"\0\x08", b"\0\x02")


def refuse_path(parts: Sequence[str], limits: Limits) -> Finding | None:
    """Why an entry with these path components is not taken, or None. Our own names are used on
    our disk, so only names that lie about their place, and those past the limits, are refused."""
    if any(p in ("", ".", "..") or "/" in p for p in parts):
        return Finding(
            "path-refused",
            Severity.ERROR,
            shown("/".join(parts)),
            "This entry's name points outside its folder. It was not read; the rest of the medium "
            "was. If scans are missing, ask the sender for another copy.",
        )
    if len(parts) - 1 > limits.depth:
        return _entry_limit(
            "limit-depth", "/".join(parts), f"lies more than {limits.depth} folders deep"
        )
    if any(len(p.encode("utf-8", "surrogatepass")) > limits.name_bytes for p in parts):
        return _entry_limit(
            "limit-name", "/".join(parts), f"has a name over {limits.name_bytes} bytes"
        )
    return None


def refuse_size(path: str, size: int, limits: Limits) -> Finding | None:
    """Why a file of this size is not taken, or None."""
    if size <= limits.file_bytes:
        return None
    return _entry_limit("limit-file-bytes", path, f"is larger than {limits.file_bytes} bytes")


def _entry_limit(code: str, path: str, why: str) -> Finding:
    detail = f"This entry {why}. It was not read. If it is a scan, raise the limit and read again."
    return Finding(code, Severity.UNSAFE, shown(path), detail)


def refuse_kind(path: str, kind: str) -> Finding | None:
    """Why an entry that is no plain file is not taken, or None. `kind` is `file` or a key below."""
    if kind == "file":
        return None
    code, severity, detail = _KINDS[kind]
    return Finding(code, severity, shown(path), detail)


_NOT_FOLLOWED = "It was not followed; what it points to is read where it lies on the medium."
_KINDS = {
    "symlink": (
        "symlink-refused",
        Severity.WARNING,
        f"This entry is a symbolic link, not a file. {_NOT_FOLLOWED}",
    ),
    "device": (
        "device-refused",
        Severity.WARNING,
        "This entry is a device, pipe or socket, not a file. It was not opened. No scan is lost.",
    ),
    "folder": (
        "limit-depth",
        Severity.UNSAFE,
        "This folder lies too deep. What is in it was not read. If scans are missing, ask the "
        "sender for a copy with fewer folders.",
    ),
    "compressed": (
        "compressed-refused",
        Severity.ERROR,
        "This file is compressed in a way that only Linux writes (zisofs). It was not read. If it "
        "is a scan, ask the sender for a plain copy.",
    ),
    "interleaved": (
        "interleaved-refused",
        Severity.ERROR,
        "This file is written in interleaved pieces, which is not supported. It was not read. If "
        "it is a scan, ask the sender for a plain copy.",
    ),
    "encrypted": (
        "encrypted-refused",
        Severity.ERROR,
        "This file is locked with a password. It was not read. If it is a scan, ask the sender "
        "for a copy without a password.",
    ),
}


def shown(untrusted_path: str) -> str:
    """A path for a finding: at most 1,000 characters, control and format characters escaped."""
    clipped = untrusted_path if len(untrusted_path) <= 1000 else untrusted_path[:1000] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in clipped)


def is_program(untrusted_path: str, head: bytes | memoryview) -> bool:
    """True for what a computer would run: by its first bytes, else by its name. A file that says
    `DICM` at byte 128 is a DICOM file, whatever its preamble pretends (PS3.10 7.1, 7.5)."""
    start = bytes(head[:HEAD])
    if start[128:] == b"DICM":
        return False
    if start.startswith(_PROGRAM_MAGIC):
        return True
    name = untrusted_path.rpartition("/")[2].lower()
    by_name = name == "autorun.inf" or name.rpartition(".")[2] in _PROGRAM_SUFFIXES
    return by_name and "." in name and not start.startswith(_BARE_DATA_SET)


def too_many_files(limits: Limits) -> Finding:
    """One finding for all files that the limit on their number shut out."""
    return _medium_past_limit("limit-files", f"{limits.files} files")


def too_many_bytes(limits: Limits) -> Finding:
    """One finding for all files that the limit on a medium's bytes shut out."""
    return _medium_past_limit("limit-bytes", f"{limits.medium_bytes} bytes of files")


def _medium_past_limit(code: str, limit: str) -> Finding:
    detail = (
        f"The medium holds more than {limit}. Only files that say they are DICOM were copied, up "
        "to the limit; the rest was listed and not read. A disc of scans is never like this: ask "
        "for a copy with the scans only."
    )
    return Finding(code, Severity.UNSAFE, "", detail)


def bounded(findings: list[Finding]) -> list[Finding]:
    """At most so many findings of one kind, then one that says how many more there are."""
    seen: Counter[str] = Counter()
    kept = []
    for finding in findings:
        seen[finding.code] += 1
        if seen[finding.code] <= _SAME_FINDING:
            kept.append(finding)
    severities = {f.code: f.severity for f in kept}
    for code, count in seen.items():
        if count > _SAME_FINDING:
            more = count - _SAME_FINDING
            detail = f"{more} more entries like these are only counted. Do the same for them."
            kept.append(Finding(code, severities[code], "", detail))
    return kept
