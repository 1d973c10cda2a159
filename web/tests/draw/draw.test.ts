import { expect, test } from "vitest";
import { edgesOf } from "../../src/draw/outline";
import { blank, colourOf, paintGrey, paintMask } from "../../src/draw/image";
import { windowInWords } from "../../src/draw/pane";
import { sliceAt } from "../../src/draw/strip";
import { pixelAt, pointAt, transformOf } from "../../src/draw/transform";
import { geometryOf, planeSlice } from "../../src/space/geometry";
import { drawn, hung } from "../support";

const GEOMETRY = hung([1, 3, 4]);
const PLANE = planeSlice(GEOMETRY, "axial", 0);

test("the window is told in whole numbers, or with decimals where the intensities lie within few units", () => {
  expect(windowInWords(0, 255)).toBe("W 255  L 128");
  expect(windowInWords(-0.5, 1)).toBe("W 1.50  L 0.25");
  expect(windowInWords(100, 100)).toBe("W 0.00  L 100.00");
});

test("one pixel has four edges", () => {
  expect(edgesOf(drawn(["....", ".#..", "...."]), PLANE)).toEqual([1, 1, 2, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 1, 2, 2]);
});

test("edges of pixels side by side are one line, and the border of the image has edges too", () => {
  expect(edgesOf(drawn(["####", "....", "...."]), PLANE)).toEqual([0, 0, 4, 0, 0, 1, 4, 1, 0, 0, 0, 1, 4, 0, 4, 1]);
  expect(edgesOf(drawn(["....", "....", "...."]), PLANE)).toEqual([]);
});

test("intensities between black and white, and beyond them", () => {
  const pixels = blank(PLANE);
  paintGrey(pixels, PLANE, [0, 10, 15, 20, 25, 0, 0, 0, 0, 0, 0, 0], 10, 20);
  expect([...pixels.subarray(0, 20)]).toEqual([0, 0, 0, 255, 0, 0, 0, 255, 128, 128, 128, 255, 255, 255, 255, 255, 255, 255, 255, 255]);
});

test("the tumour is coloured and the rest clear", () => {
  const pixels = blank(PLANE);
  paintMask(pixels, PLANE, drawn(["#...", "....", "...."]), [1, 2, 3, 4]);
  expect([...pixels.subarray(0, 8)]).toEqual([1, 2, 3, 4, 0, 0, 0, 0]);
});

test("a more likely voxel is brighter and less clear", () => {
  const light = (probability: number) => {
    const [red, green, blue, opacity] = colourOf(probability);
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) * opacity;
  };
  const steps = Array.from({ length: 50 }, (_, step) => light((step + 1) / 50));
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  expect(colourOf(0.01)[3]).toBe(0);
});

test("a point of the canvas leads to its pixel and back, with square millimetres", () => {
  const geometry = hung([10, 20, 30], [5, 2, 1]);
  for (const plane of ["axial", "coronal", "sagittal"] as const) {
    const transform = transformOf(geometry, plane, { width: 640, height: 480 }, 1.7, [4, 9, 12]);
    const { row, column } = pixelAt(transform, 123, 45);
    const { x, y } = pointAt(transform, { row, column });
    expect([x, y]).toEqual([expect.closeTo(123), expect.closeTo(45)]);
  }
  const axial = transformOf(geometry, "axial", { width: 640, height: 480 }, 1, [4, 9.5, 14.5]);
  expect(axial.row).toBeCloseTo(2 * axial.column);
  expect(axial.row * 20).toBeCloseTo(480);
  expect(pixelAt(axial, 320, 240)).toEqual({ row: expect.closeTo(9.5), column: expect.closeTo(14.5) });
});

test("slices whose thickness is not known are shown thick enough to look like a head", () => {
  const geometry = geometryOf([20, 100, 100], null);
  const { row, column } = transformOf(geometry, "coronal", { width: 100, height: 100 }, 1, [10, 50, 50]);
  expect((20 * row) / (100 * column)).toBeCloseTo(0.65);
  const axial = transformOf(geometry, "axial", { width: 100, height: 100 }, 1, [10, 50, 50]);
  expect(axial.row).toBe(axial.column);
});

test("the strip's ends are the first and the last slice", () => {
  expect([sliceAt(0, 100, 20), sliceAt(99.9, 100, 20), sliceAt(-5, 100, 20), sliceAt(500, 100, 20)]).toEqual([0, 19, 0, 19]);
});
