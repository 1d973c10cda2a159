"""The layout of a BIDS data set: subjects, sessions, and images by the entities of their names.

Source: the Brain Imaging Data Structure 1.11, https://bids-specification.readthedocs.io.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pathspec import GitIgnoreSpec

from glioseg.errors import BadFileError, GliosegError
from glioseg.files import entries
from glioseg.formats.readers import without_suffix

DESCRIPTION, IGNORED = "dataset_description.json", ".bidsignore"
BIDS_VERSION = "1.11.1"
"""The version whose rules are kept, as the official validator checks them."""

_ENTITY = re.compile(r"([a-z]+)-([a-zA-Z0-9+]+)")
_PICTURE = (".nii", ".nii.gz")


@dataclass(frozen=True)
class BidsPicture:
    """An image by its name.

    Attributes:
        path: The file.
        entities: By key its value, in the order of the name: ``sub``, ``ses``, ``acq``, ``run`` and others.
        suffix: What it is, as ``FLAIR``.
    """

    path: Path
    entities: Mapping[str, str]
    suffix: str

    @classmethod
    def parse(cls, path: Path) -> Self | None:
        """Read a name; None where it is none of BIDS."""
        *pairs, suffix = without_suffix(path.name).split("_")
        found = [_ENTITY.fullmatch(pair) for pair in pairs]
        if not found or None in found or not suffix.isalnum():
            return None
        return cls(path, {pair[1]: pair[2] for pair in found if pair}, suffix)

    @property
    def stem(self) -> str:
        """The entities alone, which begin the name of whatever is derived from the image."""
        return "_".join(f"{key}-{value}" for key, value in self.entities.items())


@dataclass(frozen=True)
class BidsSession:
    """One visit of one subject.

    Attributes:
        subject: As ``sub-01``.
        session: As ``ses-1``; empty where the subject has no sessions.
        folder: Of the session, or of the subject without any.
    """

    subject: str
    session: str
    folder: Path

    @property
    def name(self) -> str:
        """Subject and session as BIDS labels them, ``sub-01_ses-1``; without the session where there is none."""
        return "_".join(part for part in (self.subject, self.session) if part)

    def images(self) -> list[Path]:
        """The NIfTI files of its folder ``anat``, in the order of names."""
        anat = self.folder / "anat"
        return [path for path in entries(anat) if path.name.lower().endswith(_PICTURE)] if anat.is_dir() else []

    def holds(self, image: BidsPicture) -> bool:
        """Whether an image is named for this subject and session."""
        named = {key: f"{key}-{value}" for key, value in image.entities.items()}
        return (named.get("sub"), named.get("ses", "")) == (self.subject, self.session)


class BidsDataset:
    """A raw data set.

    Args:
        root: Its folder.
        require_description: Whether it must tell its name and the version of BIDS.

    Raises:
        GliosegError: If it is no folder, is itself a derivative, or lacks its description.
    """

    def __init__(self, root: Path, *, require_description: bool = True) -> None:
        if not root.is_dir():
            raise BadFileError(root, "is no folder", expected="a BIDS data set")
        self.root = root.resolve()
        self.description = read_description(self.root) or {}
        _check_description(root, self.description, required=require_description)
        ignored = root / IGNORED
        lines = ignored.read_text(encoding="utf-8", errors="replace").splitlines() if ignored.is_file() else []
        self._ignored = GitIgnoreSpec.from_lines(lines)

    def sessions(self, subjects: Collection[str] = (), sessions: Collection[str] = ()) -> list[BidsSession]:
        """The visits of subjects, in the order of names.

        Args:
            subjects: Only these, with or without ``sub-``; all, if empty.
            sessions: Only these, with or without ``ses-``; all, if empty.

        Raises:
            GliosegError: If there is none, or one of the subjects does not exist.
        """
        wanted = {labelled("sub", label) for label in subjects}
        there = list(self._folders(self.root, "sub-"))
        if lost := sorted(wanted - {path.name for path in there}):
            raise GliosegError(
                f"{self.root} holds no {lost[0]}", expected=_few(path.name for path in there) or "folders sub-<label>"
            )
        only = {labelled("ses", label) for label in sessions}
        found = [one for path in there if not wanted or path.name in wanted for one in self._visits(path)]
        chosen = [one for one in found if not only or one.session in only]
        if not chosen:
            raise GliosegError(
                f"{self.root} holds no {'such session' if found else 'subject'}",
                expected=", ".join(sorted(only)) or "folders sub-<label>",
                found=_few(sorted({one.session or "no sessions" for one in found})) or None,
            )
        return chosen

    def is_ignored(self, path: Path) -> bool:
        """Whether ``.bidsignore`` names a file or a folder around it."""
        return self._ignored.match_file(path.relative_to(self.root).as_posix())

    def address(self, path: Path) -> str:
        """A file as derivatives refer to it, by a BIDS URI."""
        return f"bids:raw:{path.relative_to(self.root).as_posix()}"

    def _folders(self, folder: Path, prefix: str) -> Iterator[Path]:
        named = (path for path in entries(folder) if path.name.startswith(prefix) and path.is_dir())
        return (path for path in named if not self._ignored.match_file(f"{path.relative_to(self.root).as_posix()}/"))

    def _visits(self, subject: Path) -> Iterator[BidsSession]:
        visits = [BidsSession(subject.name, path.name, path) for path in self._folders(subject, "ses-")]
        if not visits or (subject / "anat").is_dir():
            yield BidsSession(subject.name, "", subject)
        yield from visits


def labelled(key: str, label: str) -> str:
    """A label as names hold it: ``sub-01`` of ``01`` and of ``sub-01``."""
    return f"{key}-{label.removeprefix(f'{key}-')}"


def read_description(root: Path) -> dict[str, Any] | None:
    """What a data set says of itself; None where it says nothing.

    Raises:
        GliosegError: If its description cannot be read.
    """
    path = root / DESCRIPTION
    if not path.is_file():
        return None
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BadFileError(path, "cannot be read", expected="one JSON object", found=str(error)) from error


def _check_description(root: Path, description: Mapping[str, Any], *, required: bool) -> None:
    if description.get("DatasetType") == "derivative":
        raise BadFileError(
            root, "holds derivatives", expected="a raw BIDS data set", remedy="Give the data set they were made from"
        )
    lacking = [name for name in ("Name", "BIDSVersion") if not description.get(name)]
    if required and lacking:
        raise BadFileError(
            root / DESCRIPTION,
            f"does not tell {' and '.join(lacking)}" if description else "does not exist",
            expected="the description that BIDS requires",
            remedy="Add it, or go on without by --skip-bids-validation",
        )


def _few(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
