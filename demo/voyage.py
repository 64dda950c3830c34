"""Plays the whole voyage on this machine: account, login, tag, push, page, pull, and the same digest at both ends.

``make demo`` runs it. It starts ``havre serve`` on a free port with a data folder of its own, makes the
python-hello-world image from this machine's Python, and removes both at the end. With ``--keep`` (``make demo KEEP=1``)
Havre goes on serving, on port 5000 when that is free, and the data stays.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import secrets
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from demo import engines
from demo.browser import Browser
from demo.narration import Aground, show, step, tell
from tests.support.images import Image
from tests.support.python_hello import GREETING, python_hello_world
from tests.support.server import HavreProcess

KEEPER = "harbourmaster"
NAME = "marin"
IMAGE = "voyage-python-hello-world"
"""What the image is called in the local store: a name that nobody's own image has."""
REPOSITORY = f"{NAME}/python-hello-world"
PORT = 5000
BUILD = Path("build")
"""The folder for what is made here and not kept in the repository."""


def serving(folder: Path, port: int) -> HavreProcess:
    """Start Havre and wait for its first answer."""
    server = HavreProcess(folder, port=port)
    show(f"havre serve --listen {server.host} --data {server.data}")
    begun = time.monotonic()
    server.start()
    tell(f"answers at {server.url} after {time.monotonic() - begun:.1f} s (process {server.pid})")
    show(f"echo … | havre user add {KEEPER} --email {KEEPER}@example.org --admin --password-stdin")
    server.add_user(KEEPER, secrets.token_urlsafe(12), admin=True)
    tell("the first account, which administers; from now on anyone may sign up")
    return server


def image_archive(folder: Path) -> Path:
    """Make the image, offline: the interpreter of this machine, what it needs to start, and an app that greets."""
    image: Image = dataclasses.replace(python_hello_world(), name=IMAGE)
    archive = image.archive(folder)
    tell(
        f"{archive.name}, {archive.stat().st_size / 1e6:.1f} MB, {len(image.layers)} layers, {' '.join(image.command)}"
    )
    return archive


def sail(server: HavreProcess, folder: Path) -> str:
    """Play the voyage; returns the password of the account. Raises Aground at the first step that does not give what it
    should.
    """
    password = secrets.token_urlsafe(12)
    reference = f"{server.host}/{REPOSITORY}"

    step("An image, and who carries it")
    archive = image_archive(folder)
    engine = engines.choose(folder, archive, IMAGE)

    with Browser(server.url) as browser:
        step("An account, made on the sign-up page")
        fields = {"name": NAME, "email": f"{NAME}@example.org", "password": password, "password_again": password}
        browser.fill_in("/signup", fields)
        tell(f"account {NAME}, password {password}")

        with contextlib.ExitStack() as later:
            later.callback(engine.forget, IMAGE, reference)

            step("Sign in")
            engine.login(server.host, NAME, password)

            step("Tag and push")
            engine.load(archive)
            engine.tag(IMAGE, reference)
            pushed = engine.push(reference)

            step("Its page")
            page = browser.get(f"/r/{REPOSITORY}")
            tags = browser.get(f"/r/{REPOSITORY}/tags")
            if reference not in page or pushed.removeprefix("sha256:")[:12] not in tags:
                raise Aground("the pages do not show what was pushed")
            tell(f"shows “docker pull {reference}” and, among its tags, {pushed[:19]}…")

            step("Elsewhere: an empty store, nobody signed in, pull")
            engine.go_elsewhere(server.host, IMAGE, reference)
            pulled = engine.pull(reference)
            if GREETING not in engine.start(reference):
                raise Aground(f"the pulled image does not say “{GREETING}”")

    step("The same image at both ends")
    tell(f"pushed {pushed}\npulled {pulled}")
    if pushed != pulled:
        raise Aground("the digests differ")
    return password


def port_for(keep: bool) -> int:
    """Port 5000 for a Havre that stays, if nobody is there; 0 (a free one) else."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            if keep:
                print(f"Port {PORT} is taken; a free one will do.")
            return 0
    return PORT if keep else 0


def main() -> int:
    """Play the voyage; 0 only if every step gave what it should."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument(
        "--keep", action="store_true", help="leave Havre serving, and the data, when the voyage is over"
    )
    keep = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="havre-demo-"))
    server: HavreProcess | None = None
    password = ""
    try:
        step("Havre, on its embedded default")
        server = serving(folder / "havre", port_for(keep))
        password = sail(server, folder)
    except (Aground, RuntimeError) as failure:
        print(f"\nAground: {failure}", file=sys.stderr)
        if server:
            print(f"\nThe end of the server's log:\n{server.log_tail()}", file=sys.stderr)
    finally:
        stays = keep and bool(password)
        if server and not stays:
            server.kill()
        if not stays:
            shutil.rmtree(folder, ignore_errors=True)
    if password and server:
        farewell(server, stays, folder, password)
    return 0 if password else 1


def farewell(server: HavreProcess, stays: bool, folder: Path, password: str) -> None:
    """Say where the page is, how to go on by hand, and how to end what stays."""
    address = f"{server.url}/r/{REPOSITORY}"
    if stays:
        BUILD.mkdir(exist_ok=True)
        archive = python_hello_world().archive(BUILD)
        print(f"\nArrived. Havre goes on serving; the page: {address}")
        print(f"To go on by hand: the account {NAME} with the password {password}, and the image file {archive}")
        print(f"To end it: kill {server.pid}; rm -r {folder}")
    else:
        print(f"\nArrived. The page was at {address}; make demo KEEP=1 leaves it there to be looked at.")


if __name__ == "__main__":
    sys.exit(main())
