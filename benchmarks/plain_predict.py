"""A patient segmented by a straightforward script: ``python -m benchmarks.plain_predict BUNDLE PATIENT OUT``.

PyTorch in float32, as a notebook does it: each slice and its mirror image, one after the other. The work is that
of ``glioseg predict --no-previews``: read the tif files, normalise, predict, threshold, drop small components, write.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from scipy import ndimage
from torch import nn

from glioseg.head import FOREGROUND_THRESHOLD
from glioseg.networks import build_network


def main() -> None:
    bundle, patient, out = (Path(word) for word in sys.argv[1:4])
    loaded = [load_network(folder) for folder in _networks(bundle)]
    contract, networks = loaded[0][0], [network for _, network in loaded]
    seen_as_one = contract["preprocessing"]
    # The second name is that of older contracts.
    downsampling_factor = seen_as_one.get("downsampling_factor", seen_as_one.get("binning", 1))
    files = slice_files(patient)
    volume = np.stack([tifffile.imread(path) for path in files]).astype(np.float32)
    head = volume[..., 1] > FOREGROUND_THRESHOLD
    for channel in range(3):
        values = volume[..., channel]
        limit = np.percentile(values[head], contract["preprocessing"]["clip_percentile"])
        values = np.minimum(values, limit)
        volume[..., channel] = (values - values[head].mean()) / values[head].std()
    probabilities = []
    with torch.no_grad():
        for image in torch.from_numpy(volume).permute(0, 3, 1, 2):
            seen = torch.nn.functional.avg_pool2d(image[None], downsampling_factor)
            both = [torch.sigmoid(network(seen)) for network in networks]
            both += [torch.sigmoid(network(seen.flip(-1))).flip(-1) for network in networks]
            mean = torch.nn.functional.interpolate(
                torch.stack(both).mean(dim=0), scale_factor=float(downsampling_factor), mode="bilinear"
            )
            probabilities.append(mean[0, 0].numpy())
    mask = np.stack(probabilities) >= contract["postprocessing"]["threshold"]
    mask = large_components(mask)
    out.mkdir(parents=True)
    for path, slice_mask in zip(files, mask, strict=True):
        tifffile.imwrite(out / f"{path.stem}_mask.tif", slice_mask.astype(np.uint8) * 255)


def _networks(model: Path) -> list[Path]:
    """The folders of a model's networks."""
    if not (model / "ensemble.json").exists():
        return [model]
    several = json.loads((model / "ensemble.json").read_text())
    return [model / several["members_in"] / name for name in several["members"]]


def load_network(bundle: Path) -> tuple[dict[str, Any], nn.Module]:
    """A bundle's contract and its network in float32."""
    contract = json.loads((bundle / "contract.json").read_text())
    network = build_network(contract["network"], contract["width"])
    weights = {name: value.float() for name, value in load_file(bundle / "weights.safetensors").items()}
    network.load_state_dict(weights, strict=False)
    return contract, network.eval()


def slice_files(patient: Path) -> list[Path]:
    """A patient's images in the order of their numbers."""
    return sorted(
        (path for path in patient.glob("*.tif") if not path.stem.endswith("_mask")),
        key=lambda path: int(path.stem.split("_")[-1]),
    )


def large_components(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask (slice, row, column) without components below a tenth of the largest one."""
    labels, found = ndimage.label(mask)
    if not found:
        return mask
    sizes = ndimage.sum(mask, labels, range(1, found + 1))
    return np.isin(labels, 1 + np.flatnonzero(sizes >= 0.1 * sizes.max()))


if __name__ == "__main__":
    main()
