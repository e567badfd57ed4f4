"""Letters are guessed where a tag does not say, or does not truly say, how its text is encoded.

ID3v1, ID3v2's Latin-1 and RIFF's INFO were filled by taggers with whatever the system used: UTF-8, or the
code page of the country.
"""

import re

_CYRILLIC = re.compile(rb"[\xa8\xb8\xc0-\xff]{4,}")
"""Four such letters in a row are Cyrillic: Latin languages have no such rows, but of one letter repeated."""


def guess_letters(data: bytes) -> str:
    """Return the text that bytes without a stated encoding mean: UTF-8, else Windows' Cyrillic or Western."""
    if b"\0" in data.rstrip(b"\0"):
        # No text of one byte a letter.
        return data.decode("latin-1")
    pages = ["utf-8", "cp1252"]
    if any(len(set(run.lower())) > 1 for run in _CYRILLIC.findall(data)):
        pages.insert(1, "cp1251")
    for page in pages:
        try:
            return data.decode(page)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def decode_text(data: bytes) -> str:
    """Return the text of a whole file: as its byte order mark says, else as `guess_letters` has it."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
    ):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return guess_letters(data)


def mend_latin_1(text: str) -> str:
    """Return what a text that was read as Latin-1 was meant to be; of other letters it stays as it is."""
    try:
        return guess_letters(text.encode("latin-1"))
    except UnicodeEncodeError:
        return text


def mend_escaped(text: str) -> str:
    """Return what a text that was read as UTF-8, with surrogates for other bytes, was meant to be."""
    return text if text.isascii() else guess_letters(text.encode("utf-8", "surrogateescape"))
