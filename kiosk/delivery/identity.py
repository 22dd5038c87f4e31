"""Whether an archive holds a study under the identity that we sent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

Match = Mapping[str, str | None]  # keyword to text, None where the archive did not return it

# C-FIND SCPs must return these at STUDY level (PS3.4 table C.6-5); without the others nothing is
# proved, but nothing is wrong either.
_REQUIRED = frozenset({"PatientID", "PatientName"})


def differences(
    expected: Mapping[str, str], studies: Sequence[Match]
) -> tuple[tuple[str, str, str], ...]:
    """(keyword, expected, found) wherever an archive's entry for the study is under another
    identity. One study UID under two patients gives two entries: both are held to `expected`."""
    found = {
        (keyword, wanted, study.get(keyword) or "")
        for study in studies
        for keyword, wanted in expected.items()
        if not _agrees(keyword, wanted, study.get(keyword))
    }
    return tuple(sorted(found))


def _agrees(keyword: str, wanted: str, found: str | None) -> bool:
    if not found and keyword not in _REQUIRED:
        return True
    if keyword == "PatientName":
        return same_name(wanted, found or "")
    return wanted.strip() == (found or "").strip()


def same_name(wanted: str, found: str) -> bool:
    """Whether two PN values are one name: trailing `^`, spaces, case and a poorer character set on
    the archive's side do not count, and groups that it does not return neither."""
    ours, theirs = _groups(wanted), _groups(found)
    pairs = list(zip(ours, theirs, strict=False))
    compared = [(a, b) for a, b in pairs if a and b]
    return (bool(compared) and all(_same_group(a, b) for a, b in compared)) or ours == theirs


def _groups(name: str) -> list[str]:
    groups = [_fold(group) for group in name.split("=", 2)]
    return groups + [""] * (3 - len(groups))


def _fold(group: str) -> str:
    parts = [" ".join(part.split()) for part in group.split("^")]
    return unicodedata.normalize("NFKC", "^".join(parts)).casefold().rstrip("^")


def _same_group(ours: str, theirs: str) -> bool:
    return ours == theirs or ours == _misread(theirs) or bool(_lossy(theirs).fullmatch(ours))


def _misread(text: str) -> str:
    """UTF-8 bytes that were shown as Latin-1, put right."""
    try:
        return _fold(text.encode("latin-1").decode("utf-8"))
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text


def _lossy(theirs: str) -> re.Pattern[str]:
    """`?` and U+FFFD stand for characters outside ASCII that the archive's set does not have."""
    parts = re.split("[?\N{REPLACEMENT CHARACTER}]+", theirs)
    return re.compile("[^\x00-\x7f]+".join(re.escape(part) for part in parts))
