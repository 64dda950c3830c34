"""The server: PostgreSQL with a quarter of the memory that a small machine has, and its files put out of memory."""

from __future__ import annotations

import os
from pathlib import Path

from havre.metadata import upgrade
from havre.metadata.engine import parse_url
from havre.metadata.postgresql_connection import make_engine
from tests.support.postgresql import Cluster

SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "6GB",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "autovacuum": "off",
    # Only while the simulation lasts: rows that are made anew need no log and no sync.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
}


class Server:
    """A cluster of its own with one migrated database."""

    def __init__(self) -> None:
        self._cluster = Cluster()
        try:
            self._cluster.start()
            self.url = self._cluster.create()
            upgrade(self.url)
            self.engine = make_engine(parse_url(self.url))
            with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                for name, value in SETTINGS.items():
                    connection.exec_driver_sql(f"ALTER SYSTEM SET {name} = '{value}'")
            self._restart()
        except BaseException:
            self._cluster.remove()
            raise

    def forget(self) -> None:
        """Start it anew, with none of its files in memory: what comes next is read from the disk."""
        with self.engine.connect() as connection:
            folder = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
        self._cluster.stop()
        self.engine.dispose()
        for file in folder.joinpath("base").rglob("*"):
            if file.is_file():
                descriptor = os.open(file, os.O_RDONLY)
                try:
                    os.fdatasync(descriptor)
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(descriptor)
        self._cluster.start()

    def _restart(self) -> None:
        self.engine.dispose()
        self._cluster.stop()
        self._cluster.start()

    def remove(self) -> None:
        """Stop it and delete everything."""
        self.engine.dispose()
        self._cluster.remove()
