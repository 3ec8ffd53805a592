"""A grammar with wake phrases: the same sentences, each with and without one before it, and the phrases alone."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from small_grammars import BLANK, SAID, TOKENS, acceptor, contents, graph, meanings

from sayso.grammar.wake import with_wake_phrases
from sayso.recognition.attention import Attention, AttentionSettings
from sayso.recognition.decode import Decoder, DecoderSettings
from sayso.recognition.interpret import read_tags
from sayso.records import Command, Posteriors, Rejection, Wake, samples

WORDS = sorted(SAID)
SETTINGS = DecoderSettings(np.zeros(len(TOKENS), np.float32), BLANK, beam=1000.0, max_active=100_000)
COMMAND = Command("lights", "On", {"area": "hall"}, {}, 0.9, samples(10), samples(11), samples(11.5))
WAKE = Wake("hey house", 0.8, samples(1), samples(2), samples(2.5))

_SENTENCES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join), min_size=1, max_size=4, unique=True
)
_PHRASE = st.lists(st.sampled_from(["see", "kid", "tool"]), min_size=2, max_size=3).map(" ".join)
_PHRASES = st.lists(_PHRASE, min_size=1, max_size=2, unique=True)


def _posteriors(rows: int, seed: int) -> npt.NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(0, 3, (rows, len(TOKENS))).astype(np.float32)
    normalised: npt.NDArray[np.float32] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return normalised


@given(_SENTENCES, _PHRASES)
def test_every_sentence_may_begin_with_a_phrase_and_means_the_same(sentences: list[str], phrases: list[str]) -> None:
    plain = acceptor(contents(sentences))
    phrases = [phrase for phrase in phrases if phrase not in sentences]
    before = {(one.text, one.intent) for one in meanings(plain)}
    after = {(one.wake_phrase, one.text, one.intent) for one in meanings(with_wake_phrases(plain, phrases))}
    said = {(phrase, text, intent) for phrase in ("", *phrases) for text, intent in before}
    assert after == said | {(phrase, "", "") for phrase in phrases}


@given(_SENTENCES, st.integers(0, 10_000), st.integers(3, 20))
def test_the_parts_of_a_path_add_up_to_it(sentences: list[str], seed: int, rows: int) -> None:
    phrase = "see kid tool"
    assume(phrase not in sentences)  # such a phrase is refused
    built = graph(with_wake_phrases(acceptor(contents(sentences)), [phrase]))
    decoder = Decoder(built, SETTINGS)
    decoder.feed(Posteriors(_posteriors(rows, seed), 0))
    best = decoder.best(0)
    assert best is not None
    if best.wake is None:
        assert best.rest is None
        return
    assert best.rest is not None
    assert (*best.wake.words, *best.rest.words) == best.words
    assert (*best.wake.tags, *best.rest.tags) == best.tags
    assert best.wake.steps + best.rest.steps == best.steps
    # What a part's own words don't take lies outside of them; together that is how far the path falls behind.
    behind = [one.free - one.acoustic + one.outside for one in (best.wake, best.rest, best)]
    assert behind[0] + behind[1] == pytest.approx(behind[2], abs=1e-3)


def test_clean_words_are_found_with_and_without_the_phrase() -> None:
    built = graph(with_wake_phrases(acceptor(contents(["set net", "let ten", "two lids"])), ["see kid"]))
    chance = random.Random(1)  # noqa: S311
    for _ in range(20):
        phrase, sentence = chance.choice(["", "see kid"]), chance.choice(["", "set net", "let ten", "two lids"])
        if not phrase and not sentence:
            continue
        rows = [BLANK]
        for word in f"{phrase} {sentence}".split():
            for phone in SAID[word].split():
                rows += [TOKENS.index(phone), BLANK]
        log_probs = np.full((len(rows), len(TOKENS)), np.log(0.001), np.float32)
        log_probs[np.arange(len(rows)), rows] = np.log(0.99)
        decoder = Decoder(built, SETTINGS)
        decoder.feed(Posteriors(log_probs, 0))
        best = decoder.best(0)
        assert best is not None
        meaning = read_tags(best.tags, built.slot_ends, built.sentence_ends)
        assert (meaning.wake_phrase, meaning.text) == (phrase, sentence)


def test_only_what_comes_in_time_needs_no_phrase() -> None:
    attention = Attention(AttentionSettings(window=8.0))
    attention.required = True
    attention.heed()
    assert attention.consider(WAKE) == [WAKE]
    assert attention.listens(samples(10.4))
    assert not attention.listens(samples(10.6))
    assert attention.consider(COMMAND) == [COMMAND]
    assert not attention.listens(samples(10.1))


def test_what_changes_while_a_sentence_is_judged_holds_for_the_next_one() -> None:
    attention = Attention()
    attention.heed()
    attention.required = True
    assert isinstance(attention.consider(COMMAND)[0], Command)
    attention.heed()
    assert isinstance(attention.consider(COMMAND)[0], Rejection)


def test_who_asks_otherwise_needs_no_phrase_and_a_clock_that_begins_anew_opens_nothing() -> None:
    attention = Attention()
    assert attention.consider(COMMAND) == [COMMAND]
    attention.required = True
    attention.heed()
    attention.consider(Wake("hey house", 0.8, samples(100), samples(101), samples(102)))
    (told,) = attention.consider(COMMAND)
    assert isinstance(told, Rejection)
    assert told.reason == "not_addressed"


@pytest.mark.parametrize("reason", ["no_speech", "audio_gap", "too_long"])
def test_what_holds_no_words_is_told_as_it_is(reason: str) -> None:
    attention = Attention()
    attention.required = True
    attention.heed()
    noise = Rejection(reason, "", "", 0.0, 0, samples(1), samples(1))
    assert attention.consider(noise) == [noise]
