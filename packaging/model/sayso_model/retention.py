"""What a network makes of the clean recordings, for what is trained on from it not to forget: `corpus retain RUN`.

Rule of this file: a network teaches the one that begins as it is. What its head hears, made white and cut to as many
numbers as any teacher's rows have, lies beside each shard as a teacher's does (teacher.py); what makes them of what the
head hears is put into the run, so that the two agree at the start but for noise and rooms. (Li and Hoiem 2016,
"Learning without forgetting", of features instead of outputs.)
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sayso.recognition.features import LogMel
from sayso_model import rows, shards
from sayso_model.augmentation import RATE
from sayso_model.loader import CENTRE, LATENESS, ROW, SPEECH, TAIL, TAUGHT
from sayso_model.network import SUBSAMPLING, Network, NetworkSettings
from sayso_model.places import RUNS, SHARDS
from sayso_model.statistics import settings as feature_settings

LEAD = RATE // 5
"""Silence before a clip, so that the network hears it begin [samples]."""
TOGETHER = 16


@torch.no_grad()
def heard(network: Network, shard: str) -> Iterator[npt.NDArray[np.float16]]:
    """Given a network and a shard, yield for each clip what the head hears at the moments of its rows (rows.py), [rows,
    width]: later by `LATENESS`, as all that is taught is compared."""
    samples, stream = shards.Samples(SHARDS), LogMel(feature_settings())
    clips = list(shards.read(SHARDS, shard))
    order = sorted(range(len(clips)), key=lambda place: clips[place].length)
    found: dict[int, npt.NDArray[np.float16]] = {}
    for begin in range(0, len(order), TOGETHER):
        group = order[begin : begin + TOGETHER]
        longest = clips[group[-1]].length + LEAD + round(TAIL * RATE)
        frames = []
        for place in group:
            sound = np.zeros(longest, np.int16)
            sound[LEAD : LEAD + clips[place].length] = samples(clips[place])
            stream.reset()
            frames.append(stream.feed(sound))
        whole = np.stack(frames)[:, : len(frames[0]) // SUBSAMPLING * SUBSAMPLING]
        with torch.autocast("cpu", torch.bfloat16):
            body = network.body(torch.from_numpy(whole))[:, network.settings.look_ahead :]
        for place, its in zip(group, body.float()):
            count = clips[place].length // rows.ROW
            at = (rows.ROW * np.arange(count) + LEAD - CENTRE) / ROW + LATENESS
            found[place] = _between(its, torch.from_numpy(at)).numpy().astype(np.float16)
    yield from (found[place] for place in range(len(clips)))


def _between(its: Tensor, places: Tensor) -> Tensor:
    """Given rows [rows, width] and places among them, return what lies between the rows there, [places, width]."""
    places = places.clamp(0, len(its) - 1)
    lower = places.long().clamp(max=len(its) - 2)
    return torch.lerp(its[lower], its[lower + 1], (places - lower)[:, None].float())


def whitening(moments: Tensor, total: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Given sums of products [width, width] and of values [width], return the matrix [TAUGHT, width] and the offset
    [TAUGHT] that make the values' first principal components white."""
    mean = total / count
    values, vectors = torch.linalg.eigh(moments / count - mean[:, None] * mean)
    matrix = (vectors[:, -TAUGHT:] / torch.sqrt(values[-TAUGHT:])).t()
    return matrix.float(), (-matrix @ mean).float()


def retain(run: Path) -> None:
    """Given a run's checkpoint, write what its average makes of each shard of sentences, and into it what makes it."""
    stored = torch.load(run, map_location="cpu", weights_only=False)
    network = Network(NetworkSettings(**stored["settings"]))
    network.load_state_dict({name: value.float() for name, value in stored["average"].items()})
    network.eval()
    names = [name for name in shards.names(SHARDS) if name.startswith(SPEECH) and not shards.are_of_others(name)]
    width = network.settings.width
    moments, total, count = torch.zeros(width, width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64), 0
    for name in names:
        with rows.path(name, "retained").open("wb") as file:
            for its in heard(network, name):
                file.write(its.tobytes())
                known = torch.from_numpy(its).double()
                moments, total, count = moments + known.t() @ known, total + known.sum(0), count + len(known)
        print(f"{name}: heard", flush=True)
    matrix, offset = whitening(moments, total, count)
    for name in names:
        its = torch.from_numpy(np.array(rows.mapped(name, "retained", width))).float()
        (its @ matrix.t() + offset).numpy().astype(np.float16).tofile(rows.path(name, "taught"))
        rows.path(name, "retained").unlink()
    torch.save({**stored, "told": {"weight": matrix, "bias": offset}}, run)


def main() -> None:
    """Do so for a run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run", help="whose average teaches")
    options = parser.parse_args()
    run = RUNS / options.run / "last.pt"
    if not run.exists():
        parser.error(f"there is no run {options.run!r} in {RUNS}")
    if any(SHARDS.glob("*.taught")):
        parser.error(f"a teacher has heard the recordings already; delete {SHARDS}/*.taught first")
    torch.set_num_threads(1)
    retain(run)


if __name__ == "__main__":
    main()
