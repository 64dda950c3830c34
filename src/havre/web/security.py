"""What protects people in their browsers: response headers, the same-origin rule for changes, cookies, local targets."""

from __future__ import annotations

import gzip
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

SESSION_COOKIE = "havre_session"
LANGUAGE_COOKIE = "havre_language"
THEME_COOKIE = "havre_theme"
THEMES = ("light", "dark")
_YEAR = 365 * 24 * 3600

_WORTH_IT = 1400
"""Bytes that a page has at least before it is compressed: less travels in one packet anyway."""
_LEVEL = 5
"""Of gzip: a tenth larger than the best, in a third of its time."""

_POLICY = "; ".join(  # noqa: FLY002 - one rule a line
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # With no-referrer, browsers would send ``Origin: null`` on our own forms.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


def protect(response: Response, *, personal: bool) -> Response:
    """Add the headers every answer carries. ``personal`` pages are never stored, so signing out leaves nothing behind."""
    for name, value in HEADERS:
        # An answer that is no page may bring a stricter policy of its own.
        response.headers.setdefault(name, value)
    if "cache-control" not in response.headers:
        response.headers["Cache-Control"] = "no-store" if personal else "no-cache"
        response.headers["Vary"] = "Cookie, Accept-Language, Accept-Encoding"
    return response


def compress(request: Request, response: Response, *, personal: bool) -> Response:
    """Send a page with gzip, where that tells nobody anything.

    The length of a compressed page that repeats what an attacker chose tells what else is in it (BREACH). So a page of
    someone signed in is compressed only when they went there themselves: browsers say by Sec-Fetch-Site who asked. And
    no answer to a form is, for it may hold a secret that is shown once.
    """
    if not isinstance(response, HTMLResponse) or len(response.body) < _WORTH_IT or request.method == "POST":
        return response
    asked_by_others = request.headers.get("sec-fetch-site") not in {"same-origin", "none"}
    if (personal and asked_by_others) or "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    response.body = gzip.compress(response.body, compresslevel=_LEVEL, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.body))
    return response


def same_origin(request: Request, external_url: str) -> bool:
    """Does this request come from one of our own pages?

    Browsers say so by Sec-Fetch-Site (to https and localhost) or by Origin; a few old ones only by Referer. A request
    with none of them is refused. Behind a proxy the host that the browser saw may be that of ``external_url``.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    source = request.headers.get("origin") or request.headers.get("referer", "")
    try:
        host = urlsplit(source).netloc.lower() if source.startswith(("http://", "https://")) else ""
    except ValueError:  # brackets that hold no address
        return False
    ours = {request.headers.get("host", "").lower(), urlsplit(external_url).netloc.lower()}
    return host != "" and host in ours


def session_secret(request: Request, *, secure: bool) -> str:
    """The session's secret from its cookie; empty if there is none. ``secure``: do we speak https?"""
    return request.cookies.get(_session_name(secure), "")[:200]


def remember_session(response: Response, secret: str, days: int, *, secure: bool) -> None:
    """Sign this browser in."""
    response.set_cookie(_session_name(secure), secret, days * 24 * 3600, secure=secure, httponly=True, samesite="lax")


def forget_session(response: Response, *, secure: bool) -> None:
    """Sign this browser out."""
    response.delete_cookie(_session_name(secure), secure=secure, httponly=True, samesite="lax")


def remember_language(response: Response, code: str, *, secure: bool) -> None:
    """Keep a language that was asked for."""
    response.set_cookie(LANGUAGE_COOKIE, code, _YEAR, secure=secure, httponly=True, samesite="lax")


def remember_theme(response: Response, theme: str, *, secure: bool) -> None:
    """Keep a theme of THEMES for this browser; anything else means as the system says."""
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, _YEAR, secure=secure, httponly=True, samesite="lax")
    else:
        response.delete_cookie(THEME_COOKIE, secure=secure, httponly=True, samesite="lax")


def theme(request: Request) -> str:
    """The theme this browser was given; empty if it follows the system."""
    kept = request.cookies.get(THEME_COOKIE, "")
    return kept if kept in THEMES else ""


def local_target(text: str) -> str:
    """``text`` if it is a path of this site, to go to after signing in; else the home page."""
    plain = text.isprintable() and text.isascii() and "\\" not in text and len(text) <= 1000
    return text if plain and text.startswith("/") and not text.startswith("//") else "/"


def _session_name(secure: bool) -> str:
    # The prefix makes browsers refuse the cookie from anyone but this very host over https.
    return f"__Host-{SESSION_COOKIE}" if secure else SESSION_COOKIE
