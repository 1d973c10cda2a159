"""Settings and keys of files that had another name before: what holds them is read as if it had the present one."""

from collections.abc import Mapping
from typing import Any

FORMER_NAMES = {
    "binning": "downsampling_factor",
    "coarse_share": "progressive_resizing_fraction",
    "familiar": "feature_ranges",
    "neighbour_weight": "through_plane_smoothing",
    "stand_in": "domain_shift",
    "strip": "skull_stripping",
    "strip_px": "skull_stripping_px",
    "tumour_share": "foreground_fraction",
    "window_px": "patch_px",
}


def with_present_names(content: Any) -> Any:
    """A mapping under present names; anything else as it is.

    A former name beside the present one is left in its place, to be refused as an unknown setting.
    """
    if not isinstance(content, Mapping):
        return content
    known = {name for name, present in FORMER_NAMES.items() if present not in content}
    return {FORMER_NAMES[name] if name in known else name: value for name, value in content.items()}
