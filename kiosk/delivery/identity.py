"""Whether an archive holds a study under the identity that we sent."""

from __future__ import annotations

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
    ours = _groups(wanted)
    return any(_same_groups(ours, _groups(theirs)) for theirs in (found, _misread(found)))


def _same_groups(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    compared = [(a, b) for a, b in zip(ours, theirs, strict=True) if a and b]
    if not compared:
        # Nothing of a name that has no ASCII letter is left by an archive that cannot write it:
        # the number and the birth date prove what the name cannot.
        unwritable = not any(c.isascii() and c.isalnum() for c in "".join(ours))
        return list(ours) == list(theirs) or (unwritable and any(ours) and not any(theirs))
    return all(_same_group(a, b) for a, b in compared)


def _groups(name: str) -> list[str]:
    groups = [_fold(group) for group in name.split("=", 2)]
    return groups + [""] * (3 - len(groups))


def _fold(group: str) -> str:
    parts = [" ".join(part.split()) for part in group.split("^")]
    return unicodedata.normalize("NFKC", "^".join(parts)).casefold().rstrip("^")


def _same_group(ours: str, theirs: str) -> bool:
    """Archives that cannot write a character leave it out (Orthanc), or write `?` or U+FFFD: what
    is ASCII must be the same, and what else is there must be ours, in our order."""
    if ours == theirs:
        return True
    ours_ascii, ours_other = _apart(ours)
    theirs_ascii, theirs_other = _apart(theirs)
    rest = iter(ours_other)
    return ours_ascii == theirs_ascii and all(character in rest for character in theirs_other)


def _apart(group: str) -> tuple[str, str]:
    kept = [c for c in group if c not in "?\N{REPLACEMENT CHARACTER}"]
    return "".join(c for c in kept if c.isascii()), "".join(c for c in kept if not c.isascii())


def _misread(text: str) -> str:
    """UTF-8 bytes that were shown as Latin-1, put right."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text
