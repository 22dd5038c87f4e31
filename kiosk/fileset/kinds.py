"""What a file that is no DICOM object is: a report to keep, a part of a viewer, or something else;
and what hides in a preamble (PS3.10 7.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable

REPORT, VIEWER, OTHER = "report", "viewer", "other"
LEFT_BEHIND = "left-behind"  # the kind of files that operating systems scatter
PACKED, SOUND = "packed", "sound"  # kinds of others: what may hold scans, music and films

_PROGRAM_MAGIC = (
    b"MZ",
    b"\x7fELF",
    b"#!",
    b"\xca\xfe\xba\xbe",
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
)
_PROGRAM_NAMES = frozenset(
    (
        *("exe", "dll", "com", "bat", "cmd", "msi", "inf", "sys", "ocx", "jar", "scr", "vbs"),
        *("ps1", "cab", "lnk", "sh", "so", "dylib", "drv", "cpl", "pif", "hta"),
    )
)
_REPORT_MAGIC = (
    (b"%PDF", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"BM", "bmp"),
    (b"GIF8", "gif"),
)
_REPORT_NAMES = {
    "txt": "txt",
    "pdf": "pdf",
    "rtf": "rtf",
    "htm": "html",
    "html": "html",
    "doc": "doc",
    "docx": "docx",
    "odt": "odt",
}
_WRITTEN_BY_PEOPLE = frozenset({"pdf", "rtf", "doc", "docx", "odt", "cda"})
_PAPERS_OF_PROGRAMS = re.compile(
    r"(?<![a-z])(read.?me|licen[cs]es?|lizenz(en)?|eula|help|hilfe|ayuda|guide)(?![a-z])"
    r"|manual|handbuch|anleitung"
)
_SCATTERED = re.compile(r"(^|/)(__macosx/|\._|\.ds_store$|thumbs\.db$|desktop\.ini$)")
_SOUND_NAMES = frozenset(
    "mp3 wav wma cda ogg flac m4a aac aif vob ifo bup mpg mpeg avi mp4 mov wmv mkv".split()
)
_PACKED_MAGIC = (
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (0, b"Rar!\x1a\x07", "RAR"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"-----BEGIN PGP MESSAGE", "PGP"),
    (0, b"Salted__", "OpenSSL"),
    (257, b"ustar", "tar"),
)
DISC_IMAGE = (32_769, b"CD001")
_ENVELOPED_DATA = bytes.fromhex("2a864886f70d010703")  # 1.2.840.113549.1.7.3, RFC 5652
_ACTIVE = re.compile(rb"<\s*(!doctype|html|script|body|svg|\?php)", re.IGNORECASE)
_ARCHIVES = (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"%PDF", b"L\0\0\0\x01\x14\x02\0", b"@echo")


def kind_of(path: str, head: bytes) -> tuple[str, str]:
    """The bucket (`report`, `viewer` or `other`) and what kind of report it is. Bytes go before
    names: a name is what somebody hoped."""
    name = path.lower()
    suffix = name.rsplit("/", 1)[-1].rpartition(".")[2] if "." in name else ""
    suffix = suffix.split(";")[0]
    if _SCATTERED.search(name):
        return OTHER, LEFT_BEHIND
    if head.startswith(_PROGRAM_MAGIC) or suffix in _PROGRAM_NAMES:
        return VIEWER, ""
    for magic, kind in _REPORT_MAGIC:
        if head.startswith(magic):
            return REPORT, kind
    if _ACTIVE.match(head.lstrip(b"\xef\xbb\xbf \t\r\n")) or suffix in ("htm", "html"):
        return REPORT, "html"
    if b"<ClinicalDocument" in head:
        return REPORT, "cda"
    return (REPORT, _REPORT_NAMES[suffix]) if head and suffix in _REPORT_NAMES else (OTHER, "")


def packed_as(head: bytes) -> str:
    """What packs or locks the files inside, by name, "" where nothing does."""
    return next((name for at, magic, name in _PACKED_MAGIC if head.startswith(magic, at)), "")


def is_sound(path: str) -> bool:
    """Music or a film, by its name."""
    return path.rpartition("/")[2].lower().rpartition(".")[2] in _SOUND_NAMES


def viewer_folders(programs: Iterable[str]) -> frozenset[str]:
    """The folders (never the root) that hold a program: what else lies there belongs to it."""
    return frozenset(path.rpartition("/")[0] for path in programs) - {""}


def is_of_a_program(path: str, kind: str) -> bool:
    """Whether a text or picture that lies with a program is part of it, and no report of the
    patient's: a document never is, but for the papers that programs come with, by their name."""
    papers = _PAPERS_OF_PROGRAMS.search(path.rpartition("/")[2].lower())
    return kind not in _WRITTEN_BY_PEOPLE or papers is not None


def below(path: str, folders: frozenset[str]) -> bool:
    """Whether a file lies in one of the folders, however deep."""
    folder = path.rpartition("/")[0]
    while folder:
        if folder in folders:
            return True
        folder = folder.rpartition("/")[0]
    return False


def is_encrypted(head: bytes) -> bool:
    """A Secure DICOM File (PS3.15 D.1: CMS EnvelopedData) or a ZIP whose first entry is locked."""
    if head[:1] == b"\x30" and _ENVELOPED_DATA in head[:64]:
        return True
    return head[:4] == b"PK\x03\x04" and len(head) > 6 and bool(head[6] & 1)


def active_preamble(preamble: bytes) -> bool:
    """Whether another program would run or unpack the file (CVE-2019-11687). A TIFF header or
    anything a writer put there for itself is lawful."""
    if preamble.startswith(_PROGRAM_MAGIC) or preamble.startswith(_ARCHIVES):
        return True
    return _ACTIVE.search(preamble) is not None
