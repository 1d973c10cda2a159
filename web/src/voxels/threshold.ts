/**
 * The outline at another threshold.
 *
 * At the threshold of the prediction it is the prediction itself, with all that was done to it after thresholding: specks
 * that were left out stay out, holes that were filled stay filled. Below, it takes in what is likely enough and connected
 * to it; above, it loses what is not. An empty prediction has nothing to be connected to, and takes in everything.
 */

import type { Triple } from "../space/affine";
import type { Mask } from "./change";
import { flood } from "./region";

export interface Probabilities {
  voxels: ArrayLike<number>;
  /** What a stored value is multiplied by to lie between 0 and 1. */
  scale: number;
}

export class Threshold {
  private readonly inside: number[] = [];
  private readonly likely: number[] = [];

  /** @param lowest the least threshold that will be asked for. */
  constructor(
    private readonly probabilities: Probabilities,
    private readonly prediction: Mask,
    private readonly shape: Triple,
    /** The threshold of the prediction. */
    readonly own: number,
    lowest: number,
  ) {
    const { voxels, scale } = probabilities;
    for (let index = 0; index < prediction.length; index++) {
      if (prediction[index]) this.inside.push(index);
      if (voxels[index] * scale >= lowest) this.likely.push(index);
    }
  }

  /** Flat indices of the outline's voxels at a threshold. */
  at(threshold: number): number[] {
    const { voxels, scale } = this.probabilities;
    const isLikely = (index: number) => voxels[index] * scale >= threshold;
    if (threshold === this.own) return this.inside;
    if (this.inside.length === 0) return this.likely.filter(isLikely);
    if (threshold > this.own) return this.inside.filter(isLikely);
    return flood(this.shape, this.inside, (index) => this.prediction[index] === 1 || isLikely(index), 26);
  }
}

/** What leads to the outline at a threshold, where the reader has drawn nothing by hand. */
export function towards(mask: Mask, wanted: Iterable<number>, byHand: ReadonlySet<number>): { on: number[]; off: number[] } {
  const target = new Uint8Array(mask.length);
  for (const index of wanted) target[index] = 1;
  const on: number[] = [];
  const off: number[] = [];
  for (let index = 0; index < mask.length; index++)
    if (mask[index] !== target[index] && !byHand.has(index)) (target[index] ? on : off).push(index);
  return { on, off };
}
