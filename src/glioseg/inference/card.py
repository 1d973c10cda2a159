"""The model card: what a person should know before using a bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glioseg.dataset.lgg import case_of
from glioseg.evaluation.failure_detection import FAILURE_BELOW, FailureDetection
from glioseg.evaluation.scores import Scores
from glioseg.evaluation.statistics import Summary, summarise
from glioseg.inference.contract import Contract

_DATA_NOTICE = """\
Trained on the Kaggle LGG MRI segmentation dataset (CC BY-NC-SA 4.0), whose images come from the TCGA-LGG
collection of The Cancer Imaging Archive. These weights carry that licence: no commercial use, share alike.
"""


_AGAIN = """\
The same scores again, with DATA the folder that it was trained from and MODEL this folder or its name:

```
glioseg predict DATA --model MODEL --out-of-fold --presence off --out masks
glioseg evaluate masks DATA --out scores.csv
```

`scores.csv` with every metric of every patient lies beside this card."""


@dataclass(frozen=True)
class CardScores:
    """What a model has shown on patients that it had not seen.

    Attributes:
        scores: Its own.
        part: On which patients, in words.
        failure_detection: How far its own doubts can be relied on, on the same patients.
        domain_shift: Dice of the same patients made to look like external scans, by patient.
        networks: Scores of the networks that it is made of, each by itself, by name; on the same patients.
    """

    scores: Scores
    part: str
    failure_detection: FailureDetection | None = None
    domain_shift: Mapping[str, float | None] = field(default_factory=dict)
    networks: Mapping[str, Scores] = field(default_factory=dict)


def write_card(
    contract: Contract, patients: Sequence[str], evidence: CardScores | None = None, *, title: str | None = None
) -> str:
    """The card as Markdown.

    Args:
        contract: The bundle's contract; of an ensemble its first member's, with the ensemble's rule.
        patients: Patients the weights were fitted to, of an ensemble of folds those of any fold.
        evidence: What the model reaches, if it has been scored.
        title: The model in words, if the network's name and width do not say enough.
    """
    sections = [
        f"# {title or f'{contract.network}, width {contract.width}'}",
        "**Not a medical device.** For research; every mask needs the eye of someone qualified to draw it.",
        "## Use\n\n" + _use(contract),
        "## Data\n\n" + _data(contract, patients),
        "## Scores\n\n" + (_scores(evidence.scores, evidence.part) if evidence else "Not scored."),
    ]
    if evidence and evidence.networks:
        sections.append(_networks(evidence))
    if evidence and evidence.failure_detection:
        sections += [
            _subgroups(evidence.scores),
            _AGAIN,
            *([_domain_shift(evidence.domain_shift)] if evidence.domain_shift else []),
            "## Failure detection\n\n" + _failure_detection(evidence.failure_detection),
            "## Failures\n\n" + _failures(evidence.scores, evidence.failure_detection),
        ]
    return "\n\n".join(section.rstrip() for section in sections) + "\n"


def _use(contract: Contract) -> str:
    post = contract.postprocessing
    return (
        "Lower-grade glioma on axial MRI slices with the channels "
        f"{', '.join(contract.channels)}; a sequence that was not taken is filled by the FLAIR. "
        f"Threshold {post.threshold}, connected components: {post.components}. "
        "Other tumours, other planes and other bodies are not what it was trained for."
    )


def _data(contract: Contract, patients: Sequence[str]) -> str:
    published = any(case_of(patient).startswith("TCGA_") for patient in patients)
    notice = _DATA_NOTICE if published else "Trained on practice patients or on the user's own data.\n"
    fitted = f"{contract.training_patients} patients fitted the weights. Split {contract.split_sha256[:12]}, data"
    if len(patients) > contract.training_patients:
        fitted = (
            f"{contract.training_patients} patients fitted the weights of the first network; those of other folds were "
            f"fitted to others, {len(patients)} patients in all. Data"
        )
    return f"{notice}\n{fitted} {contract.data_fingerprint[:12]}."


def _scores(scores: Scores, part: str) -> str:
    summaries = scores.summary()
    rows = [row for name, metric in scores.metrics().items() if (row := _row(metric.title, summaries[name]))]
    return f"On {part}.\n\n{_HEAD}" + "\n".join(rows)


_HEAD = "| metric | mean | 95 % interval | median | minimum |\n|---|---:|---|---:|---:|\n"


def _row(title: str, summary: Summary) -> str:
    """A line of the table; empty where nobody has the metric."""
    if summary.mean is None:
        return ""
    interval = "" if summary.ci_low is None else f"{summary.ci_low:.3f} to {summary.ci_high:.3f}"
    return f"| {title} | {summary.mean:.3f} | {interval} | {summary.median:.3f} | {summary.minimum:.3f} |"


def _networks(evidence: CardScores) -> str:
    """The 3-D Dice of each network by itself, and of all together."""
    alone = {**evidence.networks, "all together": evidence.scores}
    rows = [_row(name, scores.summary()["dice"]) for name, scores in alone.items()]
    return "3-D Dice of each network by itself:\n\n" + _HEAD.replace("metric", "network") + "\n".join(rows)


def _subgroups(scores: Scores) -> str:
    """The 3-D Dice of groups of patients, each with its number."""
    names = {"site": "site", "missing_sequences": "missing sequences:", "true_volume": "tumour volume:"}
    rows = [
        row
        for grouping, groups in scores.subgroups().items()
        for name, summary in groups.items()
        if (row := _row(f"{names[grouping]} {name}, {summary.count}", summary))
    ]
    return "3-D Dice by group, with the number of patients:\n\n" + _HEAD.replace("metric", "group") + "\n".join(rows)


def _domain_shift(dice: Mapping[str, float | None]) -> str:
    row = _row("3-D Dice", summarise(list(dice.values())))
    without = ", ".join(sorted(patient for patient, value in dice.items() if value is None))
    undefined = f"\n\nUndefined, since nothing to find is left of the scan: {without}." if without else ""
    return (
        "## External scans\n\n"
        "No scans of other hospitals were there to score. In their stead stand the same patients as another hospital "
        "might have them: without skull and scalp, turned, in another size and contrast, without T1 after contrast, "
        "made so by a program whose changes differ in kind from those of training.\n\n"
        f"{_HEAD}{row}{undefined}\n\nEvery patient: `domain_shift.csv`."
    )


def _failure_detection(failure_detection: FailureDetection) -> str:
    error, auc = failure_detection.reliability.calibration_error, failure_detection.failure_auc
    lines = []
    if error is not None:
        lines.append(
            f"Inside the brain the probabilities miss the truth by {error:.4f} on average "
            "(expected calibration error, 15 bins; `reliability.png`)."
        )
    doubts = f"{failure_detection.failures} of {len(failure_detection.dice)} masks have a Dice below {FAILURE_BELOW}."
    if auc is not None:
        doubts += f" The expected Dice, which needs no truth, ranks one below a better mask in {auc:.0%} of the pairs."
    lines.append(doubts)
    kept = [point for point in failure_detection.risk_coverage_curve() if point.coverage <= 0.8]
    if kept:
        lines.append(
            f"With the least certain fifth left to a person, the others have a mean Dice of {kept[0].mean_dice:.3f}."
        )
    return "\n\n".join([*lines, "Every patient: `failure_detection.csv`."])


def _failures(scores: Scores, failure_detection: FailureDetection) -> str:
    head = "| patient | Dice | expected | true volume | predicted |\n|---|---:|---:|---:|---:|\n"
    worst = [entry for entry in scores.ranked() if entry.values["dice"] is not None][:5]
    rows = [
        f"| {entry.patient} | {entry.values['dice']:.3f} | {_number(failure_detection.expected_dice[entry.patient])} "
        f"| {entry.values['true_voxels']:,.0f} | {entry.values['predicted_voxels']:,.0f} |"
        for entry in worst
    ]
    return "The five worst patients, volumes in voxels.\n\n" + head + "\n".join(rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
