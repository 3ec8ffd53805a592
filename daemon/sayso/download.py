"""Models from the net into the state folder.

Rule of this file: a file is there whole and checked, or not at all. What a broken connection leaves is `NAME.part`, and
the next attempt goes on from its end. Nothing here runs in the daemon, which never asks the net for anything.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Callable, Dict, List
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sayso import __version__
from sayso.errors import ModelError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KNOWN = Path(__file__).parent / "models" / "known.toml"
STATE = Path("/var/lib/sayso/models")

_PIECE = 1 << 18
"""Bytes read at a time."""
_PATIENCE = 30.0
"""A server that sends nothing for so long is given up [s]; the next attempt goes on from there."""

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and all that there will be."""


class File(BaseModel):
    """One file of a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    url: str = Field(pattern=r"^https?://")
    size: int = Field(gt=0)
    sha256: str = Field(pattern=r"^([0-9a-f]{64})?$")
    """Empty: not confirmed by us."""
    md5: str = Field(default="", pattern=r"^([0-9a-f]{32})?$")
    """What others report; against mishaps, not against malice."""
    scorer: bool = False
    """Whether it is a language model, which the owner's sentences don't need."""


class Known(BaseModel):
    """A model that can be fetched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    licence: str
    files: List[File]


@dataclass(frozen=True)
class Fetched:
    """A file that is there."""

    path: Path
    sha256: str
    confirmed: bool
    """Whether the digest is the pinned one."""


def known_models(registry: Path = KNOWN) -> Dict[str, Known]:
    """Given a list of models, return them by name. Raise ModelError where it can't be read."""
    try:
        data = tomllib.loads(registry.read_text(encoding="utf-8"))
        return {name: Known.model_validate(one) for name, one in data.items()}
    except (OSError, ValueError, ValidationError) as error:
        what = f"list of models can't be read: {' '.join(str(error).split())}"
        raise ModelError(what, where=str(registry), remedy="reinstall Sayso") from None


def state_folder() -> Path:
    """Return where models are kept: the daemon's own folder, or the user's where that can't be written."""
    nearest = next(folder for folder in (STATE, *STATE.parents) if folder.is_dir())
    if os.access(nearest, os.W_OK) and (nearest != Path("/var/lib") or os.geteuid() == 0):
        return STATE
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "sayso" / "models"


def fetch(file: File, folder: Path, progress: Progress) -> Fetched:
    """Given a file and where to put it, return it downloaded and checked; one that is there already is only checked.

    Raise ModelError where it can't be had, or is another.
    """
    path, part = folder / file.name, folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _room(file, folder, part)
            _download(file, part, progress)
            digest = _check(file, part, _noted(path))
            part.replace(path)
            path.with_name(f"{file.name}.sha256").write_text(f"{digest}  {file.name}\n", encoding="ascii")
            _hand_over(folder, path)
        else:
            digest = _check(file, path, _noted(path))
    except OSError as error:
        raise ModelError(
            f"can't be written: {error.strerror or error}", where=str(folder), remedy="use --into, or become root"
        ) from None
    return Fetched(path, digest, confirmed=bool(file.sha256))


def _room(file: File, folder: Path, part: Path) -> None:
    missing = file.size - (part.stat().st_size if part.exists() else 0)
    free = shutil.disk_usage(folder).free
    if missing > free:
        what = f"needs {missing / 1e6:.0f} MB, {free / 1e6:.0f} MB are free"
        raise ModelError(what, where=str(folder), remedy="make room, or use --into")


def _download(file: File, part: Path, progress: Progress) -> None:
    """Fetch what is missing of the part. Raise ModelError where the connection breaks."""
    have = part.stat().st_size if part.exists() else 0
    if have > file.size:
        part.unlink()
        have = 0
    if have == file.size:
        return
    try:
        with _asked(file, have) as answer:
            have = have if _goes_on(answer, have) else 0
            with part.open("ab" if have else "wb") as target:
                while piece := answer.read(_PIECE):
                    target.write(piece)
                    have += len(piece)
                    progress(have, file.size)
                    if have > file.size:
                        break
    except HTTPError as error:
        raise ModelError(
            f"the server says {error.code} {error.reason}", where=file.url, remedy="try again later"
        ) from None
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = str(getattr(error, "reason", "") or error or "no answer")
        raise ModelError(f"the connection failed: {reason}", where=file.url, remedy=_AGAIN) from None
    if have < file.size:
        what = f"the connection broke after {have} of {file.size} bytes"
        raise ModelError(what, where=file.url, remedy=_AGAIN)


_AGAIN = "call it again: it goes on from there"


def _asked(file: File, have: int) -> HTTPResponse:
    """Ask for the file from a byte on."""
    headers = {"User-Agent": f"sayso/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    # The addresses are our own list's, and http(s) only by its pattern.
    answer: Any = urlopen(Request(file.url, headers=headers), timeout=_PATIENCE)  # noqa: S310
    found: HTTPResponse = answer
    return found


def _goes_on(answer: HTTPResponse, have: int) -> bool:
    """Return whether the server goes on where we are, rather than from the beginning."""
    begins = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status == 206 and begins is not None and int(begins.group(1)) == have


def _noted(path: Path) -> str:
    """Return the digest that was found when the file was fetched first; empty where there is none."""
    try:
        return path.with_name(f"{path.name}.sha256").read_text(encoding="ascii").split()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        return ""


def _check(file: File, path: Path, noted: str) -> str:
    """Return the SHA-256 of what is there. Raise ModelError, and remove it, where it is another file."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as opened:
        while piece := opened.read(_PIECE):
            sha256.update(piece)
            md5.update(piece)
    found, wanted = sha256.hexdigest(), file.sha256 or noted
    size = path.stat().st_size
    wrong = ""
    if size != file.size:
        wrong = f"has {size} bytes, it should have {file.size}"
    elif wanted and found != wanted:
        wrong = f"has SHA-256 {found[:16]}…, it should have {wanted[:16]}…"
    elif file.md5 and md5.hexdigest() != file.md5:
        wrong = f"has MD5 {md5.hexdigest()}, it should have {file.md5}"
    if wrong:
        path.unlink()
        raise ModelError(f"not the file it should be: it {wrong}", where=str(path), remedy="call it again")
    return found


def _hand_over(folder: Path, path: Path) -> None:
    """What root fetches into the daemon's folder has to be readable there: it belongs to the folder's owner."""
    if os.geteuid() != 0 or not folder.is_relative_to(STATE.parent):
        return
    owner = STATE.parent.stat()
    for one in (folder, path, path.with_name(f"{path.name}.sha256")):
        os.chown(one, owner.st_uid, owner.st_gid)
