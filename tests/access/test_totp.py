"""Codes of authenticator apps, against the test vectors of RFC 6238 and RFC 4226."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from havre.access import totp

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        # RFC 6238, appendix B, for SHA-1: its eight digits end in these six.
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_vectors_of_the_standard(seconds: int, code: str) -> None:
    assert totp.code(SECRET, totp.step_at(seconds * 1000)) == code


def test_a_clock_may_be_one_step_off_and_no_more() -> None:
    now = 1_800_000_000_000
    step = totp.step_at(now)
    for drift in (-1, 0, 1):
        assert totp.matching_step(SECRET, totp.code(SECRET, step + drift), now, 0) == step + drift
    for drift in (-2, 2):
        assert totp.matching_step(SECRET, totp.code(SECRET, step + drift), now, 0) is None


def test_a_step_is_good_once_and_none_before_it() -> None:
    now = 1_800_000_000_000
    step = totp.step_at(now)
    assert totp.matching_step(SECRET, totp.code(SECRET, step), now, step) is None
    assert totp.matching_step(SECRET, totp.code(SECRET, step - 1), now, step) is None
    assert totp.matching_step(SECRET, totp.code(SECRET, step + 1), now, step) == step + 1


@pytest.mark.parametrize("typed", ["", "28708", "2870822", "é87082", "\x00"])
def test_what_is_no_code_matches_nothing(typed: str) -> None:
    assert totp.matching_step(SECRET, typed, 59_000, 0) is None


def test_the_address_names_registry_account_and_secret() -> None:
    parts = urlsplit(totp.address(SECRET, "alice", "Havre hub.example.org:5000"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/Havre%20hub.example.org:5000:alice"
    found = {name: value for name, (value,) in parse_qs(parts.query).items()}
    assert found == {
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "issuer": "Havre hub.example.org:5000",
        "algorithm": "SHA1",
        "digits": "6",
        "period": "30",
    }
    assert totp.shown(SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"


def test_secrets_have_160_bits_and_differ() -> None:
    assert {len(totp.new_secret()) for _ in range(10)} == {20}
    assert len({totp.new_secret() for _ in range(10)}) == 10
