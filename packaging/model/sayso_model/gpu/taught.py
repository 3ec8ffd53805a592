"""What a teacher makes of the clips, in the memory of the device.

Rule of this file: it lies between a teacher's rows as rows.Course has it, for all clips of a batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sayso_model import rows, shards
from sayso_model.gpu.corpus import Draw
from sayso_model.loader import CENTRE, LATENESS, ROW, TAUGHT
from sayso_model.places import SHARDS


class Taught:
    """A teacher's rows of the clips that there are any of."""

    def __init__(self, clips: Sequence[shards.Clip], device: torch.device) -> None:
        """Given the clips that are drawn from, load their rows; a phrase has those of its sentence."""
        spans: dict[tuple[str, str], tuple[int, int]] = {}
        parts, base = [], 0
        for name in shards.names(SHARDS):
            if rows.path(name, "taught").exists():
                its = torch.from_numpy(np.array(rows.mapped(name, "taught", TAUGHT)))
                starts = rows.starts(name)
                ends = [*list(starts.values())[1:], len(its)]
                spans |= {(name, key): (base + start, base + end) for (key, start), end in zip(starts.items(), ends)}
                parts.append(its.to(device))
                base += len(its)
        self._rows = torch.cat(parts) if parts else torch.zeros(1, TAUGHT, dtype=torch.float16, device=device)
        self._spans = np.zeros((len(clips), 2), np.int64)
        self._cut = np.zeros(len(clips), np.int64)
        for number, clip in enumerate(clips):
            shard, key = clip.shard, clip.key
            if shards.are_phrases(shard):
                shard = shards.sentences_of(shard)
                key, self._cut[number] = shards.cut_from(key)
            self._spans[number] = spans.get((shard, key), (0, 0))

    def __call__(self, draw: Draw, count: int) -> Tensor:
        """Given a batch, return what a teacher makes of each of the network's rows, float32 [clips, count, TAUGHT]; no
        number beside the words, and where there is no teacher."""
        device = self._rows.device

        def on(values: object, kind: torch.dtype) -> Tensor:
            return torch.as_tensor(values, dtype=kind).to(device, non_blocking=True)[:, None]

        spans = np.where((draw.clip >= 0)[:, None], self._spans[draw.clip], 0)
        length = on(spans[:, 1] - spans[:, 0], torch.long)
        within = ROW * (torch.arange(count, device=device) - LATENESS) + CENTRE - on(draw.lead, torch.long)
        first = on(draw.first + self._cut[draw.clip], torch.float32)
        place = (within.float() * on(draw.speed, torch.float32) + first) / rows.ROW
        known = (within >= 0) & (within < on(draw.length, torch.long)) & (place > -0.5) & (place < length - 0.5)
        place = torch.minimum(place.clamp_min(0.0), (length - 1).clamp_min(0).float())
        lower = torch.minimum(place.long(), (length - 2).clamp_min(0))
        share = (place - lower)[..., None]
        upper = torch.minimum(lower + 1, (length - 1).clamp_min(0))
        start = on(spans[:, 0], torch.long)
        between = torch.lerp(self._rows[lower + start].float(), self._rows[upper + start].float(), share)
        return between.masked_fill(~known[..., None], torch.nan)
