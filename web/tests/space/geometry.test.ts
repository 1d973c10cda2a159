import { expect, test } from "vitest";
import shared from "../shared/views.json";
import type { Affine, Triple } from "../../src/space/affine";
import { axialView, voxelVolume } from "../../src/space/affine";
import { clamped, fromPlane, type Geometry, geometryOf, indexOf, type Place, placeOf, PLANES, planeSlice, sliceCount, sliceAxis, toPlane } from "../../src/space/geometry";

const SHAPE: Triple = [3, 4, 5];

/** Slices, rows and columns towards these sides, with these steps in millimetres. */
function affineTowards(sides: string, steps: Triple = [1, 1, 1]): Affine {
  const affine = [0, 1, 2, 3].map(() => [0, 0, 0, 0]);
  affine[3][3] = 1;
  [...sides].forEach((side, axis) => {
    const world = ["LR", "PA", "IS"].findIndex((pair) => pair.includes(side));
    affine[world][axis] = steps[axis] * ("RAS".includes(side) ? 1 : -1);
  });
  return affine;
}

const ORIENTATIONS = ["SPL", "SAR", "IPL", "RAS", "LPS", "ASR", "PIL", "LIA"];

function places({ shape }: Geometry): Place[] {
  const all: Place[] = [];
  for (let s = 0; s < shape[0]; s++)
    for (let r = 0; r < shape[1]; r++) for (let c = 0; c < shape[2]; c++) all.push([s, r, c]);
  return all;
}

test.each(ORIENTATIONS)("every place of a %s grid has one voxel, and leads back", (sides) => {
  const geometry = geometryOf(SHAPE, affineTowards(sides));
  const indices = places(geometry).map((place) => indexOf(geometry, place));
  expect([...indices].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index));
  places(geometry).forEach((place, at) => expect(placeOf(geometry, indices[at])).toEqual(place));
});

test.each(ORIENTATIONS)("slices of a %s grid go up, rows back, columns to the patient's left", (sides) => {
  const affine = affineTowards(sides, [2, 3, 4]);
  const geometry = geometryOf(SHAPE, affine);
  const world = (place: Place) => {
    const index = indexOf(geometry, place);
    const source = [Math.floor(index / 20), Math.floor(index / 5) % 4, index % 5];
    return affine.slice(0, 3).map((row) => source.reduce((sum, value, axis) => sum + row[axis] * value, row[3]));
  };
  const first = world([0, 0, 0]);
  const step = (place: Place) => world(place).map((value, axis) => Math.sign(value - first[axis]) + 0);
  expect(step([1, 0, 0])).toEqual([0, 0, 1]);
  expect(step([0, 1, 0])).toEqual([0, -1, 0]);
  expect(step([0, 0, 1])).toEqual([-1, 0, 0]);
});

test("views are those of glioseg.space.axial, oblique grids among them", () => {
  expect(shared.length).toBeGreaterThan(20);
  for (const { affine, axes, reversed } of shared)
    expect(axialView(affine as Affine)).toEqual({ axes, reversed });
});

test("without an affine the grid is axial as it stands, in steps", () => {
  const geometry = geometryOf(SHAPE, null);
  expect(indexOf(geometry, [1, 2, 3])).toBe(33);
  expect(geometry.spacing).toEqual([1, 1, 1]);
});

test.each(PLANES)("pixels of a %s plane are the places that they show", (plane) => {
  const geometry = geometryOf(SHAPE, affineTowards("PIL"));
  for (let slice = 0; slice < sliceCount(geometry, plane); slice++) {
    const { base, rows, columns, rowStride, columnStride } = planeSlice(geometry, plane, slice);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const place = fromPlane(geometry, plane, slice, row, column);
        expect(indexOf(geometry, place)).toBe(base + row * rowStride + column * columnStride);
        expect(place[sliceAxis(plane)]).toBe(slice);
        expect(toPlane(geometry, plane, place)).toEqual({ row, column });
      }
  }
});

test("coronal and sagittal planes show the crown at the top, sagittal the face at the left", () => {
  const geometry = geometryOf(SHAPE, affineTowards("SPL"));
  expect(fromPlane(geometry, "coronal", 1, 0, 0)).toEqual([2, 1, 0]);
  expect(fromPlane(geometry, "sagittal", 4, 0, 0)).toEqual([2, 0, 4]);
});

test("an assumed spacing measures nothing, and sides that are not told are not shown", () => {
  const affine = affineTowards("RAS", [2, 3, 4]);
  const assumed = geometryOf(SHAPE, affine, "assumed");
  expect([assumed.isSized, assumed.hasSides, assumed.spacing, assumed.gram[0][0]]).toEqual([false, false, [1, 1, 1], 1]);
  const sized = geometryOf(SHAPE, affine, "spacing");
  expect([sized.isSized, sized.hasSides, sized.spacing]).toEqual([true, false, [4, 3, 2]]);
  expect(indexOf(assumed, [2, 1, 0])).toBe(indexOf(geometryOf(SHAPE, affine), [2, 1, 0]));
  expect(geometryOf(SHAPE, null).isSized).toBe(false);
});

test("spacing follows the axes into the view", () => {
  expect(geometryOf(SHAPE, affineTowards("RAS", [2, 3, 4])).spacing).toEqual([4, 3, 2]);
  expect(voxelVolume(affineTowards("RAS", [2, 3, 4]))).toBe(24);
});

test("inner products keep their sign through reversed axes", () => {
  const sheared: Affine = [[0, 0, 1, 0], [0, 1, 0, 0], [1, 0.2, 0, 0], [0, 0, 0, 1]];
  const { gram } = geometryOf(SHAPE, sheared);
  expect(gram[0][1]).toBeCloseTo(-0.2);
  expect(gram[1][1]).toBeCloseTo(1.04);
});

test("a place outside goes to the nearest within", () => {
  expect(clamped(geometryOf(SHAPE, null), [-4, 1.6, 9])).toEqual([0, 2, 4]);
});
