"""The questions of the benchmark have a name each, and a module that answers it."""

CARD = "card"
QUESTION_MODULES = {
    "start": ("tools.bench.starting", "measure_starts"),
    "decisions": ("tools.bench.deciding", "measure_decisions"),
    "hour": ("tools.bench.simulation", "measure_hour"),
    "day": ("tools.bench.simulation", "measure_day"),
    CARD: ("tools.bench.card", "measure_card"),
    "render": ("tools.bench.rendering", "measure_rendering"),
    "blend": ("tools.bench.blending", "measure_blending"),
    "peers": ("tools.bench.peers", "measure_peers"),
}
"""By name: the module, and its function. It is loaded only where it is asked."""
QUESTIONS = tuple(QUESTION_MODULES)
