"""What is carried of hls.js is what its makers have published, with their licence."""

import hashlib

from tests.support.commands import REPOSITORY

STATIC = REPOSITORY / "stream" / "service" / "static"
VERSION = "1.7.4"
SHA256 = "482cccb3a224554f64d8c2cf0d335dba4a3819bdb726afbfddfe15de4c277d82"
"""Of `dist/hls.light.min.js` in the npm package of that version."""


def test_hls_js_is_unchanged_and_says_whose_it_is() -> None:
    script = (STATIC / "hls.light.min.js").read_bytes()
    assert hashlib.sha256(script).hexdigest() == SHA256
    assert f'"{VERSION}"'.encode() in script
    licence = (STATIC / "hls.LICENSE.txt").read_text(encoding="utf-8")
    assert VERSION in licence and "Apache License, Version 2.0" in licence and "Dailymotion" in licence
