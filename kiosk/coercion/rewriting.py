"""A header as bytes in, the new header as bytes out.

It is cut into its top-level elements and put together again: what does not change is a slice of
the original. Nothing is decoded that need not be; only a new character set, or private elements
to be dropped, take it apart in depth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from pydicom.datadict import keyword_for_tag

from kiosk.coercion.encoding import charsets
from kiosk.coercion.encoding.elements import (
    EXPLICIT,
    Encoding,
    Header,
    Malformed,
    element_at,
    encode,
    encode_item,
    items,
    locate,
    reencode,
    scan,
)
from kiosk.coercion.encoding.uids import made_uid
from kiosk.coercion.provenance import ALWAYS_KEPT, ISSUER, PATIENT_ID, old_values, stated_id
from kiosk.coercion.recoding import (
    CHARSET,
    MAC_PARAMETERS,
    SIGNATURES,
    Privates,
    Recoder,
    private_creators,
)
from kiosk.coercion.wording import change, clip, describe
from kiosk.model.delivery import Attribute, Change, Plan

OTHER_IDS, ORIGINAL, REASON = 0x00101002, 0x04000561, 0x04000565
SOP_INSTANCE, STUDY, SERIES = 0x00080018, 0x0020000D, 0x0020000E
GROUP_LENGTHS = Change("(gggg,0000)", "GroupLength", "present", "")
REMEMBERED_BYTES = 65_536  # nothing that an image says of its patient comes near
GUESSED = ("text outside the declared character set", "read as UTF-8 or ISO_IR 100")


Edits = tuple[dict[int, bytes], tuple[Change, ...]]
"""What becomes of top-level elements (b"": left out), and how people are told."""


def rewrite(
    data: bytes, encoding: Encoding, plan: Plan, sop_instance_uid: str = ""
) -> tuple[bytes, tuple[Change, ...]]:
    """The header `data` as `plan` has it, and what changed. `sop_instance_uid` is the instance's,
    where it is known. Raises Malformed where that cannot be done exactly."""
    header = Header.of(data, encoding)
    stated = ascii_text(header.raw(SOP_INSTANCE).strip(b" \0"))
    in_depth = plan.mend or plan.drop_private or plan.uids
    if in_depth or stated != sop_instance_uid or turns_to_utf8(plan, _charset(header), encoding):
        edits, changes = _edits(header, plan, sop_instance_uid)
    else:
        part = header.part(_decisive(plan))
        worked_out = _same_edits if len(part) <= REMEMBERED_BYTES else _same_edits.__wrapped__
        edits, changes = worked_out(part, encoding, plan)
    return header.edited(edits), changes


@lru_cache(maxsize=256)
def _decisive(plan: Plan) -> frozenset[int]:
    """The elements that decide what becomes of a header whose other ones are not looked into."""
    written = (a.tag for a in (*plan.attributes, *plan.appended))
    read = (CHARSET, SIGNATURES, MAC_PARAMETERS, OTHER_IDS, ORIGINAL, *ALWAYS_KEPT)
    return frozenset((*written, *read))


@lru_cache(maxsize=64)
def _same_edits(data: bytes, encoding: Encoding, plan: Plan) -> Edits:
    """Worked out once for the images of a series, which are of one patient. `data` are the decisive
    elements of a header."""
    found = locate(data, encoding)
    return _edits(Header(data, encoding, list(found), [*found.values(), len(data)]), plan, "")


def _edits(header: Header, plan: Plan, sop_instance_uid: str) -> Edits:
    encoding, charset = header.encoding, _charset(header)
    texts = _texts(plan, charset, encoding)
    changed = [tag for tag in texts.elements if _differs(header, tag, texts, charset)]
    changes = [_row(header, tag, texts, charset) for tag in changed]
    edits = {tag: texts.elements[tag].whole for tag in changed}
    untrue = [t for t in (SIGNATURES, MAC_PARAMETERS) if header.element(t)]
    changes += [change(tag, "present", "") for tag in untrue]
    lengths = header.group_lengths
    edits |= dict.fromkeys((*untrue, *lengths), b"")
    recoder = recoder_for(plan, charset, encoding, texts.to_utf8)
    if not recoder.idle:
        edits = _recoded(header, recoder) | edits
    notes = recoder.notes
    own = _own_uids(header, plan, sop_instance_uid)
    edits |= {tag: encode(tag, b"UI", uid.encode("ascii"), encoding) for tag, uid in own.items()}
    mends = [m for m in notes.mends if m.top not in {*changed, *own, *lengths}]
    changes += [Change(m.place, keyword_for_tag(m.tag), m.was, m.now) for m in mends]
    changes += [change(tag, ascii_text(header.raw(tag)), uid) for tag, uid in own.items()]
    guessed = notes.guessed - set(changed) if texts.to_utf8 else set()
    changes += [change(tag, *GUESSED) for tag in guessed]
    changes += [GROUP_LENGTHS] if lengths or notes.lengths else []
    changes += [change(SIGNATURES, "in a sequence", "") for _ in range(notes.unsigned)]
    changes += [dropped(creator, count) for creator, count in notes.dropped.items()]
    if texts.to_utf8:
        changed.append(CHARSET)
        changes.append(change(CHARSET, "\\".join(charset), charsets.UTF8))
        edits[CHARSET] = encode(CHARSET, b"CS", charsets.UTF8.encode(), encoding)
    corrected = {*own, *(m.top for m in mends if m.old is not None)}
    for tag, more in _items_to_append(
        header, {*changed, *guessed}, corrected, recoder, texts, plan
    ).items():
        edits[tag] = _append(header, tag, edits, more)
        if edits[tag] != header.whole(tag):
            changes.append(change(tag, "", "one item more"))
    return edits, tuple(sorted(changes, key=lambda c: c.tag))


def _charset(header: Header) -> tuple[str, ...]:
    return charsets.terms(header.raw(CHARSET))


def _own_uids(header: Header, plan: Plan, sop_instance_uid: str) -> dict[int, str]:
    """UIDs that the instance gets and its header does not have: made for it because another has
    the same one, or because the header has none."""
    found = {}
    stated = ascii_text(header.raw(SOP_INSTANCE).strip(b" \0"))
    if sop_instance_uid and dict(plan.uids).get(stated, stated) != sop_instance_uid:
        found[SOP_INSTANCE] = sop_instance_uid
    if plan.mend:
        new = dict(plan.uids)
        study = new.get(plan.study_instance_uid, plan.study_instance_uid)
        stated = ascii_text(header.raw(STUDY).strip(b" \0"))
        if new.get(stated, stated) != study:
            found[STUDY] = study
        if not header.raw(SERIES).strip(b" \0"):
            found[SERIES] = series_uid_for(study)
    return found


def series_uid_for(study_instance_uid: str) -> str:
    """The UID of the series of those instances of a study that state none."""
    return made_uid(study_instance_uid, "series")


def recoder_for(plan: Plan, charset: tuple[str, ...], encoding: Encoding, to_utf8: bool) -> Recoder:
    privates = Privates(plan.drop_private, frozenset(plan.private_creators))
    return Recoder(encoding, charset, to_utf8, privates, dict(plan.uids), plan.mend)


def ascii_text(raw: bytes) -> str:
    return clip(raw.decode("latin-1"), 64, forbidden="")


def dropped(creator: str, count: int) -> Change:
    return Change("private", clip(creator, 64), f"{count} elements", "")


@dataclass(frozen=True, slots=True)
class _Text:
    attribute: Attribute
    value: bytes
    whole: bytes  # b"" for a sequence that is left out
    now: str  # for people


@dataclass(frozen=True, slots=True)
class _Texts:
    """What a plan writes into every header of one encoding and character set, encoded once."""

    charset: tuple[str, ...]
    to_utf8: bool  # the header's own character set cannot say it
    elements: dict[int, _Text]
    appended: dict[int, bytes]  # the content of each new item
    corrected: bytes  # the constant part of an Original Attributes item for what was mended


@lru_cache(maxsize=64)
def _texts(plan: Plan, charset: tuple[str, ...], encoding: Encoding) -> _Texts:
    try:
        return _encoded(plan, charset, encoding, to_utf8=False)
    except UnicodeError:
        return _encoded(plan, (charsets.UTF8,), encoding, to_utf8=True)


def _encoded(plan: Plan, charset: tuple[str, ...], encoding: Encoding, to_utf8: bool) -> _Texts:
    elements = {}
    for a in plan.attributes:
        value = _value(a, charset, encoding)
        left_out = a.vr == "SQ" and not a.items
        whole = b"" if left_out else encode(a.tag, a.vr.encode(), value, encoding)
        elements[a.tag] = _Text(a, value, whole, describe(a))
    appended = {a.tag: _content(a.items[0], charset, encoding) for a in plan.appended}
    provenance = next(a.items[0] for a in plan.appended if a.tag == ORIGINAL)
    corrected = (replace(a, value="CORRECT") if a.tag == REASON else a for a in provenance)
    return _Texts(charset, to_utf8, elements, appended, _content(corrected, charset, encoding))


def _value(a: Attribute, charset: tuple[str, ...], encoding: Encoding) -> bytes:
    if a.vr == "SQ":
        contents = (_content(item, charset, encoding) for item in a.items)
        return b"".join(encode_item(content, encoding) for content in contents)
    if a.vr.encode() in charsets.TEXT_VRS:
        return charsets.encode(a.value, charset)
    return a.value.encode("ascii")


def _content(item: Iterable[Attribute], charset: tuple[str, ...], encoding: Encoding) -> bytes:
    return b"".join(
        encode(a.tag, a.vr.encode(), _value(a, charset, encoding), encoding) for a in item
    )


def _differs(header: Header, tag: int, texts: _Texts, charset: tuple[str, ...]) -> bool:
    """Whether the attribute's value changes. Absent and empty are the same."""
    old, new = header.raw(tag).rstrip(b" \0"), texts.elements[tag]
    if old == new.value:
        return False
    if not texts.to_utf8 or new.attribute.vr == "SQ":
        return True
    return charsets.read(old, charset, new.attribute.vr.encode())[0] != new.attribute.value


def _row(header: Header, tag: int, texts: _Texts, charset: tuple[str, ...]) -> Change:
    new = texts.elements[tag]
    return change(tag, stated_text(header, tag, new.attribute.vr.encode(), charset), new.now)


def stated_text(header: Header, tag: int, vr: bytes, charset: tuple[str, ...]) -> str:
    """What a header says of an attribute, for people; "" when it is absent or empty."""
    element = header.element(tag)
    if element is None:
        return ""
    if vr == b"SQ":
        count = len(items(header.data, header.encoding, element))
        return f"{count} items" if count else ""
    text, _ = charsets.read(header.raw(tag).rstrip(b" \0"), charset, vr)
    return clip(text, 256, forbidden="")


def turns_to_utf8(plan: Plan, charset: tuple[str, ...], encoding: Encoding = EXPLICIT) -> bool:
    """Whether what the plan writes cannot be said in a header's own character set."""
    return _texts(plan, charset, encoding).to_utf8


def _recoded(header: Header, recoder: Recoder) -> dict[int, bytes]:
    elements = scan(header.data, header.encoding)
    creators = private_creators(header.data, elements)
    return {e.tag: recoder.element(header.data, e, creators) for e in elements}


def _items_to_append(
    header: Header,
    coerced: set[int],
    corrected: set[int],
    recoder: Recoder,
    texts: _Texts,
    plan: Plan,
) -> dict[int, bytes]:
    """The new items of each sequence that gets some, by the sequence's tag."""
    found = {tag: [content] for tag, content in texts.appended.items()}
    provenance = found.pop(ORIGINAL)[0]
    old = []
    if corrected - coerced:
        kept = corrected - coerced
        kept |= {ISSUER} if PATIENT_ID in kept else set()
        kept |= {CHARSET} if texts.to_utf8 else set()
        old += [each + texts.corrected for each in old_values(header, kept, recoder, mends=True)]
    if coerced:
        kept = coerced.union(ALWAYS_KEPT)
        old += [each + provenance for each in old_values(header, kept, recoder)]
    found |= {ORIGINAL: old} if old else {}
    if plan.keep_stated_id and (PATIENT_ID in coerced or ISSUER in coerced):
        stated = stated_id(header, recoder, PATIENT_ID in coerced)
        found |= {OTHER_IDS: [stated]} if stated else {}
    return {
        tag: b"".join(encode_item(content, header.encoding) for content in contents)
        for tag, contents in found.items()
    }


def _append(header: Header, tag: int, edits: dict[int, bytes], more: bytes) -> bytes:
    """The sequence `tag` with the items `more`. Items that are there stay (PS3.3 C.12.1.1.9)."""
    before = edits.get(tag, header.whole(tag))
    if not before:
        return encode(tag, b"SQ", more, header.encoding)
    element = element_at(before, header.encoding, 0)
    if element.vr not in (b"", b"SQ"):
        raise Malformed("a sequence that must be added to is not encoded as one")
    value = before[element.at : element.stop]
    if tag == OTHER_IDS and more in value:
        return before
    return reencode(before, element, value + more, header.encoding, b"SQ")
