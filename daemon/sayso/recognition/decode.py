"""Log-posteriors × decoding graph -> hypotheses, as they come.

Rule of this file: the only one that imports kaldi_decoder. The search is Kaldi's token passing over
H∘L∘G. The label prior is divided out of the posteriors first, as in hybrid systems (Bourlard and
Morgan, 1994): the grammar already says what may follow, the network must not say it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import kaldi_decoder
import kaldifst
import numpy as np
import numpy.typing as npt

from sayso.grammar.graph import DecodingGraph
from sayso.grammar.tags import TAG, WOKEN, is_said
from sayso.recognition.filler import filler_cost, uniform_bigram
from sayso.records import MARGIN_CAP, Hypothesis, Posteriors, Word

ALTERNATIVE_BEAM = MARGIN_CAP
"""How much dearer than the best an alternative may be [nats]; e^-5 is 0.7 %."""

ALTERNATIVE_STATES = 5000
"""States of the acceptor of alternatives at most; a clear utterance needs ten."""


@dataclass(frozen=True)
class DecoderSettings:
    """How the search weighs, how widely it looks, and what it is compared with."""

    log_prior: npt.NDArray[np.float32]
    """float32 [tokens], natural logarithm."""
    blank: int
    prior_weight: float = 1.0
    """Power of the prior that is divided out, 0 to 1."""
    acoustic_scale: float = 1.0
    beam: float = 20.0
    """Paths this much dearer than the best are dropped [nats]."""
    max_active: int = 3000
    """Paths kept at most, for bounded time in noise."""
    alternative_beam: float = 8.0
    """The beam of the search for alternatives: narrow, because nothing else bounds its time [nats]."""
    log_bigram: Optional[npt.NDArray[np.float32]] = None
    """float32 [tokens, tokens], how phones follow one another, for filler_cost; None: each follows each."""
    step: int = 640
    """Samples an output row stands for."""


class _Arc(NamedTuple):
    token: int
    """Index of the acoustic token; -1: takes no row."""
    symbol: int
    """Output label, 0 for none."""
    cost: float
    """Graph and acoustic cost [nats]."""


class Decoder:
    """Searches one utterance after another in one graph."""

    def __init__(self, graph: DecodingGraph, settings: DecoderSettings, *, beginnings: bool = False) -> None:
        """With `beginnings`, what is searched for are no sentences, but whatever one begins with, up to any word."""
        self._graph = graph
        self._settings = settings
        bigram = settings.log_bigram
        self._bigram = uniform_bigram(len(settings.log_prior)) if bigram is None else bigram
        self._unsaid = frozenset(label for label, symbol in enumerate(graph.symbols) if not is_said(symbol))
        self._offset = (settings.prior_weight * settings.log_prior).astype(np.float32)
        options = kaldi_decoder.FasterDecoderOptions(beam=settings.beam, max_active=settings.max_active)
        # Kept, because the search holds no reference of its own.
        self._fst = graph.beginnings if beginnings else graph.fst
        self._search = kaldi_decoder.FasterDecoder(self._fst, options)
        self.reset()

    def reset(self) -> None:
        """Begin a new utterance."""
        self._search.init_decoding()
        self._heard: List[Posteriors] = []
        self._rows = 0

    def feed(self, posteriors: Posteriors) -> None:
        """Given the next rows, search on."""
        if not len(posteriors.log_probs):
            return
        scores = self._scores(posteriors.log_probs)
        self._search.advance_decoding(kaldi_decoder.DecodableCtc(scores, offset=self._rows))
        self._heard.append(posteriors)
        self._rows += len(scores)

    @property
    def heard(self) -> List[Posteriors]:
        """Return the rows fed so far."""
        return list(self._heard)

    def best(self, origin: int) -> Hypothesis | None:
        """Return the best path so far that ends where it should, or the best of all if none does; None: there is none.

        `origin` is the sample index at which row 0 begins.
        """
        if not self._rows:
            return None
        complete = self._search.reached_final()
        found, lattice = self._search.get_best_path(use_final_probs=complete)
        if not found:
            return None
        return self._hypothesis(list(_linear_arcs(lattice.to_str())), complete, origin)

    def alternatives(self, most: int) -> List[Tuple[Tuple[str, ...], float]]:
        """Return up to `most` different sentences that the utterance may be, each with its cost [nats], cheapest first.

        A sentence is its words, and a wake phrase's tag behind that; whatever else its tags may be, the same words are
        the same sentence. This searches the whole utterance once more.
        """
        if not self._rows:
            return []
        options = kaldi_decoder.LatticeSimpleDecoderConfig(
            beam=self._settings.alternative_beam, lattice_beam=ALTERNATIVE_BEAM
        )
        search = kaldi_decoder.LatticeSimpleDecoder(self._graph.fst, options)
        if not search.decode(kaldi_decoder.DecodableCtc(self._scores(self._log_probs()))):
            return []
        found, lattice = search.get_raw_lattice()
        return list(self._cheapest(lattice, most)) if found else []

    def _log_probs(self) -> npt.NDArray[np.float32]:
        return np.concatenate([posteriors.log_probs for posteriors in self._heard])

    def _scores(self, log_probs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        scores = (log_probs - self._offset) * np.float32(self._settings.acoustic_scale)
        return np.ascontiguousarray(scores, np.float32)

    def _cheapest(self, lattice: Any, most: int) -> Iterator[Tuple[Tuple[str, ...], float]]:
        """The lattice as an acceptor of words, made deterministic so that alignments don't count as alternatives."""
        lines = []
        for line in lattice.to_str().splitlines():
            fields = line.split()
            if len(fields) >= 4:
                label = 0 if int(fields[3]) in self._unsaid else fields[3]
                lines.append(f"{fields[0]} {fields[1]} {label} {label} {_cost(fields)}")
            else:
                lines.append(f"{fields[0]} {_cost(fields)}")
        acceptor = kaldifst.compile("\n".join(lines), acceptor=False)
        # Without bounds, making the outputs of a noisy utterance deterministic takes exponential time.
        kaldifst.rmepsilon(acceptor, weight=str(ALTERNATIVE_BEAM))
        distinct = kaldifst.determinize(acceptor, weight=str(ALTERNATIVE_BEAM), nstate=ALTERNATIVE_STATES)
        paths = kaldifst.shortest_path(distinct, n=most)
        for labels, cost in sorted(_paths(paths), key=lambda path: path[1]):
            yield tuple(self._graph.symbols[label] for label in labels), cost

    def _hypothesis(self, arcs: List[_Arc], complete: bool, origin: int) -> Hypothesis:
        log_probs = self._log_probs()
        tokens = np.array([arc.token for arc in arcs if arc.token >= 0])
        taken = np.cumsum([arc.token >= 0 for arc in arcs]) - 1
        """The row of each arc; of those that take none, the row before."""
        costs = np.array([arc.cost for arc in arcs])

        words = tuple(self._words(arcs, origin))
        output = tuple(self._graph.symbols[arc.symbol] for arc in arcs if arc.symbol)

        def scored(words: Tuple[Word, ...], symbols: slice, first: int, end: int) -> Hypothesis:
            begin, stop = self._spoken(words, origin, first, end)
            rows, said = log_probs[begin:stop], tokens[begin:stop]
            behind = np.concatenate((log_probs[first:begin], log_probs[stop:end]))
            silent = np.concatenate((tokens[first:begin], tokens[stop:end]))
            spent = float(costs[(taken >= begin) & (taken < stop)].sum())
            return Hypothesis(
                words=words,
                tags=output[symbols],
                complete=complete,
                acoustic=float(rows[np.arange(len(said)), said].sum()),
                free=float(rows.max(axis=1).sum()),
                cost=float(costs[(taken >= first) & (taken < end)].sum()),
                advantage=filler_cost(self._scores(rows), self._bigram, self._settings.blank) - spent,
                outside=float((behind.max(axis=1) - behind[np.arange(len(silent)), silent]).sum()),
                phones=self._phones(said),
                free_phones=self._phones(log_probs[first:end].argmax(axis=1)),
                evident=self._phones(rows.argmax(axis=1)),
                freedom=self._graph.freedom(output[: symbols.stop], symbols.start),
                steps=end - first,
                worst_word=self._worst_word(words, origin, tokens, log_probs),
            )

        whole = replace(scored(words, slice(0, len(output)), 0, len(log_probs)), cost=float(costs.sum()))
        # Nothing but its own words stands before the wake phrase's tag.
        said = next((place for place, symbol in enumerate(output) if symbol.startswith(WOKEN)), 0)
        if not said:
            return whole
        turn = len(log_probs)
        if len(words) > said:
            turn = ((words[said - 1].end + words[said].start) // 2 - origin) // self._settings.step
        wake = scored(words[:said], slice(0, said + 1), 0, turn)
        rest = scored(words[said:], slice(said + 1, len(output)), turn, len(log_probs))
        return replace(whole, wake=wake, rest=rest)

    def _spoken(self, words: Sequence[Word], origin: int, first: int, end: int) -> Tuple[int, int]:
        """Given the words found in the rows first:end, return the rows in which they are, and one more on each side."""
        if not words:
            return first, end
        step = self._settings.step
        begin, stop = (words[0].start - origin) // step, (words[-1].end - origin) // step
        return max(first, begin - 1), min(end, stop + 1)

    def _worst_word(
        self,
        words: Sequence[Word],
        origin: int,
        tokens: npt.NDArray[np.int64],
        log_probs: npt.NDArray[np.float32],
    ) -> float:
        behind = log_probs.max(axis=1)
        behind[: len(tokens)] -= log_probs[np.arange(len(tokens)), tokens]
        worst = 0.0
        for word in words:
            rows = slice((word.start - origin) // self._settings.step, (word.end - origin) // self._settings.step)
            worst = max(worst, float(behind[rows].sum()) / max(1, self._phones(tokens[rows])))
        return worst

    def _phones(self, tokens: npt.NDArray[np.int64]) -> int:
        """Given a token a row, return how many phones CTC reads in them."""
        return sum(1 for token, _ in groupby(tokens.tolist()) if token != self._settings.blank)

    def _words(self, arcs: List[_Arc], origin: int) -> Iterator[Word]:
        """A word's label stands at its last phone; its rows reach from the first phone after the word before."""
        step, blank = self._settings.step, self._settings.blank
        row, first = 0, -1
        pending = ""
        last = blank
        for arc in arcs:
            symbol = self._graph.symbols[arc.symbol]
            if pending and arc.token >= 0 and arc.token != last:
                yield Word(pending, origin + first * step, origin + row * step)
                pending, first = "", -1
            if arc.token >= 0:
                if arc.token != blank and first < 0:
                    first = row
                last = arc.token
                row += 1
            if symbol and not symbol.startswith(TAG):
                if pending:
                    yield Word(pending, origin + first * step, origin + row * step)
                    first = row - 1
                pending = symbol
        if pending:
            yield Word(pending, origin + first * step, origin + row * step)


def _linear_arcs(text: str) -> Iterator[_Arc]:
    """Given a one-path lattice as text, return its arcs from the start; kaldifst has no iterator for lattices."""
    following = {}
    start = None
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 4:
            start = fields[0] if start is None else start
            following[fields[0]] = (fields[1], _Arc(int(fields[2]) - 1, int(fields[3]), _cost(fields)))
    state = start
    while state in following:
        state, arc = following.pop(state)
        yield arc


def _cost(fields: List[str]) -> float:
    """Given a line of a lattice as text, return its weight, graph and acoustic together; zero is not written."""
    return sum(map(float, fields[-1].split(","))) if "," in fields[-1] else 0.0


def _paths(fst: Any) -> Iterator[Tuple[List[int], float]]:
    """Given the union of some paths, return each one's labels and cost."""
    todo: List[Tuple[int, List[int], float]] = [(fst.start, [], 0.0)] if fst.start >= 0 else []
    while todo:
        state, labels, cost = todo.pop()
        end = float(fst.final(state).value)
        if end != float("inf"):
            yield labels, cost + end
        for arc in kaldifst.ArcIterator(fst, state):
            more = [*labels, arc.olabel] if arc.olabel else labels
            todo.append((arc.nextstate, more, cost + float(arc.weight.value)))
