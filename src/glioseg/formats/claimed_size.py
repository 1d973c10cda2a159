"""Whether the size that a header claims can be true, asked before memory is taken for it."""

import math
from collections.abc import Sequence
from pathlib import Path

from glioseg.errors import BadFileError

MAX_VOXELS = 2**30
"""More voxels than any scan of a head has: 1024 in each direction."""

GZIP_EXPANSION = 1032
"""No gzip stream unpacks to more than so many times its size (zlib, "Maximum Compression Factor")."""


def check_claimed_size(
    path: Path,
    shape: Sequence[int],
    bytes_per_voxel: int,
    stored_bytes: int,
    *,
    expansion: int | None = 1,
    most: int = MAX_VOXELS,
) -> None:
    """Refuse an image that is empty, too large, or larger than its file can hold.

    Args:
        path: The file, for the message.
        shape: The claimed size along each axis.
        bytes_per_voxel: The least that a voxel takes.
        stored_bytes: What the file holds for voxels, compressed or not.
        expansion: How many times larger the stored bytes may become when unpacked, or None where nothing bounds it.
        most: Voxels that no such image exceeds.

    Raises:
        GliosegError: If the claim cannot be true.
    """
    size = " x ".join(map(str, shape))
    if not shape or min(shape) < 1:
        raise BadFileError(path, "holds no image", expected="a size of 1 or more along each axis", found=size or "0")
    voxels = math.prod(int(axis) for axis in shape)
    if voxels > most:
        raise BadFileError(
            path,
            "claims an image too large to be a scan",
            expected=f"at most {most:,} voxels",
            found=f"{size}, {voxels:,} voxels",
            remedy="If it is damaged, write it again from its source; if it is real, crop it to the head",
        )
    if expansion is not None and voxels * bytes_per_voxel > stored_bytes * expansion:
        raise BadFileError(
            path,
            "is cut short",
            expected=f"{voxels * bytes_per_voxel:,} bytes for {size} voxels",
            found=f"{stored_bytes:,} bytes" + (" compressed" if expansion > 1 else ""),
            remedy="Fetch it again",
        )
