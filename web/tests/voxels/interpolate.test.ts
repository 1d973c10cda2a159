import { expect, test } from "vitest";
import { signedDistance } from "../../src/voxels/distance";
import { between, interpolated } from "../../src/voxels/interpolate";
import { pixelsWithin } from "../../src/voxels/lasso";
import { apply, settingOf } from "../../src/voxels/change";
import { chance, drawn, hung, images } from "../support";

function slowDistance(pixels: Uint8Array, columns: number, row: number, column: number): number[] {
  return Array.from(pixels, (pixel, at) => {
    const distances = Array.from(pixels, (other, to) =>
      other === pixel
        ? Infinity
        : Math.hypot((Math.floor(at / columns) - Math.floor(to / columns)) * row, ((at % columns) - (to % columns)) * column),
    );
    return Math.min(...distances) * (pixel ? -1 : 1);
  });
}

test.each([[1, 1], [0.5, 2]])("distances are those of the slow way, at a spacing of %d by %d", (row, column) => {
  const random = chance(3);
  for (let round = 0; round < 20; round++) {
    const pixels = Uint8Array.from({ length: 70 }, () => (random() < 0.3 ? 1 : 0));
    pixels[0] = 1;
    pixels[69] = 0;
    const found = signedDistance({ rows: 7, columns: 10, pixels }, row, column);
    slowDistance(pixels, 10, row, column).forEach((distance, at) => expect(found[at]).toBeCloseTo(distance, 9));
  }
});

function disc(row: number, column: number, radius: number, size = 41): Uint8Array {
  return Uint8Array.from({ length: size * size }, (_, at) =>
    Math.hypot(Math.floor(at / size) - row, (at % size) - column) <= radius ? 1 : 0,
  );
}

test("between two discs lies the disc of the radius between", () => {
  const [a, b] = [disc(20, 20, 6), disc(20, 20, 12)].map((pixels) => ({ rows: 41, columns: 41, pixels }));
  const middle = between(a, b, 0.5).pixels;
  const expected = disc(20, 20, 9);
  expect(middle.filter((pixel, at) => pixel !== expected[at]).length).toBeLessThan(0.1 * Math.PI * 81);
});

test("a tumour that leans is filled although its outlines do not overlap", () => {
  const [a, b] = [disc(10, 10, 5), disc(28, 30, 5)].map((pixels) => ({ rows: 41, columns: 41, pixels }));
  const expected = disc(19, 20, 5);
  expect(between(a, b, 0.5).pixels.filter((pixel, at) => pixel !== expected[at]).length).toBeLessThanOrEqual(4);
});

test("two equal outlines give the same between", () => {
  const flags = { rows: 41, columns: 41, pixels: disc(15, 22, 7) };
  expect(between(flags, flags, 0.3).pixels).toEqual(flags.pixels);
});

test("slices between outlined ones are drawn anew, all others stay", () => {
  const block = ["....", ".##.", ".##.", "...."];
  const odd = ["#...", "....", "....", "...#"];
  const none = ["....", "....", "....", "...."];
  const mask = drawn(odd, block, odd, none, block, odd);
  const { on, off } = interpolated(mask, hung([6, 4, 4]), "axial", [4, 1]);
  apply(mask, settingOf(mask, on, 1));
  apply(mask, settingOf(mask, off, 0));
  expect(images(mask, [6, 4, 4])).toEqual([odd, block, block, block, block, odd]);
});

test("one outlined slice, or an empty one, leads to nothing", () => {
  const mask = drawn(["##"], [".."], [".."]);
  expect(interpolated(mask, hung([3, 1, 2]), "axial", [0])).toEqual({ on: [], off: [] });
  expect(interpolated(mask, hung([3, 1, 2]), "axial", [0, 2])).toEqual({ on: [], off: [] });
});

test("a hand-drawn outline holds the pixels within and under its line", () => {
  const square = [[1, 1], [1, 3], [3, 3], [3, 1]].map(([row, column]) => ({ row, column }));
  const found = pixelsWithin(square, 5, 5);
  expect(found.length).toBe(9);
  expect(found.every(({ row, column }) => row >= 1 && row <= 3 && column >= 1 && column <= 3)).toBe(true);
  expect(pixelsWithin([{ row: 2, column: 9 }], 5, 5)).toEqual([]);
});
