/** The voxels under a round brush, in millimetres, so that it is round whatever the spacing. */

import { lengthSquared } from "../space/affine";
import { type Geometry, indexOf, isInside, type Place, type Plane, sliceAxis } from "../space/geometry";

/** Relative difference below which two lengths are equal, so that rounding does not make a brush lopsided. */
const EQUAL = 1e-9;

/** A sphere, or of a plane the disc in it. */
export interface Brush {
  /** Millimetres, or steps of the grid where the spacing is not known. */
  radius: number;
  /** The plane to stay in, or null for three dimensions. */
  plane: Plane | null;
}

/** Flat indices of the voxels whose centre lies within the brush; the one in its middle always does. */
export function stamp(geometry: Geometry, centre: Place, { radius, plane }: Brush): number[] {
  const { shape, gram } = geometry;
  const middle = centre.map(Math.round) as unknown as Place;
  if (!isInside(geometry, middle)) return [];
  const indices: number[] = [];
  const limit = radius * radius * (1 + EQUAL);
  const reach = [0, 1, 2].map((axis) => (plane !== null && sliceAxis(plane) === axis ? 0 : reachAlong(gram, axis, radius)));
  const [first, last] = [-1, 1].map((sign) =>
    middle.map((value, axis) => Math.min(Math.max(value + sign * reach[axis], 0), shape[axis] - 1)),
  );
  for (let s = first[0]; s <= last[0]; s++)
    for (let r = first[1]; r <= last[1]; r++)
      for (let c = first[2]; c <= last[2]; c++)
        if (lengthSquared(gram, s - middle[0], r - middle[1], c - middle[2]) <= limit)
          indices.push(indexOf(geometry, [s, r, c]));
  return indices;
}

/** The voxels under a brush that is drawn from one place to another. */
export function sweep(geometry: Geometry, from: Place, to: Place, brush: Brush): Set<number> {
  const steps = Math.max(1, Math.ceil(distance(geometry, from, to) / Math.max(brush.radius / 4, Math.min(...geometry.spacing))));
  const indices = new Set<number>();
  for (let step = 0; step <= steps; step++) {
    const place = from.map((value, axis) => value + ((to[axis] - value) * step) / steps) as unknown as Place;
    for (const index of stamp(geometry, place, brush)) indices.add(index);
  }
  return indices;
}

function distance({ gram }: Geometry, from: Place, to: Place): number {
  return Math.sqrt(lengthSquared(gram, to[0] - from[0], to[1] - from[1], to[2] - from[2]));
}

/** How many voxels a sphere spans along an axis on either side: exact for a grid at right angles, ample for any. */
function reachAlong(gram: number[][], axis: number, radius: number): number {
  const [a, b] = [0, 1, 2].filter((other) => other !== axis);
  const face = gram[a][a] * gram[b][b] - gram[a][b] ** 2;
  return Math.floor(radius / Math.sqrt(determinant(gram) / face) + EQUAL);
}

function determinant([[a, b, c], [, d, e], [, , f]]: number[][]): number {
  return a * (d * f - e * e) - b * (b * f - e * c) + c * (b * e - d * c);
}
