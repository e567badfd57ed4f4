"""A spelling is compared as people see it, whether an accent is in its letter or stands behind it."""

import unicodedata


def as_spelt(text: str) -> str:
    """Return a text in one of the ways in which it may be written (Unicode's NFC)."""
    return unicodedata.normalize("NFC", text)


def as_searched(text: str) -> str:
    """Return a text in one of these ways, in small letters."""
    return as_spelt(as_spelt(text).casefold())
