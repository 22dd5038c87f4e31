"""What the header scanner makes of each way to write a DICOM file, whole or not."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from kiosk.fileset.header.elements import EXPLICIT_LITTLE, scan
from kiosk.fileset.header.file import Budget, Header, read_header
from kiosk.fileset.header.source import MemorySource
from kiosk.fileset.header.tags import OF_INSTANCE, SOP_INSTANCE_UID
from kiosk.model.content import InstanceStatus
from tests.fileset.staged import (
    EXPLICIT,
    IMPLICIT,
    catalog,
    codes,
    element,
    image,
    part10,
    rewritten,
    sample,
)

BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
OK, DAMAGED, UNSUPPORTED = InstanceStatus.OK, InstanceStatus.DAMAGED, InstanceStatus.UNSUPPORTED


def header_of(data: bytes, depth: int = 32) -> Header:
    found = read_header(MemorySource(data), Budget(), depth)
    assert found is not None
    return found


def undefined(tag: int, items: bytes) -> bytes:
    """A sequence of undefined length, Explicit VR Little Endian."""
    head = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, 0xFFFFFFFF)
    return head + items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def item(content: bytes, *, defined: bool = True) -> bytes:
    if defined:
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
    closing = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    return struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content + closing


def fragments(*pieces: bytes, closed: bool = True) -> bytes:
    """Encapsulated pixel data with an empty offset table."""
    head = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if closed else b""
    return head + item(b"") + b"".join(map(item, pieces)) + end


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_a_file_states_the_same_in_every_plain_transfer_syntax(syntax: str) -> None:
    """Implicit and Explicit VR, little and big endian: the same values, whole, and the pixel
    data where pydicom finds them."""
    data = rewritten(sample("CT_small.dcm"), syntax)
    found = header_of(data)
    file = BytesIO(data)
    expected = pydicom.dcmread(file, stop_before_pixels=True)
    assert found.transfer_syntax_uid == syntax
    assert found.sop_instance_uid == expected.SOPInstanceUID
    assert found.values[0x00100010].strip() == b"CompressedSamples^CT1"
    assert (found.number(0x00280010), found.number(0x00280011)) == (128, 128)
    assert found.pixel_offset == file.tell()
    assert found.status is OK


def test_a_deflated_data_set_is_unpacked_for_its_header_only() -> None:
    """It has no tail that could be forwarded as it is: the pixel offset is the file's length."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(image()) + packer.flush()
    data = part10(packed, DEFLATED)
    found = header_of(data)
    assert found.sop_instance_uid == "1.2.3.1"
    assert found.transfer_syntax_uid == DEFLATED
    assert found.pixel_offset == len(data)
    assert found.status is OK
    assert header_of(data[:-20]).status is DAMAGED


def test_a_deflate_bomb_is_held_within_its_budget() -> None:
    """A few kilobytes that unpack to a thousand times as much are given up within the budget."""
    packer = zlib.compressobj(9, wbits=-15)
    start = image(pixels=b"") + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 1 << 25)
    packed = packer.compress(start)
    for _ in range(32):
        packed += packer.compress(bytes(1 << 20))
    data = part10(packed + packer.flush(), DEFLATED)
    budget = Budget(inflated=4_000_000)
    found = read_header(MemorySource(data), budget)
    assert found is not None
    assert found.status is UNSUPPORTED
    assert [code for code, _, _ in found.flaws] == ["deflated-too-large"]
    assert budget.inflated > -1_100_000


@pytest.mark.parametrize("cut", [128, 0])
def test_a_file_without_preamble_is_found(cut: int) -> None:
    """Neither the 128 bytes nor the meta group must be there."""
    whole = part10(image())
    bare = whole[cut:] if cut else image()
    found = header_of(bare)
    assert found.sop_instance_uid == "1.2.3.1"
    assert found.transfer_syntax_uid == EXPLICIT
    assert found.dataset_offset == len(bare) - len(image())
    assert found.status is OK


@pytest.mark.parametrize(
    "data", [b"", b"\x08\0", b"plain text, nothing else" * 20, bytes(4096), b"\x08\0\x05\0" * 40]
)
def test_what_does_not_begin_like_a_data_set_is_no_dicom(data: bytes) -> None:
    assert read_header(MemorySource(data), Budget()) is None


def test_a_file_shifted_by_one_byte_is_no_dicom() -> None:
    assert read_header(MemorySource(b"\0" + image()), Budget()) is None


def test_a_file_written_otherwise_than_it_declares_is_read_as_it_is_written() -> None:
    """The transfer syntax of the instance is the one of its bytes, and the difference is said."""
    found = header_of(part10(image(), IMPLICIT))
    assert found.transfer_syntax_uid == EXPLICIT
    assert found.sop_instance_uid == "1.2.3.1"
    assert [code for code, _, _ in found.flaws] == ["transfer-syntax-disagrees"]


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm"])
def test_a_file_cut_anywhere_is_never_whole(name: str) -> None:
    """At an element's boundary or inside one, in the header or in the pixel data."""
    data = sample(name)
    found = header_of(data)
    assert found.status is OK
    for end in [*range(found.dataset_offset + 60, len(data), 997), len(data) - 1, len(data) - 10]:
        assert header_of(data[:end]).status is DAMAGED, end


def test_a_file_without_image_data_that_is_cut_inside_an_element_is_damaged() -> None:
    data = sample("rtplan.dcm")
    assert header_of(data).status is OK
    assert header_of(data[:-1]).status is DAMAGED


def test_fewer_pixels_than_rows_and_columns_ask_for_are_damage() -> None:
    assert header_of(part10(image(pixels=bytes(32)))).status is OK
    assert header_of(part10(image(pixels=bytes(30)))).status is DAMAGED
    assert header_of(part10(image(pixels=b""))).status is DAMAGED


def test_frames_count_for_the_pixels_that_must_be_there() -> None:
    frames = element(0x00280008, b"IS", b"3 ")
    assert header_of(part10(image(extra=frames, pixels=bytes(96)))).status is OK
    assert header_of(part10(image(extra=frames, pixels=bytes(94)))).status is DAMAGED


@pytest.mark.parametrize(
    ("pixels", "status"),
    [
        (fragments(b"jpeg", b"jpeg"), OK),
        (fragments(b"jpeg"), DAMAGED),
        (fragments(), DAMAGED),
        (fragments(b"jpeg", b"jpeg", closed=False), DAMAGED),
        (fragments(b"jpeg", b"jpeg")[:-10], DAMAGED),
    ],
)
def test_encapsulated_pixel_data_must_have_their_frames_and_end(
    pixels: bytes, status: InstanceStatus
) -> None:
    frames = element(0x00280008, b"IS", b"2 ")
    found = header_of(part10(image(extra=frames, pixels=b"") + pixels, JPEG))
    assert found.status is status
    assert found.transfer_syntax_uid == JPEG


def test_zeros_that_fill_up_the_last_sector_are_no_damage() -> None:
    for data in (part10(image()), rewritten(sample("rtplan.dcm"), IMPLICIT)):
        padded = data + bytes(2048 - len(data) % 2048)
        assert header_of(padded).status is OK


@pytest.mark.parametrize("defined", [True, False])
def test_sequences_are_followed_to_the_limit_and_no_deeper(defined: bool) -> None:
    """32 levels are lawful; one more is held, however the lengths are written."""

    def nested(levels: int) -> bytes:
        content = b""
        for _ in range(levels):
            inside = item(content, defined=defined)
            content = (
                element(0x0040A730, b"SQ", inside) if defined else undefined(0x0040A730, inside)
            )
        return content

    assert header_of(part10(image(extra=nested(32)))).status is OK
    deep = header_of(part10(image(extra=nested(33))))
    assert deep.status is UNSUPPORTED
    assert [code for code, _, _ in deep.flaws] == ["sequence-too-deep"]
    assert deep.sop_instance_uid == "1.2.3.1"


def test_100_000_levels_cost_neither_stack_nor_time() -> None:
    opened = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    found = header_of(part10(image(pixels=b"") + opened * 100_000))
    assert found.status is UNSUPPORTED


def test_sequences_behind_the_pixel_data_are_followed_too() -> None:
    """They are forwarded with the pixel data, and would crash a receiver there just as well."""
    content = b""
    for _ in range(40):
        content = element(0x0040A730, b"SQ", item(content))
    assert header_of(part10(image() + content)).status is UNSUPPORTED


def test_values_inside_sequences_are_not_the_instances_own() -> None:
    other = element(SOP_INSTANCE_UID, b"UI", b"9.9.9\0")
    found = header_of(part10(image(extra=undefined(0x00081140, item(other, defined=False)))))
    assert found.sop_instance_uid == "1.2.3.1"


def test_a_sequence_with_nonsense_inside_is_stepped_over_and_said() -> None:
    broken = element(0x00081140, b"SQ", b"nonsense that is no item")
    found = header_of(part10(image(extra=broken)))
    assert found.status is OK
    assert [code for code, _, _ in found.flaws] == ["header-malformed"]


def test_a_million_tiny_elements_end_with_the_budget() -> None:
    source = MemorySource(element(0x00090010, b"LO", b"") * 200_000)
    found = scan(source, 0, EXPLICIT_LITTLE, OF_INSTANCE, elements=100_000)
    assert found.problem == "too-complex"
    assert found.elements == 100_000


def test_a_length_of_four_gigabytes_reads_nothing_it_does_not_have(tmp_path: Path) -> None:
    data = part10(image(pixels=b"") + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 0xFFFFFFF0))
    found = catalog(tmp_path, {"A": data + b"abc"})
    assert found.ledger.damaged == 1
    assert codes(found) == {"damaged-instance", "series-damaged"}


def test_compressed_data_in_an_implicit_data_set_are_held() -> None:
    """Only Explicit VR Little Endian can hold them (PS3.5 A.4): what is forwarded would be torn."""
    dataset = pydicom.dcmread(BytesIO(sample("MR_small.dcm")), stop_before_pixels=True)
    dataset.file_meta.TransferSyntaxUID = IMPLICIT
    out = BytesIO()
    pydicom.dcmwrite(out, dataset, implicit_vr=True, little_endian=True)
    bare = header_of(out.getvalue())
    pixels = struct.pack("<HHI", 0x7FE0, 0x0010, 0xFFFFFFFF) + fragments(b"jpeg")[12:]
    found = header_of(part10(out.getvalue()[bare.dataset_offset :] + pixels, JPEG))
    assert found.status is UNSUPPORTED
    assert [code for code, _, _ in found.flaws] == ["transfer-syntax-disagrees"]
