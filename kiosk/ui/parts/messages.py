"""The words: one catalogue per language, ids to sentences, data in assets/messages. No Qt here.

An entry is a sentence with `{places}`, or two of them by count: `{"one": ..., "other": ...}`,
chosen by the value of `n`. `en-XA` is English stretched by 40 %: what clips there, clips in German.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

from kiosk.desk.snapshots import Message, Value
from kiosk.model.patient import PersonName
from kiosk.ui.parts import assets
from kiosk.ui.parts.text import date_words, moment, name_of, safe

LANGUAGES = ("en", "es", "de")
PSEUDO = "en-XA"
_ACCENTS = str.maketrans("aeiounAEIOUcs", "áéíóúñÁÉÍÓÚçš")

Entry = str | dict[str, str]


@cache
def entries(language: str) -> dict[str, Entry]:
    """The whole catalogue of a language, as the file has it."""
    path = assets() / "messages" / f"{language}.json"
    loaded: dict[str, Entry] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@dataclass(frozen=True, slots=True)
class Words:
    language: str = "en"

    def __call__(self, message_id: str, **values: Value) -> str:
        """The sentence with its values in it; values from outside are clipped and isolated."""
        if self.language == PSEUDO:
            return _stretched(Words("en")(message_id, **values))
        entry = entries(self.language)[message_id]
        if isinstance(entry, dict):
            entry = entry["one" if values.get("n") == 1 else "other"]
        return entry.format(**{key: self._shown(value) for key, value in values.items()})

    def say(self, message: Message) -> str:
        return self(message.id, **message.values)

    def has(self, message_id: str) -> bool:
        return message_id in entries("en" if self.language == PSEUDO else self.language)

    def either(self, message_id: str, other: str) -> str:
        """The catalogue's word for a code, or the given text where it has none."""
        return self(message_id) if self.has(message_id) else safe(other, 160)

    def _shown(self, value: Value) -> str:
        match value:
            case Message():
                return self.say(value)
            case PersonName():
                return name_of(value)
            case datetime():
                return moment(value.isoformat(), self.language)
            case date():
                return date_words(f"{value:%Y%m%d}", self.language)
            case int():
                return str(value)
            case _:
                return safe(value, 80)


def _stretched(text: str) -> str:
    return f"[{text.translate(_ACCENTS)}{'~' * round(len(text) * 0.4)}]"
