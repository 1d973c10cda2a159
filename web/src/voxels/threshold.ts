/**
 * The outline at another threshold.
 *
 * At the threshold of the prediction it is the prediction itself, with all that was done to it after thresholding: specks
 * that were left out stay out, holes that were filled stay filled. Below, it takes in what is likely enough and connected
 * to it; above, it loses what is not. An empty prediction has nothing to be connected to, and takes in everything.
 */

import type { Triple } from "../space/affine";
import type { Mask } from "./change";
import { neighbours } from "./region";

export interface Probabilities {
  voxels: Uint8Array;
  /** What a stored value is multiplied by to lie between 0 and 1. */
  scale: number;
}

export class Threshold {
  /** What it can ever take in or leave out, ascending. */
  readonly reach: number[] = [];
  private readonly inside: number[] = [];
  private readonly likely: number[] = [];
  private readonly connected: Connected;

  /** @param lowest the least threshold that will be asked for. */
  constructor(
    private readonly probabilities: Probabilities,
    /** The prediction, or a candidate in its place. */
    readonly base: Mask,
    shape: Triple,
    /** The threshold of the prediction. */
    readonly own: number,
    lowest: number,
  ) {
    const { voxels } = probabilities;
    const least = this.stored(lowest);
    for (let index = 0; index < base.length; index++) {
      const [isInside, isLikely] = [base[index] === 1, voxels[index] >= least];
      if (isInside) this.inside.push(index);
      if (isLikely) this.likely.push(index);
      if (isInside || isLikely) this.reach.push(index);
    }
    this.connected = new Connected(voxels, shape, base, this.inside);
  }

  /** Flat indices of the outline's voxels at a threshold. */
  at(threshold: number): number[] {
    const [{ voxels }, least] = [this.probabilities, this.stored(threshold)];
    const isLikely = (index: number) => voxels[index] >= least;
    if (threshold === this.own) return this.inside;
    if (this.inside.length === 0) return this.likely.filter(isLikely);
    if (threshold > this.own) return this.inside.filter(isLikely);
    return [...this.inside, ...this.connected.at(least)];
  }

  /** The least stored value that reaches a threshold. */
  private stored(threshold: number): number {
    const { scale } = this.probabilities;
    const near = Math.floor(threshold / scale);
    return near * scale >= threshold ? near : near + 1;
  }
}

/**
 * What is connected to the prediction at ever lower thresholds. A voxel joins at its own value or at the least value on
 * the best way to it; since they are found in falling order, a lower threshold goes on where the last one ended.
 */
class Connected {
  private readonly seen: Uint8Array;
  /** By the value at which they join: voxels that touch what has joined. */
  private readonly waiting: number[][] = [];
  private readonly joined: number[] = [];
  private readonly joinedAt: number[] = [];
  private level = 255;
  private readonly eachNeighbour: ReturnType<typeof neighbours>;

  constructor(
    private readonly voxels: Uint8Array,
    shape: Triple,
    prediction: Mask,
    inside: readonly number[],
  ) {
    this.seen = prediction.slice();
    this.eachNeighbour = neighbours(shape, 26);
    for (const index of inside) this.eachNeighbour(index, this.wait);
  }

  /** What joins at a stored value or above. */
  at(least: number): number[] {
    for (; this.level >= least; this.level--) this.join(this.waiting[this.level] ?? []);
    const end = this.joinedAt.findIndex((value) => value < least);
    return end < 0 ? this.joined : this.joined.slice(0, end);
  }

  /** What joins may bring neighbours that join at the same value. */
  private join(queue: number[]): void {
    for (let at = 0; at < queue.length; at++) {
      this.joined.push(queue[at]);
      this.joinedAt.push(this.level);
      this.eachNeighbour(queue[at], this.wait);
    }
  }

  private readonly wait = (index: number): void => {
    if (this.seen[index]) return;
    this.seen[index] = 1;
    (this.waiting[Math.min(this.voxels[index], this.level)] ??= []).push(index);
  };
}

/**
 * What leads to the outline at a threshold, where the reader has drawn nothing by hand.
 *
 * @param among the voxels that may differ from it.
 */
export function towards(mask: Mask, wanted: Iterable<number>, among: Iterable<number>, byHand: ReadonlySet<number>): { on: number[]; off: number[] } {
  const target = new Uint8Array(mask.length);
  for (const index of wanted) target[index] = 1;
  const on: number[] = [];
  const off: number[] = [];
  for (const index of among) if (mask[index] !== target[index] && !byHand.has(index)) (target[index] ? on : off).push(index);
  return { on, off };
}
