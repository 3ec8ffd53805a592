"""Generic variants: what people say, and nothing more."""

from __future__ import annotations

import pytest

from sayso.grammar.variants import MOST, variants


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("T R EY N", "CH R EY N"),
        ("D R AO R", "JH R AO R"),
        ("W AO T ER", "W AO D ER"),
        ("F AO R T IY", "F AO R D IY"),
        ("K IH CH AH N", "K IH CH N"),
        ("M IH D AH L", "M IH D L"),
    ],
)
def test_the_dictionary_first_then_what_people_say(spelled: str, said: str) -> None:
    assert variants(tuple(spelled.split())) == (tuple(spelled.split()), tuple(said.split()))


@pytest.mark.parametrize("plain", ["L AY T", "T UW", "S T AA P", "AH N", "L IH N IH N", "R IH Y AH L"])
def test_other_words_have_one_way(plain: str) -> None:
    ways = variants(tuple(plain.split()))
    assert ways[0] == tuple(plain.split())
    assert all(ways), "a variant must leave something to say"


def test_the_number_of_variants_is_bounded() -> None:
    word = ("T", "R", "AA", "T", "AH", "T", "R", "IY", "T", "ER", "T", "AH", "L")
    ways = variants(word)
    assert len(ways) <= MOST
    assert len(set(ways)) == len(ways)
    assert ways[0] == word
