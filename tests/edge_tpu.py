"""An Edge TPU for the tests: the stand-in library of tests/stand_in, and a bundle that counts as compiled for it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from sayso.recognition.bundle import EDGETPU_MODEL, MANIFEST, MODEL

SOURCE = Path(__file__).parent / "stand_in" / "libedgetpu.c"
LIBRARY = "libedgetpu.so.1"


class EdgeTpu:
    """A library that does as it is told, found by processes that are started with `environment`."""

    def __init__(self, folder: Path) -> None:
        """Given an empty folder, build the library there. It works."""
        self.folder = folder
        self._orders = folder / "orders"
        self.tell("works")
        warnings = ["-Wall", "-Wextra", "-Werror"]
        subprocess.run(["cc", *warnings, "-shared", "-fPIC", "-o", str(folder / LIBRARY), str(SOURCE)], check=True)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables under which a process finds it."""
        return {"LD_LIBRARY_PATH": str(self.folder), "EDGETPU_STAND_IN": str(self._orders)}

    def tell(self, order: str) -> None:
        """Given an order of libedgetpu.c, have it obeyed from the next window on, and by those who load it."""
        new = self._orders.with_suffix(".new")
        new.write_text(order)
        os.replace(new, self._orders)  # noqa: PTH105 - a reader finds the old order or the new one, never half


def compiled(bundle: Path, folder: Path) -> Path:
    """Given a bundle and a place for a copy, return the copy, which has a network for the Edge TPU: its own once more,
    as the stand-in computes what the processor does."""
    shutil.copytree(bundle, folder)
    shutil.copy(folder / MODEL, folder / EDGETPU_MODEL)
    digest = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    manifest = folder / MANIFEST
    text = manifest.read_text()
    assert "\n[files]\n" in text
    manifest.write_text(text.replace("\n[files]\n", f'\n[files]\n"{EDGETPU_MODEL}" = "{digest}"\n'))
    return folder
