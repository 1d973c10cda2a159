"""The loss of ResUNet-a's four tasks: Tanimoto with complement, and the targets that are drawn from the mask.

Diakogiannis 2020, section 3.2, equations for T and its complement form. Three things differ, on purpose:

- The sums run over the whole batch, not over each slice. Two thirds of all slices show no tumour; slice by slice each
  of them would add a constant of one half to the loss and nothing to its gradient.
- With one class the volume weights cancel, so there are none. The paper's would not cancel against its smoothing
  constant, which then pulls the complement, whose weight is about 1e-10, far towards 1.
- There is no smoothing constant. It serves one case only, the ratio towards a target without a single pixel, which
  then is a constant without gradient; here that ratio is left out and the other one counts alone. So the loss is 0
  exactly where prediction and target agree, for every target.

Targets (section 3.2.3) are computed from the augmented mask, on its device: a turned or scaled target would no longer
be the target of the turned or scaled mask.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from glioseg.networks.resunet_a import ResUNetAOutput


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


FAR = 2**14
"""Stands for no background at all; greater than any row or column, and its square fits an int32."""


@torch.no_grad()
def boundary_target(mask: Tensor) -> Tensor:
    """The tumour's edge, three pixels wide.

    The edge is every pixel of the mask with at least one of its four neighbours outside; the target is the edge and
    its four-neighbours, that is the edge dilated by a 3x3 cross. The released code takes Canny's edge for the first
    step, which on a two-valued image is the same line up to a pixel. Where the mask reaches the border of the
    image it counts as going on beyond: the border of an image is no boundary of a tumour.

    Args:
        mask: Shape (slice, 1, row, column), above 0.5 inside the tumour.

    Returns:
        Shape as the mask, float32, 0 or 1.
    """
    inside = (mask > 0.5).float()
    edge = inside - _cross(inside).amin(dim=0)
    return _cross(edge).amax(dim=0)


@torch.no_grad()
def distance_target(mask: Tensor) -> Tensor:
    """The Euclidean distance to the nearest pixel outside the tumour, divided by the greatest of its slice.

    Args:
        mask: Shape (slice, 1, row, column), above 0.5 inside the tumour.

    Returns:
        Shape as the mask, float32 in [0, 1]: 0 outside the tumour and in slices without one; 1 throughout a slice
        that is all tumour, which has no distance to scale.
    """
    squared = squared_distance_inside(mask > 0.5).float()
    greatest = squared.amax(dim=(-2, -1), keepdim=True).clamp_min(1)
    return (squared / greatest).sqrt()


@torch.no_grad()
def squared_distance_inside(mask: Tensor) -> Tensor:
    """Exact squared Euclidean distance, in pixels, from each pixel of a mask to the nearest pixel outside it.

    The transform of Felzenszwalb and Huttenlocher 2012, "Distance Transforms of Sampled Functions", taken apart by
    axes: the squared distance within the column first, then the least sum of it and a squared step along the row.

    Args:
        mask: Shape (..., row, column), bool.

    Returns:
        Shape as the mask, int32: 0 outside, ``FAR**2`` throughout where nothing is outside.
    """
    vertical = _steps_to_outside(mask, axis=-2)
    if mask.device.type == "cpu":
        return nearest_by_steps(vertical.square(), _most_steps(mask, vertical))
    return nearest_at_once(vertical.square())


def nearest_by_steps(squared: Tensor, most_steps: int) -> Tensor:
    """The least sum along the row of a squared distance within the column and a squared step, step after step.

    Args:
        squared: Squared distances within the column, shape (..., row, column), int32.
        most_steps: How far along the row the least sum may lie.
    """
    nearest = squared.clone()
    for step in range(1, min(most_steps + 1, squared.shape[-1])):
        before, after = nearest[..., step:], nearest[..., :-step]
        torch.minimum(before, squared[..., :-step] + step**2, out=before)
        torch.minimum(after, squared[..., step:] + step**2, out=after)
    return nearest


def nearest_at_once(squared: Tensor) -> Tensor:
    """As :func:`nearest_by_steps` over every step, slice after slice.

    That is more work, but no GPU is waited for to learn how many steps are enough.

    Args:
        squared: Squared distances within the column, shape (..., row, column), int32.
    """
    column = torch.arange(squared.shape[-1], dtype=torch.int32, device=squared.device)
    steps = (column[:, None] - column).square()
    slices = squared.reshape(-1, *squared.shape[-2:])
    return torch.stack([(one[:, None, :] + steps).amin(dim=-1) for one in slices]).view_as(squared)


def _most_steps(mask: Tensor, vertical: Tensor) -> int:
    """How far along its row the nearest pixel outside may lie.

    No pixel is farther from the outside than within its own row or column, which bounds the steps to try by the
    tumour's size. Where neither holds anything outside, the pixel of the same column beside the nearest pixel outside
    has just as many steps to it within its row, so the bound holds all the same.
    """
    bound = torch.minimum(vertical, _steps_to_outside(mask, axis=-1))
    return int(bound.where(bound < FAR, 0).amax())


def _steps_to_outside(mask: Tensor, axis: int) -> Tensor:
    """Pixels to the nearest False along one axis, in either direction, int32; FAR where there is none."""
    shape = [1] * mask.ndim
    shape[axis] = -1
    position = torch.arange(mask.shape[axis], dtype=torch.int32, device=mask.device).view(shape)
    before = position.where(~mask, -FAR).cummax(axis).values
    after = position.where(~mask, 2 * FAR).flip(axis).cummin(axis).values.flip(axis)
    return torch.minimum(position - before, after - position).clamp_max(FAR).int()


def _cross(maps: Tensor) -> Tensor:
    """Each pixel and its four neighbours, stacked in front: (5, slice, channel, row, column).

    Beyond the border the border's own value repeats.
    """
    padded = F.pad(maps, (1, 1, 1, 1), mode="replicate")
    rows, columns = maps.shape[-2:]
    starts = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    return torch.stack([padded[..., r : r + rows, c : c + columns] for r, c in starts])
