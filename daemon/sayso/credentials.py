"""Where secrets lie that no settings file names: systemd's credentials.

Rule of this file: it knows the places and reads nothing; whoever needs a secret reads it anew each time.
"""

from __future__ import annotations

import os
from pathlib import Path

STORE = Path("/etc/credstore")
"""Where the unit's LoadCredential= finds them, each with `sayso.` before its name; only root may read there."""


def credential(name: str) -> Path:
    """Given a credential's name, return its file, whether or not it is there.

    In the unit that is systemd's copy; in a shell, for `sudo sayso doctor`, what the unit would be given.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(directory, name) if directory else STORE / f"sayso.{name}"


def is_missing(name: str) -> bool:
    """Given a credential's name, return whether it certainly isn't there: who may not look doesn't know."""
    try:
        return not credential(name).is_file()
    except PermissionError:
        return False
