"""The model card: what a person should know before using a bundle."""

from collections.abc import Sequence

from glioseg.dataset.lgg import case_of
from glioseg.evaluation.scores import Scores
from glioseg.inference.contract import Contract

_DATA_NOTICE = """\
Trained on the Kaggle LGG MRI segmentation dataset (CC BY-NC-SA 4.0), whose pictures come from the TCGA-LGG
collection of The Cancer Imaging Archive. These weights carry that licence: no commercial use, share alike.
"""


def write_card(contract: Contract, patients: Sequence[str], scores: Scores | None = None, part: str = "") -> str:
    """The card as Markdown.

    Args:
        contract: The bundle's contract.
        patients: Patients the weights were fitted to.
        scores: What the bundle reaches, if it has been scored.
        part: On which patients.
    """
    sections = [
        f"# {contract.network}, width {contract.width}",
        "**Not a medical device.** For research; every mask needs the eye of someone qualified to draw it.",
        "## Use\n\n" + _use(contract),
        "## Data\n\n" + _data(contract, patients),
        "## Scores\n\n" + (_scores(scores, part) if scores else "Not scored."),
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
    return (
        f"{notice}\n{contract.training_patients} patients fitted the weights. "
        f"Split {contract.split_sha256[:12]}, data {contract.data_fingerprint[:12]}."
    )


def _scores(scores: Scores, part: str) -> str:
    rows = []
    for name, metric in scores.metrics().items():
        summary = scores.summary()[name]
        if summary.mean is None:
            continue
        interval = "" if summary.ci_low is None else f"{summary.ci_low:.3f} to {summary.ci_high:.3f}"
        rows.append(
            f"| {metric.title} | {summary.mean:.3f} | {interval} | {summary.median:.3f} | {summary.minimum:.3f} |"
        )
    head = "| metric | mean | 95 % interval | median | minimum |\n|---|---:|---|---:|---:|\n"
    return f"On {part}.\n\n{head}" + "\n".join(rows)
