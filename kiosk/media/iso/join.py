"""Several trees name the same files: joined so that each file counts once, and so that one tree
makes up for the damage in another."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from kiosk.media.iso.tree import Found, Walk

_RICHEST_FIRST = ("rockridge", "joliet", "udf", "iso9660")


def join(walks: dict[str, Walk]) -> tuple[str, Walk]:
    """The preferred naming, and all files under its names, with those that only another tree
    knows under theirs. `walks` by naming: `rockridge`, `joliet`,
    `udf`, `iso9660`."""
    names = preferred(walks)
    chosen = walks[names]
    for other in (w for n, w in walks.items() if n != names):
        chosen = _with(chosen, other)
    return names, replace(chosen, mended=not chosen.disputed and _is_whole(chosen, walks))


def _is_whole(joined: Walk, walks: dict[str, Walk]) -> bool:
    """Whether one of the trees is undamaged and lacks nothing that the others have."""
    sound = (w for w in walks.values() if not w.damaged and not w.cut)
    return any(len(walk.files) >= len(joined.files) for walk in sound)


def preferred(walks: dict[str, Walk]) -> str:
    """The richest naming, unless its tree is so broken that another one shows more."""
    names = next(n for n in _RICHEST_FIRST if n in walks)
    fullest = max(walks, key=lambda n: len(walks[n].files))
    poorer = len(walks[fullest].files) > len(walks[names].files)
    return fullest if walks[names].damaged and poorer else names


def _with(chosen: Walk, other: Walk) -> Walk:
    """Files are the same when their bytes are (hidden copies and hard links counted), else when
    they start at the same place, else when they have the same name."""
    ours, theirs = list(chosen.files), list(other.files)
    matched: list[Found] = []
    doubts: list[str] = []
    disputed = chosen.disputed
    for same in (_by_bytes, _by_start, _by_name):
        waiting: dict[object, list[Found]] = defaultdict(list)
        for found in reversed(ours):
            waiting[same(found)].append(found)
        rest = []
        for found in theirs:
            if waiting[same(found)]:
                mine = waiting[same(found)].pop()
                matched.append(_better(mine, found))
                if mine.extents != found.extents:
                    doubts.append("/".join(mine.parts[:-1]))
                    disputed |= mine.doubtful == found.doubtful
            else:
                rest.append(found)
        ours = [f for left in waiting.values() for f in left]
        theirs = rest
    if chosen.files and not chosen.damaged:  # an empty file has no bytes to be known by
        theirs = [f for f in theirs if f.extents]
    return replace(
        chosen,
        files=matched + ours + theirs,
        directories=max(chosen.directories, other.directories),
        damaged=list(dict.fromkeys(chosen.damaged + other.damaged + doubts)),
        loops=list(dict.fromkeys(chosen.loops + other.loops)),
        cut=chosen.cut or other.cut,
        disputed=disputed,
    )


def _better(mine: Found, theirs: Found) -> Found:
    """Our name with the bytes of the one that is sure of them."""
    sure = theirs if (mine.doubtful and not theirs.doubtful) or not mine.extents else mine
    return replace(mine, extents=sure.extents) if mine.kind == "file" else mine


def _by_bytes(found: Found) -> object:
    return tuple(found.extents) or _by_name(found)


def _by_start(found: Found) -> object:
    return found.extents[0][0] if found.extents else _by_name(found)


def _by_name(found: Found) -> object:
    return "/".join(found.parts).casefold()
