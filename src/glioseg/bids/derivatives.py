"""The files of a derivative data set beside its images: what it is, and the tables of what was measured."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from glioseg import __version__
from glioseg.atomic import write_text_atomically
from glioseg.bids.columns import SCANS, as_tsv, definitions
from glioseg.bids.layout import BIDS_VERSION, DESCRIPTION, IGNORED, BidsDataset, read_description
from glioseg.bids.patient import FIGURES, BidsPatient
from glioseg.errors import BadOptionError
from glioseg.patients.source import PatientSource

LOGS, RECORDS, REVIEW = "logs", "records", "review"
GROUP_TABLE, REPORT = "group_tumor.tsv", "report.html"
_NOT_OF_BIDS = ("*.html", FIGURES, LOGS, REVIEW, f"{Path(GROUP_TABLE).stem}.*")
README = """# Tumour masks by glioseg

Each FLAIR of the source data set has a folder entry of its own under `sub-*/[ses-*/]anat`:

- `*_label-tumor_mask.nii.gz`: the tumour on the grid of the FLAIR, 1 inside and 0 outside;
- `*_label-tumor_probseg.nii.gz`: the probability of tumour at each voxel;
- `*_label-tumor_desc-candidate_mask.nii.gz`: what the mask would have been, where it is empty for want of a tumour.

The JSON beside each tells its sources and how it was made. `*_scans.tsv` of each session holds the measurements;
the JSON beside it defines every column. `sub-*/figures` holds contact sheets to look at.
`group_tumor.tsv` and `report.html` tell of all participants, once the group level has run; `logs` tells of each run.

For research. Not a medical device: no contour or number here may guide the care of a patient.
"""


def check_derivatives(out: Path, dataset: BidsDataset) -> None:
    """Refuse a folder that is the data set itself, or holds a data set of something else.

    Raises:
        GliosegError: If it does.
    """
    if out.resolve() == dataset.root:
        raise BadOptionError(
            f"{out} is the data set itself",
            expected="a folder of its own for the derivatives",
            remedy=f"Give {out / 'derivatives' / 'glioseg'}",
        )
    there = read_description(out)
    if there is not None and not _is_ours(there):
        raise BadOptionError(
            f"{out} holds another data set",
            expected="a new folder, or one that glioseg made",
            found=str(there.get("Name") or "a data set without a name"),
        )


def raw_data_of(derivatives: Path) -> Path | None:
    """The data set that a folder of derivatives by glioseg was made from; None for any other folder.

    Raises:
        GliosegError: If the folder's description cannot be read.
    """
    described = read_description(derivatives) or {}
    sources = described.get("DatasetLinks")
    raw = sources.get("raw") if isinstance(sources, dict) else None
    return derivatives.resolve() / str(raw) if raw and _is_ours(described) else None


def describe_derivatives(out: Path, dataset: BidsDataset) -> None:
    """Write what the derivative data set says of itself; what a user added to it stays.

    Raises:
        GliosegError: If a file cannot be written.
    """
    _keep(out / DESCRIPTION, _as_text({**(read_description(out) or {}), **_description(out, dataset)}))
    ignored = (out / IGNORED).read_text(encoding="utf-8").splitlines() if (out / IGNORED).is_file() else []
    _keep(out / IGNORED, "".join(f"{line}\n" for line in dict.fromkeys([*ignored, *_NOT_OF_BIDS])))
    if not any((out / name).exists() for name in ("README", "README.md", "README.rst", "README.txt")):
        write_text_atomically(out / "README.md", README)


def write_session_tables(out: Path, patients: Iterable[PatientSource], rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the table of each session, with the JSON that defines its columns.

    Args:
        out: The derivative data set.
        patients: All of the sessions.
        rows: By name what was measured of each that is done.

    Raises:
        GliosegError: If a file cannot be written.
    """
    sessions: dict[Path, list[dict[str, Any]]] = {}
    for patient in patients:
        if isinstance(patient, BidsPatient) and patient.patient in rows:
            mask = Path(patient.mask_name)
            table = mask.parents[1] / f"{'_'.join(mask.parts[:-2])}_scans.tsv"
            row = {"filename": mask.relative_to(table.parent).as_posix(), **rows[patient.patient]}
            sessions.setdefault(table, []).append(row)
    for table, own in sessions.items():
        write_table(out / table, SCANS, own)


def write_table(path: Path, columns: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write a table and the JSON that defines its columns.

    Raises:
        GliosegError: If a file cannot be written.
    """
    _keep(path.with_suffix(".json"), _as_text(definitions(columns)))
    _keep(path, as_tsv(columns, rows))


def _description(out: Path, dataset: BidsDataset) -> dict[str, Any]:
    raw = dataset.description
    where = Path(os.path.relpath(dataset.root, out.resolve())).as_posix()
    source = {"URL": where, **({"DOI": raw["DatasetDOI"]} if raw.get("DatasetDOI") else {})}
    return {
        "Name": f"Tumour masks of {raw.get('Name') or dataset.root.name}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        **({"License": raw["License"]} if raw.get("License") else {}),
        "GeneratedBy": [{"Name": "glioseg", "Version": __version__}],
        "SourceDatasets": [source],
        "DatasetLinks": {"raw": where},
    }


def _is_ours(description: Mapping[str, Any]) -> bool:
    listed = description.get("GeneratedBy")
    makers = listed if isinstance(listed, list) else []
    return any(isinstance(one, dict) and one.get("Name") == "glioseg" for one in makers)


def _keep(path: Path, text: str) -> None:
    """Write a file unless it stands there already, so that runs beside each other leave it alone."""
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
        write_text_atomically(path, text)


def _as_text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
