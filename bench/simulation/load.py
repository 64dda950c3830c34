"""Loading: the shape as rows, made inside PostgreSQL without triggers, then counted and indexed as the product has it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from bench.simulation.shape import (
    COMMON,
    DAY,
    NOW,
    STACK_LAYERS,
    STRIDE,
    TAGS_OF_A_MANIFEST,
    YEAR,
    Shape,
    account,
)
from havre.metadata import storage_figures
from havre.registry.words import indexed

CONTENT = 200
"""Bytes of a manifest. Those of real images are five times as long: a kilobyte more per manifest."""

_DIGEST = "'sha256:' || encode(sha256(convert_to({}, 'UTF8')), 'hex')"
_TAG = "CASE WHEN t = 0 THEN 'latest' ELSE (t / 100) || '.' || (t % 100) END"
_PER_REPOSITORY = "FROM shape CROSS JOIN LATERAL generate_series(0, {} - 1) AS {}"


def _statements(shape: Shape) -> dict[str, str]:
    """A statement for each table, in an order that has them well laid out."""
    sizes, own = shape.sizes, shape.sizes.blobs - COMMON
    manifest, blob = _DIGEST.format("'manifest/' || (first + m)"), _DIGEST.format("'blob/' || id")
    layer = _DIGEST.format(
        f"'blob/' || CASE WHEN p < {STACK_LAYERS} THEN stack * {STACK_LAYERS} + p + 1"
        f" ELSE {COMMON + 1} + (start + ({STACK_LAYERS} + (m * 2 + p) % (links - {STACK_LAYERS})) * {STRIDE}) % {own} END"
    )
    return {
        "users": f"""INSERT INTO users (id, name, email, password, is_admin, disabled, default_visibility, language, created)
            SELECT n, 'account' || n, 'account' || n || '@example.com', repeat('x', 97), false, false, 'public', '', {NOW}
            FROM generate_series(1, {sizes.accounts}) AS n""",
        "namespaces": f"""INSERT INTO namespaces (id, name, kind, user_id, created)
            SELECT n, 'account' || n, 'user', n, {NOW} FROM generate_series(1, {sizes.accounts}) AS n""",
        "access_tokens": f"""INSERT INTO access_tokens (uid, user_id, label, secret_hash, hint, grants, created,
                last_address, last_client)
            SELECT 'uid-' || n, n, 'ci', sha256(convert_to('token/' || n, 'UTF8')), 'abcd', '[]', {NOW}, '', ''
            FROM generate_series(1, {sizes.accounts}) AS n""",
        "blobs": f"""INSERT INTO blobs (id, digest, size, storage_key, created)
            SELECT id, {blob}, 1000 + id % 50000000, 'sha256/' || to_hex(id % 256) || '/'
                || encode(sha256(convert_to('blob/' || id, 'UTF8')), 'hex'), {NOW - YEAR}
            FROM generate_series(1, {sizes.blobs}) AS id""",
        "repository_blobs": f"""INSERT INTO repository_blobs (repository_id, blob_id, size, linked)
            SELECT id, blob, 1000 + blob % 50000000, {NOW - YEAR} FROM (SELECT id, CASE WHEN p < {STACK_LAYERS}
                THEN stack * {STACK_LAYERS} + p + 1 ELSE {COMMON + 1} + (start + p * {STRIDE}) % {own} END AS blob
            {_PER_REPOSITORY.format("links", "p")}) AS made""",
        "manifests": f"""INSERT INTO manifests (id, repository_id, digest, media_type, size, artifact_type, subject,
                platform, total_size, created, annotations, content)
            SELECT first + m, id, {manifest}, 'application/vnd.oci.image.manifest.v1+json', {CONTENT}, '',
                CASE WHEN m % 20 = 5 THEN {_DIGEST.format("'manifest/' || (first + m - 1)")} END,
                'linux/amd64', 1000 + (first + m) % 900000000, {NOW} - (first + m) * 7919 % {YEAR}, '{{}}',
                convert_to(rpad('{{"n": ' || (first + m) || '}}', {CONTENT}), 'UTF8')
            {_PER_REPOSITORY.format("manifests", "m")}""",
        "manifest_edges": f"""INSERT INTO manifest_edges (manifest_id, position, digest, kind)
            SELECT first + m, p, {layer}, CASE WHEN p = 4 THEN 'config' ELSE 'layer' END
            {_PER_REPOSITORY.format("manifests", "m")} CROSS JOIN generate_series(0, 4) AS p""",
        "tags": f"""INSERT INTO tags (repository_id, name, manifest_id, updated, user_id, pulls, pulled, size)
            SELECT id, {_TAG}, first + t / {TAGS_OF_A_MANIFEST}, {NOW} - (first + t) * 104729 % {YEAR}, owner,
                (pulls * 7 + t) % 1000, CASE WHEN t % 3 = 0 THEN 0 ELSE {NOW} - (first + t) * 15485863 % {YEAR} END,
                1000 + (first + t / {TAGS_OF_A_MANIFEST}) % 900000000
            {_PER_REPOSITORY.format("tags", "t")}""",
        "tag_events": f"""INSERT INTO tag_events (repository_id, tag, before, after, user_id, at)
            SELECT id, {_TAG}, NULL, {_DIGEST.format(f"'manifest/' || (first + t / {TAGS_OF_A_MANIFEST})")}, owner,
                {NOW} - (first + t) * 104729 % {YEAR}
            {_PER_REPOSITORY.format("least(tags, 100)", "t")} WHERE t % 5 = 0""",
        "pulls_daily": f"""INSERT INTO pulls_daily (repository_id, day, tag, client, pulls)
            SELECT id, {DAY} - d, CASE WHEN d % 2 = 0 THEN 'latest' ELSE '' END, 'docker', 1 + pulls / 1000
            FROM shape CROSS JOIN generate_series(0, 29) AS d WHERE id % 20 = 0""",
        "stars": f"""INSERT INTO stars (user_id, repository_id, at)
            SELECT 1 + id * 13 % {sizes.accounts}, id, {NOW} FROM shape WHERE id % 2 = 0""",
        "collaborators": f"""INSERT INTO collaborators (repository_id, user_id, role, created)
            SELECT id, 1 + id * 17 % {sizes.accounts}, 'write', {NOW} FROM shape WHERE id % 10 = 0""",
        "repository_facets": """INSERT INTO repository_facets (repository_id, facet, value, manifests)
            SELECT id, facet, value, manifests FROM shape, (VALUES (1, 'kind', 'image'), (1, 'platform', 'linux/amd64'),
                (3, 'platform', 'linux/arm64')) AS facets (every, facet, value) WHERE id % every = 0""",
    }


def load(engine: Engine, shape: Shape) -> None:
    """Fill an empty, migrated database, and have PostgreSQL learn what is in it. Belongs to a superuser."""
    with engine.connect() as connection, connection.begin():
        run = connection.exec_driver_sql
        # In the transaction that emptied them, what goes into tables needs no log.
        run("TRUNCATE users, namespaces, repositories, blobs, search CASCADE")
        run("SET LOCAL session_replication_role = replica")
        run("SET LOCAL maintenance_work_mem = '512MB'")
        run("SET LOCAL work_mem = '256MB'")
        indexes = _without_indexes(connection)
        with _told("shape and repositories"):
            _repositories(connection, shape)
        for table, statement in _statements(shape).items():
            with _told(table):
                run(statement.replace("%", "%%"))
        with _told("storage, counted"):
            run("ANALYZE repository_blobs, repositories")
            storage_figures.count_again(connection)
        for statement in indexes:
            with _told(statement.partition(" ON ")[0][:90]):
                run(statement.replace("%", "%%"))
        run("DROP TABLE shape")
        _sequences(connection)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection, _told("vacuum, analyse"):
        connection.exec_driver_sql("VACUUM (ANALYZE)")


@contextmanager
def _told(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _repositories(connection: Connection, shape: Shape) -> None:
    """Repositories, their words and a table of their shape: through COPY, because the words are cut in Python."""
    names = ("id", "tags", "manifests", "links", "first", "stack", "start", "pulls", "owner")
    connection.exec_driver_sql(f"CREATE UNLOGGED TABLE shape ({', '.join(f'{name} bigint' for name in names)})")
    cursor = connection.connection.cursor()
    numbers = range(1, shape.sizes.repositories + 1)
    with cursor.copy(f"COPY shape ({', '.join(names)}) FROM STDIN") as copy:
        for one in numbers:
            amounts = (shape.tags[one], shape.manifests[one], shape.links[one], shape.before[one] + 1)
            copy.write_row(
                (one, *amounts, shape.stacks[one], shape.firsts[one], shape.pulls[one], shape.namespaces[one])
            )
    columns = "id, namespace_id, name, path, visibility, pulls, stars, created, updated, description"
    with cursor.copy(f"COPY repositories ({columns}) FROM STDIN") as copy:
        for one in numbers:
            visibility = "private" if one % 5 == 0 else "public"
            times = NOW - YEAR, NOW - one * 104_729 % YEAR
            named = (shape.namespaces[one], shape.leaf(one), shape.name(one), visibility)
            copy.write_row((one, *named, shape.pulls[one], one % 97, *times, _description(shape, one)))
    with cursor.copy("COPY search (repository_id, names, parts, texts, words) FROM STDIN") as copy:
        for one in numbers:
            words = indexed(shape.name(one), _description(shape, one), "")
            names_ = _vector(words.name)
            parts = names_ + _vector(words.part)
            texts = parts + _vector(words.description)
            copy.write_row((one, names_, parts, texts, texts))
    connection.exec_driver_sql("ANALYZE shape")


def _description(shape: Shape, repository: int) -> str:
    # By Zipf: every text has the first word, hardly any the last.
    words = [
        shape.words[int(len(shape.words) * (repository * prime % 10_007 / 10_007) ** 3)] for prime in (3, 7, 13, 29, 53)
    ]
    return f"image {' '.join(words)} of {account(shape.namespaces[repository])}"


def _vector(words: tuple[str, ...]) -> str:
    return "".join(f"'{word}' " for word in words)


def _without_indexes(connection: Connection) -> list[str]:
    """Drop the indexes that no key needs; returns what makes them again, unique constraints first."""
    run = connection.exec_driver_sql
    unique = run(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'u' AND connamespace = 'public'::regnamespace ORDER BY 1, 2"
    ).all()
    for table, name, _ in unique:
        run(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
    others = run(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE NOT indisprimary AND relnamespace = 'public'::regnamespace ORDER BY 1"
    ).all()
    for name, _ in others:
        run(f"DROP INDEX {name}")
    again = [f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {definition}' for table, name, definition in unique]
    return again + [definition for _, definition in others]


def _sequences(connection: Connection) -> None:
    """Set the counters of ids behind what was loaded."""
    for table in ("users", "namespaces", "repositories", "blobs", "manifests"):
        connection.execute(
            text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        )
