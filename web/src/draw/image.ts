/** A plane as pixels: grey values, and what is laid over them. */

import type { PlaneSlice } from "../space/geometry";

/** A colour with its opacity, each 0 to 255. */
export type Colour = readonly [number, number, number, number];

/** Red, green, blue and opacity of a plane, row after row. */
export function blank({ rows, columns }: PlaneSlice): Uint8ClampedArray<ArrayBuffer> {
  return new Uint8ClampedArray(rows * columns * 4);
}

/** Intensities as grey: `low` is black, `high` white. */
export function paintGrey(pixels: Uint8ClampedArray, plane: PlaneSlice, scan: ArrayLike<number>, low: number, high: number): void {
  const scale = 255 / (high - low || 1);
  eachPixel(plane, (index, at) => {
    pixels[at] = pixels[at + 1] = pixels[at + 2] = (scan[index] - low) * scale;
    pixels[at + 3] = 255;
  });
}

/** The tumour in one colour, everything else clear. */
export function paintMask(pixels: Uint8ClampedArray, plane: PlaneSlice, mask: ArrayLike<number>, colour: Colour): void {
  eachPixel(plane, (index, at) => {
    for (let part = 0; part < 4; part++) pixels[at + part] = mask[index] ? colour[part] : 0;
  });
}

/** Probabilities as colour: nothing below 2 %, then blue over magenta to yellow. */
export function paintProbability(pixels: Uint8ClampedArray, plane: PlaneSlice, probability: (index: number) => number): void {
  eachPixel(plane, (index, at) => {
    const colour = colourOf(probability(index));
    for (let part = 0; part < 4; part++) pixels[at + part] = colour[part];
  });
}

/** The colour of a probability; a change of lightness as well as hue, so that any eye can read it. */
export function colourOf(probability: number): Colour {
  if (probability < 0.02) return [0, 0, 0, 0];
  const share = Math.min(probability, 1) * (RAMP.length - 1);
  const at = Math.min(Math.floor(share), RAMP.length - 2);
  const [from, to] = [RAMP[at], RAMP[at + 1]];
  return from.map((value, part) => value + (to[part] - value) * (share - at)) as unknown as Colour;
}

/** Of matplotlib's plasma, with an opacity that rises. */
const RAMP: readonly Colour[] = [
  [13, 8, 135, 60],
  [126, 3, 168, 120],
  [204, 71, 120, 150],
  [248, 149, 64, 170],
  [240, 249, 33, 190],
];

function eachPixel(plane: PlaneSlice, paint: (index: number, at: number) => void): void {
  for (let row = 0, at = 0; row < plane.rows; row++)
    for (let column = 0, index = plane.base + row * plane.rowStride; column < plane.columns; column++, at += 4, index += plane.columnStride)
      paint(index, at);
}
