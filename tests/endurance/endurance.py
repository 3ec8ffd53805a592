"""A day of sound through the pipeline, an hour through the daemon; what is left over is counted.

Rule of this file: the parts are the shipped ones, put together as the daemon does. One row is written per round, so
that a run that is cut short has still shown what it has shown.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, TextIO

import soundfile
from household import FRAME, RATE, ROUND, crowd, frames, one_round
from private_broker import PrivateBroker
from running_daemon import ROOT, House, Listener, is_listening, until
from virtual_microphone import VirtualMicrophone

from sayso.assembly import load_grammar, load_model, make_pipeline, make_recognizer
from sayso.config import parse_config
from sayso.records import AudioFrame, Command, Wake

RESULTS = Path("build/endurance")
GROWTH = 2.0
"""Memory may grow by less than this after the warm-up [MiB]."""

WARM_UP = 3
"""Rounds after which everything has happened once: ten minutes each."""

LIVE_WARM_UP = ROUND // 60
"""The same for the daemon in real time [min]: one round."""


@dataclass(frozen=True)
class Row:
    """What a process holds at one time."""

    hours: float
    memory: float
    threads: int
    descriptors: int
    commands: int
    speed: float
    """Seconds of sound a second."""


def held(process: int, hours: float, commands: int, speed: float) -> Row:
    """Given a process, return what it holds (proc(5))."""
    place = Path(f"/proc/{process}")
    pages = int((place / "statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Row(
        hours, memory, len(list((place / "task").iterdir())), len(list((place / "fd").iterdir())), commands, speed
    )


class Table:
    """Rows, kept and written as they come."""

    def __init__(self, name: str) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = (RESULTS / f"{name}.csv").open("w", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["hours", "memory_mib", "threads", "descriptors", "commands", "speed"])
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        """Given a row, keep and write it."""
        self.rows.append(row)
        self._writer.writerow([f"{row.hours:.4f}", f"{row.memory:.2f}", row.threads, row.descriptors, row.commands,
                               f"{row.speed:.1f}"])  # fmt: skip
        self._file.flush()

    def faults(self, warm: int) -> list[str]:
        """Given how many rows belong to the warm-up, say what is left over since; nothing where all is well."""
        if len(self.rows) <= warm:
            return [f"too short: {len(self.rows)} rows, {warm} of them to warm up"]
        first, last = self.rows[warm - 1], self.rows[-1]
        found = []
        if last.memory - first.memory >= GROWTH:
            found.append(f"memory grew by {last.memory - first.memory:.2f} MiB")
        if last.threads > first.threads:
            found.append(f"{last.threads - first.threads} threads are left over")
        if last.descriptors > first.descriptors:
            found.append(f"{last.descriptors - first.descriptors} descriptors are left over")
        return found

    def close(self) -> None:
        """End the file."""
        self._file.close()


def through_the_pipeline(hours: float) -> list[str]:
    """Given how many hours of sound, hear them as fast as it goes. Return what is wrong."""
    config = parse_config("", "endurance", ROOT / "config")
    model = load_model(config)
    pipeline = make_pipeline(config, make_recognizer(config, model, load_grammar(config, model.bundle)))
    sound = one_round()
    table = Table("pipeline")
    second: Optional[list[str]] = None
    outcomes: list[str] = []
    index = 0
    for samples in frames(crowd()):
        pipeline.feed(AudioFrame(samples, index))
        index += FRAME
    for number in range(max(WARM_UP + 1, round(hours * 3600 / ROUND))):
        outcomes, begun = [], time.monotonic()
        for samples in frames(sound):
            frame = AudioFrame(samples, index)
            index += FRAME
            outcomes += [_told(heard) for heard in pipeline.feed(frame)]
        gc.collect()
        second = outcomes if number == 1 else second
        commands = sum(one.startswith("command") for one in outcomes)
        table.add(held(os.getpid(), index / RATE / 3600, commands, ROUND / (time.monotonic() - begun)))
        print(f"{table.rows[-1]}", flush=True)
    table.close()
    faults = table.faults(WARM_UP)
    if outcomes != second:
        faults.append(f"the last round's outcomes differ from the second's: {set(outcomes) ^ set(second or [])}")
    return faults


def _told(heard: object) -> str:
    if isinstance(heard, Command):
        return f"command {heard.text} {heard.intent} {dict(heard.slots)}"
    return f"woken {heard.phrase}" if isinstance(heard, Wake) else f"rejected {getattr(heard, 'reason', '')}"


def through_the_daemon(minutes: float) -> list[str]:
    """Given how many minutes, let the daemon hear them in real time. Return what is wrong."""
    table = Table("live")
    with tempfile.TemporaryDirectory(prefix="sayso-endurance-") as name, VirtualMicrophone() as microphone:
        sound = one_round()
        with PrivateBroker() as broker:
            house, listener = House(Path(name), microphone, broker.port), Listener(broker.port)
            try:
                until(lambda: is_listening(listener), "listening")
                wav = Path(name) / "minute.wav"
                soundfile.write(wav, crowd(), RATE)
                microphone.play(wav)
                begun = time.monotonic()
                for minute in range(max(LIVE_WARM_UP + 1, round(minutes))):
                    start = minute % (ROUND // 60) * 60 * RATE
                    soundfile.write(wav, sound[start : start + 60 * RATE], RATE)
                    microphone.play(wav)
                    hours = (time.monotonic() - begun) / 3600
                    table.add(held(house.process.pid, hours, len(listener.commands()), 1.0))
                    print(f"{table.rows[-1]}", flush=True)
            finally:
                listener.close()
                if house.process.poll() is None:
                    house.log.write_text("")
                house.end()
    table.close()
    return table.faults(LIVE_WARM_UP)


def main() -> int:
    """Do what the command line says. Return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args()
    wrong = []
    if asked.hours:
        wrong += [f"pipeline: {one}" for one in through_the_pipeline(asked.hours)]
    if asked.minutes:
        wrong += [f"live: {one}" for one in through_the_daemon(asked.minutes)]
    for one in wrong:
        print(f"FAILED  {one}")
    if not wrong:
        print("Nothing is left over, and the last hour is as the first.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
