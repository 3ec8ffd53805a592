"""Sayso as it is shipped, for the meter: `hear_sayso.py COMMANDS [MODEL]`.

Rule of this file: nothing of its own between the frames and the outcomes; the parts come from sayso.assembly.
"""

from __future__ import annotations

import sys
from typing import Any, Iterator

import numpy as np
from meter import serve

from sayso import __version__
from sayso.assembly import load_grammar, load_model, make_pipeline, make_recognizer
from sayso.config import CommandsConfig, Config, ModelConfig
from sayso.records import FRAME_SAMPLES, AudioFrame, Command, Outcome


def main() -> None:
    commands, model = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    config = Config(commands=CommandsConfig(path=commands), model=ModelConfig(path=model, accelerator="cpu"))
    loaded = load_model(config)
    grammar = load_grammar(config, loaded.bundle)
    pipeline = make_pipeline(config, make_recognizer(config, loaded, grammar))
    position = 0

    def listen(sound: bytes) -> Iterator[dict[str, Any]]:
        nonlocal position
        outcomes: list[Outcome]
        if sound:
            outcomes = pipeline.feed(AudioFrame(np.frombuffer(sound, np.int16), position))
            position += FRAME_SAMPLES
        else:
            outcomes = pipeline.finish()
        for outcome in outcomes:
            if isinstance(outcome, Command):
                yield {"text": outcome.text, "intent": outcome.intent, "slots": dict(outcome.slots)}

    about = {"name": f"Sayso {__version__}", "model": loaded.bundle.label, "sentences": grammar.graph.sentences}
    serve(FRAME_SAMPLES * 2, listen, about)


main()
