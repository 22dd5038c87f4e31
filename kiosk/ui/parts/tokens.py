"""The one table of colours and sizes: three palettes, two densities. No Qt here.

Contrast is WCAG 2.2's: text 4.5:1 on every surface it stands on, borders of controls 3:1. A test
computes it from this table.
"""

from __future__ import annotations

PALETTES: dict[str, dict[str, str]] = {
    "light": {
        "bg": "#EEF2F5",
        "surface": "#FFFFFF",
        "sunken": "#F5F8FA",
        "line": "#D3DCE4",
        "border": "#738394",
        "text": "#13212E",
        "muted": "#4C5C6B",
        "accent": "#0A5FA8",
        "accent_hover": "#084C87",
        "on_accent": "#FFFFFF",
        "accent_bg": "#E3EFFA",
        "good": "#0B6B3C",
        "good_bg": "#E3F4EA",
        "care": "#7D4A00",
        "care_bg": "#FFF1CF",
        "stop": "#A6141B",
        "stop_bg": "#FDE7E7",
        "quiet": "#4C5C6B",
        "quiet_bg": "#E9EEF2",
        "mark_bg": "#FFD56B",
        "focus": "#13212E",
        "selected": "#D6E8F9",
        "track": "#D9E2EA",
    },
    "dark": {
        "bg": "#0D141B",
        "surface": "#17212B",
        "sunken": "#111A22",
        "line": "#2C3A47",
        "border": "#7C8FA1",
        "text": "#EEF3F7",
        "muted": "#A9B8C5",
        "accent": "#62B2FF",
        "accent_hover": "#8CC7FF",
        "on_accent": "#05121F",
        "accent_bg": "#12304B",
        "good": "#63D69A",
        "good_bg": "#0F3122",
        "care": "#FFCB63",
        "care_bg": "#37290B",
        "stop": "#FF9490",
        "stop_bg": "#401719",
        "quiet": "#A9B8C5",
        "quiet_bg": "#22303C",
        "mark_bg": "#6B4E0C",
        "focus": "#FFFFFF",
        "selected": "#1B3D5C",
        "track": "#2C3A47",
    },
    "contrast": {
        "bg": "#000000",
        "surface": "#000000",
        "sunken": "#000000",
        "line": "#FFFFFF",
        "border": "#FFFFFF",
        "text": "#FFFFFF",
        "muted": "#FFFFFF",
        "accent": "#FFE600",
        "accent_hover": "#FFFFFF",
        "on_accent": "#000000",
        "accent_bg": "#1A1A00",
        "good": "#5CFF9D",
        "good_bg": "#001A0B",
        "care": "#FFD000",
        "care_bg": "#1A1500",
        "stop": "#FF9C9C",
        "stop_bg": "#240000",
        "quiet": "#FFFFFF",
        "quiet_bg": "#000000",
        "mark_bg": "#5A4B00",
        "focus": "#00E5FF",
        "selected": "#00344D",
        "track": "#333333",
    },
}

# Foreground on background pairs that occur, and the ratio each must reach.
PAIRS: tuple[tuple[str, str, float], ...] = (
    *((fg, bg, 4.5) for fg in ("text", "muted") for bg in ("bg", "surface", "sunken")),
    *(("text", bg, 4.5) for bg in ("selected", "mark_bg", "accent_bg", "quiet_bg")),
    *(("muted", bg, 4.5) for bg in ("selected", "quiet_bg")),
    *((mood, "surface", 4.5) for mood in ("good", "care", "stop", "quiet", "accent")),
    *((mood, f"{mood}_bg", 4.5) for mood in ("good", "care", "stop", "quiet", "accent")),
    *(("text", f"{mood}_bg", 4.5) for mood in ("good", "care", "stop")),
    ("on_accent", "accent", 4.5),
    ("on_accent", "accent_hover", 4.5),
    ("border", "surface", 3.0),
    ("border", "bg", 3.0),
    ("focus", "surface", 3.0),
    ("focus", "bg", 3.0),
    ("accent", "track", 3.0),
    ("accent", "bg", 3.0),
)

# Sizes in millimetres. Touch: Section 508 402 (capitals 4.8 mm are 0.73 em of 6.6 mm), targets 12
# and main buttons 18 mm. Desk: 13 px at 96 dpi, targets 24 px and more (WCAG 2.2, 2.5.8).
SIZES: dict[str, dict[str, float]] = {
    "touch": {
        "small": 5.2,
        "base": 6.6,
        "large": 8.2,
        "title": 10.4,
        "huge": 16.0,
        "target": 13.0,
        "main": 18.0,
        "gap": 3.2,
        "pad": 5.0,
        "radius": 3.0,
        "ring": 0.9,
        "hair": 0.3,
        "icon": 7.5,
    },
    "desk": {
        "small": 3.5,
        "base": 4.0,
        "large": 4.8,
        "title": 6.2,
        "huge": 9.0,
        "target": 8.6,
        "main": 10.0,
        "gap": 2.2,
        "pad": 3.4,
        "radius": 1.8,
        "ring": 0.8,
        "hair": 0.27,
        "icon": 4.6,
    },
}


def contrast(one: str, other: str) -> float:
    """The WCAG 2.2 contrast ratio of two `#RRGGBB` colours, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
