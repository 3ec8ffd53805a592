"""An authority of the tests' own, and what it signs; made by openssl, in a folder of the caller's."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Signed:
    """A certificate and its key, PEM."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path, name: str) -> None:
        """Given an empty place for its files and its name, found it."""
        self._folder = folder / name
        self._folder.mkdir()
        self._name = name
        self.cert = self._folder / "ca.pem"
        self._key = self._folder / "ca.key"
        self._openssl("req", "-x509", *_NEW_KEY, self._key, "-out", self.cert, "-days", "2", "-subj", f"/CN={name}")

    def sign(self, name: str, address: str = "") -> Signed:
        """Given a name and, for a server, its IP address, return a certificate for it."""
        signed = Signed(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=IP:{address}\n" if address else "")
        self._openssl("req", *_NEW_KEY, signed.key, "-out", request, "-subj", f"/CN={name}")
        signer = ("-CA", self.cert, "-CAkey", self._key, "-CAcreateserial", "-days", "2")
        self._openssl("x509", "-req", "-in", request, *signer, "-extfile", extensions, "-out", signed.cert)
        return signed

    def _openssl(self, *arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout")
