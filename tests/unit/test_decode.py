"""The search finds what there is to find: a Viterbi search in numpy over the same arcs is the judge."""

from __future__ import annotations

import random
from itertools import groupby
from typing import Sequence

import kaldifst
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_grammars import BLANK, SAID, TOKENS, acceptor, contents, graph, paths, random_path

from sayso.grammar.graph import DecodingGraph
from sayso.grammar.tags import TAG
from sayso.recognition.decode import Decoder, DecoderSettings
from sayso.recognition.interpret import read_tags
from sayso.records import Hypothesis, Posteriors

STEP = 640
PRIOR = np.log(np.array([0.6, *[0.4 / 11] * 11], np.float32))
WIDE = DecoderSettings(
    log_prior=PRIOR,
    blank=BLANK,
    prior_weight=0.7,
    beam=1000.0,
    max_active=100_000,
    alternative_beam=1000.0,
    step=STEP,
)
"""A search that drops nothing, as a judge's must."""
USUAL = DecoderSettings(log_prior=PRIOR, blank=BLANK, prior_weight=0.7, beam=16.0, max_active=200, step=STEP)

_WORD = st.sampled_from(sorted(SAID))
_TEMPLATE = st.recursive(
    _WORD,
    lambda parts: st.one_of(
        st.lists(parts, min_size=2, max_size=3).map(" ".join),
        st.lists(parts, min_size=2, max_size=3).map(lambda one: f"({'|'.join(one)})"),
        st.lists(parts, min_size=1, max_size=2).map(lambda one: f"a [{' '.join(one)}]"),
        st.just("{what}"),
    ),
    max_leaves=5,
)
_GRAMMAR = st.lists(_TEMPLATE, min_size=1, max_size=3).map(
    lambda sentences: acceptor(contents(sentences, lists={"what": {"values": ["net", "two", {"in": "set", "out": 3}]}}))
)


def _posteriors(rows: int, seed: int, sharpness: float = 3.0) -> npt.NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(0, sharpness, (rows, len(TOKENS))).astype(np.float32)
    normalised: npt.NDArray[np.float32] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return normalised


def _clean(words: Sequence[str], seed: int, sure: float = 0.96) -> npt.NDArray[np.float32]:
    """Log-posteriors of words said as clearly as `sure`: each phone for one to three rows, with blanks between some."""
    chance = random.Random(seed)  # noqa: S311
    tokens = [BLANK] * chance.randint(0, 4)
    for word in words:
        for phone in SAID[word].split():
            if tokens and tokens[-1] == TOKENS.index(phone):
                tokens.append(BLANK)
            tokens += [TOKENS.index(phone)] * chance.randint(1, 3)
            tokens += [BLANK] * chance.choice((0, 0, 1, 3))
    tokens += [BLANK] * chance.randint(0, 4)
    probabilities = np.full((len(tokens), len(TOKENS)), (1 - sure) / (len(TOKENS) - 1), np.float32)
    probabilities[np.arange(len(tokens)), tokens] = sure
    return np.log(probabilities)


def _decoded(
    searched: DecodingGraph, log_probs: npt.NDArray[np.float32], cuts: Sequence[int] = (), how: DecoderSettings = WIDE
) -> Decoder:
    decoder = Decoder(searched, how)
    borders = [0, *sorted(cut for cut in cuts if cut < len(log_probs)), len(log_probs)]
    for begin, end in zip(borders, borders[1:]):
        decoder.feed(Posteriors(log_probs[begin:end], begin))
    return decoder


def _best(decoder: Decoder) -> Hypothesis:
    found = decoder.best(0)
    assert found is not None
    return found


def _viterbi(fst: kaldifst.StdConstFst, log_probs: npt.NDArray[np.float32], final: bool) -> float:
    """The least cost of a path that takes all rows, to a final state or to any [nats]; infinite where there is none."""
    arcs = [
        (state, arc.ilabel, arc.nextstate, float(arc.weight.value))
        for state in range(fst.num_states)
        for arc in kaldifst.ArcIterator(fst, state)
    ]
    source, label, target = (np.array([arc[place] for arc in arcs]) for place in range(3))
    weight = np.array([arc[3] for arc in arcs])
    silent = label == 0
    costs = np.full(fst.num_states, np.inf)
    costs[fst.start] = 0.0

    def rest(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        while True:
            better = costs.copy()
            np.minimum.at(better, target[silent], costs[source[silent]] + weight[silent])
            if np.array_equal(better, costs):
                return better
            costs = better

    costs = rest(costs)
    for row in log_probs - np.float32(0.7) * PRIOR:
        after = np.full(fst.num_states, np.inf)
        spent = costs[source[~silent]] + weight[~silent] - row[label[~silent] - 1]
        np.minimum.at(after, target[~silent], spent)
        costs = rest(after)
    ends = np.array([float(fst.final(state).value) for state in range(fst.num_states)])
    return float((costs + ends if final else costs).min())


@settings(max_examples=60, deadline=None)
@given(words=_GRAMMAR, rows=st.integers(1, 24), seed=st.integers(0, 2**32 - 1))
def test_the_best_path_costs_what_an_exhaustive_search_finds(words: object, rows: int, seed: int) -> None:
    searched = graph(words)  # type: ignore[arg-type]
    log_probs = _posteriors(rows, seed)
    decoder = _decoded(searched, log_probs)
    whole = _viterbi(searched.fst, log_probs, final=True)
    found = _best(decoder)
    assert found.complete == np.isfinite(whole)
    cheapest = whole if found.complete else _viterbi(searched.fst, log_probs, final=False)
    assert found.cost == pytest.approx(cheapest, abs=0.01)


@settings(max_examples=100, deadline=None)
@given(words=_GRAMMAR, rows=st.integers(1, 24), seed=st.integers(0, 2**32 - 1))
def test_the_best_beginning_is_that_of_a_sentence_and_none_that_is_cheaper(words: object, rows: int, seed: int) -> None:
    searched = graph(words)  # type: ignore[arg-type]
    log_probs = _posteriors(rows, seed)
    decoder = Decoder(searched, WIDE, beginnings=True)
    decoder.feed(Posteriors(log_probs, 0))
    found = _best(decoder)
    cheapest = _viterbi(searched.beginnings, log_probs, final=True)
    assert found.complete == np.isfinite(cheapest)
    if found.complete:
        assert found.cost == pytest.approx(cheapest, abs=0.01)
        said = tuple(word.text for word in found.words)
        sentences = {
            tuple(symbol for symbol in one if not symbol.startswith(TAG))
            for one in paths(words)  # type: ignore[arg-type]
        }
        assert said
        if said in sentences:  # on another way, which costs no more
            assert _viterbi(searched.fst, log_probs, final=True) < found.cost + 0.01
        assert any(one[: len(said)] == said for one in sentences)


@settings(max_examples=60, deadline=None)
@given(words=_GRAMMAR, rows=st.integers(8, 24), seed=st.integers(0, 2**32 - 1))
def test_a_complete_path_is_a_sentence_of_the_grammar_and_scored_by_its_rows(
    words: object, rows: int, seed: int
) -> None:
    log_probs = _posteriors(rows, seed)
    found = _best(_decoded(graph(words), log_probs))  # type: ignore[arg-type]
    if found.complete:
        assert found.tags in set(paths(words))  # type: ignore[arg-type]
    assert tuple(word.text for word in found.words) == tuple(tag for tag in found.tags if not tag.startswith(TAG))
    assert found.acoustic <= found.free + 1e-3
    assert found.outside >= -1e-3
    if found.words:  # the rows of the words, and one more on each side
        first, last = found.words[0].start // STEP, found.words[-1].end // STEP
        inside = log_probs[max(0, first - 1) : last + 1]
        assert found.free == pytest.approx(float(inside.max(axis=1).sum()), rel=1e-5)
    best = [token for token, _ in groupby(log_probs.argmax(axis=1)) if token != BLANK]
    assert (found.steps, found.free_phones) == (rows, len(best))


@settings(max_examples=60, deadline=None)
@given(
    words=_GRAMMAR,
    rows=st.integers(1, 24),
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 24), max_size=6),
)
def test_rows_in_any_chunks_give_the_same(words: object, rows: int, seed: int, cuts: list[int]) -> None:
    searched = graph(words)  # type: ignore[arg-type]
    log_probs = _posteriors(rows, seed)
    whole, cut = _decoded(searched, log_probs), _decoded(searched, log_probs, cuts)
    assert cut.best(5) == whole.best(5)
    assert cut.alternatives(4) == whole.alternatives(4)


@settings(max_examples=80, deadline=None)
@given(words=_GRAMMAR, seed=st.integers(0, 2**32 - 1))
def test_a_sentence_said_clearly_is_heard_with_its_slots(words: object, seed: int) -> None:
    said = random_path(words, random.Random(seed))  # type: ignore[arg-type]  # noqa: S311
    text = [symbol for symbol in said if not symbol.startswith(TAG)]
    searched = graph(words)  # type: ignore[arg-type]
    found = _best(_decoded(searched, _clean(text, seed)))
    assert found.complete
    heard = read_tags(found.tags, searched.slot_ends, searched.sentence_ends)
    # "two" and "to" sound the same, and one template may say what another says: what was said is heard by its phones.
    assert [SAID[word] for word in heard.text.split()] == [SAID[word] for word in text] or (
        " ".join(SAID[word] for word in heard.text.split()) == " ".join(SAID[word] for word in text)
    )
    assert heard.intent == "Do"
    if heard.text.split() == text:
        meant = {
            repr(read_tags(one, searched.slot_ends, searched.sentence_ends))
            for one in paths(words)  # type: ignore[arg-type]
            if [symbol for symbol in one if not symbol.startswith(TAG)] == text
        }
        assert repr(heard) in meant


@settings(max_examples=60, deadline=None)
@given(words=_GRAMMAR, seed=st.integers(0, 2**32 - 1))
def test_words_follow_each_other_within_the_utterance(words: object, seed: int) -> None:
    said = random_path(words, random.Random(seed))  # type: ignore[arg-type]  # noqa: S311
    log_probs = _clean([symbol for symbol in said if not symbol.startswith(TAG)], seed)
    decoder = _decoded(graph(words), log_probs)  # type: ignore[arg-type]
    origin = 3_200
    found = decoder.best(origin)
    assert found is not None
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(word.start < word.end for word in found.words)
    assert times[0] >= origin
    assert times[-1] <= origin + len(log_probs) * STEP
    first, last = np.flatnonzero(log_probs.argmax(axis=1) != BLANK)[[0, -1]]
    assert times[0] == origin + first * STEP
    assert times[-1] == origin + (last + 1) * STEP


@settings(max_examples=60, deadline=None)
@given(words=_GRAMMAR, rows=st.integers(8, 24), seed=st.integers(0, 2**32 - 1))
def test_alternatives_are_different_sentences_cheapest_first_beginning_with_the_best(
    words: object, rows: int, seed: int
) -> None:
    decoder = _decoded(graph(words), _posteriors(rows, seed, 1.5))  # type: ignore[arg-type]
    best = _best(decoder)
    found = decoder.alternatives(4)
    if not best.complete:
        return
    sentences, costs = [sentence for sentence, _ in found], [cost for _, cost in found]
    assert 1 <= len(found) <= 4
    assert len(set(sentences)) == len(sentences)
    assert costs == sorted(costs)
    assert set(sentences) <= set(map(_said, paths(words)))  # type: ignore[arg-type]
    assert costs[0] == pytest.approx(best.cost, abs=0.01)
    assert _said(best.tags) in [sentence for sentence, cost in found if cost < costs[0] + 0.01]


def _said(output: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a path."""
    return tuple(symbol for symbol in output if not symbol.startswith(TAG))


def test_one_sentence_with_many_meanings_is_one_alternative() -> None:
    slots = " ".join(f"[{{what:slot{number}}}]" for number in range(6))
    words = acceptor(contents([f"set {slots}"], lists={"what": {"values": ["two", "ten"]}}))
    found = _decoded(graph(words), _clean(["set", "two", "ten"], 1, sure=0.3)).alternatives(8)
    assert [sentence for sentence, _ in found].count(("set", "two", "ten")) == 1
    assert len({sentence for sentence, _ in found}) == 8


def test_the_runner_up_of_a_clear_sentence_is_the_one_that_sounds_most_like_it() -> None:
    words = acceptor(contents(["set two", "let two", "ill tools sunset"]))
    found = _decoded(graph(words), _clean(["set", "two"], 1, sure=0.3)).alternatives(3)
    assert [" ".join(sentence) for sentence, _ in found[:2]] == ["set two", "let two"]


def test_two_like_sounds_in_a_row_may_be_said_as_one() -> None:
    words = acceptor(contents(["let tools", "ned tools", "let ill"]))
    merged = [TOKENS.index(phone) for phone in ("L", "EH", "T", "UW", "L", "Z")]
    log_probs = np.full((len(merged), len(TOKENS)), np.log(0.004), np.float32)
    log_probs[np.arange(len(merged)), merged] = np.log(0.956)
    found = _best(_decoded(graph(words), log_probs))
    assert [word.text for word in found.words] == ["let", "tools"]
    assert [(word.start, word.end) for word in found.words] == [(0, 3 * STEP), (3 * STEP, 6 * STEP)]


def test_an_utterance_leaves_nothing_for_the_next_one() -> None:
    searched = graph(acceptor(contents(["set two", "let {what} see"], lists={"what": {"values": ["net", "ill"]}})))
    decoder = _decoded(searched, _clean(["let", "net", "see"], 2))
    decoder.reset()
    assert decoder.best(0) is None
    assert decoder.alternatives(3) == []
    log_probs = _clean(["set", "two"], 3)
    decoder.feed(Posteriors(log_probs, 0))
    assert decoder.best(0) == _decoded(searched, log_probs).best(0)


def test_half_a_sentence_is_not_complete_and_can_be_looked_at() -> None:
    searched = graph(acceptor(contents(["set two nets sunset tools"])))
    found = _best(_decoded(searched, _clean(["set", "two"], 4), how=USUAL))
    assert not found.complete
    assert [word.text for word in found.words] == ["set", "two"]


def test_a_narrow_search_finds_the_same_sentence_in_clear_speech() -> None:
    words = acceptor(contents(["(set|let|see|do) (two|ten|tin) (nets|lids|kids|tools)"]))
    log_probs = _clean(["see", "ten", "lids"], 5)
    found = _decoded(graph(words), log_probs, how=USUAL)
    assert [word.text for word in _best(found).words] == ["see", "ten", "lids"]
    assert found.alternatives(3)[0][0] == _said(_best(found).tags)


def test_ten_seconds_of_nonsense_have_no_more_alternatives_than_asked_for() -> None:
    one = f"({'|'.join(sorted(SAID))})"
    words = acceptor(contents([" ".join([f"[{one}]"] * 12 + [one])]))
    decoder = _decoded(graph(words), _posteriors(250, 7, 1.0), how=USUAL)
    found = decoder.alternatives(16)
    assert len({output for output, _ in found}) == len(found) == 16
    assert found[0][1] == pytest.approx(_best(decoder).cost, abs=0.01)
