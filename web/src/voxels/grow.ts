/** A region grown from a click: alike in intensity, likely enough by the networks, connected, and not far away. */

import { lengthSquared } from "../space/affine";
import { type Geometry, indexOf, type Place, placeOf } from "../space/geometry";
import { flood } from "./region";

export interface Growth {
  /** How far from the seed's intensity, in the scan's own unit. */
  tolerance: number;
  /** The least probability, 0 to 1; 0 asks for none. */
  probability: number;
  /** How far from the seed, in millimetres or steps. */
  reach: number;
}

/** The mean intensity of the seed and its neighbours in the slice: one noisy voxel decides nothing. */
export function seedIntensity(scan: ArrayLike<number>, geometry: Geometry, [slice, row, column]: Place): number {
  const { shape } = geometry;
  let sum = 0;
  let count = 0;
  for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, shape[1] - 1); r++)
    for (let c = Math.max(column - 1, 0); c <= Math.min(column + 1, shape[2] - 1); c++, count++)
      sum += scan[indexOf(geometry, [slice, r, c])];
  return sum / count;
}

/**
 * Flat indices of the region; the seed belongs to it always.
 *
 * @param probability from 0 to 1 for each voxel, or null where none are stored.
 */
export function grow(
  scan: ArrayLike<number>,
  probability: ((index: number) => number) | null,
  geometry: Geometry,
  seed: Place,
  growth: Growth,
): number[] {
  const start = indexOf(geometry, seed);
  const middle = seedIntensity(scan, geometry, seed);
  const near = nearness(geometry, seed, growth.reach);
  const belongs = (index: number) =>
    index === start ||
    (Math.abs(scan[index] - middle) <= growth.tolerance &&
      (probability === null || probability(index) >= growth.probability) &&
      near(index));
  return flood(geometry.sourceShape, [start], belongs, 6);
}

function nearness(geometry: Geometry, seed: Place, reach: number): (index: number) => boolean {
  return (index) => {
    const [slice, row, column] = placeOf(geometry, index);
    return lengthSquared(geometry.gram, slice - seed[0], row - seed[1], column - seed[2]) <= reach * reach;
  };
}
