/**
 * Places in the radiologist's view of a grid, and where their voxels lie in the source's array.
 *
 * A place is (slice, row, column) in the axial view: slices from the neck up, rows from the face to the back of the
 * head, columns from the patient's right to the left. The voxels themselves stay in the source's order, so that what is
 * painted goes back as it came.
 */

import { type Affine, axialView, gramOf, spacingOf, type Triple } from "./affine";

export type Place = Triple;
export type Plane = "axial" | "coronal" | "sagittal";

export const PLANES: readonly Plane[] = ["axial", "coronal", "sagittal"];

/** How much of the affine the scan's file tells: everything, the spacing but not the sides, or nothing. */
export type Told = "told" | "spacing" | "assumed";

export interface Geometry {
  affine: Affine | null;
  /** Whether steps are millimetres. */
  isSized: boolean;
  /** Whether it is known which side is the patient's right. */
  hasSides: boolean;
  /** Of the source's array. */
  sourceShape: Triple;
  /** Of the view. */
  shape: Triple;
  /** Flat index of the view's first voxel. */
  offset: number;
  /** From one slice, row and column of the view to the next, in the flat array. */
  strides: Triple;
  /** The view's axes in the order of the source's. */
  slowestFirst: Triple;
  /** Millimetres, or steps of the grid where the spacing is not known. */
  spacing: Triple;
  /** Inner products of the view's steps, in mm² or steps². */
  gram: number[][];
}

/** One plane of the view laid flat: pixel (row, column) is the voxel `base + row * rowStride + column * columnStride`. */
export interface PlaneSlice {
  base: number;
  rows: number;
  columns: number;
  rowStride: number;
  columnStride: number;
}

interface PlaneAxes {
  slice: 0 | 1 | 2;
  row: 0 | 1 | 2;
  column: 0 | 1 | 2;
  /** Rows run down the screen; towards the feet that is against the view's slices. */
  rowsReversed: boolean;
  sides: { left: string; right: string; top: string; bottom: string };
}

/** Height of a stack of slices as a share of its length from front to back. */
const HEIGHT_OF_A_HEAD = 0.65;

const AXES: Record<Plane, PlaneAxes> = {
  axial: { slice: 0, row: 1, column: 2, rowsReversed: false, sides: { left: "R", right: "L", top: "A", bottom: "P" } },
  coronal: { slice: 1, row: 0, column: 2, rowsReversed: true, sides: { left: "R", right: "L", top: "S", bottom: "I" } },
  sagittal: { slice: 2, row: 0, column: 1, rowsReversed: true, sides: { left: "A", right: "P", top: "S", bottom: "I" } },
};

export function geometryOf(sourceShape: Triple, affine: Affine | null, told: Told = "told"): Geometry {
  const sizes = told === "assumed" ? null : affine;
  const { axes, reversed } = axialView(affine);
  const steps = [sourceShape[1] * sourceShape[2], sourceShape[2], 1];
  const shape = axes.map((axis) => sourceShape[axis]) as unknown as Triple;
  const strides = axes.map((axis, index) => (reversed[index] ? -steps[axis] : steps[axis])) as unknown as Triple;
  const offset = axes.reduce((sum, axis, i) => sum + (reversed[i] ? (shape[i] - 1) * steps[axis] : 0), 0);
  const signs = reversed.map((flag) => (flag ? -1 : 1));
  const gram = gramOf(sizes, axes).map((row, i) => row.map((value, j) => value * signs[i] * signs[j]));
  const spacing = sizes === null ? ([1, 1, 1] as const) : spacingOf(sizes);
  return {
    affine,
    isSized: sizes !== null,
    hasSides: affine !== null && told === "told",
    sourceShape,
    shape,
    offset,
    strides,
    slowestFirst: [0, 1, 2].map((source) => axes.indexOf(source)) as unknown as Triple,
    gram,
    spacing: axes.map((axis) => spacing[axis]) as unknown as Triple,
  };
}

/** The flat index of a place. */
export function indexOf(geometry: Geometry, [slice, row, column]: Place): number {
  const { offset, strides } = geometry;
  return offset + slice * strides[0] + row * strides[1] + column * strides[2];
}

/** The place of a flat index. */
export function placeOf(geometry: Geometry, index: number): Place {
  const place = [0, 0, 0];
  let rest = index;
  for (const axis of geometry.slowestFirst) {
    const stride = Math.abs(geometry.strides[axis]);
    const along = Math.floor(rest / stride);
    rest -= along * stride;
    place[axis] = geometry.strides[axis] < 0 ? geometry.shape[axis] - 1 - along : along;
  }
  return place as unknown as Place;
}

export function isInside({ shape }: Geometry, place: Place): boolean {
  return place.every((value, axis) => value >= 0 && value < shape[axis]);
}

/** The nearest place within the grid. */
export function clamped({ shape }: Geometry, place: Place): Place {
  return place.map((value, axis) => Math.min(Math.max(Math.round(value), 0), shape[axis] - 1)) as unknown as Place;
}

export function sidesOf(plane: Plane): PlaneAxes["sides"] {
  return AXES[plane].sides;
}

/** Along which axis of the view a plane's slices follow each other. */
export function sliceAxis(plane: Plane): 0 | 1 | 2 {
  return AXES[plane].slice;
}

export function sliceCount(geometry: Geometry, plane: Plane): number {
  return geometry.shape[AXES[plane].slice];
}

export function planeSlice(geometry: Geometry, plane: Plane, slice: number): PlaneSlice {
  const { row, column, rowsReversed } = AXES[plane];
  const place = [0, 0, 0];
  place[AXES[plane].slice] = slice;
  place[row] = rowsReversed ? geometry.shape[row] - 1 : 0;
  return {
    base: indexOf(geometry, place as unknown as Place),
    rows: geometry.shape[row],
    columns: geometry.shape[column],
    rowStride: rowsReversed ? -geometry.strides[row] : geometry.strides[row],
    columnStride: geometry.strides[column],
  };
}

/** Millimetres from one row and from one column of a plane to the next. */
export function pixelSize(geometry: Geometry, plane: Plane): { row: number; column: number } {
  return { row: geometry.spacing[AXES[plane].row], column: geometry.spacing[AXES[plane].column] };
}

/**
 * As {@link pixelSize}, for drawing: where the spacing is not known, slices are shown as thick as makes their stack look
 * like a head, since those of one examination are seldom as thin as its pixels.
 */
export function shownSize(geometry: Geometry, plane: Plane): { row: number; column: number } {
  const size = pixelSize(geometry, plane);
  if (geometry.isSized || AXES[plane].row !== 0) return size;
  return { ...size, row: Math.max(1, (HEIGHT_OF_A_HEAD * geometry.shape[1]) / geometry.shape[0]) };
}

/** Inner products of a plane's steps along rows and columns of the screen, shape (2, 2). */
export function planeGram(geometry: Geometry, plane: Plane): number[][] {
  const { row, column, rowsReversed } = AXES[plane];
  const sign = rowsReversed ? -1 : 1;
  const { gram } = geometry;
  return [
    [gram[row][row], sign * gram[row][column]],
    [sign * gram[column][row], gram[column][column]],
  ];
}

/** Row and column on the screen of a place; halves and thirds of voxels are kept. */
export function toPlane(geometry: Geometry, plane: Plane, place: Place): { row: number; column: number } {
  const { row, column, rowsReversed } = AXES[plane];
  return { row: rowsReversed ? geometry.shape[row] - 1 - place[row] : place[row], column: place[column] };
}

/** The place of a row and column on the screen. */
export function fromPlane(geometry: Geometry, plane: Plane, slice: number, row: number, column: number): Place {
  const axes = AXES[plane];
  const place = [0, 0, 0];
  place[axes.slice] = slice;
  place[axes.row] = axes.rowsReversed ? geometry.shape[axes.row] - 1 - row : row;
  place[axes.column] = column;
  return place as unknown as Place;
}
