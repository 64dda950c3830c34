"""The wire itself: HTTP/1.1 over sockets, spoken by a small server of our own, because moving bytes is what Havre is for.

``connection`` turns bytes into requests, ``exchange`` is one request and its answer as ASGI sees them, ``sendfile`` has
the kernel send files, ``worker`` is one process that serves, ``processes`` the parent of all workers. llhttp reads heads
and chunks. See docs/decisions/0011-our-own-wire.md.
"""
