"""These are the questions of the report that a study asks again, each a record of what it changes."""

from dataclasses import dataclass
from typing import Any, Literal

from model.approaches.registry import APPROACHES
from model.base.errors import EndlosError
from model.learning.approach import Approach
from tools.quality.study.music import StudyMusic, draw_fold, draw_songs, has_kinds
from tools.quality.study.runs import Channels, Options, Part, StudyRun, WantedRun, options
from tools.quality.study.scale import StudyScale
from tools.quality.study.variants import MP3, ORIGINAL, WAV

REPORT_APPROACH = "binary"
"""The report's questions are about the network that it carried out."""
BASE_CUT = options(cut="equal", chunk_s=5.0)
"""What the other questions are asked with; every cutter but this takes another length."""
GROUPED = "classes"
"""A setting of this name says into how many classes transitions are grouped."""
Judged = Literal["unseen", "cost"]
"""By what an answer is held against the report's: ranks on songs never seen, or processor time."""


@dataclass(frozen=True, kw_only=True)
class QuestionValue:
    """One thing that is tried; what it does not say is as in every other question."""

    label: str
    cut: Options = BASE_CUT
    settings: Options = ()
    channels: Channels = "first"
    factor: float = 35.0
    variant: str = ORIGINAL
    alike: bool = True


@dataclass(frozen=True, kw_only=True)
class StudyQuestion:
    """One question of the report."""

    name: str
    """As `--only` takes it."""
    title: str
    finding: str
    """What the report found, in a sentence."""
    axis: str
    """What the values are."""
    values: tuple[QuestionValue, ...]
    favourite: str
    """Label of what the report chose."""
    judged: Judged = "unseen"
    streamed: bool = False
    """Whether a detector listens to streams, in the cheap study too."""


APPROACHES_PART = "approaches"
"""What `--only` takes for the table of approaches."""


def report_questions(scale: StudyScale) -> tuple[StudyQuestion, ...]:
    """Return the questions about the report's own network, in the report's order."""
    return (
        StudyQuestion(
            name="cutters",
            title="Which cutter, and which length of chunks?",
            finding="The silence cutter at -16 dBFS gave the best stream; of equal chunks those of 5 s did.",
            axis="cut",
            values=(
                *(
                    QuestionValue(
                        label=f"silence, {level:g} dBFS", cut=options(cut="silence", silence_db=float(level))
                    )
                    for level in (-12, -16, -20)
                ),
                *(
                    QuestionValue(label=f"equal, {length:g} s", cut=options(cut="equal", chunk_s=length))
                    for length in (1.0, 3.0, 5.0)
                ),
                QuestionValue(label="beat (not in the report)", cut=options(cut="beat")),
            ),
            favourite="silence, -16 dBFS",
            streamed=True,
        ),
        StudyQuestion(
            name="genres",
            title="Do songs of similar genre train better than songs of different genres?",
            finding="Similar songs gave .76 for a true pair and .38 for a false one, different ones .41 "
            "and .43; training accuracy was about 57 % with both, after 100 epochs.",
            axis="songs learned from",
            values=(
                QuestionValue(label="similar"),
                QuestionValue(label="different", alike=False),
            ),
            favourite="similar",
        ),
        StudyQuestion(
            name="optimizers",
            title="Which optimiser?",
            finding="RMSprop was better than Adam and than SGD with a learning rate of .01.",
            axis="optimiser",
            values=tuple(
                QuestionValue(label=label, settings=options(optimizer=name))
                for label, name in (("RMSprop", "rmsprop"), ("Adam", "adam"), ("SGD, .01", "sgd"))
            ),
            favourite="RMSprop",
        ),
        StudyQuestion(
            name="batches",
            title="Which batch size?",
            finding="64 pairs in a step were best, of 32, 64 and 128.",
            axis="pairs in a step",
            values=tuple(
                QuestionValue(label=str(size), settings=options(batch_size=size)) for size in (32, 64, 128)
            ),
            favourite="64",
        ),
        StudyQuestion(
            name="epochs",
            title="How many epochs?",
            finding="The most were the best: 600 epochs gave a training accuracy of 95 % and a loss of .12.",
            axis="epochs",
            values=tuple(
                QuestionValue(label=str(epochs), settings=options(epochs=epochs)) for epochs in scale.epochs
            ),
            favourite=str(scale.epochs[-1]),
        ),
        StudyQuestion(
            name="channels",
            title="The first channel, or both?",
            finding="The report learned from the first channel and kept the second to validate on; it did "
            "not compare.",
            axis="channels learned from",
            values=(
                QuestionValue(label="the first"),
                QuestionValue(label="both, as two songs", channels="both"),
                QuestionValue(label="their mean", channels="mean"),
            ),
            favourite="the first",
        ),
        StudyQuestion(
            name="factors",
            title="Is every 35th sample enough?",
            finding="Every 35th sample of 44,100 Hz was kept (1,260 Hz), so that training ended; no other "
            "factor was reported.",
            axis="factor (samples a second)",
            values=tuple(
                QuestionValue(
                    label=f"{factor:g} ({44_100 / factor:,.0f} Hz)",
                    factor=factor,
                    settings=options(edge_samples=round(scale.edge_samples * 35 / factor)),
                )
                for factor in (17.5, 35.0, 70.0, 140.0)
            ),
            favourite="35 (1,260 Hz)",
        ),
        StudyQuestion(
            name="formats",
            title="WAV or MP3?",
            finding="WAV has too many points to train on, so MP3 was taken.",
            axis="format of the files",
            values=(
                QuestionValue(label="WAV", variant=WAV),
                QuestionValue(label="MP3, 128 kbit/s", variant=MP3),
            ),
            favourite="MP3, 128 kbit/s",
            judged="cost",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class ApproachRow:
    """One row of the table of approaches."""

    approach: str
    preset: str
    classes: int | None
    settings: Options

    @property
    def label(self) -> str:
        """Return what the row is called."""
        grouped = "" if self.classes is None else f", K = {self.classes}"
        return f"{self.approach} {self.preset}{grouped}"


def approach_rows(scale: StudyScale) -> list[ApproachRow]:
    """Return what the table of approaches has: each preset, and the usual one with other numbers of classes.

    A preset to the letter has a class for each transition, as the report had it.
    """
    rows = []
    for approach in APPROACHES.values():
        for preset in approach.presets:
            if scale.presets is not None and preset not in scale.presets:
                continue
            given = _affordable(approach, preset, scale)
            own = getattr(approach.asked(preset), f"chosen_{GROUPED}", None)
            grouped_too = GROUPED in approach.setting_names and preset == approach.settings().preset
            for classes in (None, *(scale.groupings if grouped_too else ())):
                grouped = {} if classes is None else {GROUPED: classes}
                # The preset's own number is there already.
                if classes is None or classes != own:
                    rows.append(
                        ApproachRow(
                            approach=approach.name,
                            preset=preset,
                            classes=own if classes is None else classes,
                            settings=options(**dict(given), **grouped),
                        )
                    )
    return rows


def _affordable(approach: Approach, preset: str, scale: StudyScale) -> Options:
    """Return the settings that keep a preset within the scale; none where it is within it by itself."""
    asked = approach.asked(preset)
    given: dict[str, Any] = {}
    epochs = getattr(asked, "chosen_epochs", None)
    most_epochs = None if scale.presets is None else scale.presets[preset]
    if most_epochs is not None and epochs is not None and epochs > most_epochs:
        given["epochs"] = most_epochs
    # What would else be as long as the shortest chunk.
    open_edge = "edge_samples" in approach.setting_names and getattr(asked, "chosen_edge_samples", 0) is None
    if scale.open_edge_samples is not None and open_edge:
        given["edge_samples"] = scale.open_edge_samples
    return options(**given)


def chosen_questions(
    only: str | None, music: StudyMusic, scale: StudyScale
) -> tuple[list[StudyQuestion], list[str]]:
    """Return the questions that are asked, and a sentence for each that this music cannot answer.

    only: names with commas between; None: all. `EndlosError` for a name that is none, or with nothing left.
    """
    questions = list(report_questions(scale))
    names = [question.name for question in questions]
    asked = [*names, APPROACHES_PART] if only is None else [name.strip() for name in only.split(",")]
    for name in asked:
        if name not in (*names, APPROACHES_PART):
            raise EndlosError(
                f"there is no question {name!r}; take some of {', '.join(names)}, {APPROACHES_PART}"
            )
    left_out = []
    if "genres" in asked and not has_kinds(music, scale.learned_songs):
        left_out.append(
            f"genres: {music.folder} has no {scale.learned_songs} songs that are alike and as many others; "
            "put songs that are alike into a folder called similar, or name theirs with --similar"
        )
    names = [name for name in asked if not any(said.startswith(f"{name}:") for said in left_out)]
    if not names:
        raise EndlosError(left_out[0])
    return [question for question in questions if question.name in names], left_out


def question_runs(
    question: StudyQuestion, value: QuestionValue, music: StudyMusic, scale: StudyScale
) -> list[WantedRun]:
    """Return the runs of one value of a question, one for each repeat."""
    given = dict(scale.base) | dict(value.settings)
    parts: set[Part] = {"ranking"}
    if scale.every_stream or question.streamed:
        parts.add("stream")
    found = []
    for repeat in range(scale.repeats):
        draw = draw_songs(music, repeat, scale.learned_songs, scale.asked_songs, alike=value.alike)
        run = StudyRun(
            variant=value.variant,
            factor=value.factor,
            cut=value.cut,
            approach=REPORT_APPROACH,
            preset=scale.preset,
            settings=options(**given),
            channels=value.channels,
            seed=repeat,
            learned=draw.learned,
            asked=draw.asked,
            chunks_a_song=scale.chunks_a_song,
            stream_s=scale.stream_s,
        )
        found.append(WantedRun(run=run, parts=frozenset(parts)))
    return found


def row_runs(row: ApproachRow, music: StudyMusic, scale: StudyScale) -> list[WantedRun]:
    """Return the runs of one row of the table of approaches, one for each fold; the first is also timed."""
    found = []
    for fold in range(scale.folds):
        draw = draw_fold(music, fold, scale.folds, scale.fold_learned, scale.fold_asked)
        run = StudyRun(
            variant=ORIGINAL,
            cut=BASE_CUT,
            approach=row.approach,
            preset=row.preset,
            settings=row.settings,
            seed=fold,
            learned=draw.learned,
            asked=draw.asked,
            chunks_a_song=scale.chunks_a_song,
            stream_s=scale.stream_s,
        )
        parts: frozenset[Part] = frozenset({"ranking", "decisions"} if fold == 0 else {"ranking"})
        found.append(WantedRun(run=run, parts=parts))
    return found
