"""Draws the pictures of the README: a Havre full of repositories, in Debian's Chromium, light and dark, wide and narrow.

``make screenshots`` runs it and writes ``docs/images/``. The harbour of the tests is served from a folder of its own;
its content is then given a past (pulls, stars, ages) that no two minutes of pushing could give it.
"""

from __future__ import annotations

import base64
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.support.harbour import Crane, Crew, small, stock
from tests.support.requirements import require
from tests.support.server import HavreProcess

IMAGES = Path(__file__).parent.parent / "docs" / "images"
HOST = "havre.example.org"
CREW = Crew("marin", "elise", "keeper", host=HOST)
MORE = ("corentin", "maelle", "ronan")
WEIGHT = 50
"""How many times larger the layers are than in tests: some megabytes each."""

WIDE: ViewportSize = {"width": 1200, "height": 780}
PHONE: ViewportSize = {"width": 390, "height": 780}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
DAY = 24 * 3600 * 1000

OFFICIAL = {
    "debian": "The universal operating system",
    "nginx": "Web server, reverse proxy and load balancer",
    "redis": "Data in memory, for caches, queues and sessions",
}


class Picture(NamedTuple):
    """A page to draw: the file's name, who looks, and where."""

    name: str
    who: str
    address: str


PICTURES = (
    Picture("home", "", "/"),
    Picture("repository", "marin", "/r/marin/lighthouse"),
    Picture("tags", "marin", "/r/marin/lighthouse/tags"),
    Picture("image", "", "/r/marin/lighthouse/tags/2.1"),
    Picture("inside", "", "/r/marin/lighthouse/tags/2.1/files"),
    Picture("compare", "", "/r/marin/lighthouse/compare?from=2.0&to=2.1"),
    Picture("administration", "keeper", "/admin"),
)
ON_PHONES = ("home", "repository", "image", "compare")


def count(server: HavreProcess) -> None:
    """Have the administration's figures counted anew, and wait for them."""
    with Crane(server, CREW.keeper, CREW.password) as crane:
        crane.send("/admin/count")
        deadline = time.monotonic() + 30
        while (
            "<dt>Stored</dt><dd>0 B" in crane.read("/admin?lang=en").replace("\u00a0", " ")
            and time.monotonic() < deadline
        ):
            time.sleep(0.2)


def give_a_past(database: Path) -> None:
    """Ages, pulls and stars, as years of use would leave them. The server must not run."""
    now = int(time.time() * 1000)
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT id, path FROM repositories ORDER BY id").fetchall()
    people = [row[0] for row in connection.execute("SELECT id FROM users ORDER BY id")]
    for at, (repository, path) in enumerate(rows):
        fame = {"marin/lighthouse": 48_200, "python": 1_940_000, "postgres": 871_000, "debian": 2_310_000}
        pulls = fame.get(path, 700 + 9_137 * at)
        pushed = now - at * 7 * DAY // 5 - 3 * 3600 * 1000
        connection.execute(
            "UPDATE repositories SET pulls = ?, updated = ?, created = ? WHERE id = ?",
            (pulls, pushed, now - (200 + 31 * at) * DAY, repository),
        )
        tags = connection.execute("SELECT id FROM tags WHERE repository_id = ? ORDER BY id DESC", (repository,))
        for age, (tag,) in enumerate(tags.fetchall()):
            connection.execute(
                "UPDATE tags SET updated = ?, pulls = ?, pulled = ? WHERE id = ?",
                (pushed - age * 9 * DAY, pulls // (age + 2), now - (age + 1) * 3600 * 1000, tag),
            )
        manifests = connection.execute(
            "SELECT id FROM manifests WHERE repository_id = ? ORDER BY id DESC", (repository,)
        )
        for age, (manifest,) in enumerate(manifests.fetchall()):
            connection.execute("UPDATE manifests SET created = ? WHERE id = ?", (pushed - age * 9 * DAY, manifest))
        for fan in people[: 2 + (3 * at + 3) % len(people)]:
            connection.execute("INSERT OR IGNORE INTO stars VALUES (?, ?, ?)", (fan, repository, now - at * DAY))
        connection.execute(
            "UPDATE repositories SET stars = (SELECT count(*) FROM stars WHERE repository_id = id) WHERE id = ?",
            (repository,),
        )
        for day in range(90):
            for tag, share in (("latest", 5), ("2.1", 2), ("edge", 1)):
                count = pulls // 1500 * share * (60 + 2 * (90 - day) + (day * 37) % 50) // 200 + (day % 7 > 1) * share
                connection.execute(
                    "INSERT OR IGNORE INTO pulls_daily VALUES (?, ?, ?, ?, ?)",
                    (repository, now // DAY - day, tag, "docker" if share > 1 else "podman", count),
                )
    connection.execute("UPDATE users SET created = ? - id * ?", (now - 300 * DAY, 11 * DAY))
    connection.commit()
    connection.close()


def fill(server: HavreProcess) -> None:
    """People and what they push."""
    stock(server, CREW, WEIGHT)
    with Crane(server, CREW.keeper, CREW.password) as crane:
        for name, words in OFFICIAL.items():
            crane.push(name, small(name, WEIGHT, name).image(), "latest", "1.0")
            crane.describe(name, words, f"# {name}\n\n{words}.\n")


def sign_in(page: Page, name: str) -> None:
    """By the form, as everyone."""
    page.goto("/login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", CREW.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/")


def draw(browser: Browser, server: HavreProcess, size: ViewportSize, scheme: Scheme, folder: Path) -> None:
    """Every picture in one size and theme."""
    for who in sorted({one.who for one in PICTURES}):
        context = browser.new_context(base_url=server.url, viewport=size, color_scheme=scheme, locale="en-GB")
        page = context.new_page()
        if who:
            sign_in(page, who)
        for one in PICTURES:
            if one.who == who:
                answer = page.goto(one.address)
                if answer is None or answer.status != 200:
                    raise RuntimeError(f"{one.address} answered {answer and answer.status}")
                page.wait_for_selector("[data-building]", state="detached", timeout=60_000)
                page.screenshot(path=folder / f"{one.name}.png", animations="disabled")
        context.close()


def phones(browser: Browser, folder: Path, scheme: str, target: Path) -> None:
    """Some narrow pictures side by side, in one."""
    ground = "#dff0f3" if scheme == "light" else "#24505e"
    shown = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode((folder / f"{name}.png").read_bytes()).decode()}">'
        for name in ON_PHONES
    )
    page = browser.new_page(viewport={"width": 1200, "height": 620})
    page.set_content(
        f"<style>body{{margin:0;height:620px;display:flex;gap:28px;align-items:center;justify-content:center;"
        f"background:{ground}}}img{{height:540px;border-radius:22px;box-shadow:0 2px 18px #0004}}</style>{shown}"
    )
    page.screenshot(path=target)
    page.close()


def shrink(picture: Path) -> None:
    """Fewer colours, a third of the bytes."""
    command = [str(require("pngquant")), "--force", "--skip-if-larger", "--ext", ".png", "--quality", "70-95"]
    # 98 and 99: it could not be made smaller, or not at this quality; then it stays as it is.
    if subprocess.run([*command, str(picture)], check=False).returncode not in {0, 98, 99}:
        raise RuntimeError(f"pngquant failed on {picture}")


def main() -> int:
    """Write every picture."""
    folder = Path(tempfile.mkdtemp(prefix="havre-screenshots-"))
    server = HavreProcess(folder / "havre", external_url=f"https://{HOST}")
    try:
        for name in (CREW.owner, CREW.other, *MORE):
            server.add_user(name, CREW.password)
        server.add_user(CREW.keeper, CREW.password, admin=True)
        with server:
            fill(server)
        give_a_past(server.data / "havre.db")
        IMAGES.mkdir(parents=True, exist_ok=True)
        with server, sync_playwright() as playwright:
            count(server)
            browser = playwright.chromium.launch(executable_path=str(require("chromium-headless-shell")), args=FLAGS)
            for scheme in SCHEMES:
                wide, narrow = folder / scheme, folder / f"{scheme}-phone"
                draw(browser, server, WIDE, scheme, wide)
                draw(browser, server, PHONE, scheme, narrow)
                for one in PICTURES:
                    shutil.copy(wide / f"{one.name}.png", IMAGES / f"{one.name}-{scheme}.png")
                phones(browser, narrow, scheme, IMAGES / f"phones-{scheme}.png")
            browser.close()
        for picture in sorted(IMAGES.glob("*.png")):
            shrink(picture)
            print(f"{picture.relative_to(IMAGES.parent.parent)}  {picture.stat().st_size / 1000:.0f} kB")
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
