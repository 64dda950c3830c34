"""Templates to text: Jinja2 with everything escaped and every undefined name an error.

Language and time are set around each rendering, which is synchronous, so that filters and macros need no passing.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, pass_context
from markupsafe import Markup

from havre import __version__
from havre.registry.records import Instant
from havre.web import formats
from havre.web.assets import assets
from havre.web.contexts import Site
from havre.web.flags import flag
from havre.web.languages import LANGUAGES, Catalogue, catalogue

_site: ContextVar[Site] = ContextVar("site")
_AVATARS = 8


def render(template: str, site: Site, page: object) -> str:
    """The page as HTML; ``page`` is the dataclass of ``contexts`` that goes with the template."""
    token = _site.set(site)
    try:
        return environment().get_template(template).render(site=site, page=page)
    finally:
        _site.reset(token)


@cache
def environment() -> Environment:
    """The one environment; made on the first page request."""
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(  # type: ignore[attr-defined]
        lambda message: _speech().lookup(message),
        lambda one, many, number: _speech().lookup_plural(one, many, number),
        newstyle=True,
    )
    made.filters.update(
        # With the context, for else Jinja2 works constants out once and for all, in the first visitor's language.
        size=pass_context(lambda _, count: formats.size(count, _site.get().language)),
        number=pass_context(lambda _, count: formats.number(count, _site.get().language)),
        compact=pass_context(lambda _, count: formats.compact(count, _site.get().language)),
        time=_time,
        until=lambda at: formats.until(at, _site.get().now, _speech()),
        sentence=pass_context(lambda _, text: _speech().sentence(text)),
        exact=formats.exact,
        flag=flag,
        avatar=lambda name: sum(name.encode()) % _AVATARS,
    )
    made.globals.update(asset=assets().url, languages=LANGUAGES, version=__version__)
    return made


def _source(name: str) -> str | None:
    file = files("havre.web") / "templates" / name
    return file.read_text("utf-8") if file.is_file() else None


def _speech() -> Catalogue:
    return catalogue(_site.get().language)


def _time(at: Instant) -> Markup:
    """Relative, with the exact moment on hover and for machines."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        formats.machine(at), formats.exact(at), formats.ago(at, _site.get().now, _speech())
    )
