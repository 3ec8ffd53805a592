"""What of Whisper's rows tells phones apart, for the network to be taught: `corpus teach`, second step.

Rule of this file: a bottleneck and a few convolutions behind it learn phones from Whisper's rows, by CTC. The
bottleneck is linear, so it keeps what Whisper knows of every moment, and not only of those at which a phone comes out.
Its outputs, made white, lie beside the shard as Whisper's do, and what makes them of Whisper's in a file of its own.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from sayso_model import rows, shards, whisper
from sayso_model.loader import TAUGHT, labelled, usable
from sayso_model.phones import SYMBOLS, Speller
from sayso_model.places import SHARDS, WORK
from sayso_model.scoring import collapsed, distance

HIDDEN = 256
PEAK = 2e-3
ROWS = 6000
"""Rows of a batch: two minutes."""
EPOCHS = 2
"""Few, so that it knows what it was taught with no better than other speech."""
TRIED = 100
"""Clips of each shard on which it is tried."""
TELLING = WORK / "telling.pt"
"""What makes its outputs of Whisper's rows, for a machine that hears them itself."""


class Teacher(nn.Module):
    """Whisper's rows to the bottleneck, and that to logits of phones."""

    def __init__(self) -> None:
        super().__init__()
        self.bottleneck = nn.Linear(whisper.WIDTH, TAUGHT, bias=False)
        self.first = nn.Linear(5 * TAUGHT, HIDDEN)
        self.second = nn.Linear(3 * HIDDEN, HIDDEN)
        self.head = nn.Linear(HIDDEN, len(SYMBOLS))
        self.normed = nn.LayerNorm(HIDDEN)

    def forward(self, heard: Tensor) -> Tensor:
        """Given Whisper's rows [clips, rows, WIDTH], return logits of phones [clips, rows / 2, outputs]."""
        found = functional.dropout(self.told(heard), 0.1, self.training)
        found = functional.relu(self.first(_around(found, 2)[:, ::2]))
        found = found + functional.relu(self.second(_around(found, 1)))
        return self.head(functional.dropout(self.normed(found), 0.2, self.training))

    def told(self, heard: Tensor) -> Tensor:
        """Given Whisper's rows [..., WIDTH], return the bottleneck's, [..., TAUGHT]."""
        return self.bottleneck(functional.layer_norm(heard, heard.shape[-1:]))


def _around(found: Tensor, reach: int) -> Tensor:
    """Given [clips, rows, width], return each row with those up to `reach` before and after it."""
    padded = functional.pad(found, (0, 0, reach, reach))
    return torch.cat([padded[:, tap : tap + found.shape[1]] for tap in range(2 * reach + 1)], dim=2)


@dataclass(frozen=True)
class Lesson:
    """A clip's rows and its phones."""

    rows: npt.NDArray[np.float16]
    phones: tuple[int, ...]


def _lessons(names: list[str]) -> list[Lesson]:
    """Given shards, return all that can be learnt from them."""
    found = []
    for name in names:
        heard, starts = rows.mapped(name, whisper.HEARD, whisper.WIDTH), rows.starts(name)
        clips = [clip for clip in shards.read(SHARDS, name) if usable(clip)]
        clips, phones = labelled(name, clips, Speller([clip.text for clip in clips]))
        for clip, said in zip(clips, phones):
            start = starts[clip.key]
            found.append(Lesson(heard[start : start + clip.length // rows.ROW], said))
    return found


def _groups(lessons: list[Lesson], random: np.random.Generator) -> list[list[Lesson]]:
    """Given lessons, return them in batches, in any order: such of like lengths together."""
    order = sorted(random.permutation(len(lessons)), key=lambda one: len(lessons[one].rows) // 25)
    groups: list[list[Lesson]] = [[]]
    for one in order:
        if groups[-1] and (len(groups[-1]) + 1) * len(lessons[one].rows) > ROWS:
            groups.append([])
        groups[-1].append(lessons[one])
    return [groups[place] for place in random.permutation(len(groups))]


def _loss(teacher: Teacher, group: list[Lesson]) -> Tensor:
    """Given a batch, return the loss per phone."""
    device = teacher.head.weight.device
    lengths = torch.tensor([len(one.rows) for one in group])
    heard = torch.zeros(len(group), int(lengths.max()), whisper.WIDTH, dtype=torch.float16)
    for number, one in enumerate(group):
        heard[number, : len(one.rows)] = torch.from_numpy(np.array(one.rows))
    with torch.autocast(device.type, torch.bfloat16):
        logits = teacher(heard.to(device).float())
    phones = torch.tensor([phone for one in group for phone in one.phones], device=device)
    said = torch.tensor([len(one.phones) for one in group])
    log_probs = logits.float().log_softmax(2).transpose(0, 1)
    losses = functional.ctc_loss(log_probs, phones, (lengths + 1) // 2, said, reduction="sum", zero_infinity=True)
    return losses / len(phones)


def learn(lessons: list[Lesson], random: np.random.Generator, device: torch.device) -> Teacher:
    """Given lessons, return what has learnt from them on a device."""
    teacher = Teacher().to(device)
    optimiser = torch.optim.AdamW(teacher.parameters(), lr=PEAK, weight_decay=0.01)
    groups = [group for _ in range(EPOCHS) for group in _groups(lessons, random)]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK, total_steps=len(groups) + 1, pct_start=0.1)
    recent = []
    for step, group in enumerate(groups, 1):
        loss = _loss(teacher, group)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(teacher.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        recent.append(loss.detach())
        if step % 100 == 0:
            print(f"step {step} of {len(groups)}: {torch.stack(recent).mean():.3f} a phone", flush=True)
            recent.clear()
    return teacher.eval()


@torch.no_grad()
def wrong(teacher: Teacher, lessons: list[Lesson]) -> float:
    """Given lessons, return the share of phones that the best output of each row gets wrong."""
    errors = total = 0
    for one in lessons:
        heard = torch.from_numpy(one.rows.astype(np.float32)).to(teacher.head.weight.device)
        best = teacher(heard[None])[0].argmax(1).cpu().numpy()
        errors += distance(collapsed(best), one.phones)
        total += len(one.phones)
    return errors / total


@dataclass(frozen=True)
class Telling:
    """Makes of Whisper's rows what is taught: the bottleneck's outputs, white."""

    matrix: Tensor
    """[WIDTH, TAUGHT]."""
    offset: Tensor
    """[TAUGHT]."""

    def __call__(self, heard: Tensor) -> Tensor:
        """Given Whisper's rows [..., WIDTH], return [..., TAUGHT]."""
        return functional.layer_norm(heard, heard.shape[-1:]) @ self.matrix - self.offset

    def to(self, device: torch.device) -> Telling:
        """Return the same on a device."""
        return Telling(self.matrix.to(device), self.offset.to(device))


@torch.no_grad()
def telling(teacher: Teacher, lessons: list[Lesson]) -> Telling:
    """Given a teacher and lessons, return what makes its outputs of Whisper's rows, and makes them white, on a CPU."""
    teacher = teacher.cpu()
    total, square, count = torch.zeros(TAUGHT), torch.zeros(TAUGHT, TAUGHT), 0
    for one in lessons[:: max(1, len(lessons) // 1500)]:
        told = teacher.told(torch.from_numpy(one.rows.astype(np.float32)))
        total, square, count = total + told.sum(0), square + told.t() @ told, count + len(told)
    mean = total / count
    values, vectors = torch.linalg.eigh((square / count - mean[:, None] * mean).double())
    white = (vectors / torch.sqrt(values)).float()
    return Telling(teacher.bottleneck.weight.t() @ white, mean @ white)


def teach(tell: Telling, shard: str) -> None:
    """Given a shard that was heard, write what is taught of it."""
    heard, target = rows.mapped(shard, whisper.HEARD, whisper.WIDTH), rows.path(shard, "taught")
    part = target.with_name(f"{target.name}.part")
    with part.open("wb") as file:
        for start in range(0, len(heard), 100_000):
            told = tell(torch.from_numpy(heard[start : start + 100_000].astype(np.float32)))
            file.write(told.numpy().astype(np.float16).tobytes())
    part.rename(target)


def learnt(names: list[str], device: torch.device) -> Telling:
    """Given shards that were heard, learn from the recordings among them, say how well, and write and return what is
    taught of Whisper's rows."""
    torch.manual_seed(7)
    recorded = [name for name in names if name.startswith("train-")]
    lessons = _lessons(recorded)
    teacher = learn(lessons, np.random.default_rng(7), device)
    for name in (*recorded, *(name for name in whisper.TRIED_ON if rows.path(name, whisper.HEARD).exists())):
        its = _lessons([name])[:TRIED]
        print(f"{name}: {100 * wrong(teacher, its):.1f} % of phones wrong in {len(its)} clips", flush=True)
    tell = telling(teacher, lessons)
    torch.save({"matrix": tell.matrix, "offset": tell.offset}, TELLING)
    return tell


def main() -> None:
    """Learn from the recordings, unless that is done, and write what is taught of each shard."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.parse_args()
    torch.set_num_threads(1)
    heard = [name for name in whisper.listened_to() if rows.path(name, whisper.HEARD).exists()]
    tell = Telling(**torch.load(TELLING, weights_only=True)) if TELLING.exists() else learnt(heard, torch.device("cpu"))
    for name in heard:
        if not rows.path(name, "taught").exists():
            teach(tell, name)


if __name__ == "__main__":
    main()
