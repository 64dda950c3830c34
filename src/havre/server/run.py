"""Serving: one parent that imports everything and opens nothing, and workers forked from it that share its memory."""

from __future__ import annotations

import gc
import logging
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from havre.config import Config
from havre.errors import ConfigError
from havre.server import logs

if TYPE_CHECKING:
    from havre.server.app import App

log = logging.getLogger("havre.serve")

SHUTDOWN_SECONDS = 30
"""How long requests in flight may take after a stop was asked for."""

MAX_HEAD = 64 * 1024
"""Bytes of one request's head. The head is given 30 seconds to arrive."""

BACKPRESSURE = 512
"""Requests that one worker handles at a time; further ones wait in the socket."""


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight. Raises ConfigError for settings that can not work."""
    logs.configure(config.log_format, config.log_level)
    host = _address(config)
    _check_certificate(config)
    from havre.metadata.migrations import upgrade_in_child

    upgrade_in_child(config.database_url)
    with tempfile.TemporaryDirectory(prefix="havre-figures-", ignore_cleanup_errors=True) as figures:
        _run(config, host, Path(figures))


def _run(config: Config, host: str, figures: Path) -> None:
    from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
    from granian.http import HTTP1Settings, HTTP2Settings
    from granian.log import LogLevels
    from granian.server import Server

    # What the workers need is imported here, once, so that they share its pages.
    from havre.server.app import create_app

    server = Server(
        "havre",
        host,
        config.port,
        interface=Interfaces.ASGI,
        workers=config.workers,
        loop=Loops.uvloop,
        http=HTTPModes.auto,
        websockets=False,
        backpressure=BACKPRESSURE,
        http1_settings=HTTP1Settings(max_buffer_size=MAX_HEAD * 8),
        http2_settings=HTTP2Settings(max_headers_size=MAX_HEAD),
        log_level=LogLevels.warning,
        log_dictconfig={"loggers": {}},  # its lines go where ours go
        ssl_cert=config.tls_certificate,
        ssl_key=config.tls_key,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=True,
        workers_kill_timeout=SHUTDOWN_SECONDS,
    )

    def load(_target: str) -> App:
        return create_app(config, figures=figures)

    scheme = "https" if config.tls_certificate else "http"
    log.info("Havre serves %s://%s with its data in %s", scheme, config.listen, config.data)
    # Objects made so far are left out of collections, which would write to the pages that workers share.
    gc.freeze()
    server.serve(target_loader=load)


def _address(config: Config) -> str:
    """The address to listen on, a name resolved; raises ConfigError, also if we can not listen there."""
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(
            f"listen is {config.listen}, but {config.host} is no address of this machine: {error}"
        ) from error
    family, kind, _, _, address = found[0]
    try:
        # Tried here, where it can be told in a sentence, and where a second server on the same port is noticed.
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise ConfigError(f"listen is {config.listen}, but that can not be had: {error.strerror}") from error
    return str(address[0])


def _check_certificate(config: Config) -> None:
    """Raises ConfigError if the certificate and its key can not be read or do not fit, which workers would tell badly."""
    if config.tls_certificate is None or config.tls_key is None:
        return
    import ssl

    try:
        # A key with a password would have OpenSSL ask for it on the terminal.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            config.tls_certificate, config.tls_key, password=""
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(
            f"tls_certificate is {config.tls_certificate} and tls_key is {config.tls_key}, but they can not be used: {why};"
            " both must be PEM files, the key without a password and that of the certificate"
        ) from error
