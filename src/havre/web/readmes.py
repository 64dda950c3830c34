"""READMEs on pages: rendered, with their pictures shown from here or as links."""

from __future__ import annotations

from havre.web.markdown import NOWHERE, Base, to_html
from havre.web.visit import Visit

__all__ = ["Base", "readme_html"]


async def readme_html(visit: Visit, text: str, base: Base = NOWHERE) -> str:
    """The overview as safe HTML; empty for an empty one."""
    if not text.strip():
        return ""
    pictures = visit.app.pictures
    return to_html(text, base, await pictures.addresses() if pictures is not None else None)
