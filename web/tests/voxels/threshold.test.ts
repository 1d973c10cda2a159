import { expect, test } from "vitest";
import { flood } from "../../src/voxels/region";
import { Threshold, towards } from "../../src/voxels/threshold";
import { chance, drawn, maskOf, images, voxelsOf } from "../support";

const SHAPE = [1, 2, 6] as const;
const VOXELS = Uint8Array.from([
  200, 150, 90, 10, 180, 10, //
  10, 10, 10, 10, 10, 10,
]);
const PROBABILITIES = { voxels: VOXELS, scale: 1 / 255 };
/** Post-processing left out the speck at the right and filled a pixel in the second row. */
const PREDICTION = drawn(["##....", "#....."]);

function outline(threshold: number, prediction = PREDICTION): string[] {
  return images(maskOf(new Threshold(PROBABILITIES, prediction, SHAPE, 0.5, 0.02).at(threshold), SHAPE), SHAPE)[0];
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

test("below it is what a flood from the prediction reaches, in whatever order thresholds are asked for", () => {
  const [shape, random] = [[4, 5, 6] as const, chance(3)];
  for (let trial = 0; trial < 30; trial++) {
    const voxels = Uint8Array.from({ length: 120 }, () => random() * 256);
    const prediction = Uint8Array.from(voxels, (value) => Number(value > 235 && random() < 0.7));
    const threshold = new Threshold({ voxels, scale: 1 / 255 }, prediction, shape, 0.93, 0.02);
    for (const at of [0.9, 0.4, 0.7, 0.55, 0.2]) {
      if (!prediction.includes(1)) continue;
      const reached = flood(shape, voxelsOf(prediction), (index) => prediction[index] === 1 || voxels[index] / 255 >= at, 26);
      expect(maskOf(threshold.at(at), shape)).toEqual(maskOf(reached, shape));
    }
  }
});

test("an empty prediction takes in everything that is likely", () => {
  expect(outline(0.5, drawn(["......", "......"]))).toEqual(["......", "......"]);
  expect(outline(0.4, drawn(["......", "......"]))).toEqual(["##..#.", "......"]);
});

test("what was drawn by hand stays", () => {
  const mask = drawn(["#..#", "...."]);
  expect(towards(mask, [1, 2], [0, 1, 2, 3], new Set([0, 2]))).toEqual({ on: [1], off: [3] });
});
