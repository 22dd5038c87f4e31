"""From PID, PD1, PV1, MRG and their like to the model's values: HL7 v2 chapter 3, by position."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from kiosk.adt.er7 import Segment
from kiosk.model.patient import Identifier, Order, PersonName, Visit
from kiosk.model.registration import NULL, Kept, PatientFields

_SEX = {"M": "M", "F": "F", "O": "O", "U": "", "N": "", "A": "", "MALE": "M", "FEMALE": "F"}
_BLANK = [""] * 12
_ALIASES = frozenset("AMNSPT")  # HL7 table 0200: names beside the one in use
_NOT_VIP = frozenset({"N", "NO", "0"})

# What a trigger says of the visit that it names (HL7 v2 chapters 3.3 and 10); others say nothing.
_VISIT_STATUS = {
    **dict.fromkeys(["A01", "A02", "A04", "A06", "A07", "A10", "A12", "A13"], "active"),
    **dict.fromkeys(["A05", "A14", "A15", "A16", "S12", "S13", "S14", "O01", "O19"], "planned"),
    "O23": "planned",
    "A03": "finished",
    **dict.fromkeys(["A11", "A23", "A27", "A38", "S15", "S16", "S17", "S26"], "cancelled"),
}
_CANCELLED_ORDERS = frozenset({"CA", "OC", "DC", "CR", "OD"})  # ORC-1, HL7 table 0119
# Where SIU's resource segments carry the start.
_STARTS = {"AIS": 4, "AIG": 8, "AIL": 6, "AIP": 6}


def patient(group: Sequence[Segment], trigger: str, authority: str) -> PatientFields:
    """One patient group's content. `authority` stands in where CX-4 is empty."""
    by_name = {segment.name: segment for segment in reversed(group)}
    pid = by_name["PID"]
    pd1, pv1, mrg = by_name.get("PD1"), by_name.get("PV1"), by_name.get("MRG")
    return PatientFields(
        identifiers=_first_filled(pid, (3, 2, 4), authority),
        names=_names(pid),
        birth_date=_birth_date(pid),
        sex=_coded(pid, 8, _SEX),
        address=_address(pid),
        telephone=_telephone(pid),
        mother_birth_name=_mother(pid),
        deceased=_deceased(pid),
        vip=_vip(pv1) if pv1 else Kept.UNCHANGED,
        protected=_flag(pd1, 12) if pd1 else Kept.UNCHANGED,
        multiple_birth=_flag(pid, 24),
        temporary=_temporary(pid),
        prior=_first_filled(mrg, (1, 4, 2), authority) if mrg else (),
        prior_names=tuple(_person_names(mrg, 7)) if mrg else (),
        visit=_visit(by_name, trigger),
        prior_visit=mrg.first(5) if mrg else "",
        account=_account(pid, 18, authority),
        prior_account=_account(mrg, 3, authority) if mrg else None,
    )


def _first_filled(
    segment: Segment, numbers: Iterable[int], authority: str
) -> tuple[Identifier, ...]:
    """The identifiers of the first of these fields that has any: later versions withdrew PID-2,
    PID-4 and MRG-4, older senders have nothing else."""
    for number in numbers:
        if not segment.field(number):
            continue
        found = [_identifier(segment, text, authority) for text in segment.repetitions(number)]
        if kept := tuple(dict.fromkeys(i for i in found if i.value and i.value != NULL)):
            named = tuple(i for i in kept if i.issuer or i.universal_id)
            return named or kept
    return ()


def _account(segment: Segment, number: int, authority: str) -> Identifier | None:
    """An account needs no authority: no patient is found by it alone."""
    found = segment.repetitions(number)
    if not found:
        return None
    account = _identifier(segment, found[0], authority)
    return account if account.value and account.value != NULL else None


def _identifier(segment: Segment, text: str, authority: str) -> Identifier:
    value, _, _, assigned, kind = (segment.components(text) + _BLANK)[:5]
    names = (assigned.split(segment.separators.subcomponent) + _BLANK)[:3]
    namespace, universal_id, universal_id_type = map(segment.text, names)
    if not (namespace or universal_id):
        namespace = authority
    return Identifier(
        segment.text(value), namespace, segment.text(kind), universal_id, universal_id_type
    )


def _names(pid: Segment) -> tuple[PersonName, ...] | Kept:
    if pid.field(5) == NULL:
        return Kept.DELETED
    names = _person_names(pid, 5)
    if len(names) > 1:
        names.sort(key=lambda n: 0 if n.type == "L" else 2 if n.type in _ALIASES else 1)
    names += [_typed(name, "A") for name in _person_names(pid, 9)]
    return tuple(dict.fromkeys(names)) or Kept.UNCHANGED


def _typed(name: PersonName, kind: str) -> PersonName:
    return name if name.type else _with_groups(name, "", "", kind)


def _person_names(segment: Segment, number: int) -> list[PersonName]:
    """The names of an XPN or PN field. Repetitions that write one name in letters, ideographs and
    phonetic script (XPN-8 A, I, P) become the three groups of one name."""
    written: dict[tuple[str, int], dict[str, PersonName]] = {}
    count = 0
    for text in segment.repetitions(number):
        name, script = _person_name(segment, text)
        if not name:
            continue
        slot = (name.type, 0)
        if script == "A" and "A" in written.get(slot, {}):
            count += 1
            slot = (name.type, count)
        written.setdefault(slot, {})[script] = name
    return [_joined(scripts) for scripts in written.values()]


def _joined(scripts: dict[str, PersonName]) -> PersonName:
    base = scripts.get("A", PersonName(type=next(iter(scripts.values())).type))
    if scripts.keys() == {"A"}:
        return base
    texts = [scripts[s].to_dicom() if s in scripts else "" for s in "IP"]
    return _with_groups(base, texts[0], texts[1], base.type)


def _with_groups(name: PersonName, ideographic: str, phonetic: str, kind: str) -> PersonName:
    return PersonName(
        name.family, name.given, name.middle, name.prefix, name.suffix, ideographic, phonetic, kind
    )


def _person_name(segment: Segment, text: str) -> tuple[PersonName, str]:
    parts = (segment.components(text) + _BLANK)[:8]
    family, given, middle, suffix, prefix = [_leading(segment, part) for part in parts[:5]]
    if not family:  # FN-1 empty: own prefix and own surname
        subs = [*parts[0].split(segment.separators.subcomponent), "", ""]
        family = f"{segment.text(subs[1])} {segment.text(subs[2])}".strip()
    kind, script = segment.text(parts[6]).upper(), segment.text(parts[7]).upper()
    name = PersonName(family, given, middle, prefix, suffix, "", "", kind)
    return name, script if script in ("I", "P") else "A"


def _leading(segment: Segment, part: str) -> str:
    if not part or part.isalnum():  # most have nothing to separate
        return part
    return segment.text(part.partition(segment.separators.subcomponent)[0])


def _birth_date(pid: Segment) -> str | Kept:
    value = pid.first(7)
    if value == NULL:
        return Kept.DELETED
    day = value[:8]
    if len(day) < 8 or not (day.isascii() and day.isdecimal()):
        return Kept.UNCHANGED
    try:
        date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        return Kept.UNCHANGED
    return day


def _coded(pid: Segment, number: int, table: dict[str, str]) -> str | Kept:
    value = pid.first(number).upper()
    if value == NULL:
        return Kept.DELETED
    return table.get(value, Kept.UNCHANGED)


def _flag(segment: Segment, number: int) -> bool | Kept:
    value = segment.first(number).upper()
    if value in ("N", "NO", NULL):
        return False
    return True if value in ("Y", "YES") else Kept.UNCHANGED


def _deceased(pid: Segment) -> bool | Kept:
    said = _flag(pid, 30)
    if said is Kept.UNCHANGED and pid.first(29) not in ("", NULL):
        return True
    return said


def _vip(pv1: Segment) -> bool | Kept:
    value = pv1.first(16).upper()
    if not value:
        return Kept.UNCHANGED
    return value != NULL and value not in _NOT_VIP


def _temporary(pid: Segment) -> bool:
    return pid.first(31).upper() == "Y" or any(
        pid.text(text) == "AL" for text in pid.repetitions(32)
    )


def _address(pid: Segment) -> str | Kept:
    if pid.field(11) == NULL:
        return Kept.DELETED
    for text in pid.repetitions(11):
        parts = [_leading(pid, part) for part in pid.components(text)[:6]]
        if filled := [part for part in parts if part and part != NULL]:
            return ", ".join(filled)
    return Kept.UNCHANGED


def _telephone(pid: Segment) -> str | Kept:
    if pid.field(13) == NULL:
        return Kept.DELETED
    for text in pid.repetitions(13):
        parts = [_leading(pid, part) for part in pid.components(text)] + _BLANK
        number = parts[0] or parts[11] or f"{parts[5]}{parts[6]}"
        if number and number != NULL:
            return number
    return Kept.UNCHANGED


def _mother(pid: Segment) -> str | Kept:
    if pid.field(6) == NULL:
        return Kept.DELETED
    names = _person_names(pid, 6)
    return names[0].to_dicom() if names else Kept.UNCHANGED


def _visit(by_name: dict[str, Segment], trigger: str) -> Visit | None:
    pv1 = by_name.get("PV1")
    if trigger[0] in "SO":
        number, starts_at = _appointment(by_name) if trigger[0] == "S" else _order(by_name)
    else:
        number = (pv1.first(19) or pv1.first(50)) if pv1 else ""
        starts_at = pv1.first(44) if pv1 else ""
    pseudo = pv1 is not None and pv1.first(2).upper() == "N"
    if not number or number == NULL or (pseudo and trigger[0] == "A"):
        return None
    return Visit(
        number,
        pv1.first(2) if pv1 else "",
        pv1.first(3) if pv1 else "",
        starts_at,
        _status(by_name, trigger),
        _ordered(by_name) if trigger[0] == "O" else None,
    )


def _ordered(by_name: dict[str, Segment]) -> Order | None:
    """What is ordered (IHE RAD-4: IPC, or OBR-18 to 20 and ZDS before v2.5)."""
    obr, ipc, zds = by_name.get("OBR"), by_name.get("IPC"), by_name.get("ZDS")
    if obr is None:
        return None
    code, meaning, scheme = ([*map(obr.text, obr.components(obr.field(4))), "", "", ""])[:3]

    def one(of_ipc: int, of_obr: int) -> str:
        return (ipc.first(of_ipc) if ipc else "") or (obr.first(of_obr) if of_obr else "")

    study = one(3, 0) or (zds.first(1) if zds else "")
    return Order(one(1, 18), (code, meaning, scheme), one(2, 19), one(4, 20), study)


def _status(by_name: dict[str, Segment], trigger: str) -> str:
    orc = by_name.get("ORC")
    if trigger[0] == "O" and orc and orc.first(1).upper() in _CANCELLED_ORDERS:
        return "cancelled"
    if trigger[0] == "O" and orc and orc.first(5).upper() == "CM":
        return "finished"
    return _VISIT_STATUS.get(trigger, "")


def _appointment(by_name: dict[str, Segment]) -> tuple[str, str]:
    sch = by_name.get("SCH")
    if sch is None:
        return "", ""
    starts = [by_name[name].first(number) for name, number in _STARTS.items() if name in by_name]
    return sch.first(2) or sch.first(1), _timing(sch, 11) or next(filter(None, starts), "")


def _order(by_name: dict[str, Segment]) -> tuple[str, str]:
    ipc, orc, obr = by_name.get("IPC"), by_name.get("ORC"), by_name.get("OBR")
    number = ipc.first(1) if ipc else ""
    for segment in (orc, obr):
        if segment and not number:
            number = segment.first(3) or segment.first(2)
    tq1 = by_name.get("TQ1")
    return number, (tq1.first(7) if tq1 else "") or (_timing(orc, 7) if orc else "")


def _timing(segment: Segment, number: int) -> str:
    """The start of a TQ field: its fourth component."""
    parts = segment.components(segment.field(number))
    return segment.text(parts[3]) if len(parts) > 3 else ""
