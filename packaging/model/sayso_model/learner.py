"""A network that learns, with what belongs to it: for trainings of several networks side by side.

Rule of this file: the device is whichever it is given; nothing waits for it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sayso_model.network import Network
from sayso_model.run import rate

EMA = 0.998
"""Of the average: trainings side by side are short ones."""


class Learner:
    """A network, its optimiser and its average."""

    def __init__(self, network: Network, peak: float, device: torch.device) -> None:
        self.network, self.peak = network.to(device), peak
        self.average = Network(network.settings).to(device).eval()
        self.average.load_state_dict(network.state_dict())
        self._mine = [value for value in self.average.state_dict().values() if value.is_floating_point()]
        self._theirs = [value for value in self.network.state_dict().values() if value.is_floating_point()]
        self._optimiser = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=0.02, fused=True)
        # bf16 needs no scaling, but a step with a number that is none is left out without asking the device.
        self._scaler = torch.amp.GradScaler(  # type: ignore[attr-defined]
            device.type, init_scale=1.0, backoff_factor=0.999, growth_interval=1 << 30, enabled=device.type == "cuda"
        )

    def state(self) -> dict[str, Any]:
        """Return what goes on from here needs, for a checkpoint."""
        return {
            "settings": self.network.settings.as_dict(),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Given what `state` returned, be there again."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])

    def log_probs(self, frames: Tensor, rows: int) -> Tensor:
        """Given features, return float32 log-posteriors of so many rows, [rows, clips, outputs]."""
        with torch.autocast(frames.device.type, torch.bfloat16):
            logits = self.network(frames)
        late = self.network.settings.look_ahead
        return logits[:, late : late + rows].float().log_softmax(2).transpose(0, 1)

    def scaled(self, loss: Tensor) -> Tensor:
        """Return the loss as the gradient's source."""
        return self._scaler.scale(loss)

    def step(self, step: int, progress: float) -> None:
        """Given where the plan stands and gradients, take a step."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate(step, progress, self.peak)
        self._scaler.unscale_(self._optimiser)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._optimiser.zero_grad(set_to_none=True)
        torch._foreach_lerp_(self._mine, self._theirs, 1.0 - min(EMA, (1 + step) / (20 + step)))
