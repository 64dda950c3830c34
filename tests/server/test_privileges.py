"""Little that a break-in could use: an ordinary account, no capability, and no file to write but the data's own."""

import http.client
import json
import os
import pwd
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from havre.config import load
from havre.errors import ConfigError
from havre.server import privileges
from tests.support.certificates import certificate
from tests.support.documents import digest_of
from tests.support.inprocess import PASSWORD, basic, data_with_people
from tests.support.requirements import absent, require, require_root
from tests.support.server import HavreProcess

USER = "nobody"
CONTENT = os.urandom(300_000)

READ_ONLY = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
awk '$2 !~ "^/(proc|sys|dev)(/|$)" { print $2 }' /proc/self/mounts | while read -r place; do
    [ "$place" = "$1" ] || mount -o remount,bind,ro "$place" 2>/dev/null || true
done
shift
exec setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
"""
"""Makes everything read-only but its first argument, and runs the others as an account that owns nothing."""


REACHABLE = """
set -e
mount --make-rprivate /
kept=/mnt
mount -t tmpfs none "$kept"
for place in $PLACES; do mkdir -p "$kept$place" && mount --bind "$place" "$kept$place"; done
for private in $PRIVATE; do mount -t tmpfs -o mode=755 none "$private"; done
for place in $PLACES; do mkdir -p "$place" && mount --bind "$kept$place" "$place"; done
exec "$@"
"""
"""Runs its arguments where everyone may enter the folders on the way to Python, such as root's home."""


def within_reach() -> list[str]:
    """What to start a server with so that other accounts can read its Python; nothing where they can already."""
    places = [Path(sys.base_prefix), Path(sys.prefix), Path(__file__).parents[2]]
    ways = {place: next((each for each in reversed(place.parents) if not open_to_all(each)), None) for place in places}
    hidden = {place: way for place, way in ways.items() if way is not None}
    if not hidden:
        return []
    told = {"PLACES": hidden, "PRIVATE": set(hidden.values())}
    words = [f"{name}={' '.join(map(str, paths))}" for name, paths in told.items()]
    return ["env", *words, "unshare", "-m", "sh", "-c", REACHABLE, "sh"]


def open_to_all(folder: Path) -> bool:
    return bool(folder.stat().st_mode & 0o001)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other accounts can reach, with the people's data in it."""
    require_root()
    found = Path(mkdtemp(prefix="havre-user-"))
    found.chmod(0o755)
    yield found
    rmtree(found)


def give(folder: Path) -> None:
    """Hand a folder to the account that serves."""
    account = pwd.getpwnam(USER)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)


def push_and_pull(connection: http.client.HTTPConnection) -> None:
    with closing(connection):
        _push_and_pull(connection)


def _push_and_pull(connection: http.client.HTTPConnection) -> None:
    def ask(method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    status, body = ask("GET", "/auth/token?scope=repository:alice/app:pull,push", basic("alice", PASSWORD))
    assert status == 200, body
    bearer, digest = {"authorization": "Bearer " + json.loads(body)["token"]}, digest_of(CONTENT)
    octets = {"content-type": "application/octet-stream"}
    status, body = ask("POST", f"/v2/alice/app/blobs/uploads/?digest={digest}", bearer | octets, CONTENT)
    assert status == 201, body
    assert ask("GET", f"/v2/alice/app/blobs/{digest}", bearer) == (200, CONTENT)
    assert ask("GET", "/", {})[0] == 200


def processes(server: HavreProcess) -> list[dict[str, str]]:
    """What the kernel says of the server's processes."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            group = os.getpgid(int(status.parent.name))
        except (OSError, ProcessLookupError):
            continue
        if group == server.pid:
            found.append(lines)
    return found


def test_root_opens_the_door_and_steps_down(place: Path):
    chain, key = certificate(place)
    key.chmod(0o600)
    server = HavreProcess(place, scheme="https", tls_certificate=str(chain), tls_key=str(key), user=USER, workers="2")
    server.before = within_reach()
    data_with_people(server.data)
    give(server.data)
    account = pwd.getpwnam(USER)
    with server:
        trust = ssl.create_default_context(cafile=str(chain))
        push_and_pull(http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=trust))
        seen = processes(server)
        assert len(seen) >= 3
        for process in seen:
            assert set(process["Uid"].split()) == {str(account.pw_uid)}
            assert set(process["Gid"].split()) == {str(account.pw_gid)}
            assert "0" not in process["Groups"].split()
            assert int(process["CapEff"], 16) == int(process["CapPrm"], 16) == 0
        # Its key is out of reach now: what was shown goes on being shown.
        os.kill(server.pid, signal.SIGHUP)
        push_and_pull(http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=trust))
        assert {path.owner() for path in server.data.rglob("*")} == {USER}


def test_a_new_data_folder_belongs_to_who_serves(place: Path):
    server = HavreProcess(place, user=USER, workers="1")
    server.before = within_reach()
    with server:
        assert server.data.owner() == USER
        assert server.data.stat().st_mode & 0o077 == 0


def test_who_can_not_read_python_is_refused_at_the_start(place: Path):
    hidden = place / "hidden"
    hidden.mkdir(mode=0o700)
    server = HavreProcess(place, user=USER, workers="1")
    server.before = [*within_reach(), "env", f"PYTHONPATH={hidden}"]
    process = server.spawn()
    assert process.wait(30) != 0
    assert f"that account can not read {hidden}" in server.log_tail()


@pytest.mark.parametrize(
    ("user", "words"), [("nobodyatall", "no such account"), ("root", "may do less"), ("no body", "must be the name")]
)
def test_accounts_that_can_not_serve(tmp_path: Path, user: str, words: str):
    with pytest.raises(ConfigError, match=words):
        privileges.drop(load({"user": user}).user, tmp_path)


def test_only_root_becomes_someone_else(tmp_path: Path):
    require_root()
    code = (
        "import os; from pathlib import Path; from havre.server.privileges import drop; os.setuid(1)\n"
        "try: drop('nobody', Path('/nowhere'))\nexcept Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "only root can become someone else" in done.stdout


def test_nothing_is_written_but_the_data(place: Path):
    for program in ("unshare", "setpriv", "mount"):
        require(program)
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        absent("mounts of its own are not allowed here")
    server = HavreProcess(place, workers="2")
    data_with_people(server.data)
    give(server.data)
    server.before = [*within_reach(), "unshare", "-m", "sh", "-c", READ_ONLY, "sh", str(server.data)]
    with server:
        push_and_pull(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30))
        for process in processes(server):
            assert process["NoNewPrivs"].strip() == "1"
            assert int(process["CapBnd"], 16) == 0
        root = Path(f"/proc/{server.pid}/root")
        with pytest.raises(OSError, match="Read-only"):
            (root / str(place).lstrip("/") / "written").touch()
    assert {path.name for path in place.iterdir()} == {"data", "serve.log"}
