"""The rate on a card is told without playing, as the stream would be played on it."""

from model.base.errors import OutputError
from stream.joins.settings import suited_rate_hz
from stream.outputs.devices import OutputDevice
from stream.outputs.portaudio.card_rate import CardRate, foretell_rate


def rate_on(device: OutputDevice) -> CardRate | None:
    """Return at which rate `play` would use a device, if not told otherwise; None: it takes no stream."""
    try:
        return foretell_rate(device, suited_rate_hz(round(device.default_rate_hz)))
    except OutputError:
        return None
