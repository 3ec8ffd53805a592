"""A vocabulary -> the dictionary of a `.scorer` package: OpenFst's constant acceptor, as ds_ctcdecoder reads it.

Rule of this file: pure, bytes only. Source of the format: DeepSpeech, native_client/ctcdecode (a word is its labels,
each one more than its place in the alphabet, and the space), and OpenFst's fst.cc and const-fst.h (header, states and
arcs aligned to 16 bytes).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Iterable, Sequence

_MAGIC = 2125659606
"""kFstMagicNumber of fst.cc."""
_ALIGNED_VERSION, _IS_ALIGNED = 1, 4
"""kAlignedFileVersion of const-fst.h, FstHeader::IS_ALIGNED of fst.h."""
_ALIGNMENT = 16

_PROPERTIES = sum(
    1 << bit
    for bit in (
        0,  # expanded
        16, 18, 20, 23, 25, 27,  # acceptor, deterministic by input and output, no epsilons
        28, 30, 33,  # labels sorted, unweighted
        35, 37, 40, 42,  # acyclic, initially so; every state can be reached and leads to an end
    )
)  # fmt: skip
"""What fst/properties.h calls these."""


@dataclass(frozen=True)
class Trie:
    """A minimal deterministic acceptor: words that end alike share their end."""

    arcs: tuple[tuple[tuple[int, int], ...], ...]
    """Of each state, (label, next state) by label; 0 starts."""
    final: int
    """The one state in which words end."""


def build_trie(words: Iterable[str], alphabet: Sequence[str], space: str = " ") -> Trie:
    """Given words and the model's alphabet, return the acceptor of the words, each with the space behind it.

    Raise ValueError for a letter that the alphabet doesn't have.
    """
    number = {letter: place + 1 for place, letter in enumerate(alphabet)}
    root: dict[int, dict] = {}  # type: ignore[type-arg]
    for word in words:
        node = root
        for letter in (*word, space):
            if letter not in number:
                raise ValueError(f'"{word}": {letter!r} is not in the alphabet')
            node = node.setdefault(number[letter], {})
    states: dict[tuple[tuple[int, int], ...], int] = {}

    def numbered(node: dict) -> int:  # type: ignore[type-arg]
        arcs = tuple(sorted((label, numbered(target)) for label, target in node.items()))
        return states.setdefault(arcs, len(states))

    start = numbered(root)
    # The ends come first as they are numbered; the start has to be 0.
    arcs = sorted(states, key=lambda one: -states[one])
    assert start == len(arcs) - 1
    moved = tuple(tuple((label, start - target) for label, target in leaving) for leaving in arcs)
    return Trie(moved, start - states[()])


def const_fst(trie: Trie, offset: int) -> bytes:
    """Given an acceptor and where in the file it will begin, return it as an aligned OpenFst ConstFst."""
    count = sum(map(len, trie.arcs))
    header = struct.pack("<i", _MAGIC) + _text("const") + _text("standard")
    header += struct.pack("<iiQqqq", _ALIGNED_VERSION, _IS_ALIGNED, _PROPERTIES, 0, len(trie.arcs), count)
    written = bytearray(header)
    written += _padding(offset + len(written))
    place = 0
    for state, leaving in enumerate(trie.arcs):
        weight = 0.0 if state == trie.final else float("inf")
        # Final weight, first arc, arcs, epsilons among them by input and by output.
        written += struct.pack("<fIIII", weight, place, len(leaving), 0, 0)
        place += len(leaving)
    written += _padding(offset + len(written))
    for leaving in trie.arcs:
        for label, target in leaving:
            written += struct.pack("<iifi", label, label, 0.0, target)
    return bytes(written)


def _text(text: str) -> bytes:
    return struct.pack("<i", len(text)) + text.encode("ascii")


def _padding(length: int) -> bytes:
    return bytes(-length % _ALIGNMENT)
