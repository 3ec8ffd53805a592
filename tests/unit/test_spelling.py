"""Words as letters, for models that write: DeepSpeech's alphabet."""

from __future__ import annotations

import pytest

from sayso.errors import GrammarError
from sayso.grammar.spelling import spell

LETTERS = (" ", *"abcdefghijklmnopqrstuvwxyz", "'")


def written(word: str, said: str = "") -> list[str]:
    own = {word: [(said, "lights.yaml:3")]} if said else {}
    return ["".join(way) for way in spell([word], LETTERS, own)[word].ways]


def test_a_word_is_its_letters_with_a_space_behind_it_or_none() -> None:
    assert written("don't") == ["don't ", "don't"]


def test_numbers_and_signs_are_read_out() -> None:
    assert "fifty percent" not in written("50")
    assert {"fifty", "fifty "} <= set(written("50"))
    assert "twenty one" in written("21")
    assert "percent " in written("%")


def test_what_can_only_be_spelled_is_one_word_or_its_letters() -> None:
    assert written("tv") == ["tv ", "tv", "t v ", "t v"]


def test_accents_and_hyphens_that_the_alphabet_lacks_are_left_out() -> None:
    assert written("café") == ["cafe ", "cafe"]
    assert written("e-mail") == ["e mail ", "e mail"]
    assert "".join(spell(["café"], (*LETTERS, "é"), {})["café"].ways[1]) == "café"


def test_the_owners_words_come_first_and_phones_are_of_no_use() -> None:
    assert written("ecobee", "echo bee")[0] == "echo bee "
    assert written("ecobee", "EH K OW B IY") == ["ecobee ", "ecobee"]


def test_what_the_alphabet_cannot_write_is_named() -> None:
    with pytest.raises(GrammarError, match="\"здравствуй\" can't be written in this model's letters"):
        written("здравствуй")
