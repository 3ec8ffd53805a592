"""Brackets of a template, before it is parsed.

Rule of this file: pure; it only says, in words and with a column, what a parser would stumble over.
"""

from __future__ import annotations

_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}


def wrong_bracket(template: str) -> str:
    """Given a template, return what is wrong with its brackets; empty: nothing is. Columns count from 1."""
    open_ones: list[tuple[str, int]] = []
    escaped, before = False, ""
    for column, character in enumerate(template.rstrip(), 1):
        if escaped:
            escaped, before = False, "\\"
            continue
        escaped = character == "\\"
        if character in _PAIRS:
            if open_ones and open_ones[-1][0] in "{<":
                return f"`{character}` at column {column} within `{open_ones[-1][0]}`, where a name belongs"
            open_ones.append((character, column))
        elif character in _PAIRS.values():
            if not open_ones:
                return f"`{character}` at column {column} closes nothing"
            opened, place = open_ones.pop()
            if _PAIRS[opened] != character:
                return f"`{opened}` at column {place} is closed by `{character}` at column {column}"
            if before == opened:
                return f"nothing within `{opened}{character}` at column {place}"
        before = character
    if escaped:
        return "`\\` at the end escapes nothing"
    if open_ones:
        opened, place = open_ones[-1]
        return f"`{opened}` at column {place} is never closed"
    return "" if template.strip() else "nothing in it"
