import { expect, test } from "vitest";
import { geometryOf, planeSlice } from "../../src/space/geometry";
import { component, holes } from "../../src/voxels/region";
import { grow, seedIntensity } from "../../src/voxels/grow";
import { drawn, hung, maskOf, images } from "../support";

test("a component holds what touches by faces, edges or corners, and no more", () => {
  const shape = [2, 3, 4] as const;
  const mask = drawn(["#...", ".#..", "...#"], ["....", "..#.", "...."]);
  expect(images(maskOf(component(mask, shape, 0), shape), shape)).toEqual([
    ["#...", ".#..", "...#"],
    ["....", "..#.", "...."],
  ]);
  const apart = drawn(["#..#", "....", "...."], ["....", "....", "#..."]);
  expect(component(apart, shape, 0)).toEqual([0]);
  expect(component(apart, shape, 1)).toEqual([]);
});

test("neighbours do not reach around the edge of the array", () => {
  expect(component(drawn(["..#", "#.."]), [1, 2, 3], 2)).toEqual([2]);
});

test("holes are what no way leads to from the border", () => {
  const shape = [1, 5, 6] as const;
  const mask = drawn(["#####.", "#...#.", "#.#.#.", "#####.", "......"]);
  const filled = holes(mask, planeSlice(hung(shape), "axial", 0));
  expect(images(maskOf(filled, shape), shape)[0]).toEqual(["......", ".###..", ".#.#..", "......", "......"]);
});

test("a bay is no hole, a hole closed by corners is one", () => {
  const geometry = hung([1, 4, 4]);
  expect(holes(drawn(["####", "#..#", "#..#", "#..#"]), planeSlice(geometry, "axial", 0))).toEqual([]);
  expect(holes(drawn([".#..", "#.#.", ".#..", "...."]), planeSlice(geometry, "axial", 0))).toEqual([5]);
});

test("holes of a coronal plane", () => {
  const shape = [3, 2, 3] as const;
  const mask = drawn(["###", "..."], ["#.#", "..."], ["###", "..."]);
  expect(holes(mask, planeSlice(hung(shape), "coronal", 0))).toEqual([7]);
  expect(holes(mask, planeSlice(hung(shape), "axial", 1))).toEqual([]);
});

const BRIGHT = Float32Array.from([
  9, 9, 1, 9, //
  9, 8, 1, 9,
  1, 8, 1, 9,
]);

test("a region grows to what is alike and connected", () => {
  const shape = [1, 3, 4] as const;
  const found = grow(BRIGHT, null, hung(shape), [0, 0, 0], { tolerance: 1, probability: 0, reach: 100 });
  expect(images(maskOf(found, shape), shape)[0]).toEqual(["##..", "##..", ".#.."]);
});

test("a region grows no farther than its reach, in millimetres", () => {
  const shape = [1, 3, 4] as const;
  const found = grow(BRIGHT, null, hung(shape, [1, 5, 1]), [0, 0, 0], { tolerance: 1, probability: 0, reach: 5 });
  expect(images(maskOf(found, shape), shape)[0]).toEqual(["##..", "#...", "...."]);
});

test("the reach is one in millimetres on a grid whose axes are not at right angles too", () => {
  const shape = [1, 3, 3] as const;
  const leaning = geometryOf(shape, [[0, 0.9, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]);
  const found = grow(new Uint8Array(9), null, leaning, [0, 1, 1], { tolerance: 1, probability: 0, reach: 1.2 });
  expect(images(maskOf(found, shape), shape)[0]).toEqual(["#..", "###", "..#"]);
});

test("a region grows only where the networks think it likely enough", () => {
  const shape = [1, 3, 4] as const;
  const likely = (index: number) => (index === 1 ? 0.1 : 0.5);
  const found = grow(BRIGHT, likely, hung(shape), [0, 0, 0], { tolerance: 1, probability: 0.2, reach: 100 });
  expect(images(maskOf(found, shape), shape)[0]).toEqual(["#...", "##..", ".#.."]);
});

test("the seed's intensity is the mean around it", () => {
  expect(seedIntensity(BRIGHT, hung([1, 3, 4]), [0, 0, 0])).toBe((9 + 9 + 9 + 8) / 4);
});
