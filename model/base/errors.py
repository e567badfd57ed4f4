"""These exceptions say what went wrong, what was expected and what to do; endlos raises them on purpose."""


class EndlosError(Exception):
    """Root of every error that a user can cause or mend; the command line prints its sentence."""


class DecodeError(EndlosError):
    """A file cannot be decoded, or no longer holds the audio that it held."""


class PoolError(EndlosError):
    """A pool cannot be read, written or used."""


class ModelError(EndlosError):
    """A model cannot be read, or does not fit the pool."""


class OutputError(EndlosError):
    """A sound card, server, or file cannot take the stream."""
