"""Serving: one parent that imports everything and opens nothing, and workers forked from it that share its memory."""

from __future__ import annotations

import gc
import logging
import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from havre.config import Config
from havre.errors import ConfigError
from havre.server import logs, privileges
from havre.server.privileges import Certificate

if TYPE_CHECKING:
    import ssl

log = logging.getLogger("havre.serve")


def serve(config: Config, sources: Mapping[str, str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight. ``sources`` says where each setting came from.

    Raises ConfigError for settings that can not work.
    """
    logs.configure(config.log_format, config.log_level)
    certificate = _check_certificate(config)
    if not config.user:
        _prepare_and_run(config, None, certificate, sources)
        return
    # What root alone may open is opened now; all else, the database and its folder included, as the user.
    with _listen(config) as listener:
        kept = certificate.kept() if certificate else None
        privileges.drop(config.user, config.data)
        _prepare_and_run(config, listener, kept, sources)


def _prepare_and_run(
    config: Config, listener: socket.socket | None, certificate: Certificate | None, sources: Mapping[str, str] | None
) -> None:
    from havre.metadata.migrations import upgrade_in_child

    upgrade_in_child(config.database_url)
    with tempfile.TemporaryDirectory(
        prefix="havre-figures-", dir=_scratch(config.data), ignore_cleanup_errors=True
    ) as figures:
        _run(config, Path(figures), listener, certificate, sources)


def _scratch(data: Path) -> Path | None:
    """Where short-lived files may lie: where the system has them, else among the data, should all else be read-only."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return data
    return None


def _run(
    config: Config,
    figures: Path,
    opened: socket.socket | None,
    certificate: Certificate | None,
    sources: Mapping[str, str] | None,
) -> None:
    # What the workers need is imported here, once, so that they share its pages.
    from havre.server.app import create_app
    from havre.server.wire.limits import Limits
    from havre.server.wire.processes import Parent, Service
    from havre.storage import open_configured

    # Asked once, here: a worker that starts again while the store is away has to start all the same.
    open_configured(config).close()
    scheme = "https" if config.tls_certificate else "http"
    with opened or _listen(config) as listener:
        service = Service(
            lambda: create_app(config, figures=figures, sources=sources),
            listener,
            (lambda context: _load_certificate(context, certificate)) if certificate else None,
            Limits(rate=config.slowest_client),
        )
        log.info("Havre serves %s://%s with its data in %s", scheme, config.listen, config.data)
        # Objects made so far are left out of collections, which would write to the pages that workers share.
        gc.freeze()
        if not Parent(service, config.workers).run():
            raise ConfigError("no worker could start: the lines above say why")


def _listen(config: Config) -> socket.socket:
    """A socket at the address to listen on, a name resolved. Raises ConfigError if it can not be had."""
    from havre.server.wire.worker import BACKLOG

    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(
            f"listen is {config.listen}, but {config.host} is no address of this machine: {error}"
        ) from error
    family, _, _, _, address = found[0]
    try:
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        # Only the reason: the sentence around it names the address already.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(f"listen is {config.listen}, but that can not be had: {reason}") from error
    listener.setblocking(False)
    return listener


def _check_certificate(config: Config) -> Certificate | None:
    """Raises ConfigError if the certificate and its key can not be read or do not fit, which workers would tell badly."""
    if config.tls_certificate is None or config.tls_key is None:
        return None
    import ssl

    certificate = Certificate(config.tls_certificate, config.tls_key)
    try:
        _load_certificate(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), certificate)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(
            f"tls_certificate is {config.tls_certificate} and tls_key is {config.tls_key}, but they can not be used: {why};"
            " both must be PEM files, the key without a password and that of the certificate"
        ) from error
    return certificate


def _load_certificate(context: ssl.SSLContext, certificate: Certificate) -> None:
    chain, key = certificate.places()
    # A key with a password would have OpenSSL ask for it on the terminal.
    context.load_cert_chain(chain, key, password="")
