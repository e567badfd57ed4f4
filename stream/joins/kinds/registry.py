"""The registry has one line for each kind of join, with what plans it and what its plan is."""

from collections.abc import Callable
from dataclasses import dataclass

from model.base.errors import EndlosError
from stream.doors.door import JoinKind
from stream.joins.join_case import JoinCase
from stream.joins.join_plan import JoinFields, JoinPlan
from stream.joins.kinds.gapless import Gapless, plan_gapless
from stream.joins.kinds.plain_fade import PlainFade, plan_plain_fade
from stream.joins.kinds.quick_change import QuickChange, plan_quick_change
from stream.joins.kinds.short_blend import ShortBlend, plan_short_blend
from stream.joins.kinds.splice import Splice, plan_splice
from stream.joins.kinds.tempo_blend import TempoBlend, plan_tempo_blend


@dataclass(frozen=True, kw_only=True)
class KindOfJoin:
    """One kind of join."""

    plan: Callable[[JoinCase], JoinPlan | str]
    """Plans it, or says in words why the audio does not let it."""
    plan_type: type[JoinPlan]


JOIN_KINDS: dict[JoinKind, KindOfJoin] = {
    JoinKind.SPLICE: KindOfJoin(plan=plan_splice, plan_type=Splice),
    JoinKind.SHORT_BLEND: KindOfJoin(plan=plan_short_blend, plan_type=ShortBlend),
    JoinKind.TEMPO_BLEND: KindOfJoin(plan=plan_tempo_blend, plan_type=TempoBlend),
    JoinKind.QUICK_CHANGE: KindOfJoin(plan=plan_quick_change, plan_type=QuickChange),
    JoinKind.PLAIN_FADE: KindOfJoin(plan=plan_plain_fade, plan_type=PlainFade),
    JoinKind.GAPLESS: KindOfJoin(plan=plan_gapless, plan_type=Gapless),
}
FALLBACKS = (plan_plain_fade, plan_short_blend)
"""What is planned where the audio does not let a kind; the last one always can be."""


def plan_type(kind: object) -> type[JoinPlan]:
    """Return what the plans of a kind are; `ValueError` where it is none."""
    return JOIN_KINDS[JoinKind(str(kind))].plan_type


def read_join(fields: JoinFields) -> JoinPlan:
    """Read what `JoinPlan.as_json` gave; `EndlosError` when it is something else."""
    try:
        values: JoinFields = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
            if name != "kind"
        }
        return plan_type(fields["kind"])(**values)
    except (TypeError, KeyError, ValueError) as error:
        raise EndlosError(
            f"a join of the log cannot be read ({error}); replay it with the endlos that wrote it"
        ) from error
