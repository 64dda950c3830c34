"""A browser without a screen: it fetches a page, fills in the form it finds there and sends it, cookies included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx

from demo.narration import Aground, show, tell


class _Forms(HTMLParser):
    """Collects the forms of a page: where each goes, and the fields it has with their first values."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((values.get("action", ""), {}))
        elif tag in {"input", "select", "textarea"} and self.forms and values.get("name"):
            self.forms[-1][1][values["name"]] = values.get("value", "")


def _words(page: str) -> str:
    """What a person reads on the page: its main part without the tags."""
    main = page.partition("<main")[2] or page
    lines = (line.strip() for line in re.sub(r"<[^>]*>", "", main).splitlines())
    return "\n".join(line for line in lines if line)[:2000]


class Browser:
    """One person's browser at one site."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(follow_redirects=True, timeout=30, headers={"Accept": "text/html"}, trust_env=False)

    def get(self, path: str) -> str:
        """Open a page and return its HTML. Raises Aground unless the answer is 200."""
        show(f"curl {self.url}{path}")
        return self._answer(self._client.get(self.url + path))

    def fill_in(self, path: str, values: Mapping[str, str]) -> str:
        """Open a page, fill these fields of the form that has them all, send it, and return the page that follows."""
        reader = _Forms()
        reader.feed(self.get(path))
        for action, fields in reader.forms:
            if values.keys() <= fields.keys():
                target = urljoin(self.url + path, action or path)
                sent = ", ".join(name for name in fields if fields[name] or name in values)
                show(f"curl {target} (the form, with {sent})")
                return self._answer(self._client.post(target, data={**fields, **values}, headers={"Origin": self.url}))
        raise Aground(f"{path} has no form with the fields {', '.join(values)}")

    def _answer(self, reply: httpx.Response) -> str:
        passed = [*reply.history, reply]
        tell(" → ".join(f"{each.status_code} {each.url.path}" for each in passed))
        if reply.status_code != 200:
            raise Aground(f"{reply.url} answered {reply.status_code}:\n{_words(reply.text)}")
        return reply.text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
