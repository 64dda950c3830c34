"""The words of letters: plain text, in the language of the person who gets it."""

from __future__ import annotations

from urllib.parse import urlsplit

from havre.access.records import Letter, Subject
from havre.web.languages import LANGUAGES, Catalogue, catalogue


def compose(letter: Letter) -> tuple[str, str, str]:
    """Subject, text and language of a letter."""
    speech = catalogue(letter.language if letter.language in LANGUAGES else "en")
    subject, body = _WORDS[letter.subject](letter, speech)
    greeting = speech.text("Hello %(name)s,", name=letter.name)
    closing = speech.text("Havre, your container registry")
    return subject, "\n\n".join([greeting, *body, f"-- \n{closing}"]) + "\n", speech.code


def _verify(letter: Letter, speech: Catalogue) -> tuple[str, list[str]]:
    return speech.text("Confirm your e-mail address"), [
        speech.text("someone, hopefully you, gave this address for the account %(name)s.", name=letter.name),
        speech.text("Follow this link within two days to confirm it:"),
        letter.link,
        speech.text("If it was not you, do nothing: the address is not used then."),
    ]


def _reset(letter: Letter, speech: Catalogue) -> tuple[str, list[str]]:
    return speech.text("Choose a new password"), [
        speech.text("someone, hopefully you, forgot the password of your account at %(host)s.", host=_host(letter)),
        speech.text("Follow this link within an hour to choose a new one:"),
        letter.link,
        speech.text("If it was not you, do nothing: your password stays as it is."),
    ]


def _password_changed(_: Letter, speech: Catalogue) -> tuple[str, list[str]]:
    return speech.text("Your password was changed"), [
        speech.text("the password of your account was changed just now, and other browsers were signed out."),
        speech.text("If it was not you, choose a new password by “Forgot the password?” on the sign-in page at once."),
    ]


def _email_changed(letter: Letter, speech: Catalogue) -> tuple[str, list[str]]:
    return speech.text("Your e-mail address was changed"), [
        speech.text("from now on, mail about your account goes to %(email)s.", email=letter.detail),
        speech.text("If it was not you, ask an administrator of the registry for help at once."),
    ]


def _factor_changed(_: Letter, speech: Catalogue) -> tuple[str, list[str]]:
    return speech.text("Two-factor authentication was changed"), [
        speech.text("the second factors of your account were changed just now."),
        speech.text("If it was not you, change your password at once and look at your sessions."),
    ]


_WORDS = {
    Subject.VERIFY: _verify,
    Subject.RESET: _reset,
    Subject.PASSWORD_CHANGED: _password_changed,
    Subject.EMAIL_CHANGED: _email_changed,
    Subject.FACTOR_CHANGED: _factor_changed,
}


def _host(letter: Letter) -> str:
    return urlsplit(letter.link).netloc
