"""Where the model's making keeps its things.

Rule of this file: every path is decided here, once; nothing large lands in the repository.
`SAYSO_MODEL_WORK` moves the work folder, `SAYSO_MODEL_SPEECH` the recordings.
"""

from __future__ import annotations

import os
from pathlib import Path

MODEL = Path(__file__).resolve().parent.parent
"""packaging/model."""

REPOSITORY = MODEL.parent.parent

SPEECH = Path(os.environ.get("SAYSO_MODEL_SPEECH", REPOSITORY.parent / "shared" / "speech"))
"""The recordings: a tar of Ogg Opus beside its table for each part."""

WORK = Path(os.environ.get("SAYSO_MODEL_WORK", REPOSITORY / "build" / "model"))
"""Decoded corpora, checkpoints, virtual environments."""

SHARDS = WORK / "shards"
RUNS = WORK / "runs"
EXPORT = WORK / "export"
"""A network on its way from torch to a bundle; what conversion makes of it lies in a folder for each precision."""
BUNDLE = REPOSITORY / "daemon" / "sayso" / "models" / "en"
