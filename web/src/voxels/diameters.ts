/**
 * The two diameters of RANO, as glioseg.measurement.diameters takes them: edge to edge, within one connected region (8
 * neighbours) of one axial slice; ends are centres of pixel edges. tests/shared/diameters.json holds both to one answer.
 */

import { type Geometry, planeGram, planeSlice } from "../space/geometry";
import type { Mask } from "./change";
import type { Flags } from "./distance";
import { flagsOf } from "./interpolate";
import type { Point } from "./lasso";
import { flood } from "./region";

const EQUAL = 1e-9;

export interface Line {
  ends: readonly [Point, Point];
  /** In millimetres, or steps where the spacing is not known. */
  length: number;
}

export interface Diameters {
  longest: Line;
  perpendicular: Line;
}

type Frame = readonly [number, number, number];

/** Part of a slice, first and last included. */
export interface Box {
  rows: { first: number; last: number };
  columns: { first: number; last: number };
}

/** The diameters of one slice, whose tumour lies within a box; null where it holds none. */
export function sliceDiameters(mask: Mask, geometry: Geometry, slice: number, { rows, columns }: Box): Diameters | null {
  const plane = planeSlice(geometry, "axial", slice);
  const part = {
    ...plane,
    base: plane.base + rows.first * plane.rowStride + columns.first * plane.columnStride,
    rows: rows.last - rows.first + 1,
    columns: columns.last - columns.first + 1,
  };
  const frame = frameOf(planeGram(geometry, "axial"));
  const found = regionsOf(flagsOf(mask, part)).map((region) => regionDiameters(region, part.columns, frame));
  if (found.length === 0) return null;
  return moved(found.reduce((best, next) => (isLarger(next, best) ? next : best)), { row: rows.first, column: columns.first });
}

/** Whether one pair of diameters is larger: the longest decides, then the one across. */
export function isLarger(found: Diameters, best: Diameters): boolean {
  const [a, b] = [found, best].map(({ longest, perpendicular }) => [rounded(longest.length), rounded(perpendicular.length)]);
  return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
}

function rounded(length: number): number {
  return Math.round(length * 1e6);
}

function moved({ longest, perpendicular }: Diameters, origin: Point): Diameters {
  const move = ({ ends, length }: Line): Line => ({
    length,
    ends: ends.map((end) => ({ row: end.row + origin.row, column: end.column + origin.column })) as [Point, Point],
  });
  return { longest: move(longest), perpendicular: move(perpendicular) };
}

function regionsOf({ rows, columns, pixels }: Flags): number[][] {
  const seen = new Uint8Array(pixels.length);
  const regions: number[][] = [];
  pixels.forEach((pixel, at) => {
    if (!pixel || seen[at]) return;
    const region = flood([1, rows, columns], [at], (index) => pixels[index] === 1, 26);
    for (const index of region) seen[index] = 1;
    regions.push(region);
  });
  return regions;
}

/** Upper triangular R with the plane's inner products R'R: plane indices to millimetres within the plane. */
function frameOf([[a, b], [, d]]: number[][]): Frame {
  const first = Math.sqrt(a);
  return [first, b / first, Math.sqrt(d - (b / first) ** 2)];
}

const place = ({ row, column }: Point, [a, b, d]: Frame): Point => ({ row: a * row + b * column, column: d * column });

const unplace = ({ row, column }: Point, [a, b, d]: Frame): Point => ({ row: (row - (b * column) / d) / a, column: column / d });

function regionDiameters(region: number[], columns: number, frame: Frame): Diameters {
  const corners = hull(edgeCentres(region, columns));
  const placed = corners.map((corner) => place(corner, frame));
  const distance = (a: number, b: number) => Math.hypot(placed[a].row - placed[b].row, placed[a].column - placed[b].column);
  const pairs = corners.flatMap((_, a) => corners.slice(a + 1).map((_, step) => [a, a + 1 + step] as const));
  const longest = Math.max(...pairs.map(([a, b]) => distance(a, b)));
  return pairs
    .filter(([a, b]) => distance(a, b) >= longest * (1 - EQUAL))
    .map(([a, b]) => {
      const across = longestChord(placed, {
        row: (placed[b].row - placed[a].row) / longest,
        column: (placed[b].column - placed[a].column) / longest,
      });
      const ends = across.ends.map((end) => unplace(end, frame)) as [Point, Point];
      return { longest: { ends: [corners[a], corners[b]] as const, length: longest }, perpendicular: { ...across, ends } };
    })
    .reduce((best, next) => (isLarger(next, best) ? next : best));
}

/** The longest chord of a convex polygon at right angles to a direction; it runs through a corner. */
function longestChord(polygon: readonly Point[], direction: Point): Line {
  const turned = polygon.map(({ row, column }) => ({
    along: row * direction.row + column * direction.column,
    across: column * direction.row - row * direction.column,
  }));
  const chords = turned.map(({ along }) => ({ along, ...extentAt(turned, along) }));
  const longest = Math.max(...chords.map(({ low, high }) => high - low));
  const best = chords.filter(({ low, high }) => high - low >= longest * (1 - EQUAL)).map(({ along }) => along);
  const along = (Math.min(...best) + Math.max(...best)) / 2;
  const { low, high } = extentAt(turned, along);
  const back = (across: number): Point => ({
    row: along * direction.row - across * direction.column,
    column: along * direction.column + across * direction.row,
  });
  return { ends: [back(low), back(high)], length: high - low };
}

/** Between which values a convex polygon lies across a line. */
function extentAt(polygon: readonly { along: number; across: number }[], along: number) {
  let [low, high] = [Infinity, -Infinity];
  polygon.forEach((a, at) => {
    const b = polygon[(at + 1) % polygon.length];
    const [first, second] = a.along <= b.along ? [a, b] : [b, a];
    if (along < first.along || along > second.along) return;
    const span = second.along - first.along;
    const values = span === 0 ? [a.across, b.across] : [first.across + ((along - first.along) / span) * (second.across - first.across)];
    low = Math.min(low, ...values);
    high = Math.max(high, ...values);
  });
  return { low, high };
}

/** Centres of the edges of the first and last pixel of each row, which span the hull of all of them. */
function edgeCentres(region: readonly number[], columns: number): Point[] {
  const ends = new Map<number, [number, number]>();
  for (const index of region) {
    const row = Math.floor(index / columns);
    const column = index % columns;
    const [first, last] = ends.get(row) ?? [column, column];
    ends.set(row, [Math.min(first, column), Math.max(last, column)]);
  }
  return [...ends].flatMap(([row, columnsOfRow]) => columnsOfRow.flatMap((column) => edgesOf(row, column)));
}

function edgesOf(row: number, column: number): Point[] {
  return [
    { row: row - 0.5, column },
    { row: row + 0.5, column },
    { row, column: column - 0.5 },
    { row, column: column + 0.5 },
  ];
}

/** The corners of the convex hull in order around it (Andrew's monotone chain). */
function hull(points: Point[]): Point[] {
  const sorted = points.sort((a, b) => a.row - b.row || a.column - b.column);
  return [...halfHull(sorted), ...halfHull(sorted.reverse())];
}

function halfHull(points: readonly Point[]): Point[] {
  const chain: Point[] = [];
  for (const point of points) {
    while (chain.length > 1 && turn(chain.at(-2)!, chain.at(-1)!, point) <= 0) chain.pop();
    chain.push(point);
  }
  return chain.slice(0, -1);
}

function turn(a: Point, b: Point, c: Point): number {
  return (b.row - a.row) * (c.column - a.column) - (b.column - a.column) * (c.row - a.row);
}
