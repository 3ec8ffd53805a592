"""Word acceptor + pronunciations + CTC topology -> decoding graph.

Rule of this file: the only one that builds with kaldifst. The road is the usual one of weighted
automata (Mohri, Pereira and Riley, "Speech recognition with weighted finite-state transducers", 2008):
G, the acceptor over words and tags, made deterministic and minimal; L, each word replaced by its
phones, as one prefix tree per state of G, the word written out at its last phone; H, the CTC topology
(Graves et al., 2006), composed in front.

Labels of the result: input 0 is epsilon, input k + 1 is token k of the acoustic model; output 0 is
epsilon, output n is `symbols[n]`, a word or a tag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Mapping, Sequence

import kaldifst

from sayso.grammar.pronounce import Pronunciation
from sayso.grammar.tags import ALL_SAID, TAG, SentenceEnd, SlotEnd
from sayso.grammar.words import WordAcceptor

LIBRARY = f"kaldifst {kaldifst.__version__}"
"""What graphs are built with, and written down."""

GEMINATE_COST = 0.7
"""Cost [nats] of hearing two like phones in a row as one ("bus stop"), as they are mostly said. CTC by itself
demands a blank between them."""


_BETWEEN_WORDS = 1.0
"""Final weight by which, as long as both are one, the states where beginnings end are known from those where sentences
do."""


@dataclass(frozen=True)
class DecodingGraph:
    """What the decoder searches, and what its output means."""

    fst: kaldifst.StdConstFst
    """It ends where a sentence does."""
    beginnings: kaldifst.StdConstFst
    """The same, but that it ends after each word behind which its way through G must go on."""
    symbols: tuple[str, ...]
    """Output label -> word or tag; label 0 is empty."""
    slot_ends: tuple[SlotEnd, ...]
    sentence_ends: tuple[SentenceEnd, ...]
    tokens: tuple[str, ...]
    """The acoustic model's tokens that the graph was built for."""
    states: int
    arcs: int
    sentences: int
    """Paths through G: sentences that can be said, counted with every spelling of each."""
    grammar: Mapping[int, Mapping[int, int]]
    """G, deterministic: state -> output label -> next state. It starts in `start`."""
    start: int

    @cached_property
    def _label(self) -> dict[str, int]:
        return {symbol: label for label, symbol in enumerate(self.symbols)}

    def freedom(self, output: Sequence[str], begin: int = 0) -> float:
        """Given the words and tags of a sentence or its beginning, return the natural logarithm of how many ways there
        were to go on, multiplied over its symbols from the one at `begin`."""
        state, total = self.start, 0.0
        for place, symbol in enumerate(output):
            leaving = self.grammar[state]
            if place >= begin:
                total += math.log(len(leaving))
            state = leaving[self._label[symbol]]
        return total

    def goes_on(self, output: Sequence[str]) -> bool:
        """Given the words and tags of a whole sentence, return whether a longer one begins with its words.

        The longer one may mean something else by them: words count, whatever slots they fill. Politeness at the end
        doesn't: nobody waits for "please".
        """
        said = output[: output.index(ALL_SAID)] if ALL_SAID in output else output
        states = self._before_a_word({self.start})
        for symbol in said:
            if not symbol.startswith(TAG):
                label = self._label[symbol]
                states = self._before_a_word(
                    {self.grammar[state][label] for state in states if label in self.grammar[state]}
                )
        return any(not self.symbols[label].startswith(TAG) for state in states for label in self.grammar[state])

    def _before_a_word(self, states: set[int]) -> set[int]:
        """Given states, return all that tags lead to from them, as long as more than politeness can follow."""
        reached, todo = set(states), list(states)
        while todo:
            for label, target in self.grammar[todo.pop()].items():
                symbol = self.symbols[label]
                if symbol.startswith(TAG) and symbol != ALL_SAID and target not in reached:
                    reached.add(target)
                    todo.append(target)
        return reached


def build_graph(
    acceptor: WordAcceptor, pronunciations: Mapping[str, Pronunciation], tokens: Sequence[str], blank: int
) -> DecodingGraph:
    """Given the acceptor of all sentences and how its words are said, return the decoding graph."""
    symbols = ("", *sorted({label for _, label, _ in acceptor.arcs if label}))
    number = {symbol: index for index, symbol in enumerate(symbols)}
    grammar = _deterministic(acceptor, number)
    arcs, finals, start = _read(grammar)
    lexical = _spell(arcs, finals, start, symbols, pronunciations, {token: k + 1 for k, token in enumerate(tokens)})
    kaldifst.arcsort(lexical, sort_type="ilabel")
    topology = _ctc_topology(len(tokens), blank)
    kaldifst.arcsort(topology, sort_type="olabel")
    graph = kaldifst.compose(topology, lexical, match_side="left", connect=True)
    kaldifst.arcsort(graph, sort_type="ilabel")
    states, count = _size(graph)
    fst, beginnings = _apart(graph)
    return DecodingGraph(
        fst=fst,
        beginnings=beginnings,
        symbols=symbols,
        slot_ends=tuple(acceptor.slot_ends),
        sentence_ends=tuple(acceptor.sentence_ends),
        tokens=tuple(tokens),
        states=states,
        arcs=count,
        sentences=_count(arcs, finals, start),
        grammar={state: dict(leaving) for state, leaving in arcs.items()},
        start=start,
    )


def _compile(lines: Sequence[str]) -> kaldifst.StdVectorFst:
    return kaldifst.compile("\n".join(lines), acceptor=False)


def _deterministic(acceptor: WordAcceptor, number: Mapping[str, int]) -> kaldifst.StdVectorFst:
    """G as a minimal deterministic acceptor, tags being symbols like any other."""
    # kaldifst starts at the first line's state, which is 0 here: WordAcceptor starts with arcs from 0.
    lines = [
        f"{source} {target} {number.get(label, 0)} {number.get(label, 0)}" for source, label, target in acceptor.arcs
    ]
    lines.extend(str(state) for state in sorted(acceptor.finals))
    grammar = _compile(lines)
    kaldifst.rmepsilon(grammar)
    grammar = kaldifst.determinize(grammar)
    kaldifst.minimize(grammar)
    return grammar


def _read(fst: kaldifst.StdVectorFst) -> tuple[dict[int, list[tuple[int, int]]], set[int], int]:
    """Given an unweighted acceptor, return its arcs (state -> [(label, next state)]), final states and start."""
    arcs: dict[int, list[tuple[int, int]]] = {}
    finals: set[int] = set()
    for state in kaldifst.StateIterator(fst):
        arcs[state] = [(arc.ilabel, arc.nextstate) for arc in kaldifst.ArcIterator(fst, state)]
        if fst.final(state).value != float("inf"):
            finals.add(state)
    return arcs, finals, fst.start


def _spell(
    arcs: Mapping[int, Sequence[tuple[int, int]]],
    finals: set[int],
    start: int,
    symbols: Sequence[str],
    pronunciations: Mapping[str, Pronunciation],
    phone_labels: Mapping[str, int],
) -> kaldifst.StdVectorFst:
    """L∘G: each word becomes its phones; those that begin alike at one state share their beginning."""
    between = _between_words(arcs, finals, start, symbols)
    lines: list[str] = []
    fresh = max(arcs) + 1
    for state in sorted(arcs, key=lambda one: one != start):
        shared: dict[tuple[int, ...], int] = {(): state}
        for label, target in arcs[state]:
            symbol = symbols[label]
            if symbol.startswith(TAG):
                lines.append(f"{state} {target} 0 {label}")
                continue
            for way in pronunciations[symbol].ways:
                path = tuple(phone_labels[phone] for phone in way)
                for end in range(1, len(path)):
                    if path[:end] not in shared:
                        shared[path[:end]] = fresh
                        lines.append(f"{shared[path[: end - 1]]} {fresh} {path[end - 1]} 0")
                        fresh += 1
                lines.append(f"{shared[path[:-1]]} {target} {path[-1]} {label}")
        if state in finals:
            lines.append(str(state))
        if state in between:
            lines.append(f"{state} {_BETWEEN_WORDS}")
    lexical = _compile(lines)
    kaldifst.minimize_encoded(lexical)
    return lexical


def _between_words(
    arcs: Mapping[int, Sequence[tuple[int, int]]], finals: set[int], start: int, symbols: Sequence[str]
) -> set[int]:
    """Given G, return its states behind a word with which no sentence ends; tags are no words."""
    tags = {state: [to for label, to in leaving if symbols[label].startswith(TAG)] for state, leaving in arcs.items()}
    behind = {to for leaving in arcs.values() for label, to in leaving if not symbols[label].startswith(TAG)}
    ended = set(finals)
    while more := {state for state, reached in tags.items() if state not in ended and ended.intersection(reached)}:
        ended |= more
    # The same words as before the tags, which are those of a sentence, or none.
    known = ended | {start}
    while more := {to for state in known for to in tags[state]} - known:
        known |= more
    return behind - known


def _apart(graph: kaldifst.StdVectorFst) -> tuple[kaldifst.StdConstFst, kaldifst.StdConstFst]:
    """Given a graph that ends after every word, return one that ends where sentences do, and one that ends elsewhere.

    Kaldi's search prefers final states whatever they are behind; so each is searched by itself.
    """
    return _ending(graph, 0.0), _ending(graph, _BETWEEN_WORDS)


def _ending(graph: kaldifst.StdVectorFst, weight: float) -> kaldifst.StdConstFst:
    """Return a graph that ends only where the given one does with that weight, for nothing."""
    one = kaldifst.StdVectorFst(graph)
    for state in range(graph.num_states):
        final = float(graph.final(state).value)
        if final < math.inf:
            one.set_final(state, kaldifst.TropicalWeight(0.0 if final == weight else math.inf))
    return kaldifst.StdConstFst(one)


def _ctc_topology(tokens: int, blank: int) -> kaldifst.StdVectorFst:
    """H: state 0 lies between phones, state k + 1 within token k; all are final."""
    lines: list[str] = [f"0 0 {blank + 1} 0"]
    phones = [token for token in range(tokens) if token != blank]
    for phone in phones:
        lines.append(f"0 {phone + 1} {phone + 1} {phone + 1}")
    for phone in phones:
        state = phone + 1
        lines.append(f"{state} {state} {state} 0")
        lines.append(f"{state} 0 {blank + 1} 0")
        lines.append(f"{state} {state} 0 {state} {GEMINATE_COST}")
        lines.extend(f"{state} {other + 1} {other + 1} {other + 1}" for other in phones if other != phone)
    lines.append("0")
    lines.extend(str(phone + 1) for phone in phones)
    return _compile(lines)


def _size(fst: kaldifst.StdVectorFst) -> tuple[int, int]:
    return fst.num_states, sum(fst.num_arcs(state) for state in range(fst.num_states))


def _count(arcs: Mapping[int, Sequence[tuple[int, int]]], finals: set[int], start: int) -> int:
    """Given an acyclic acceptor, return how many paths lead through it."""
    counts: dict[int, int] = {}
    todo = [start]
    while todo:
        state = todo[-1]
        waiting = [target for _, target in arcs[state] if target not in counts]
        if waiting:
            todo.extend(waiting)
            continue
        counts[todo.pop()] = (state in finals) + sum(counts[target] for _, target in arcs[state])
    return counts[start]


def write_fst(graph: DecodingGraph, path: Path) -> None:
    """Given a graph, write what is searched to a file. Raise OSError."""
    both = kaldifst.StdVectorFst(graph.fst)
    for state in range(both.num_states):
        if float(graph.beginnings.final(state).value) == 0:
            both.set_final(state, kaldifst.TropicalWeight(_BETWEEN_WORDS))
    if not kaldifst.StdConstFst(both).write(str(path)):
        raise OSError(f"{path} can't be written")


def read_fst(path: Path) -> tuple[kaldifst.StdConstFst, kaldifst.StdConstFst]:
    """Given a file that was written so, and not been touched since, return a graph's `fst` and `beginnings`."""
    return _apart(kaldifst.StdVectorFst(kaldifst.StdConstFst(kaldifst.StdConstFst.read(str(path)))))
