"""N-grams of the owner's sentences, against drawing them; the dictionary of a package, letter by letter; the search."""

from __future__ import annotations

import random
import struct
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_grammars import acceptor, contents

from sayso.grammar.dictionary import Trie, build_trie, const_fst
from sayso.grammar.ngram import NGrams, count_ngrams, estimate, parse_arpa
from sayso.grammar.tags import TAG
from sayso.grammar.words import WordAcceptor
from sayso.recognition.beam import BeamSearch, BeamSettings

GRAMMAR = contents(
    ["(set|let) [a] {thing}", "see the {thing} {n}"],
    lists={
        "thing": {"values": ["net", "ten kids", "sun"]},
        "n": {"range": {"from": 1, "to": 3}},
    },
)


def model(order: int = 3) -> tuple[WordAcceptor, NGrams]:
    words = acceptor(GRAMMAR)
    return words, estimate(count_ngrams(words, forms(words), order), order)


def forms(words: WordAcceptor) -> dict[str, list[tuple[str, ...]]]:
    said = {label for _, label, _ in words.arcs if label and not label.startswith(TAG)}
    return {word: [("twenty", "one"), ("two",)] if word == "2" else [(word,)] for word in said}


def drawn(words: WordAcceptor, chance: random.Random) -> tuple[str, ...]:
    """One sentence as the rule says: every arc that leads to an end as likely as the next."""
    leaving: dict[int, list[tuple[str, int]]] = {}
    for source, label, target in words.arcs:
        leaving.setdefault(source, []).append((label, target))
    state, said = 0, []
    while True:
        choices = [*leaving.get(state, ()), *([None] if state in words.finals else [])]
        chosen = chance.choice(choices)
        if chosen is None:
            return tuple(said)
        label, state = chosen
        if label and not label.startswith(TAG):
            said += chance.choice(forms(words)[label])


def test_counts_are_those_of_drawing_sentences_for_ever() -> None:
    words, chance, draws = acceptor(GRAMMAR), random.Random(4), 20_000  # noqa: S311
    seen: Counter[tuple[str, ...]] = Counter()
    for _ in range(draws):
        marked = ("<s>", *drawn(words, chance), "</s>")
        seen.update(marked[max(0, place - 2) : place + 1] for place in range(1, len(marked)))
    counts = count_ngrams(words, forms(words))
    expected = {(*history, word): count for history, following in counts.items() for word, count in following.items()}
    assert set(seen) == {gram for gram, count in expected.items() if count > 0}
    for gram, count in expected.items():
        assert seen[gram] / draws == pytest.approx(count, abs=0.015), gram


def test_billions_of_sentences_are_counted_not_drawn() -> None:
    many = acceptor(contents([" ".join(["{n:a}"] * 8)], lists={"n": {"range": {"from": 1, "to": 20}}}))
    plain = {str(number): [(f"n{number}",)] for number in range(1, 21)}
    counts = count_ngrams(many, plain)
    assert sum(counts["<s>",].values()) == pytest.approx(1.0)
    assert sum(map(sum, (following.values() for following in counts.values()))) == pytest.approx(9.0)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_probabilities_add_up_after_any_history(order: int) -> None:
    _, ngrams = model(order)
    words = [*ngrams.words, "</s>", "<unk>"]
    for history in ([], ["<s>"], ["<s>", "set"], ["set", "a"], ["the", "net"], ["sun", "sun"], ["nonsense"]):
        assert sum(10 ** ngrams.log10(history, word) for word in words) == pytest.approx(1.0)


def test_what_was_written_is_likelier_than_what_was_not() -> None:
    _, ngrams = model()
    assert ngrams.log10(["<s>", "see"], "the") > -0.1
    assert ngrams.log10(["<s>", "see"], "sun") < -2
    assert ngrams.log10(["<s>"], "elephant") == ngrams.log10([], "<unk>") + ngrams.orders[0]["<s>",][1]


def test_an_arpa_file_says_the_same() -> None:
    _, ngrams = model()
    again = parse_arpa(ngrams.arpa())
    assert again.words == ngrams.words
    for history, word in product((["<s>"], ["<s>", "set"], ["ten", "kids"]), [*ngrams.words, "</s>"]):
        assert again.log10(history, word) == pytest.approx(ngrams.log10(history, word), abs=1e-5)
    with pytest.raises(ValueError, match="no n-grams"):
        parse_arpa("\\data\\\n\\end\\\n")


LETTERS = (" ", "a", "b", "c")


def accepted(trie: Trie) -> set[str]:
    found, todo = set(), [(0, "")]
    while todo:
        state, said = todo.pop()
        if state == trie.final:
            found.add(said)
        todo += [(target, said + LETTERS[label - 1]) for label, target in trie.arcs[state]]
    return found


@settings(deadline=None)
@given(words=st.sets(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=30))
def test_a_dictionary_accepts_its_words_and_no_others(words: set[str]) -> None:
    trie = build_trie(words, LETTERS)
    assert accepted(trie) == {f"{word} " for word in words}
    assert len(set(trie.arcs)) == len(trie.arcs)  # minimal: no two states have the same future


def test_a_word_with_a_strange_letter_is_refused() -> None:
    with pytest.raises(ValueError, match="\"ä\": 'ä' is not in the alphabet"):
        build_trie(["ä"], LETTERS)


@pytest.mark.parametrize("offset", [0, 7, 16, 1001])
def test_the_dictionary_lies_aligned_in_the_file(offset: int) -> None:
    trie = build_trie(["ab", "cb"], LETTERS)
    written = bytes(offset) + const_fst(trie, offset)
    version, flags, _, start, states, arcs = struct.unpack_from("<iiQqqq", written, offset + 4 + 9 + 12)
    assert (version, flags, start, states, arcs) == (1, 4, 0, 4, 4)
    place = -(-(offset + 4 + 9 + 12 + 40) // 16) * 16
    assert struct.unpack_from("<fIIII", written, place) == (float("inf"), 0, 2, 0, 0)
    place = -(-(place + 20 * states) // 16) * 16
    assert struct.unpack_from("<iifi", written, place)[:2] == (2, 2)
    assert len(written) == place + 16 * arcs


def everything(log_probs: np.ndarray, settings: BeamSettings, words: list[str]) -> dict[str, float]:
    """Every text with its score, by all alignments: for short utterances only."""
    scores: dict[str, float] = {}
    for path in product(range(4 + 1), repeat=len(log_probs)):
        said = "".join(
            LETTERS[label] for place, label in enumerate(path) if label < 4 and (not place or path[place - 1] != label)
        )
        sound = float(sum(log_probs[step, label] for step, label in enumerate(path)))
        scores[said] = float(np.logaddexp(scores.get(said, -np.inf), sound))
    found: dict[str, float] = {}
    for said, sound in scores.items():
        if said.startswith(" ") or "  " in said or not all(word in words for word in said.split()):
            continue
        language = sum(-settings.alpha * len(word) + settings.beta for word in said.split())
        score = sound + language + sum(settings.hot_words.get(word, 0.0) for word in said.split())
        found[said] = score
    return found


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), hot=st.sampled_from([0.0, 2.0]))
def test_a_wide_search_finds_the_best_text(seed: int, hot: float) -> None:
    words = ["a", "ab", "cab", "bb"]
    chosen = BeamSettings(alpha=0.7, beta=0.4, beam=5000, least=1e-9, hot_words={"bb": hot})
    log_probs = np.log(np.random.default_rng(seed).dirichlet(np.full(5, 0.5), 5) + 1e-6).astype(np.float32)
    search = BeamSearch(LETTERS, words, lambda _, word: -len(word) / np.log(10), chosen)
    best = max(everything(log_probs, chosen, words).items(), key=lambda one: one[1])
    found = search.transcribe(log_probs)[0]
    assert found.score == pytest.approx(best[1], abs=1e-3)
    assert found.text == best[0].strip()
