"""The home folder keeps what nobody gave a place, demo songs and pools that `endlos play` builds."""

import hashlib
import os
import re
from pathlib import Path

HOME_VARIABLE = "ENDLOS_HOME"


def data_folder() -> Path:
    """Return the folder for what is kept: `ENDLOS_HOME`, else the user's data folder of this system."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("endlos", appauthor=False))


def cache_folder() -> Path:
    """Return the folder for what can be made again: `ENDLOS_HOME`, else the user's cache folder."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("endlos", appauthor=False))


def demo_folder() -> Path:
    """Return where the demo songs stand."""
    return data_folder() / "demo-songs"


def cached_pool(music: Path) -> Path:
    """Return where the pool of the music at `music` is kept: the same place for the same path."""
    place = music.expanduser().resolve()
    digest = hashlib.blake2b(os.fsencode(place), digest_size=6).hexdigest()
    name = re.sub(r"[^\w-]+", "-", place.name).strip("-")[:40] or "music"
    return cache_folder() / "pools" / f"{name}-{digest}"
