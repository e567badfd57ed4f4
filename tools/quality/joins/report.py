"""The report tells a study as tables for people and as plain values for JSON."""

from dataclasses import asdict
from typing import Any

from model.saved.learned import cannot_tell
from tools.quality.joins.bounds import AREA_BOUNDS, KIND_FIGURES, figure_rows, held, kind_rows
from tools.quality.joins.hearing.areas import Area
from tools.quality.joins.hearing.detector import Kind
from tools.quality.joins.hearing.verdicts import LEAST_SHARE, QUALIFIED, Verdict
from tools.quality.joins.protocol import Study
from tools.terminal import print_table

CONDITIONS = {
    "natural": "chunk borders that went on naturally (floor)",
    "section": "the songs' own strongest changes (second floor)",
    "plain": "random, any song, equal chunks, 80 ms",
    "plain_other": "random, another song, equal chunks, 80 ms",
    "random": "random, any song, engine's crossfader (ceiling)",
    "random_other": "random, another song, engine's crossfader",
    "engine": "the engine, all joins",
    "engine_other": "the engine, joins to another song",
    "engine_same": "the engine, joins within a song",
}
PEAK_BOUND_DB = -1.0


def plain(study: Study) -> dict[str, Any]:
    """Return the study as plain values, for JSON."""
    return {
        "songs": study.songs,
        "chunks": study.chunks,
        "window_s": study.window_s,
        "apart_by_artist": study.apart_by_artist,
        "other_song_share": study.other_song_share,
        "least_other_song_share": LEAST_SHARE,
        "model_may_know_songs": study.model_knows_songs,
        "detectors": {
            kind: {
                "qualified": verdict.qualified,
                "qualifying": asdict(verdict.qualifying),
                "qualifying_other": verdict.qualifying_other and asdict(verdict.qualifying_other),
                "retrained": {name: area and asdict(area) for name, area in verdict.retrained.items()},
                "bounds": {name: _bound(kind, verdict, name) for name in AREA_BOUNDS},
            }
            for kind, verdict in study.verdicts.items()
        },
        "measures": _measures(study),
        "kinds": _kinds(study),
        "streams": {name: card.plain() for name, card in study.cards.items()},
    }


def print_study(study: Study) -> None:
    """Print the study: detectors first, then the measures beside their bounds."""
    for kind, verdict in study.verdicts.items():
        stands = "qualifies" if verdict.qualified else "does NOT qualify"
        print(
            f"detector {kind}: {_area(verdict.qualifying)} on random joins, it {stands} "
            f"(at least {QUALIFIED:g}); retrained on joins of every kind:"
        )
        print_table(("AUC against natural places", "AUC", "95 %", "joins", "bound", ""), _rows(kind, verdict))
        print()
    enough = (
        ""
        if study.other_song_share >= LEAST_SHARE
        else f", fewer than the {100 * LEAST_SHARE:.0f} % asked for"
    )
    print(f"{100 * study.other_song_share:.0f} % of the engine's joins go to another song{enough}")
    if not study.apart_by_artist:
        print("artists have songs in several folds: joins of other artists may be heard more easily")
    if study.model_knows_songs is None:
        print(cannot_tell("the model"))
    elif study.model_knows_songs:
        print("the model learned from these songs: on others its joins may be heard more easily")
    print()
    rows = _measures(study)
    kinds = list(study.cards_columns())
    print_table(
        ("joins", "unit", *kinds, "bound", "engine"),
        [
            (
                row["figure"],
                row["unit"],
                *(_number(row[kind]) for kind in kinds),
                "" if row["bound"] is None else f"{row['bound']:g}",
                "" if row["held"] is None else ("held" if row["held"] else "NOT held"),
            )
            for row in rows
        ],
    )
    print()
    if kinds_told := _kinds(study):
        print_table(
            ("engine's joins", "joins", "both beats", *KIND_FIGURES),
            [
                (row["kind"], row["joins"], row["beats"], *(_number(row[name]) for name in KIND_FIGURES))
                for row in kinds_told
            ],
        )
        print()
    told = {name: card.plain() for name, card in study.cards.items()}
    names = list(told["engine"])
    print_table(
        ("whole stream", *told),
        [(name, *(_number(figures[name]) for figures in told.values())) for name in names],
    )
    engine = told["engine"]
    print(
        f"true peak at most {PEAK_BOUND_DB:g} dBTP: {held(engine['true_peak_db'], PEAK_BOUND_DB + 0.05)}; "
        f"0 clicks per hour: {held(engine['clicks_per_hour'], 0.0)}"
    )


def _measures(study: Study) -> list[dict[str, Any]]:
    return figure_rows(study.cards_columns())


def _kinds(study: Study) -> list[dict[str, Any]]:
    card = study.cards["engine"]
    return kind_rows(card.joined, card.kinds)


def _bound(kind: Kind, verdict: Verdict, condition: str) -> float | None:
    bound = AREA_BOUNDS.get(condition)
    return None if bound is None else bound.of(kind, verdict.retrained)


def _rows(kind: Kind, verdict: Verdict) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, words in CONDITIONS.items():
        area = verdict.retrained[name]
        bound = _bound(kind, verdict, name)
        rows.append(
            (
                words,
                "-" if area is None else f"{area.value:.3f}",
                "" if area is None else f"{area.low:.3f} to {area.high:.3f}",
                0 if area is None else area.joins,
                "" if bound is None else f"{bound:.3g}",
                "" if bound is None or area is None else _stands(verdict, area, bound),
            )
        )
    return rows


def _stands(verdict: Verdict, area: Area, bound: float) -> str:
    # What a deaf detector does not hear says nothing.
    return held(area.value, bound) if verdict.qualified else "detector does not qualify"


def _area(area: Area) -> str:
    return f"AUC {area.value:.3f} ({area.low:.3f} to {area.high:.3f})"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"
