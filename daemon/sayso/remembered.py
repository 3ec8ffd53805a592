"""What outlives the daemon: that it was muted, and the sentences that were last good.

Rule of this file: nothing of this is needed to run. What can't be read counts as not there, what can't be written is
said once by whoever asked for it.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Mapping, Optional, Sequence

from sayso.errors import SaysoError


def state_folder(environment: Mapping[str, str]) -> Path:
    """Given the environment, return where the daemon's state is: systemd's StateDirectory=, else the user's."""
    if environment.get("STATE_DIRECTORY"):
        return Path(environment["STATE_DIRECTORY"].split(":")[0])
    return Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "sayso"


class Mute:
    """Whether somebody has closed the microphone: a restart must not open it again."""

    def __init__(self, folder: Optional[Path]) -> None:
        """Given where to note it; None: nowhere."""
        self._note = folder / "muted" if folder else None

    @property
    def is_set(self) -> bool:
        """Return whether it was left closed."""
        return self._note is not None and self._note.exists()

    def keep(self, muted: bool) -> None:
        """Note it. Raise SaysoError where that can't be."""
        if self._note is None:
            return
        try:
            if muted:
                self._note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._note.touch()
            else:
                self._note.unlink(missing_ok=True)
        except OSError as error:
            what = f"muted until the next start only: {error.strerror}" if muted else f"stays noted: {error.strerror}"
            raise SaysoError(what, where=str(self._note), remedy="make room there, or check its permissions") from None


class LastGood:
    """Copies of the template files that were last compiled, for a start with broken ones."""

    def __init__(self, folder: Optional[Path], root: Path) -> None:
        """Given where to keep them (None: nowhere), and the file or folder that they are copies of."""
        self._root = root
        self._folder = folder / f"sentences-{hashlib.sha256(bytes(root)).hexdigest()[:12]}" if folder else None

    @property
    def path(self) -> Optional[Path]:
        """Return the folder of the copies; None: there are none."""
        return self._folder if self._folder is not None and any(self._folder.rglob("*.y*ml")) else None

    def keep(self, sources: Mapping[Path, bytes]) -> None:
        """Given the template files and what was read of each, keep that in place of what was kept."""
        if self._folder is None:
            return
        base = self._root if self._root.is_dir() else self._root.parent
        wanted = {path.absolute().relative_to(base): source for path, source in sources.items()}
        try:
            if wanted == self._kept():
                return
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder.parent) as fresh:
                Path(fresh, "new").mkdir()
                for path, source in wanted.items():
                    target = Path(fresh, "new", path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(source)
                shutil.rmtree(self._folder, ignore_errors=True)
                Path(fresh, "new").rename(self._folder)
        except OSError:
            return  # a full disk: the sentences are at work all the same

    def _kept(self) -> Mapping[Path, bytes]:
        assert self._folder is not None
        files: Sequence[Path] = [one for one in self._folder.rglob("*") if one.is_file()]
        return {one.relative_to(self._folder): one.read_bytes() for one in files}
