import { expect, test } from "vitest";
import type { Affine } from "../../src/space/affine";
import { geometryOf, placeOf } from "../../src/space/geometry";
import { stamp, sweep } from "../../src/voxels/brush";
import { hung, maskOf, images } from "../support";

test("the least brush is one voxel", () => {
  const geometry = hung([1, 3, 3]);
  expect(stamp(geometry, [0, 1, 1], { radius: 0, plane: "axial" })).toEqual([4]);
});

test("a disc in the plane, drawn by hand", () => {
  const shape = [1, 5, 5] as const;
  const indices = stamp(hung(shape), [0, 2, 2], { radius: 2, plane: "axial" });
  expect(images(maskOf(indices, shape), shape)[0]).toEqual(["..#..", ".###.", "#####", ".###.", "..#.."]);
});

test("a disc is round in millimetres where pixels are not square", () => {
  const shape = [1, 5, 5] as const;
  const indices = stamp(hung(shape, [1, 2, 1]), [0, 2, 2], { radius: 2, plane: "axial" });
  expect(images(maskOf(indices, shape), shape)[0]).toEqual([".....", "..#..", "#####", "..#..", "....."]);
});

test("a sphere reaches the slices that lie within its radius", () => {
  const shape = [5, 3, 3] as const;
  const indices = stamp(hung(shape, [2, 1, 1]), [2, 1, 1], { radius: 2, plane: null });
  const [, below, middle, above] = images(maskOf(indices, shape), shape);
  expect(middle).toEqual(["###", "###", "###"]);
  expect(below).toEqual(["...", ".#.", "..."]);
  expect(above).toEqual(below);
});

test.each(["coronal", "sagittal"] as const)("a disc stays in its %s plane", (plane) => {
  const geometry = hung([7, 7, 7]);
  const axis = { coronal: 1, sagittal: 2 }[plane];
  const places = stamp(geometry, [3, 3, 3], { radius: 2, plane }).map((index) => placeOf(geometry, index));
  expect(places).toHaveLength(13);
  expect(new Set(places.map((place) => place[axis]))).toEqual(new Set([3]));
});

test("at the border the rest of the brush is painted, beyond it nothing", () => {
  const geometry = hung([1, 3, 3]);
  expect(stamp(geometry, [0, 0, 0], { radius: 1, plane: "axial" }).length).toBe(3);
  expect(stamp(geometry, [0, -1, 0], { radius: 3, plane: "axial" })).toEqual([]);
});

test("a sheared grid has the same sphere in millimetres as the slow way finds", () => {
  const affine: Affine = [[0, 0, -1, 0], [0.4, -1.2, 0, 0], [1.5, 0.2, 0.1, 0], [0, 0, 0, 1]];
  const geometry = geometryOf([9, 13, 13], affine);
  const millimetres = (index: number) => {
    const source = [Math.floor(index / 169), Math.floor(index / 13) % 13, index % 13];
    return affine.slice(0, 3).map((row) => source.reduce((sum, value, axis) => sum + row[axis] * value, 0));
  };
  const centre = millimetres(4 * 169 + 6 * 13 + 6);
  const slow = Array.from({ length: 9 * 169 }, (_, index) => index).filter(
    (index) => Math.hypot(...millimetres(index).map((value, axis) => value - centre[axis])) <= 3.31,
  );
  const place = placeOf(geometry, 4 * 169 + 6 * 13 + 6);
  expect([...new Set(stamp(geometry, place, { radius: 3.31, plane: null }))].sort((a, b) => a - b)).toEqual(slow);
});

test("a fast stroke leaves no gaps", () => {
  const shape = [1, 3, 9] as const;
  const indices = sweep(hung(shape), [0, 1, 0], [0, 1, 8], { radius: 0, plane: "axial" });
  expect(images(maskOf(indices, shape), shape)[0][1]).toBe("#########");
});
