"""The last decisions, noted down for `sayso why`.

Rule of this file: a short file in memory (/run), gone with the daemon; scores and reasons, no sound. The words of what
was rejected are noted only while debugging: it was hardly meant for us.
"""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Deque, Dict, List, Mapping, Optional

from sayso.errors import NoteError
from sayso.records import Command, Heard, Wake

logger = logging.getLogger(__name__)

SYSTEM_FOLDER = Path("/run/sayso")
"""systemd's RuntimeDirectory= of the unit."""


def own_folder(environment: Mapping[str, str]) -> Optional[Path]:
    """Given the environment, return where this process may keep notes in memory; None: nowhere."""
    if environment.get("RUNTIME_DIRECTORY"):
        return Path(environment["RUNTIME_DIRECTORY"].split(":")[0])
    return Path(environment["XDG_RUNTIME_DIR"]) / "sayso" if environment.get("XDG_RUNTIME_DIR") else None


class Decisions:
    """Keeps the newest decisions of one site."""

    def __init__(self, folder: Optional[Path], site: str, most: int, words: bool) -> None:
        """Given where to keep them (None: nowhere), whose they are, how many, and whether with all words, begin."""
        self._file = folder / f"{site}.jsonl" if folder is not None and most else None
        self._words = words
        self._kept: Deque[str] = deque(maxlen=most)
        if self._file is not None:
            self._write()

    def add(self, heard: Heard, id_: str, now: float, threshold: float) -> None:
        """Given what was heard, under which id it was published and when [Unix seconds], and how sure a command had
        to be, note it."""
        if self._file is None:
            return
        note = {"time": _iso(now), "id": id_, **_note(heard, self._words), "threshold": round(threshold, 4)}
        self._kept.append(json.dumps(note, ensure_ascii=False))
        self._write()

    def _write(self) -> None:
        """Replace the file as a whole. Where that fails, say so once and keep no more."""
        assert self._file is not None
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in self._kept)
            fresh.replace(self._file)
        except OSError as error:
            logger.warning("%s: no notes for `sayso why`: %s", self._file, error.strerror)
            self._file = None


def read_decisions(site: str, environment: Mapping[str, str]) -> List[Dict[str, Any]]:
    """Given a site and the environment, return the notes of its daemon, oldest first. Raise NoteError."""
    folders = [folder for folder in (SYSTEM_FOLDER, own_folder(environment)) if folder is not None]
    files = [folder / f"{site}.jsonl" for folder in dict.fromkeys(folders)]
    found = sorted((file for file in files if file.exists()), key=lambda file: file.stat().st_mtime)
    if not found:
        raise NoteError(
            f"no daemon for site {site!r} has left notes",
            where=" or ".join(map(str, files)),
            remedy="is it running? does [log] decisions allow it?",
        )
    try:
        return [json.loads(line) for line in found[-1].read_text(encoding="utf-8").splitlines()]
    except PermissionError:
        raise NoteError("can't be read", where=str(found[-1]), remedy="sudo sayso why") from None
    except (OSError, ValueError) as error:
        raise NoteError(f"can't be read: {error}", where=str(found[-1]), remedy="restart the daemon") from None


def _note(heard: Heard, words: bool) -> Dict[str, Any]:
    if isinstance(heard, Wake):
        return {"what": "wake", "text": heard.phrase, "confidence": round(heard.confidence, 4)}
    command = isinstance(heard, Command)
    told = command or words
    return {
        "what": "command" if command else "rejected",
        "reason": "" if isinstance(heard, Command) else heard.reason,
        "intent": heard.intent,
        "text": heard.text if told else "",
        "slots": dict(heard.slots) if isinstance(heard, Command) else {},
        "confidence": round(heard.confidence, 4),
        "evidence": {name: round(value, 3) for name, value in asdict(heard.evidence).items()} if heard.evidence else {},
        "alternatives": [
            {"intent": one.intent, "text": one.text if told else "", "confidence": round(one.confidence, 4)}
            for one in heard.alternatives
        ],
        "timings": {name: round(spent, 1) for name, spent in asdict(heard.timings).items()},
    }


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
