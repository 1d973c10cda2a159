import { expect, test } from "vitest";
import shared from "../shared/diameters.json";
import type { Affine, Triple } from "../../src/space/affine";
import { geometryOf } from "../../src/space/geometry";
import { apply, settingOf } from "../../src/voxels/change";
import { Measures, voxelMillilitres } from "../../src/voxels/measure";
import { chance, drawn, hung, voxelsOf } from "../support";

test("diameters are those of glioseg.measurement.diameters", () => {
  expect(shared.length).toBeGreaterThan(20);
  for (const { name, shape, affine, runs, longest, perpendicular } of shared) {
    const geometry = geometryOf(shape as unknown as Triple, affine as Affine | null);
    const mask = new Uint8Array(shape[0] * shape[1] * shape[2]);
    apply(mask, { added: runs, removed: [] });
    const found = new Measures(mask, geometry, voxelsOf(mask)).largest();
    expect(found?.longest.length ?? null, name).toEqual(longest === null ? null : expect.closeTo(longest, 6));
    expect(found?.perpendicular.length ?? null, name).toEqual(perpendicular === null ? null : expect.closeTo(perpendicular, 6));
  }
});

test("millilitres of a voxel", () => {
  expect(voxelMillilitres(hung([1, 1, 1], [5, 2, 1]))).toBeCloseTo(0.01);
  expect(voxelMillilitres(geometryOf([1, 1, 1], null))).toBeNull();
});

test("areas of every plane", () => {
  const mask = drawn(["##.", "..."], ["#..", "..#"]);
  const { areas, voxels } = new Measures(mask, hung([2, 2, 3]), voxelsOf(mask));
  expect([...areas[0]]).toEqual([2, 2]);
  expect([...areas[1]]).toEqual([3, 1]);
  expect([...areas[2]]).toEqual([2, 1, 1]);
  expect(voxels).toBe(4);
});

test("what is kept up to date stroke by stroke is what is counted anew", () => {
  const random = chance(5);
  const geometry = hung([4, 9, 9], [5, 0.9, 0.9]);
  const mask = new Uint8Array(4 * 81);
  const measures = new Measures(mask, geometry, voxelsOf(mask));
  for (let stroke = 0; stroke < 60; stroke++) {
    const start = Math.floor(random() * (mask.length - 6));
    const change = settingOf(mask, [0, 1, 2, 3, 4, 5].map((step) => start + step), random() < 0.6 ? 1 : 0);
    apply(mask, change);
    measures.changed(change);
    const anew = new Measures(mask, geometry, voxelsOf(mask));
    expect(measures.areas).toEqual(anew.areas);
    expect(measures.largest()).toEqual(anew.largest());
  }
});
