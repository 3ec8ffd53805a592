"""Text as it is written -> the words that are said.

Rule of this file: pure; it knows letters, numbers and signs, and no word in particular. Upper and lower case
are the same, punctuation separates, a number or a sign is a word of its own however closely it is written.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Iterator

SPACE = " "

_PIECE = re.compile(
    r"""
    \s+                                       # a boundary
    | [0-9]+(?:st|nd|rd|th)(?![^\W_])         # 1st, 20th
    | (?:(?<![\w.])-)?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?  # -5, 1,000, 2.5
    | '?[^\W\d_]+(?:'[^\W\d_]+)*'?            # letters, with apostrophes within and around
    | °\s?[cf](?![^\W_])                      # degrees Celsius, Fahrenheit
    | [%°$€£&+@\#=]                           # signs that are said
    | .                                       # anything else separates
    """,
    re.VERBOSE | re.DOTALL,
)


_FRACTION = re.compile("([0-9]*)([½¼¾⅛⅜⅝⅞⅕⅖⅗⅘])")
"""Thirds and the like have no decimals that anybody says."""


def pieces(text: str) -> Iterator[str]:
    """Given text of a template, yield what words are made of, and spaces: "50%" gives 50, space, %.

    Letters are not yet whole words: in a template the next piece may go on where these end ("light[s]"), and so may an
    apostrophe that stands alone ("what[']s").
    """
    if _plain(text) == "'":
        yield "'"
        return
    before = SPACE
    for match in _PIECE.finditer(_plain(text)):
        piece = match.group().replace(SPACE, "") if match.group().startswith("°") else match.group()
        if not (is_letters(piece) or is_number(piece) or is_sign(piece)):
            piece = SPACE
        if SPACE not in (before, piece) and not (is_letters(before) and is_letters(piece)):
            yield SPACE
        yield piece
        before = piece


def word(letters: str) -> str:
    """Given joined pieces, return the word: quotes around it are none of it, the apostrophe of "cats'" is."""
    bare = letters.strip("'")
    return f"{bare}'" if letters.endswith("s'") else bare


def words(text: str) -> tuple[str, ...]:
    """Given plain text, return its words as a grammar holds them."""
    joined = "".join(pieces(text)).split()
    return tuple(word(one) for one in joined)


def is_letters(piece: str) -> bool:
    """Whether a piece is, or begins, an ordinary word."""
    return piece == "'" or piece.strip("'")[:1].isalpha()


def is_number(piece: str) -> bool:
    """Whether a piece is a number in digits: -5, 1,000, 2.5, 3rd."""
    return "0" <= piece.lstrip("-")[:1] <= "9"


def is_sign(piece: str) -> bool:
    """Whether a piece is a sign that is said: %, °C."""
    return piece[0] in "%°$€£&+@#="


def _plain(text: str) -> str:
    """Given text, return it in lower case, with one way to write each thing: 2½ is 2.5, ℃ is °c (Unicode's NFKC)."""
    decimals = _FRACTION.sub(_decimal, text.replace("’", "'").replace("−", "-"))
    return unicodedata.normalize("NFKC", decimals).casefold()


def _decimal(match: re.Match[str]) -> str:
    """Given digits, or none, before a sign for a fraction, return both as one number."""
    digits, fraction = match.groups()
    return (digits or "0") + f"{unicodedata.numeric(fraction):g}"[1:]
