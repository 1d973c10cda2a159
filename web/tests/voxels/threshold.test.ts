import { expect, test } from "vitest";
import { Threshold, towards } from "../../src/voxels/threshold";
import { drawn, maskOf, pictures } from "../support";

const SHAPE = [1, 2, 6] as const;
const VOXELS = Uint8Array.from([
  200, 150, 90, 10, 180, 10, //
  10, 10, 10, 10, 10, 10,
]);
const PROBABILITIES = { voxels: VOXELS, scale: 1 / 255 };
/** Post-processing left out the speck at the right and filled a pixel in the second row. */
const PREDICTION = drawn(["##....", "#....."]);

function outline(threshold: number, prediction = PREDICTION): string[] {
  return pictures(maskOf(new Threshold(PROBABILITIES, prediction, SHAPE, 0.5, 0.02).at(threshold), SHAPE), SHAPE)[0];
}

test("at its own threshold it is the prediction, voxel for voxel", () => {
  expect(outline(0.5)).toEqual(["##....", "#....."]);
});

test("below it takes in what is likely and connected, not the speck that was left out", () => {
  expect(outline(0.3)).toEqual(["###...", "#....."]);
});

test("above it loses what is not likely enough", () => {
  expect(outline(0.7)).toEqual(["#.....", "......"]);
});

test("an outline never shrinks as the threshold falls", () => {
  const threshold = new Threshold(PROBABILITIES, PREDICTION, SHAPE, 0.5, 0.02);
  const sets = Array.from({ length: 49 }, (_, step) => new Set(threshold.at((step + 1) / 50)));
  for (let at = 1; at < sets.length; at++) expect([...sets[at]].filter((index) => !sets[at - 1].has(index))).toEqual([]);
});

test("an empty prediction takes in everything that is likely", () => {
  expect(outline(0.5, drawn(["......", "......"]))).toEqual(["......", "......"]);
  expect(outline(0.4, drawn(["......", "......"]))).toEqual(["##..#.", "......"]);
});

test("what was drawn by hand stays", () => {
  const mask = drawn(["#..#", "...."]);
  expect(towards(mask, [1, 2], new Set([0, 2]))).toEqual({ on: [1], off: [3] });
});
