"""Every outgoing address, made in one place.

Locations are relative: clients resolve them against the host they used, whatever proxies lie between, and several
refuse an absolute one that names another host. Only the token realm must be absolute; it names the very host and port
the client came to.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode, urlsplit

from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.oci.reference import Reference
from havre.server.http import Request

# A Host header goes into a quoted header value and into pages: nothing but a host and a port may pass.
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)


def host(request: Request, external_url: str) -> str:
    """The host and port by which the client knows us; that of the configured address if its own is unusable."""
    return request.host if _HOST.fullmatch(request.host) else urlsplit(external_url).netloc or "localhost"


def origin(request: Request, external_url: str) -> str:
    """Scheme, host and port by which the client knows us."""
    name, known = host(request, external_url), urlsplit(external_url)
    # A proxy that ends TLS without telling us is still right about its own address.
    scheme = known.scheme if known.netloc == name else request.scheme
    return f"{scheme}://{name}"


def token_realm(request: Request, external_url: str) -> str:
    """Where clients fetch tokens."""
    return f"{origin(request, external_url)}/auth/token"


def blob(name: RepositoryName, digest: Digest) -> str:
    """A blob."""
    return f"/v2/{name}/blobs/{digest}"


def upload(name: RepositoryName, upload_id: str) -> str:
    """An upload in flight."""
    return f"/v2/{name}/blobs/uploads/{upload_id}"


def manifest(name: RepositoryName, reference: Reference) -> str:
    """A manifest."""
    return f"/v2/{name}/manifests/{reference}"


def next_page(path: str, **parameters: str | int | list[str]) -> str:
    """The Link header that leads to the next page (RFC 8288)."""
    return f'<{quote(path)}?{urlencode(parameters, doseq=True)}>; rel="next"'
