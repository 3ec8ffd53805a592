"""What is taken for what: `evaluate confusions EVIDENCE`.

Rule of this file: counted in tables that `evaluate commands --evidence` wrote, of sentences that were said. A sentence
that was heard is laid beside the one that was said with as few changes as possible, first by words, then, where words
differ, by their phones. What comes first in these lists is what to mend next.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from sayso_model.acceptance import plain
from sayso_model.calibration import read
from sayso_model.phones import Speller

NOTHING = "-"
"""Stands where something was left out, or put in."""

Pair = tuple[str, str]


def aligned(said: Sequence[str], heard: Sequence[str]) -> list[Pair]:
    """Given two sequences, return pairs of what was said and what was heard there, with the fewest changes."""
    cost = np.add.outer(np.arange(len(said) + 1), np.arange(len(heard) + 1))
    for row, one in enumerate(said, 1):
        for column, other in enumerate(heard, 1):
            changed = cost[row - 1, column - 1] + (one != other)
            cost[row, column] = min(changed, cost[row - 1, column] + 1, cost[row, column - 1] + 1)
    pairs: list[Pair] = []
    row, column = len(said), len(heard)
    while row or column:
        if row and column and cost[row, column] == cost[row - 1, column - 1] + (said[row - 1] != heard[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((said[row], heard[column]))
        elif row and cost[row, column] == cost[row - 1, column] + 1:
            row -= 1
            pairs.append((said[row], NOTHING))
        else:
            column -= 1
            pairs.append((NOTHING, heard[column]))
    return pairs[::-1]


def stretches(pairs: Sequence[Pair]) -> Iterator[tuple[list[str], list[str]]]:
    """Given pairs of words, yield each stretch in which they differ: the words said, the words heard."""
    said: list[str] = []
    heard: list[str] = []
    for one, other in (*pairs, ("", "")):
        if one != other:
            said += [one] * (one != NOTHING)
            heard += [other] * (other != NOTHING)
        elif said or heard:
            yield said, heard
            said, heard = [], []


def main() -> None:
    """Print the two lists."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("evidence", type=Path, nargs="+", help="tables written by `evaluate commands --evidence`")
    parser.add_argument("--condition", help="count this one only, as it stands in the table")
    parser.add_argument("--most", type=int, default=25, help="length of each list")
    options = parser.parse_args()
    rows = [row for table in options.evidence for row in read(table) if row["said"] and row["heard"]]
    rows = [row for row in rows if options.condition in (None, row["condition"])]
    speller = Speller([plain(row[side]) for row in rows for side in ("said", "heard")])
    said_words: Counter[str] = Counter()
    said_phones: Counter[str] = Counter()
    words: Counter[Pair] = Counter()
    phones: Counter[Pair] = Counter()
    for row in rows:
        said, heard = plain(row["said"]).split(), plain(row["heard"]).split()
        said_words.update(said)
        said_phones.update(phone for word in said for phone in speller.phones(word))
        pairs = aligned(said, heard)
        words.update(pair for pair in pairs if pair[0] != pair[1])
        for before, after in stretches(pairs):
            sounds = aligned(*([phone for word in side for phone in speller.phones(word)] for side in (before, after)))
            phones.update(pair for pair in sounds if pair[0] != pair[1])
    for title, found, times in (("words", words, said_words), ("phones", phones, said_phones)):
        table = Table(title=f"{title} taken for others, in {len(rows)} sentences that were heard")
        for head in ("said", "heard", "times", "of its times said"):
            table.add_column(head)
        for (one, other), count in found.most_common(options.most):
            table.add_row(one, other, str(count), f"{100 * count / times[one]:.1f} %" if times[one] else "")
        Console().print(table)


if __name__ == "__main__":
    main()
