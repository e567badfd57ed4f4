"""This module says in one sentence that plots need matplotlib, which playing does not bring."""

from model.base.errors import EndlosError


def require_matplotlib() -> None:
    """Raise `EndlosError` where nothing can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise EndlosError(
            "--plot needs matplotlib; install it in endlos' folder by `pip install -e '.[train]'`, "
            "or leave --plot out"
        ) from error
