"""Numbers in digits -> the ways they are read.

Rule of this file: the only one that knows number words (unicode_rbnf, the rules of the Unicode CLDR). It
hands that library whole positive numbers only: of -12.5 it would say "minus twelve".
"""

from __future__ import annotations

import re
from functools import lru_cache

from unicode_rbnf import FormatPurpose, RbnfEngine

_LONGEST = 15
"""Numbers of more digits have no names that anybody says; they are read digit by digit."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@lru_cache(maxsize=4096)
def read_number(written: str) -> tuple[str, ...]:
    """Given a number in digits, return the ways it is read, the likeliest first.

    105 is "one hundred five", "one hundred and five", "a hundred five", …; 2.5 "two point five" or "two and a half";
    -5 "minus five"; 1905 also "nineteen oh five"; 007 is read digit by digit; 3rd is "third".
    """
    value = written.replace(",", "")
    if value.startswith("-"):
        ways = read_number(value[1:])
        return tuple(f"{sign} {way}" for sign in ("minus", "negative") for way in ways)
    if value[-1].isalpha():
        digits = re.sub(r"\D", "", value)
        return (_spelled(int(digits), FormatPurpose.ORDINAL) if len(digits) <= _LONGEST else _digit_by_digit(digits),)
    whole, _, fraction = value.partition(".")
    if fraction:
        return _decimal(whole, fraction)
    if (len(whole) > 1 and whole.startswith("0")) or len(whole) > _LONGEST:
        return (_digit_by_digit(whole),)
    return tuple(dict.fromkeys(_whole(int(whole))))


def _decimal(whole: str, fraction: str) -> tuple[str, ...]:
    ways = [f"{way} point {_digit_by_digit(fraction)}" for way in read_number(whole)]
    if not whole.strip("0"):
        ways.append(f"point {_digit_by_digit(fraction)}")
    if fraction == "5":
        ways += [f"{way} and a half" for way in read_number(whole)] if whole.strip("0") else ["a half", "half"]
    return tuple(ways)


def _whole(number: int) -> list[str]:
    plain = _spelled(number, FormatPurpose.CARDINAL)
    ways = [plain]
    rest = number % 100
    if number > 100 and rest:
        ways.append(re.sub(r"(hundred|thousand) (?!.*(?:hundred|thousand))", r"\1 and ", plain))
    ways += [f"a{way[3:]}" for way in ways if re.match("one (hundred|thousand)", way)]
    if 1100 <= number <= 9999 and number % 1000:
        upper, lower = read_number(str(number // 100))[0], read_number(str(rest))[0]
        # "twenty five" is 25: 2005 needs the "oh".
        ways.append(f"{upper} {lower if rest > 9 else f'oh {lower}' if rest else 'hundred'}")
    return ways


def _digit_by_digit(digits: str) -> str:
    return " ".join(_DIGITS[int(digit)] for digit in digits)


@lru_cache(maxsize=1)
def _engine() -> RbnfEngine:
    return RbnfEngine.for_language("en")


def _spelled(number: int, purpose: FormatPurpose) -> str:
    return re.sub(r"[-\s]+", " ", _engine().format_number(number, purpose).text)
