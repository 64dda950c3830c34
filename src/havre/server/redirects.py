"""Who is sent to the object store for content, and to whom this server sends it itself: what ``storage_redirect`` says."""

from __future__ import annotations

import ipaddress

from havre.config.kinds import networks


class Redirects:
    """``redirect`` or ``stream``; with networks behind it that holds for these alone, and the other for everybody else."""

    def __init__(self, text: str) -> None:
        word, *rest = text.split()
        self._redirect = word == "redirect"
        self._networks = networks(rest)

    def wanted(self, client: str) -> bool:
        """Is a client at this address to fetch content from the store? An address that can not be read is streamed to."""
        if not self._networks:
            return self._redirect
        try:
            address = ipaddress.ip_address(client.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in one for one in self._networks) is self._redirect
