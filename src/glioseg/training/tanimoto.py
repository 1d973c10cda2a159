"""The Tanimoto loss with complement, and the loss of ResUNet-a's four tasks.

Diakogiannis 2020, section 3.2, equations for T and its complement form. Three things differ, on purpose:

- The sums run over the whole batch, not over each slice. Two thirds of all slices show no tumour; slice by slice each
  of them would add a constant of one half to the loss and nothing to its gradient.
- With one class the volume weights cancel, so there are none. The paper's would not cancel against its smoothing
  constant, which then pulls the complement, whose weight is about 1e-10, far towards 1.
- There is no smoothing constant. It serves one case only, the ratio towards a target without a single pixel, which
  then is a constant without gradient; here that ratio is left out and the other one counts alone. So the loss is 0
  exactly where prediction and target agree, for every target.
"""

import torch
from torch import Tensor

from glioseg.networks.resunet_a import ResUNetAOutput
from glioseg.training.auxiliary_targets import boundary_target, distance_target


def tanimoto_coefficient(probabilities: Tensor, target: Tensor) -> Tensor:
    """Overlap p·l over p² + l² - p·l, each summed over everything: 1 where both agree, 0 where nothing overlaps.

    Args:
        probabilities: Any shape, in [0, 1].
        target: The same shape, in [0, 1], continuous or not.

    Returns:
        A scalar, float32; 0, with zero gradient, where both are empty or the target is.
    """
    overlap = (probabilities * target).sum()
    union = (probabilities.square() + target.square()).sum() - overlap
    return overlap / union.clamp_min(torch.finfo(union.dtype).tiny)


def tanimoto_loss(probabilities: Tensor, target: Tensor) -> Tensor:
    """One minus the mean of the Tanimoto coefficients of the maps and of their complements.

    A coefficient whose target is empty, that is the first for a batch without tumour and the second for a batch that
    is nothing else, is left out of the mean.

    Args:
        probabilities: Shape (slice, channel, row, column), in [0, 1]; any floating type, computed in float32.
        target: The same shape, in [0, 1], continuous or not.

    Returns:
        A scalar in [0, 1], float32.
    """
    probabilities, target = probabilities.float(), target.float()
    counts = torch.stack(((target > 0).any(), (target < 1).any())).float()
    coefficients = torch.stack(
        (tanimoto_coefficient(probabilities, target), tanimoto_coefficient(1 - probabilities, 1 - target))
    )
    return 1 - (counts * coefficients).sum() / counts.sum()


def multitask_loss(output: ResUNetAOutput, mask: Tensor, images: Tensor) -> Tensor:
    """The mean Tanimoto loss of segmentation, boundary, distance and reconstruction, equally weighted.

    Normalised intensities have no bounds, which the Tanimoto loss needs. Both the reconstruction and the input go
    through the logistic function: it is monotone and the same for every slice, so the loss is least where both agree,
    and a few bright voxels do not set the scale.

    Args:
        output: What :meth:`ResUNetA.forward_all` returned.
        mask: The tumour, shape (slice, 1, row, column), 0 or 1 or bool.
        images: The network's input, normalised, shape (slice, channel, row, column).

    Returns:
        A scalar in [0, 1], float32.
    """
    targets = (mask, boundary_target(mask), distance_target(mask), images.float().sigmoid())
    losses = [tanimoto_loss(maps.float().sigmoid(), target) for maps, target in zip(output, targets, strict=True)]
    return torch.stack(losses).mean()
