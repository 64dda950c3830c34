"""Rule: nothing in the tree is a secret, and nothing is installed that is not pinned to its bytes."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.rules.source import ROOT, none_of

SECRETS = {
    "a private key": rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{20}",
    "an access key of AWS": rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a token of GitHub": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})",
    "a token of GitLab": rb"\bglpat-[A-Za-z0-9_-]{20}",
    "a token of Slack": rb"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a token of Docker Hub": rb"\bdckr_pat_[A-Za-z0-9_-]{20}",
    "a token of PyPI": rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{20}",
    "an access token of Havre": rb"\bhvr_pat_[A-Za-z0-9_-]{30}",
    "a JSON web token": rb"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{30,}",
    "a password in an address": rb"[a-z]{4,10}://[A-Za-z0-9._-]+:(?!PASSWORD|MOT_DE_PASSE|\{|\$|<|%)[^\s:@/'\"<>{}]{12,}@(?!example|127\.)",
}

MAX_LOOKED_AT = 4 * 1024 * 1024


def tracked() -> list[Path]:
    """Files of the project, as git knows them."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this tree is no git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def found_in(content: bytes) -> list[str]:
    return [what for what, pattern in SECRETS.items() if re.search(pattern, content)]


def test_no_file_holds_a_secret():
    offences = []
    for path in tracked():
        if path.is_file() and path.stat().st_size <= MAX_LOOKED_AT:
            offences += [f"{path.relative_to(ROOT)}: {what}" for what in found_in(path.read_bytes())]
    none_of("a secret that was committed is one no more; remove it, and have it replaced:", offences)


def test_secrets_are_recognised():
    body = b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
    examples = {
        "a private key": b"-----BEGIN EC " + b"PRIVATE KEY-----\n" + body,
        "an access key of AWS": b"AKIA" + b"IOSFODNN7EXAMPLE",
        "a token of GitHub": b"ghp_" + b"a" * 36,
        "an access token of Havre": b"hvr_" + b"pat_" + b"a" * 32,
        "a JSON web token": b"eyJ" + b"a" * 30 + b".eyJ" + b"b" * 30 + b"." + b"c" * 40,
        "a password in an address": b"postgresql://havre:" + b"correcthorse99" + b"@db/havre",
    }
    for what, content in examples.items():
        assert what in found_in(b"x = '" + content + b"'"), what


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_library_is_pinned_to_its_bytes(name: str):
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) > 20
    none_of(
        "a library has one version, and the hashes of what may be installed as it:",
        [
            line[:80]
            for line in lines
            if not re.match(r"[A-Za-z0-9._-]+(?:\[[a-z,]+\])?==[^\s;]+", line) or "--hash=sha256:" not in line
        ],
    )


def test_installs_ask_for_the_hashes():
    makefile = (ROOT / "Makefile").read_text()
    assert makefile.count("--require-hashes") >= 2
    none_of(
        "what make installs comes from a lock file, or is this tree:",
        [
            line
            for line in makefile.splitlines()
            if "$(PIP) install" in line and not re.search("--require-hashes|--no-deps", line)
        ],
    )
