"""What proves to the broker who we are, and to us who the broker is.

Rule of this file: secrets are read from files at each connection (so a corrected file needs no
restart) and go nowhere but to the connection: no error text holds one.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from sayso.credentials import credential, is_missing
from sayso.errors import BrokerError
from sayso.mqtt.settings import MqttSettings

CREDENTIAL = "mqtt-password"
"""Name of the systemd credential (LoadCredential=mqtt-password:…)."""


def password(settings: MqttSettings) -> str | None:
    """Given settings, return the password, None where none is meant. Raise BrokerError if it can't be read."""
    if not settings.username:
        return None
    if settings.password_file:
        path, remedy = Path(settings.password_file), "make it readable for the daemon's user"
    elif is_missing(CREDENTIAL):
        return None
    else:
        path, remedy = credential(CREDENTIAL), "only root may read it: run this with sudo"
    try:
        return path.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise BrokerError(f"the password can't be read: {reason}", where=str(path), remedy=remedy) from None


class TlsContext(ssl.SSLContext):
    """Remembers the socket it wrapped, so that it can be closed when the handshake fails: paho doesn't."""

    wrapped: ssl.SSLSocket | None = None

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """As ssl.SSLContext's."""
        self.wrapped = super().wrap_socket(*args, **kwargs)
        return self.wrapped


def tls_context(settings: MqttSettings) -> TlsContext | None:
    """Given settings, return what a TLS handshake needs, None without TLS. Raise BrokerError if a file is unusable."""
    if not settings.tls:
        return None
    # Not create_default_context: from Python 3.13 on it refuses home-made authorities that lack some extensions.
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_authorities(context, settings.ca_file)
    if settings.cert_file:
        _load_client_certificate(context, settings.cert_file, settings.key_file)
    if settings.alpn:
        context.set_alpn_protocols(list(settings.alpn))
    return context


def _load_authorities(context: ssl.SSLContext, ca_file: str) -> None:
    if not ca_file:
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise BrokerError(_unusable(error), where=ca_file, remedy="[mqtt] ca_file must be a PEM certificate") from None


def _load_client_certificate(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    def no_passphrase() -> str:
        raise BrokerError("the key is encrypted", where=key_file, remedy="store it without a passphrase")

    try:
        context.load_cert_chain(cert_file, key_file, password=no_passphrase)
    except (ssl.SSLError, OSError) as error:
        remedy = "[mqtt] cert_file and key_file must be PEM and belong together"
        raise BrokerError(_unusable(error), where=f"{cert_file}, {key_file}", remedy=remedy) from None


def _unusable(error: OSError) -> str:
    # SSLError is an OSError, too; its strerror is the inner text of OpenSSL, or None.
    reason = getattr(error, "reason", None) or error.strerror or "no certificate in it"
    return f"can't be used: {str(reason).replace('_', ' ').lower()}"
