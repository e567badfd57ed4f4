"""The report tells a study as one HTML page that needs nothing else, and as plain values for JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from tools.quality.ranking.averages import Estimate
from tools.quality.study.drawing import DrawnRow, interval_svg
from tools.quality.study.findings import (
    STUDY_FIGURES,
    Averaged,
    StudyFigure,
    averaged,
    chance_mrr,
    judge_question,
)
from tools.quality.study.ledger import RunFigures
from tools.quality.study.protocol import StudyResult
from tools.quality.study.questions import APPROACHES_PART, StudyQuestion
from tools.quality.study.style import STYLE

REPORT_FILE = "study.html"
_APPROACH_COLUMNS = (
    ("MRR, no gap", "mrr_0", 3),
    ("MRR, 50 ms", "mrr", 3),
    ("AUC all, 50 ms", "auc", 3),
    ("AUC same song, 50 ms", "same", 3),
    ("AUC other songs, 50 ms", "cross", 3),
    ("training, CPU s", "cost", 1),
)
_SIGNS = {"agrees": "agrees", "differs": "does not agree", "open": "cannot be told"}


def study_page(result: StudyResult) -> str:
    """Return the whole report as HTML: no script, nothing from elsewhere, light and dark."""
    plan = result.plan
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(plan.music.folder.name)}: the report’s questions asked again</title>",
        f"<style>{STYLE}</style></head><body><main>",
        *_head(result),
        *(part for question in plan.questions for part in _section(question, result)),
        *_approaches(result),
        *_appendix(result),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def study_plain(result: StudyResult) -> dict[str, Any]:
    """Return the report as JSON values."""
    plan = result.plan
    found: dict[str, Any] = {
        "music": str(plan.music.folder),
        "songs": len(plan.music.songs),
        "scale": plan.scale.name,
        "runs": {"done": len(result.figures), "failed": len(result.failed), "missing": result.missing},
        "notes": [*plan.notes, *result.left_out],
        "failed": [{"run": one.run.plain(), "reason": one.reason} for one in result.failed],
        "questions": {},
        "approaches": {},
    }
    for question in plan.questions:
        answers = result.answers(question)
        found["questions"][question.name] = {
            "finding": question.finding,
            "favourite": question.favourite,
            "verdict": asdict(judge_question(question, answers)),
            "values": {
                label: {figure.name: _plain(averaged(runs, figure.name)) for figure in STUDY_FIGURES}
                for label, runs in answers.items()
            },
        }
    for row in plan.rows:
        runs = result.row(row)
        found["approaches"][row.label] = {
            **{name: _plain(averaged(runs, name)) for _, name, _ in _APPROACH_COLUMNS},
            **{name: runs[0].get(name) for name in ("decisions", "size_bytes", "epochs") if runs},
        }
    return found


def verdict_lines(result: StudyResult) -> list[tuple[str, str]]:
    """Return each question with its verdict in words, for a terminal."""
    return [
        (question.name, judge_question(question, result.answers(question)).words)
        for question in result.plan.questions
    ]


def _head(result: StudyResult) -> list[str]:
    plan, scale = result.plan, result.plan.scale
    rows = []
    for question in plan.questions:
        verdict = judge_question(question, result.answers(question))
        rows.append(
            [
                f'<a href="#{question.name}">{escape(question.title)}</a>',
                f'<span class="{verdict.stand}">{_SIGNS[verdict.stand]}</span>',
            ]
        )
    return [
        "<h1>The report’s questions, asked again</h1>",
        f"<p>Music: {escape(plan.music.folder.name)}, {len(plan.music.songs)} songs of "
        f"{len(plan.music.artists)} artists. Scale: {scale.name}. {escape(scale.told)} Each training "
        f"learns from {scale.learned_songs} songs; which, and the seed, differ between trainings. Who is "
        "asked about was not learned from.</p>",
        "<p>Intervals are of 95 %: trainings, and songs where a figure knows them, are drawn anew 2,000 "
        "times. n is the number of trainings, or of songs times trainings; of few trainings an interval says "
        "little. <em>Accuracy on what was learned from, and on the second channel of the same music, is a "
        "training-set figure and says nothing about other songs.</em></p>",
        *(_table("What came of it", ["question", "the report’s finding, here"], rows) if rows else ()),
        "<details><summary>What each figure is</summary><ul>",
        *(f"<li><strong>{escape(one.label)}</strong>: {escape(one.told)}</li>" for one in STUDY_FIGURES),
        "</ul></details>",
    ]


def _section(question: StudyQuestion, result: StudyResult) -> list[str]:
    answers = result.answers(question)
    verdict = judge_question(question, answers)
    parts = [
        f'<section id="{question.name}"><h2>{escape(question.title)}</h2>',
        f"<p><strong>The report:</strong> {escape(question.finding)}</p>",
        f'<p><strong>Here:</strong> <span class="{verdict.stand}">{escape(verdict.words)}</span></p>',
        '<div class="drawings">',
    ]
    measured = {
        one: sum(averaged(runs, one.name) is not None for runs in answers.values()) for one in STUDY_FIGURES
    }
    # A figure that one value alone has, because another question asked for it, compares nothing.
    shown = [one for one, count in measured.items() if count > 1 or count == len(answers)]
    for figure in shown:
        if figure.drawn or (question.judged == "cost" and figure.name == "cost"):
            parts.append(_drawing(question.name, figure, question.axis, answers, question.favourite))
    head = [question.axis, *(figure.label for figure in shown), "MRR by guessing"]
    rows = []
    for value in question.values:
        runs = answers[value.label]
        guessed = chance_mrr(runs)
        rows.append(
            [
                escape(value.label) + (" (the report’s)" if value.label == question.favourite else ""),
                *(_cell(averaged(runs, figure.name), figure.digits) for figure in shown),
                "–" if guessed is None else f"{guessed:.3f}",
            ]
        )
    parts += ["</div>", *_table(f"Figures: {question.title}", head, rows)]
    streams = [run.get("stream", {}) for runs in answers.values() for run in runs]
    left_out = {stream["left_out"] for stream in streams if "left_out" in stream}
    parts += [f"<p>No detector: {escape(told)}.</p>" for told in sorted(left_out)]
    return [*parts, "</section>"]


def _drawing(
    section: str, figure: StudyFigure, axis: str, answers: dict[str, list[RunFigures]], favourite: str | None
) -> str:
    """Return a drawing of one figure, a row for each answer that has it; nothing where none has."""
    rows: list[DrawnRow] = []
    counts: list[Averaged] = []
    for label, runs in answers.items():
        found = averaged(runs, figure.name)
        if found is not None:
            rows.append(DrawnRow(label=label, estimate=found.estimate, chosen=label == favourite))
            counts.append(found)
    if not rows:
        return ""
    told = "; ".join(f"{row.label}: {_words(row.estimate, figure.digits)}" for row in rows)
    drawing = interval_svg(
        f"{section}-{figure.name}", f"{figure.label}, by {axis}", told, rows, figure.chance
    )
    most = max(counts, key=lambda one: (one.trainings, one.songs or 0))
    caption = f"{escape(figure.label)} <small>n = {most.n}{' at most' if _differ(counts) else ''}</small>"
    return f"<figure><figcaption>{caption}</figcaption>{drawing}</figure>"


def _differ(counts: Sequence[Averaged]) -> bool:
    return len({one.n for one in counts}) > 1


def _approaches(result: StudyResult) -> list[str]:
    if not result.plan.rows:
        return []
    rows = []
    for row in result.plan.rows:
        runs = result.row(row)
        timed = [run["decisions"] for run in runs if "decisions" in run]
        size = [run["size_bytes"] for run in runs]
        rows.append(
            [
                escape(row.label),
                *(_cell(averaged(runs, name), digits) for _, name, digits in _APPROACH_COLUMNS),
                f"{timed[0]['p99_ms']:.1f} <small>n = {timed[0]['decisions']}</small>" if timed else "–",
                f"{size[0] / 1e6:.2f}" if size else "–",
            ]
        )
    head = ["approach, preset", *(label for label, _, _ in _APPROACH_COLUMNS)]
    scale = result.plan.scale
    answers = {row.label: result.row(row) for row in result.plan.rows}
    drawn = [figure for figure in STUDY_FIGURES if figure.name in ("mrr", "auc")]
    return [
        f'<section id="{APPROACHES_PART}"><h2>The approaches side by side</h2>',
        f"<p>{scale.folds} folds by artist; {scale.fold_learned} songs at most are learned from in each, and "
        f"{scale.fold_asked} of other artists asked about. Equal chunks of 5 s. Decisions are timed over "
        "1,800 chunks, beside whatever else ran.</p>",
        '<div class="drawings">',
        *(_drawing(APPROACHES_PART, figure, "approach", answers, None) for figure in drawn),
        "</div>",
        *_table("Approaches", [*head, "decision p99, ms", "size, MB"], rows),
        "</section>",
    ]


def _appendix(result: StudyResult) -> list[str]:
    notes = [*result.plan.notes, *result.left_out]
    notes += [f"{one.run.told()}: {one.reason}" for one in result.failed]
    if result.missing:
        notes.append(f"{result.missing} runs were not done yet; the same command goes on with them")
    if not notes:
        return []
    listed = [f"<li>{escape(note)}</li>" for note in notes]
    return ["<section><h2>To be said</h2><ul>", *listed, "</ul></section>"]


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    return [
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}"><table>',
        f"<caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>",
        *lines,
        "</tbody></table></div>",
    ]


def _cell(found: Averaged | None, digits: int) -> str:
    if found is None:
        return "–"
    one = found.estimate
    span = f"({one.low:.{digits}f}–{one.high:.{digits}f})"
    return f"{one.value:.{digits}f} <small>{span}, n = {found.n}</small>"


def _words(one: Estimate, digits: int) -> str:
    return f"{one.value:.{digits}f}, interval {one.low:.{digits}f} to {one.high:.{digits}f}"


def _plain(found: Averaged | None) -> dict[str, float | None] | None:
    return (
        None
        if found is None
        else {
            **asdict(found.estimate),
            "trainings": found.trainings,
            "songs": found.songs,
        }
    )
