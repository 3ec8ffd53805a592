"""The package's bill of materials, in CycloneDX 1.5 (JSON).

Rule of this file: what stands in the bill was read from the files that go into the package: the locked wheels, their
hashes, and what their own metadata says of the licence. `python3 bill.py WHEELS VERSION EPOCH` prints it; the same
wheels give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
import zipfile
from datetime import datetime, timezone
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

_LONGEST_NAME = 60
"""A licence field longer than this is the text itself, not its name."""


def main() -> None:
    """Print the bill."""
    folder, version, epoch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    components = [component(wheel) for wheel in sorted(folder.glob("*.whl"))]
    identity = hashlib.sha256(json.dumps([version, components], sort_keys=True).encode()).hexdigest()
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.UUID(identity[:32], version=4)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "name": "sayso",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": components,
    }
    print(json.dumps(bill, indent=1, sort_keys=True))


def component(wheel: Path) -> dict[str, Any]:
    """Given a wheel, return its entry."""
    about = metadata(wheel)
    name = about["Name"].lower().replace("_", "-")
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{about['Version']}",
        "name": name,
        "version": about["Version"],
        "purl": f"pkg:pypi/{name}@{about['Version']}",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
        "licenses": [_licence(about)],
        "properties": [{"name": "file", "value": wheel.name}],
    }


def metadata(wheel: Path) -> Message:
    """Given a wheel, return its METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        path = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(path).decode("utf-8"))


def _licence(about: Message) -> dict[str, Any]:
    if expression := about["License-Expression"]:
        return {"expression": expression}
    classes = [
        line.rsplit(" :: ", 1)[1] for line in about.get_all("Classifier", []) if line.startswith("License :: OSI")
    ]
    name = about["License"] or ""
    short = name if 0 < len(name) <= _LONGEST_NAME and "\n" not in name else ""
    return {"license": {"name": short or ", ".join(classes) or "see the licence text in the package"}}


if __name__ == "__main__":
    main()
