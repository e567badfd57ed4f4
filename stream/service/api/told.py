"""This module turns what the stream is and does into what the interface tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from stream.engine.past import JoinRecord
from stream.outputs.titles import one_line
from stream.service.api.answers import (
    JoinTold,
    NowTold,
    OutputList,
    OutputTold,
    PoolTold,
    SteeringTold,
)
from stream.service.api.library import Library, Shelf
from stream.service.controls import Controls
from stream.service.events import Fact, Happening, Seen
from stream.service.moment import Moment

NOW_AGAIN_S = 5.0
_LIKED = {None: None, 0: False, 1: True}
_RESTLESS = ("position_s", "time_s", "sleep_in_s", "margin_s", "decision_ms")
"""What changes all the time is no reason to tell all anew."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """The stream at one moment, with all that is needed to tell of it."""

    controls: Controls
    library: Library
    moment: Moment

    @classmethod
    def at(cls, controls: Controls, shelf: Shelf) -> "Look":
        """Look now; `PoolError` where the pool cannot be read."""
        library = shelf.library_of(controls.engine.pool)
        return cls(controls=controls, library=library, moment=controls.moment())

    def now(self, *, addresses: bool) -> NowTold:
        """Return what is heard now, what follows, and how all goes; addresses: as for `Moment.as_json`."""
        moment, pool = self.moment, self.library.pool
        song, decisions = moment.playing.song, moment.decisions
        following = self.next_join()
        return NowTold(
            song=self.library.song_ref(song),
            position_s=max(0.0, moment.playing.position_s),
            length_s=song.frames / song.sample_rate_hz,
            paused=moment.paused,
            time_s=max(0.0, moment.playing.time_s),
            next=None if following is None else self.join(following),
            margin_s=None if decisions is None else decisions.margin_s,
            decision_ms=None if decisions is None else decisions.decision_ms,
            rung=None if decisions is None else decisions.rung,
            listeners=moment.listeners,
            healthy=moment.health.well,
            reason=moment.health.reason,
            sleep_in_s=moment.sleep_in_s,
            outputs=self.outputs(addresses=addresses),
            steering=self.steering(),
            pool=PoolTold(songs=len(pool.songs), chunks=len(pool), generation=pool.generation),
        )

    def outputs(self, *, addresses: bool) -> list[OutputTold]:
        """Return how the outputs are."""
        told = replace(self.moment, outputs=self.moment.statuses(addresses=addresses))
        return [
            OutputTold(
                name=status.name,
                kind=status.kind,
                state=status.state,
                detail=one_line(status.detail),
                healthy=health.healthy,
                ended=health.ended,
                listeners=status.listeners,
                bytes_out=status.bytes_out,
            )
            for status, health in zip(told.outputs, told.health.outputs, strict=True)
        ]

    def steering(self) -> SteeringTold:
        """Return what is wanted of the stream."""
        steering = self.controls.steering
        number = None if steering.towards is None else self.library.pool.song_of(steering.towards)
        return SteeringTold(
            other_songs=steering.share_of_others(self.controls.engine.usual_other_songs),
            phrase_factor=steering.phrase_factor,
            within_s=None if number is None else steering.within_s,
            towards=None if number is None else self.library.song_ref(self.library.pool.songs[number]),
        )

    @cached_property
    def _joins(self) -> Sequence[JoinRecord]:
        return self.controls.engine.joins()

    def heard_joins(self) -> Sequence[JoinRecord]:
        """Return the joins that were heard, newest first."""
        heard_s = self.moment.playing.time_s
        return [join for join in reversed(self._joins) if join.time_s is not None and join.time_s <= heard_s]

    def next_join(self) -> JoinRecord | None:
        """Return the join that is heard next: one that is rendered already, or the one that is planned."""
        heard_s = self.moment.playing.time_s
        under_way = (join for join in self._joins if join.time_s is not None and join.time_s > heard_s)
        return next(under_way, None) or self.controls.engine.upcoming()

    def join(self, record: JoinRecord) -> JoinTold:
        """Return a join as it is told."""
        return JoinTold(
            n=record.n,
            time_s=record.time_s,
            in_s=self._in_s(record),
            before=self.library.song_ref(record.before),
            after=self.library.song_ref(record.after),
            left_s=record.left_s,
            entered_s=record.entered_s,
            score=record.score,
            rank=record.rank,
            candidates=record.candidates,
            considered=record.considered,
            rung=record.rung,
            reasons=list(record.reasons),
            terms=_finite(record.terms),
            fade_s=record.fade_s,
            liked=_LIKED[record.label],
            chunk_from=record.chunk_from,
            chunk_to=record.chunk_to,
        )

    def _in_s(self, record: JoinRecord) -> float | None:
        """Return how long until a join is heard: outputs are later than what is rendered."""
        heard_s = self.moment.playing.time_s
        if record.time_s is not None:
            return record.time_s - heard_s if record.time_s > heard_s else None
        if record.in_s is None:
            return None
        return record.in_s + max(0.0, self.controls.engine.now().time_s - heard_s)


def seen(controls: Controls, shelf: Shelf) -> Seen:
    """Return what listeners are told of the stream, as it is now, and of the joins that were heard."""
    look = Look.at(controls, shelf)
    now = look.now(addresses=True)
    restful = now.model_dump(
        exclude={**dict.fromkeys(_RESTLESS, True), "next": {"in_s"}, "outputs": {"__all__": {"bytes_out"}}}
    )
    sleeps = now.sleep_in_s is not None
    facts = [
        Fact(
            name="now",
            key=(restful, sleeps),
            tell=lambda addresses: look.now(addresses=addresses).model_dump_json(),
            again_s=NOW_AGAIN_S,
        ),
        Fact(name="steering", key=now.steering, tell=lambda addresses: now.steering.model_dump_json()),
        Fact(
            name="outputs",
            key=[(output.name, output.state, output.healthy, output.detail) for output in now.outputs],
            tell=lambda addresses: OutputList(outputs=look.outputs(addresses=addresses)).model_dump_json(),
        ),
    ]
    joins = [
        Happening(name="join", number=record.n, tell=partial(_join_json, look, record))
        for record in reversed(look.heard_joins())
    ]
    return Seen(facts=facts, happenings=joins)


def _join_json(look: Look, record: JoinRecord, addresses: bool) -> str:
    return look.join(record).model_dump_json()


def _finite(terms: Mapping[str, float]) -> dict[str, float]:
    # What must never be is minus infinity among log-odds, which JSON has no word for.
    return {name: min(max(float(value), -1e9), 1e9) for name, value in terms.items()}
