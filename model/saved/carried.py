"""A name or a folder says which model is meant, one that the package carries or somebody's own."""

from pathlib import Path

CONTRACT_FILE = "model.json"
PRETRAINED = Path(__file__).parents[1] / "pretrained"
DEFAULT_MODEL = "tower"


def carried_model(name: str = DEFAULT_MODEL) -> Path:
    """Return the folder of a model that the package carries, by default of the one it plays with."""
    return PRETRAINED / name


def carried_models() -> list[str]:
    """Return the names of the models that the package carries."""
    return sorted(path.parent.name for path in PRETRAINED.glob(f"*/{CONTRACT_FILE}"))


def chosen_model(choice: Path | None) -> Path:
    """Return the folder that a person means: a folder, the name of a carried model, or None, the default.

    A folder of that name goes before a carried model. Whether it holds a model is for `load_contract` to say.
    """
    if choice is None:
        return carried_model()
    folder = choice.expanduser()
    if not folder.exists() and choice.name == str(choice) and choice.name in carried_models():
        return carried_model(choice.name)
    return folder
