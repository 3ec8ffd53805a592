"""Which pronunciation was spoken, and where each word lies: `corpus align`.

Rule of this file: needs a first trained network. For each clip the best CTC path through all pronunciations of its
words (dictionary and generic variants) is found; written are `<shard>.phones`, what to train on from now on,
and shards of short phrases cut out of sentences, since commands are short.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from sayso.grammar.variants import variants
from sayso.recognition.features import LogMel, LogMelSettings
from sayso_model import shards
from sayso_model.augmentation import RATE
from sayso_model.export import averaged
from sayso_model.loader import ROW, SPEECH, TAIL, usable
from sayso_model.network import SUBSAMPLING, Network
from sayso_model.phones import INDEX, SYMBOLS, Speller
from sayso_model.places import RUNS, SHARDS
from sayso_model.statistics import settings as feature_settings

MOST_WAYS = 8
LEAD = 8
"""Rows of digital silence put before a clip, so that the network hears it begin."""
SETTLED = ("speech-commands", "shawnhymel")
"""Single words: nothing to choose and nothing to cut."""
ASKED = "synthetic-kokoro"
"""How the names of shards begin whose phones were asked for: nothing to choose."""
BEGUN = 2
"""Rows by which a word has begun before its first phone comes out: of 300 LibriSpeech dev clips, the shipped network's
first phone comes 110 ms after the sound (a quarter of the way through the clips; later ones begin with noise), the last
one as it ends."""
AT_ONCE, EARLIER = 3, 1.75
"""A word whose first phone comes out at most so many rows after the last one before it follows without a pause, and is
cut so many rows before its first phone comes out: where it began, the last phone of the word before is still due. Cut
where that has come out, 15.0 % of 707 dev phrases had lost their first phone and 16.8 % had another; so, 3.7 and 13.6
(of sentences 1.8 and 6.6 %)."""
WORST = 2.2
"""Forced minus free path, per phone [nats], beyond which the transcript is taken to be wrong."""

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spoken:
    """One word as it was said."""

    phones: tuple[int, ...]
    first: int
    last: int
    """First and last row in which one of its phones comes out."""

    @property
    def begins(self) -> int:
        """About the sample at which it begins."""
        return max(0, self.first - BEGUN) * ROW

    @property
    def ends(self) -> int:
        """About the sample at which it has ended."""
        return (self.last + 1) * ROW


@dataclass(frozen=True)
class _Graph:
    """States of all ways to say a text, in an order in which paths only go up."""

    label: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]
    """[states, ways in]: states one may come from, itself first; `len(label)` stands for none."""
    word: list[int]
    """Word of each state, -1 between words."""
    way: list[int]
    final: list[int]


def _graph(words: Sequence[Sequence[tuple[int, ...]]]) -> _Graph:
    """Given the pronunciations of each word, return the states: phones with optional blanks between."""
    label, before, word_of, way_of = [0], [[0]], [-1], [-1]
    ends: list[int] = []
    for number, ways in enumerate(words):
        gap = len(label) - 1  # the blank before this word
        new_ends: list[int] = []
        for way, phones in enumerate(ways):
            last = -1
            for place, phone in enumerate(phones):
                state = len(label)
                if place == 0:
                    sources = [gap, *(end for end in ends if label[end] != phone)]
                else:
                    label.append(0)  # the blank between two phones of a word
                    before.append([state, last])
                    word_of.append(number)
                    way_of.append(way)
                    sources = [state] + ([last] if label[last] != phone else [])
                    state += 1
                label.append(phone)
                before.append([state, *sources])
                word_of.append(number)
                way_of.append(way)
                last = state
            new_ends.append(last)
        state = len(label)
        label.append(0)
        before.append([state, *new_ends])
        word_of.append(-1)
        way_of.append(-1)
        ends = new_ends
    most = max(map(len, before))
    none = len(label)
    return _Graph(
        np.array(label),
        np.array([sources + [none] * (most - len(sources)) for sources in before]),
        word_of,
        way_of,
        [len(label) - 1, *ends],
    )


def aligned(log_probs: Rows, words: Sequence[Sequence[tuple[int, ...]]]) -> tuple[list[Spoken], float] | None:
    """Given float32 [rows, tokens] and each word's pronunciations, return how each was said and the path's score."""
    graph = _graph(words)
    states = len(graph.label)
    score = np.full(states + 1, -np.inf, np.float32)
    score[0] = log_probs[0, 0]
    for state in range(1, states):
        if 0 in graph.before[state] and graph.label[state]:
            score[state] = log_probs[0, graph.label[state]]
    back = np.zeros((len(log_probs), states), np.int16)
    emitted = log_probs[:, graph.label]
    rows = np.arange(states)
    for row in range(1, len(log_probs)):
        candidates = score[graph.before]
        best = candidates.argmax(axis=1)
        back[row] = graph.before[rows, best]
        score[:states] = candidates[rows, best] + emitted[row]
    state = max(graph.final, key=lambda one: score[one])
    if not np.isfinite(score[state]):
        return None
    total = float(score[state])
    spoken: dict[int, tuple[int, int, int]] = {}
    for row in range(len(log_probs) - 1, -1, -1):
        word = graph.word[state]
        if word >= 0 and graph.label[state]:
            last = spoken[word][2] if word in spoken else row
            spoken[word] = (graph.way[state], row, last)
        state = int(back[row, state])
    return [Spoken(words[word][way], first, last) for word, (way, first, last) in sorted(spoken.items())], total


def ways(speller: Speller, word: str) -> list[tuple[int, ...]]:
    """Given a word, return all its pronunciations as indices, the dictionary's first."""
    known = [way for way in speller.ways(word) if way]
    found = dict.fromkeys([*known, *(variant for way in known for variant in variants(way))])
    return [tuple(INDEX[phone] for phone in way) for way in found][:MOST_WAYS]


def parsed(phones: tuple[int, ...], words: Sequence[Sequence[tuple[int, ...]]]) -> list[list[tuple[int, ...]]] | None:
    """Given a text's phones and each word's pronunciations, return the one of each word that these are, None where
    they are something else."""
    if not words:
        return None if phones else []
    for way in words[0]:
        if phones[: len(way)] == way and (rest := parsed(phones[len(way) :], words[1:])) is not None:
            return [[way], *rest]
    return None


@torch.no_grad()
def posteriors(
    network: Network, features: LogMelSettings, clips: Sequence[shards.Clip]
) -> Iterator[tuple[shards.Clip, Rows]]:
    """Given clips, return each with its log-posteriors, float32 [rows, tokens]."""
    samples, stream = shards.Samples(SHARDS), LogMel(features)
    order = sorted(clips, key=lambda clip: clip.length)
    lead, tail = np.zeros(LEAD * ROW, np.int16), np.zeros(round(TAIL * RATE), np.int16)
    for start in range(0, len(order), 24):
        group = order[start : start + 24]
        heard = []
        for clip in group:
            stream.reset()
            heard.append(stream.feed(np.concatenate((lead, np.asarray(samples(clip)), tail))))
        longest = -(-max(map(len, heard)) // SUBSAMPLING) * SUBSAMPLING
        batch = np.stack([np.pad(one, ((0, longest - len(one)), (0, 0))) for one in heard])
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(torch.from_numpy(batch))
        log_probs = logits.float().log_softmax(2).numpy()
        for clip, one, rows in zip(group, heard, log_probs):
            yield clip, rows[network.settings.look_ahead + LEAD : len(one) // SUBSAMPLING]


def _boundary(sound: npt.NDArray[np.int16], early: int, late: int) -> int:
    """Given two places in samples, return the quietest 10 ms between them."""
    early, late = max(0, min(early, len(sound) - 320)), min(len(sound), max(late, early + 320))
    frames = sound[early : early + (late - early) // 160 * 160].astype(np.float32).reshape(-1, 160)
    return early + 160 * int(np.argmin(np.mean(frames**2, axis=1))) + 80


def between(sound: npt.NDArray[np.int16], before: Spoken, after: Spoken) -> int:
    """Given a sound and two of its words, one after the other, return the sample at which to cut them apart."""
    if after.first - before.last <= AT_ONCE:
        joint = int((after.first - EARLIER) * ROW)
        return _boundary(sound, joint - RATE // 100, joint + RATE // 100)
    return _boundary(sound, max(before.ends - ROW // 2, after.begins - 4000), after.begins + ROW // 4)


def phrases(
    sound: npt.NDArray[np.int16], words: list[str], spoken: list[Spoken], random: np.random.Generator
) -> Iterator[tuple[int, npt.NDArray[np.int16], str, tuple[int, ...]]]:
    """Given an aligned sentence, return phrases of one to six of its words, none of which overlap; the first sample,
    the sound, the words and the phones of each."""
    place = int(random.integers(0, 3))
    while place < len(words):
        count = int(random.choice((1, 2, 3, 4, 5, 6), p=(0.2, 0.22, 0.2, 0.16, 0.12, 0.1)))
        chosen = spoken[place : place + count]
        # Several words with a phone or two in all can't be cut out cleanly.
        if len(chosen) == count and sum(len(one.phones) for one in chosen) >= 3:
            start_after = spoken[place + count].begins + ROW // 2 if place + count < len(spoken) else len(sound)
            begins, ends = chosen[0].begins, chosen[-1].ends
            if place:
                start = between(sound, spoken[place - 1], chosen[0])
            else:
                start = _boundary(sound, max(0, begins - 4000), begins + ROW // 4)
            end = _boundary(sound, ends, min(start_after, ends + 4800))
            if end - start > 3200:
                yield (
                    start,
                    shards.faded(sound[start:end]),
                    " ".join(words[place : place + count]),
                    tuple(phone for one in chosen for phone in one.phones),
                )
        place += count


def align(network: Network, shard: str, cut: bool, fewest: int = 1) -> str:
    """Given a shard, write its phones and, if asked, its phrases; return what was found, for people."""
    asked = shards.phones(SHARDS, shard) if shard.startswith(ASKED) else None
    clips = [clip for clip in shards.read(SHARDS, shard) if usable(clip) and (asked is None or clip.key in asked)]
    speller, samples = Speller([clip.text for clip in clips]), shards.Samples(SHARDS)
    random, name = np.random.default_rng(9), shards.phrases_of(shard)
    said: list[tuple[str, Sequence[str]]] = []
    cuts: list[tuple[npt.NDArray[np.int16], str, str, str, str]] = []
    cut_phones: list[tuple[str, Sequence[str]]] = []
    dropped = changed = 0
    for clip, rows in posteriors(network, feature_settings(), clips):
        words = clip.text.split()
        possible = [ways(speller, word) for word in words]
        if asked is not None:
            possible = parsed(tuple(INDEX[phone] for phone in asked[clip.key]), possible) or []
        found = aligned(rows, possible) if possible else None
        if found is None or len(found[0]) != len(words):
            dropped += 1
            continue
        spoken, score = found
        phones = [phone for one in spoken for phone in one.phones]
        if (float(rows.max(axis=1).sum()) - score) / len(phones) > WORST:
            dropped += 1
            continue
        changed += sum(one.phones != ways(speller, word)[0] for one, word in zip(spoken, words))
        said.append((clip.key, [SYMBOLS[one] for one in phones]))
        if cut and len(words) > 2:
            for start, sound, text, its in phrases(np.asarray(samples(clip)), words, spoken, random):
                if len(text.split()) < fewest:
                    continue
                key = shards.cut(clip.key, start)
                cuts.append((sound, name, clip.speaker, key, text))
                cut_phones.append((key, [SYMBOLS[one] for one in its]))
    shards.write_phones(SHARDS, shard, said)
    if cut:
        shards.write_phones(SHARDS, name, cut_phones)
        shards.write(SHARDS, name, cuts)
    return f"{shard}: {len(said)} clips, {dropped} dropped, {changed} words said otherwise, {len(cuts)} phrases"


def main() -> None:
    """Align all training shards; cut phrases out of the sentences."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run")
    parser.add_argument("--checkpoint", default="last.pt")
    parser.add_argument("--only", default="", help="shards that begin with this")
    parser.add_argument(
        "--dev", action="store_true", help="cut the dev speakers' phrases for `evaluate commands`, instead"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = averaged(RUNS / options.run / options.checkpoint)
    if options.dev:
        print(align(network, "dev-librispeech-test-clean", True, fewest=2), flush=True)
        return
    for shard in shards.names(SHARDS):
        if (
            any(kind in shard for kind in SETTLED)
            or not shard.startswith(SPEECH)
            or shards.are_of_others(shard)
            or not shard.startswith(options.only)
        ):
            continue
        sentences = any(kind in shard for kind in ("librispeech", "commonvoice", "ljprompts", "kokoro"))
        print(align(network, shard, sentences), flush=True)


if __name__ == "__main__":
    main()
