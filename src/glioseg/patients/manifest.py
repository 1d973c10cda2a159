"""``run.json``: facts of a run, and the results of a folder's patients, of which never more than one is held."""

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from glioseg.atomic import atomic_file

_PATIENTS = '  "patients": ['


def write_manifest(path: Path, facts: Mapping[str, Any], patients: Iterable[Mapping[str, Any]]) -> None:
    """Write facts, and last the patients, as one JSON object, whole or not at all.

    Raises:
        GliosegError: If it cannot be written.
    """
    head = json.dumps({**facts, "patients": []}, indent=2).removesuffix("]\n}")
    with atomic_file(path) as file:
        file.write(head.encode())
        between = "\n"
        for patient in patients:
            file.write((between + textwrap.indent(json.dumps(patient, indent=2), "    ")).encode())
            between = ",\n"
        file.write(b"\n  ]\n}\n")


def read_facts(path: Path) -> dict[str, Any]:
    """All that :func:`write_manifest` wrote but the patients.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it holds something else.
    """
    kept, is_patient = list[str](), False
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not (is_patient and line.startswith("   ")):
                kept.append(line)
                is_patient = line.startswith(_PATIENTS)
    return dict(json.loads("".join(kept)))
