/** One pane of the viewer on a canvas: a slice, what is laid over it, and where it lies. */

import type { Scan } from "../case";
import { type Geometry, type Place, pixelSize, type Plane, planeSlice, type PlaneSlice, sidesOf, sliceAxis, sliceCount, toPlane } from "../space/geometry";
import type { Overlay } from "../state";
import type { Mask } from "../voxels/change";
import type { Diameters, Line } from "../voxels/diameters";
import type { Point } from "../voxels/lasso";
import { edgesOf } from "./outline";
import { blank, type Colour, paintGrey, paintMask, paintProbability } from "./image";
import { pointAt, type Transform, transformOf } from "./transform";

export const COLOURS = {
  mask: "#ffd24a",
  prediction: "#58b7ff",
  line: "#ffffff",
  cross: "#6fe0c8",
  text: "#dbe2e8",
  shade: "rgba(0, 0, 0, 0.75)",
} as const;

const FILL: Colour = [255, 210, 74, 255];

/** From this size on, in canvas pixels, a voxel is shown as the square that it is. */
const SQUARES_FROM = 16;

export interface Scene {
  geometry: Geometry;
  plane: Plane;
  place: Place;
  zoom: number;
  centre: Place;
  scan: Scan;
  window: readonly [number, number];
  mask: Mask | null;
  prediction: Mask | null;
  probability: ((index: number) => number) | null;
  overlay: Overlay;
  opacity: number;
  diameters: Diameters | null;
  /** The brush under the pointer: its middle, and its radius in millimetres. */
  brush: (Point & { radius: number }) | null;
  /** An outline that is being drawn. */
  lasso: readonly Point[];
  /** Whether the words in the corners are left out. */
  isSmall: boolean;
}

/** Draw a scene on a canvas whose pixels are those of the screen. */
export function drawPane(canvas: HTMLCanvasElement, scene: Scene): void {
  const context = canvas.getContext("2d", { alpha: false })!;
  const transform = transformOf(scene.geometry, scene.plane, canvas, scene.zoom, scene.centre);
  const plane = planeSlice(scene.geometry, scene.plane, scene.place[sliceAxis(scene.plane)]);
  const pixel = ratioOf(canvas);
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const layer of layersOf(scene, plane)) drawLayer(context, plane, transform, layer);
  if (scene.overlay !== "hidden") drawOutlines(context, scene, plane, transform, pixel);
  if (scene.diameters !== null) drawDiameters(context, scene.diameters, transform, pixel);
  drawTools(context, scene, transform, pixel);
  drawWords(context, canvas, scene, pixel);
}

/** Screen pixels for each pixel of the page. */
export function ratioOf(canvas: HTMLCanvasElement): number {
  return canvas.clientWidth > 0 ? canvas.width / canvas.clientWidth : 1;
}

interface Layer {
  pixels: Uint8ClampedArray<ArrayBuffer>;
  opacity: number;
  isSmooth: boolean;
}

function* layersOf(scene: Scene, plane: PlaneSlice): Generator<Layer> {
  const { sequence, voxels } = scene.scan;
  const stored = (value: number) => (value - sequence.intercept) / sequence.slope;
  const pixels = blank(plane);
  paintGrey(pixels, plane, voxels, stored(scene.window[0]), stored(scene.window[1]));
  yield { pixels, opacity: 1, isSmooth: true };
  if (scene.probability !== null) {
    paintProbability(pixels, plane, scene.probability);
    yield { pixels, opacity: 1, isSmooth: true };
  }
  if (scene.overlay === "filled" && scene.mask !== null) {
    paintMask(pixels, plane, scene.mask, FILL);
    yield { pixels, opacity: scene.opacity, isSmooth: false };
  }
}

let workbench: HTMLCanvasElement | null = null;

function drawLayer(context: CanvasRenderingContext2D, plane: PlaneSlice, transform: Transform, layer: Layer): void {
  workbench ??= document.createElement("canvas");
  workbench.width = plane.columns;
  workbench.height = plane.rows;
  workbench.getContext("2d")!.putImageData(new ImageData(layer.pixels, plane.columns, plane.rows), 0, 0);
  context.globalAlpha = layer.opacity;
  context.imageSmoothingEnabled = layer.isSmooth && transform.column < SQUARES_FROM;
  context.imageSmoothingQuality = "high";
  const { left, top } = transform;
  context.drawImage(workbench, left, top, plane.columns * transform.column, plane.rows * transform.row);
  context.globalAlpha = 1;
}

function drawOutlines(context: CanvasRenderingContext2D, scene: Scene, plane: PlaneSlice, transform: Transform, pixel: number): void {
  if (scene.prediction !== null) {
    context.setLineDash([4 * pixel, 3 * pixel]);
    strokeEdges(context, scene.prediction, plane, transform, COLOURS.prediction, 1.25 * pixel);
    context.setLineDash([]);
  }
  if (scene.mask !== null) strokeEdges(context, scene.mask, plane, transform, COLOURS.mask, 1.5 * pixel);
}

function strokeEdges(
  context: CanvasRenderingContext2D, mask: Mask, plane: PlaneSlice, transform: Transform, colour: string, width: number,
): void {
  const edges = edgesOf(mask, plane);
  context.beginPath();
  for (let at = 0; at < edges.length; at += 4) {
    context.moveTo(transform.left + edges[at] * transform.column, transform.top + edges[at + 1] * transform.row);
    context.lineTo(transform.left + edges[at + 2] * transform.column, transform.top + edges[at + 3] * transform.row);
  }
  context.lineCap = "square";
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}

function drawDiameters(context: CanvasRenderingContext2D, diameters: Diameters, transform: Transform, pixel: number): void {
  for (const line of [diameters.longest, diameters.perpendicular]) drawLine(context, line, transform, pixel);
}

function drawLine(context: CanvasRenderingContext2D, { ends }: Line, transform: Transform, pixel: number): void {
  const [from, to] = ends.map((end) => pointAt(transform, end));
  context.lineCap = "round";
  for (const [colour, width] of [[COLOURS.shade, 3], [COLOURS.line, 1.25]] as const) {
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.strokeStyle = colour;
    context.lineWidth = width * pixel;
    context.stroke();
  }
}

function drawTools(context: CanvasRenderingContext2D, scene: Scene, transform: Transform, pixel: number): void {
  drawCross(context, scene, transform, pixel);
  context.lineWidth = 1.5 * pixel;
  context.strokeStyle = COLOURS.cross;
  if (scene.brush !== null) {
    const { x, y } = pointAt(transform, scene.brush);
    const millimetres = transform.column / pixelSize(scene.geometry, scene.plane).column;
    const radius = Math.max(scene.brush.radius * millimetres, transform.column / 2);
    context.beginPath();
    context.ellipse(x, y, radius, radius, 0, 0, 2 * Math.PI);
    context.stroke();
  }
  if (scene.lasso.length > 0) {
    context.beginPath();
    scene.lasso.map((point) => pointAt(transform, point)).forEach(({ x, y }, at) => (at === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.stroke();
  }
}

/** Four short arms around the place, so that what lies at it is seen. */
function drawCross(context: CanvasRenderingContext2D, scene: Scene, transform: Transform, pixel: number): void {
  const { x, y } = pointAt(transform, toPlane(scene.geometry, scene.plane, scene.place));
  const [near, far] = scene.isSmall ? [3, 9] : [6, 16];
  context.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + dx * near * pixel, y + dy * near * pixel);
    context.lineTo(x + dx * far * pixel, y + dy * far * pixel);
  }
  context.lineWidth = pixel;
  context.strokeStyle = COLOURS.cross;
  context.stroke();
}

function drawWords(context: CanvasRenderingContext2D, { width, height }: HTMLCanvasElement, scene: Scene, pixel: number): void {
  const margin = (scene.isSmall ? 7 : 12) * pixel;
  const write = writer(context, (scene.isSmall ? 11 : 13) * pixel);
  const sides = sidesOf(scene.plane);
  const isKnown = scene.geometry.hasSides;
  write(scene.scan.sequence.name, margin, margin, "left", "top");
  const slice = scene.place[sliceAxis(scene.plane)] + 1;
  write(`${slice} / ${sliceCount(scene.geometry, scene.plane)}`, width - margin, margin, "right", "top");
  if (isKnown || scene.plane === "sagittal") {
    write(sides.left, margin, height / 2, "left", "middle");
    write(sides.right, width - margin, height / 2, "right", "middle");
  }
  write(sides.top, width / 2, margin, "center", "top");
  write(sides.bottom, width / 2, height - margin, "center", "bottom");
  if (scene.isSmall) return;
  const [low, high] = scene.window;
  write(windowInWords(low, high), margin, height - margin, "left", "bottom");
  if (!isKnown) write("sides not known", width - margin, height - margin, "right", "bottom");
}

/** Width and level; a scan whose intensities lie within a few units has them with decimals. */
export function windowInWords(low: number, high: number): string {
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(high - low || 1)));
  const [width, level] = [high - low, (high + low) / 2].map((value) => value.toFixed(Math.min(decimals, 6)));
  return `W ${width}  L ${level}`;
}

function writer(context: CanvasRenderingContext2D, size: number) {
  context.font = `500 ${size}px system-ui, sans-serif`;
  context.lineJoin = "round";
  return (text: string, x: number, y: number, align: CanvasTextAlign, baseline: CanvasTextBaseline) => {
    context.textAlign = align;
    context.textBaseline = baseline;
    context.strokeStyle = COLOURS.shade;
    context.lineWidth = size / 4;
    context.strokeText(text, x, y);
    context.fillStyle = COLOURS.text;
    context.fillText(text, x, y);
  };
}
