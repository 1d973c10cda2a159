/** Where on a canvas the pixels of a plane lie. */

import { type Geometry, type Place, type Plane, planeSlice, shownSize, toPlane } from "../space/geometry";
import type { Point } from "../voxels/lasso";

export interface Transform {
  /** Canvas pixels for each row and column. */
  row: number;
  column: number;
  /** Where the upper left corner of the first pixel lies. */
  top: number;
  left: number;
}

/** A plane that fills a canvas at zoom 1, with square millimetres, and the given place in the middle. */
export function transformOf(
  geometry: Geometry,
  plane: Plane,
  size: { width: number; height: number },
  zoom: number,
  centre: Place,
): Transform {
  const { rows, columns } = planeSlice(geometry, plane, 0);
  const millimetres = shownSize(geometry, plane);
  const scale = zoom * Math.min(size.width / (columns * millimetres.column), size.height / (rows * millimetres.row));
  const middle = toPlane(geometry, plane, centre);
  const [row, column] = [scale * millimetres.row, scale * millimetres.column];
  return {
    row,
    column,
    top: size.height / 2 - (middle.row + 0.5) * row,
    left: size.width / 2 - (middle.column + 0.5) * column,
  };
}

/** The row and column under a point of the canvas: whole numbers are centres of pixels. */
export function pixelAt({ row, column, top, left }: Transform, x: number, y: number): Point {
  return { row: (y - top) / row - 0.5, column: (x - left) / column - 0.5 };
}

/** The point of the canvas where a row and column lie. */
export function pointAt({ row, column, top, left }: Transform, at: Point): { x: number; y: number } {
  return { x: left + (at.column + 0.5) * column, y: top + (at.row + 0.5) * row };
}
