"""Letters, numbers and dates, as AN4's dev speakers say them, and a grammar that somebody might write for them.

Rule of this file: templates as an owner writes them, millions of millions of sentences, most of which differ in one
short word. It knows the names that were spelled in all of AN4, and otherwise nothing of what was said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "oh zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MONTHS = "january february march april may june july august september october november december".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth".split()
LATER = """tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
thirtieth""".split()
SPELLED = re.compile(r"([a-z]|apostrophe)( ([a-z]|apostrophe))+")


def spelled_templates(folder: Path, said: Iterable[str]) -> Path:
    """Given all that was said, write the templates and return their file."""
    two = [*TEENS, *TENS, *(f"{ten} {digit}" for ten in TENS for digit in DIGITS[2:])]
    numbers = [*DIGITS, *two]
    days = [*ORDINALS, *LATER, *(f"twenty {one}" for one in ORDINALS), "twenty four", "thirty first"]
    lists = {
        "letter": list(LETTERS),
        "digit": DIGITS,
        "number": numbers,
        "year": two,
        "month": MONTHS,
        "day": days,
        "month_number": [*DIGITS[2:], *TEENS[:3]],
        "day_number": [*DIGITS[2:], *TEENS, "twenty", *(f"twenty {one}" for one in DIGITS[2:]), "thirty", "thirty one"],
        "name": sorted({text for text in said if SPELLED.fullmatch(text)}),
    }
    templates = {
        "Control": ["(yes|no|go|stop|start|help|repeat)"],
        "Enter": [f"enter {_slots('number', 1, 3)}"],
        "Erase": [f"[(erase|rubout)] {_slots('letter', 3, 5)} {_slots('number', 1, 5)}"],
        "Digits": [f"[area code] {_slots('digit', 3, 10)}", "{number:first} {year:second}"],
        "Date": ["{month} {day} [nineteen] {year}", "{month_number} {day_number} {year}"],
        "Spell": ["{name}"],
    }
    intents = {name: {"data": [{"sentences": some}]} for name, some in templates.items()}
    file = folder / "spelled.yaml"
    values = {name: {"values": one} for name, one in lists.items()}
    file.write_text(json.dumps({"language": "en", "intents": intents, "lists": values}))
    return file


def _slots(name: str, fewest: int, most: int) -> str:
    """Given a list, return so many slots of it in a row, those beyond the fewest optional."""
    slots = [f"{{{name}:{name}_{place}}}" for place in range(1, most + 1)]
    return " ".join(slot if place < fewest else f"[{slot}]" for place, slot in enumerate(slots))
