"""Inside images: trees of files, how layers stack up to one, and what differs between two.

``entries`` are the nouns, ``pages`` their form at rest, ``stack`` and ``compare`` the meaning, ``trees`` reads what was
built, ``building`` has it built. Reading the layers themselves needs processes and is done in ``havre.layers``.
"""
