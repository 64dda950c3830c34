"""What the page of components is given: made-up values, one of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from havre.oci.digest import Digest
from havre.registry.records import Instant
from havre.web.contexts import Form, Pager


@dataclass(frozen=True, slots=True)
class StyleguidePage:
    """``/styleguide``."""

    form: Form
    """With one field that is wrong: ``email``."""
    digest: Digest
    moment: Instant
    pulls: Sequence[tuple[str, int]]
    """Day and count, for the chart."""
    pager: Pager
