"""Every word of a grammar can be said, and says where its pronunciation is from; espeak-ng is the real one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_grammars import write_lexicon

from sayso.errors import GrammarError, ModelError
from sayso.grammar import espeak
from sayso.grammar.numbers import read_number
from sayso.grammar.pronounce import MOST_WAYS, Pronunciation, pronounce
from sayso.grammar.text import words

PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip

DICTIONARY = {
    "a": "AH | EY", "hundred": "HH AH N D R AH D | HH AH N D R IH D | HH AH N ER D | HH AH N D ER D", "one": "W AH N",
    "five": "F AY V", "and": "AH N D | AE N D", "percent": "P ER S EH N T", "minus": "M AY N AH S", "echo": "EH K OW",
    "negative": "N EH G AH T IH V", "point": "P OY N T", "half": "HH AE F", "two": "T UW", "bee": "B IY",
    "cat": "K AE T", "cats": "K AE T S", "dog": "D AO G", "bus": "B AH S", "third": "TH ER D", "tv": "T IY V IY",
    "thousand": "TH AW Z AH N D", "oh": "OW", "twenty": "T W EH N T IY", "eleven": "IH L EH V AH N",
}  # fmt: skip


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    return write_lexicon(tmp_path / "lexicon.txt.gz", DICTIONARY)


def _say(lexicon: Path, *said: str, **own: str) -> dict[str, Pronunciation]:
    return pronounce(said, lexicon, PHONES, {word: [(one, "house.yaml:3")] for word, one in own.items()})


def _way(phones: str) -> tuple[str, ...]:
    return tuple(phones.split())


def test_the_dictionary_gives_all_its_ways(lexicon: Path) -> None:
    found = _say(lexicon, "a", "cat")
    assert found["a"] == Pronunciation((_way("AH"), _way("EY")), "dictionary")
    assert found["cat"].ways == (_way("K AE T"),)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0", {"zero"}),
        ("21", {"twenty one"}),
        ("105", {"one hundred five", "one hundred and five", "a hundred five", "a hundred and five"}),
        ("-5", {"minus five", "negative five"}),
        ("2.5", {"two point five", "two and a half"}),
        ("9" * 5000, {" ".join(["nine"] * 5000)}),
        ("9" * 30 + "th", {" ".join(["nine"] * 30)}),
        ("0.5", {"zero point five", "point five", "a half", "half"}),
        ("-12.5", {"minus twelve point five", "minus twelve and a half"}),
        ("1,000", {"one thousand", "a thousand"}),
        ("007", {"zero zero seven"}),
        ("1905", {"nineteen oh five", "one thousand nine hundred five"}),
        ("2700", {"twenty seven hundred", "two thousand seven hundred"}),
        ("3rd", {"third"}),
        ("21st", {"twenty first"}),
        ("12345678901234567890", {"one two three four five six seven eight nine zero " * 2}),
    ],
)
def test_numbers_are_read_as_people_say_them(written: str, read: set[str]) -> None:
    assert {one.strip() for one in read} <= set(read_number(written))


def test_no_number_is_read_like_another_one() -> None:
    readings: dict[str, str] = {}
    for number in [*map(str, range(-200, 3000)), *(f"{n / 10:.1f}" for n in range(-300, 300) if n % 10)]:
        for reading in read_number(number):
            assert readings.setdefault(reading, number) == number, reading


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("50%", ["50", "%"]),
        ("PM2.5", ["pm", "2.5"]),
        ("20 °C", ["20", "°c"]),
        ("20℃", ["20", "°c"]),
        ("the TV’s on", ["the", "tv's", "on"]),
        ("'tis the 'cats' toy", ["tis", "the", "cats'", "toy"]),
        ("1,000.5 or 1,5", ["1,000.5", "or", "1", "5"]),
        ("10-20, at −5", ["10", "20", "at", "-5"]),
        ("air-conditioner", ["air", "conditioner"]),
        ("m²", ["m", "2"]),
        ("½ or 2½ cups", ["0.5", "or", "2.5", "cups"]),
        ("3rd floor", ["3rd", "floor"]),
        ("CAFÉ", ["café"]),
    ],
)
def test_text_is_cut_into_the_words_that_are_said(text: str, found: list[str]) -> None:
    assert list(words(text)) == found


def test_numbers_and_signs_are_said_in_words(lexicon: Path) -> None:
    found = _say(lexicon, "5", "%", "-5", "2.5")
    assert found["5"] == Pronunciation((_way("F AY V"),), "number")
    assert found["%"].source == "sign"
    assert _way("P ER S EH N T") in found["%"].ways
    assert {_way("M AY N AH S F AY V"), _way("N EH G AH T IH V F AY V")} <= set(found["-5"].ways)
    assert _way("T UW AH N D AH HH AE F") in found["2.5"].ways


def test_where_there_are_too_many_ways_every_reading_keeps_one(lexicon: Path) -> None:
    ways = _say(lexicon, "105")["105"].ways
    assert len(ways) == len(set(ways)) == MOST_WAYS
    spoken = {"with and" if way[-6:-3] in (_way("AH N D"), _way("AE N D")) else "without" for way in ways}
    assert spoken == {"with and", "without"}
    assert {way[0] for way in ways} == {"W", "AH"}


@pytest.mark.parametrize(
    ("word", "said", "source"),
    [
        ("b", "B IY", "letters"),
        ("u", "Y UW", "letters"),
        ("hdmi", None, "guessed"),
        ("dvd", "D IY V IY D IY", "letters"),
        ("tv", "T IY V IY", "dictionary"),
        ("cat's", "K AE T S", "dictionary"),
        ("cats'", "K AE T S", "dictionary"),
        ("dog's", "D AO G Z", "dictionary"),
        ("bus's", "B AH S IH Z", "dictionary"),
    ],
)
def test_letters_are_spelled_and_possessives_follow_their_word(
    lexicon: Path, word: str, said: str | None, source: str
) -> None:
    found = _say(lexicon, word)[word]
    assert found.source == source
    assert said is None or found.ways[0] == _way(said)


def test_the_owners_word_is_the_last_one(lexicon: Path) -> None:
    found = _say(lexicon, "cat", "ecobee", "5", cat="D AO1 G", ecobee="echo bee", **{"5": "F IH V"})
    assert found["cat"] == Pronunciation((_way("D AO G"),), "owner")
    assert found["ecobee"] == Pronunciation((_way("EH K OW B IY"),), "owner")
    assert found["5"] == Pronunciation((_way("F IH V"),), "owner")


def test_all_of_the_owners_mistakes_come_at_once_with_their_place(lexicon: Path) -> None:
    with pytest.raises(GrammarError) as caught:
        _say(lexicon, "cat", "dog", "bus", cat="K AX T", dog="dowg", bus="")
    assert [f"{problem.where}: {problem.what}" for problem in caught.value.problems] == [
        "house.yaml:3: `cat`: no such phone: AX",
        "house.yaml:3: `dog`: sounds like dowg, which the dictionary doesn't know",
        "house.yaml:3: `bus`: no such phone: (nothing)",
    ]


def test_unknown_words_are_guessed_by_espeak_and_marked(lexicon: Path) -> None:
    found = _say(lexicon, "zigbee", "kwyjibo", "ikea's")
    assert {one.source for one in found.values()} == {"guessed"}
    assert found["zigbee"].ways[0] == _way("Z IH G B IY")
    assert all(set(way) <= set(PHONES) for one in found.values() for way in one.ways)


def test_espeak_answers_for_each_word_in_its_place() -> None:
    asked = ["zigbee", "etc", "résumé", "hello", "garçon", "rauchmelder", "o'clock"]
    assert espeak.guess(asked) == [espeak.guess([word])[0] for word in asked]
    assert espeak.guess([]) == []


def test_marks_of_another_language_are_no_phones() -> None:
    assert espeak.arpabet("(fr)ɡɑːɹsˈɔn(en-us)") == _way("G AA R S AO N")


def test_without_espeak_an_unknown_word_is_named(
    lexicon: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GrammarError, match='"zigbee" is in no dictionary and espeak-ng is not installed'):
        _say(lexicon, "zigbee", "cat")
    assert _say(lexicon, "cat")["cat"].source == "dictionary"


def test_an_espeak_that_fails_is_one_line(lexicon: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "espeak-ng"
    fake.write_text("#!/bin/sh\necho 'no voice' >&2\necho 'at all' >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(GrammarError) as caught:
        _say(lexicon, "zigbee")
    assert str(caught.value).startswith('espeak-ng failed for "zigbee": no voice at all (')


def test_a_word_that_nothing_can_say_is_named(lexicon: Path) -> None:
    with pytest.raises(GrammarError, match='"жук" has no pronunciation') as caught:
        pronounce(["жук"], lexicon, PHONES[:3], {})
    assert "pronunciations: {жук: PHONES}" in str(caught.value)


@pytest.mark.parametrize("damage", ["missing", "cut", "text"])
def test_a_dictionary_that_cannot_be_read_is_one_line(lexicon: Path, damage: str) -> None:
    whole = lexicon.read_bytes()
    lexicon.unlink()
    if damage != "missing":
        lexicon.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"cat\tK AE T\n")
    with pytest.raises(ModelError, match="dictionary can't be read") as caught:
        _say(lexicon, "cat")
    assert str(caught.value).startswith(f"{lexicon}: ")
    assert "\n" not in str(caught.value)
