/** One case that is open: its voxels, its mask as the reader left it, and what changes it. */

import type { Api, CaseInfo, CaseState, Sequence, Voxels } from "./api";
import { type Geometry, geometryOf, indexOf, isInside, type Place, type Plane, planeSlice, sliceAxis, sliceCount } from "./space/geometry";
import { apply, type Change, changeBetween, gainOf, indicesOf, isEmpty, type Mask, maskOf, type Runs, settingOf, type Stretch, stretched } from "./voxels/change";
import { grow, type Growth } from "./voxels/grow";
import { drawn, type History, redone, replayed, type Stroke, undone } from "./voxels/history";
import { interpolated } from "./voxels/interpolate";
import { areasOf, type Areas, Measures, voxelMillilitres } from "./voxels/measure";
import { component, holes } from "./voxels/region";
import { type Probabilities, Threshold, towards } from "./voxels/threshold";
import { voxels as inVoxels } from "./words";

/** The slider's range and steps; a key goes several at once. */
export const THRESHOLDS = { least: 0.01, most: 0.99, step: 0.01, keySteps: 2 } as const;

export interface Scan {
  sequence: Sequence;
  voxels: Voxels;
}

const UNTOUCHED: Stretch = { first: Infinity, end: 0 };

/** Tools that draw a slice by hand. */
const OUTLINING: ReadonlySet<string> = new Set(["brush", "erase", "outline"]);

/** Tools that take what the networks found; all others are the reader's hand. */
const OF_THE_PREDICTION: ReadonlySet<string> = new Set(["threshold", "candidate"]);

/** What the server sent of a case. */
export interface Parts {
  info: CaseInfo;
  flair: Scan;
  /** The other sequences, which come after: a case is open before they are there. */
  others: Promise<Scan[]>;
  probability: Uint8Array | null;
  /** The mask that reading began from; with the log it makes the mask of this revision. */
  prediction: Runs;
  /** What was found and taken for no tumour; then the prediction is empty. */
  candidate: Runs | null;
  log: Stroke[];
  revision: number;
}

/** Fetch a case: what reading begins with first. */
export async function fetchCase(api: Api, id: string): Promise<Parts> {
  const info = await api.info(id);
  const [first, ...rest] = info.sequences;
  const [flair, probability, { strokes, ...mask }] = await Promise.all([
    fetchScan(api, id, first),
    info.probability && api.voxels(id, "probability", info.probability.dtype),
    api.strokes(id),
  ]);
  const others = Promise.all(rest.map((sequence) => fetchScan(api, id, sequence)));
  const log = strokes.map(({ tool, detail, added, removed }) => ({ tool, detail, change: { added, removed } }));
  return { info, flair, others, probability: probability as Uint8Array | null, log, ...mask };
}

async function fetchScan(api: Api, id: string, sequence: Sequence): Promise<Scan> {
  return { sequence, voxels: await api.voxels(id, `sequences/${sequence.channel}`, sequence.dtype) };
}

/** What a stroke does to the mask, to be sent to the server as it is. */
export type Edit = Stroke & { detail: Record<string, unknown> };

export class OpenCase {
  readonly info: CaseInfo;
  readonly geometry: Geometry;
  /** Those that are there, the FLAIR first. */
  scans: readonly Scan[];
  readonly prediction: Mask;
  readonly candidate: Mask | null;
  /** Of the candidate, where there is one. */
  readonly predictedAreas: Areas;
  readonly mask: Mask;
  readonly measures: Measures;
  history: History;
  private readonly probabilities: Probabilities | null;
  private thresholds: Threshold | null = null;
  private before: Mask | null = null;
  /** What the stroke that is being drawn has touched so far. */
  private touched: Stretch = UNTOUCHED;
  /** Where the slider was left; a step of it may change no voxel, and is then no stroke. */
  private position: number | null = null;
  private differs = 0;
  private isTouched = false;

  constructor(parts: Parts) {
    this.info = parts.info;
    this.scans = [parts.flair];
    const { shape, affine, place } = parts.info;
    this.geometry = geometryOf(shape, affine, place);
    const size = shape[0] * shape[1] * shape[2];
    this.prediction = maskOf(parts.prediction, size);
    this.candidate = parts.candidate && maskOf(parts.candidate, size);
    this.predictedAreas = areasOf(indicesOf(parts.candidate ?? parts.prediction), this.geometry);
    this.mask = this.prediction.slice();
    this.measures = new Measures(this.mask, this.geometry, indicesOf(parts.prediction));
    for (const { change } of parts.log) this.change(change);
    this.history = replayed(parts.log);
    const { probability } = parts.info;
    this.probabilities = parts.probability && probability && { voxels: parts.probability, scale: probability.scale };
  }

  /** The tumour's volume in millilitres, or null where the spacing is not known. */
  get millilitres(): number | null {
    const each = voxelMillilitres(this.geometry);
    return each === null ? null : each * this.measures.voxels;
  }

  /** How likely the networks found a voxel, 0 to 1; null where that is not stored. */
  get probability(): ((index: number) => number) | null {
    const stored = this.probabilities;
    return stored && ((index) => stored.voxels[index] * stored.scale);
  }

  /** Where the case stands: a stroke takes a decision back. */
  get state(): CaseState {
    return this.isTouched ? "in work" : this.info.state;
  }

  /** How many voxels are not as predicted. */
  get differing(): number {
    return this.differs;
  }

  /** The middle of the slice on which the tumour is largest, or the candidate; of the scan where there is neither. */
  get start(): Place {
    const isEmptied = this.measures.voxels === 0;
    const areas = isEmptied ? this.predictedAreas : this.measures.areas;
    if (isEmptied && this.candidate === null) return this.geometry.shape.map((size) => Math.floor(size / 2)) as unknown as Place;
    return this.middleOn(areas[0].indexOf(Math.max(...areas[0])), isEmptied ? this.candidate! : this.mask);
  }

  /** The middle of the slice that holds the largest diameters; where there is no tumour, as {@link start}. */
  get largest(): Place {
    const slice = this.measures.largest()?.slice;
    return slice === undefined ? this.start : this.middleOn(slice, this.mask);
  }

  private middleOn(slice: number, mask: Mask): Place {
    const { base, rows, columns, rowStride, columnStride } = planeSlice(this.geometry, "axial", slice);
    let [row, column, count] = [0, 0, 0];
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++)
        if (mask[base + r * rowStride + c * columnStride]) [row, column, count] = [row + r, column + c, count + 1];
    return [slice, Math.round(row / count), Math.round(column / count)];
  }

  /** Whether a stroke has begun and is not finished. */
  get isDrawing(): boolean {
    return this.before !== null;
  }

  /** A stroke of several pieces begins. */
  begin(): void {
    if (this.before !== null) return;
    this.before = this.mask.slice();
    this.touched = UNTOUCHED;
  }

  /** A piece of a stroke, to be seen at once. */
  set(indices: Iterable<number>, value: 0 | 1): void {
    this.change(settingOf(this.mask, indices, value));
  }

  /** The stroke ends; null where it changed nothing. */
  finish(tool: string, detail: Record<string, unknown> = {}): Edit | null {
    const change = this.before === null ? null : changeBetween(this.before, this.mask, this.touched);
    this.before = null;
    return change === null || isEmpty(change) ? null : this.record({ tool, change, detail });
  }

  /** The stroke never was. */
  cancel(): void {
    if (this.before !== null) this.change(changeBetween(this.mask, this.before, this.touched));
    this.before = null;
  }

  undo(): Edit | null {
    return this.step("undo", undone(this.history));
  }

  redo(): Edit | null {
    return this.step("redo", redone(this.history));
  }

  /** Back to the prediction, which can be undone as any stroke. */
  reset(): Edit | null {
    this.position = null;
    return this.whole("reset", changeBetween(this.mask, this.prediction));
  }

  /** Whether there is a candidate that the reader may take. */
  get offersCandidate(): boolean {
    return this.candidate !== null && this.measures.voxels === 0;
  }

  /** What was taken for no tumour is one after all. */
  takeCandidate(): Edit | null {
    return this.candidate && this.whole("candidate", changeBetween(this.mask, this.candidate));
  }

  /** Remove the component at a place, or all others. */
  component(place: Place, keep: boolean): Edit | null {
    if (!isInside(this.geometry, place)) return null;
    const found = component(this.mask, this.geometry.sourceShape, indexOf(this.geometry, place));
    if (found.length === 0) return null;
    if (!keep) return this.whole("component", settingOf(this.mask, found, 0), { keep });
    const kept = new Uint8Array(this.mask.length);
    for (const index of found) kept[index] = 1;
    return this.whole("component", changeBetween(this.mask, kept), { keep });
  }

  /** Fill the holes of one slice of a plane, or of all. */
  fillHoles(plane: Plane, slice: number | null): Edit | null {
    const areas = this.measures.areas[sliceAxis(plane)];
    const slices = slice === null ? [...areas.keys()].filter((index) => areas[index] > 0) : [slice];
    const found = slices.flatMap((index) => holes(this.mask, planeSlice(this.geometry, plane, index)));
    return this.whole("fill", settingOf(this.mask, found, 1), { plane, slice });
  }

  /** What a region grown from a place would hold: flat indices; none from beside the scan. */
  grown(place: Place, channel: string, growth: Growth): number[] {
    if (!isInside(this.geometry, place)) return [];
    const scan = this.scan(channel);
    return grow(scan.voxels, this.probability, this.geometry, place, {
      ...growth,
      tolerance: growth.tolerance / Math.abs(scan.sequence.slope),
    });
  }

  /** Draw the slices between those outlined by hand in this plane. */
  interpolate(plane: Plane): Edit | null {
    const { on, off } = interpolated(this.mask, this.geometry, plane, this.outlined(plane));
    this.begin();
    this.set(on, 1);
    this.set(off, 0);
    return this.finish("interpolate", { plane });
  }

  /** The slices of a plane on which the reader drew by hand, ascending. */
  outlined(plane: Plane): number[] {
    const slices = this.sinceReset()
      .filter(({ tool, detail }) => OUTLINING.has(tool) && detail?.plane === plane && typeof detail.slice === "number")
      .map(({ detail }) => detail?.slice as number);
    return [...new Set(slices)].sort((a, b) => a - b);
  }

  /** Show the outline at another threshold; what was drawn by hand stays. Ends with {@link finish}. */
  preview(threshold: number): void {
    this.position = threshold;
    const outlines = this.outlines();
    const { on, off } = towards(this.mask, outlines.at(threshold), outlines.reach, this.byHand());
    this.begin();
    this.set(on, 1);
    this.set(off, 0);
  }

  /** The threshold that the outline stands at, or null without probabilities. */
  get threshold(): number | null {
    if (this.probabilities === null || this.position !== null) return this.position;
    const last = this.sinceReset().findLast(({ tool }) => tool === "threshold");
    return typeof last?.detail?.threshold === "number" ? last.detail.threshold : this.ownThreshold;
  }

  /** The threshold of the prediction. */
  get ownThreshold(): number {
    return this.info.threshold ?? 0.5;
  }

  /** A sequence; the FLAIR in place of one that is not there. */
  scan(channel: string): Scan {
    return this.scans.find(({ sequence }) => sequence.channel === channel) ?? this.scans[0];
  }

  /** The first and the last slice of a plane that hold tumour; of the scan where there is none. */
  tumourEnds(plane: Plane): [number, number] {
    const areas = this.measures.areas[sliceAxis(plane)];
    const first = areas.findIndex((area) => area > 0);
    return first < 0 ? [0, sliceCount(this.geometry, plane) - 1] : [first, areas.findLastIndex((area) => area > 0)];
  }

  /** The outline at every threshold, of the candidate once it is taken. */
  private outlines(): Threshold {
    const isTaken = this.sinceReset().some(({ tool }) => tool === "candidate");
    const base = isTaken ? this.candidate! : this.prediction;
    if (this.thresholds?.base !== base) {
      const lowest = Math.min(THRESHOLDS.least, this.ownThreshold);
      this.thresholds = new Threshold(this.probabilities!, base, this.geometry.sourceShape, this.ownThreshold, lowest);
    }
    return this.thresholds;
  }

  private byHand(): Set<number> {
    const strokes = this.sinceReset().filter(({ tool }) => !OF_THE_PREDICTION.has(tool));
    return new Set(strokes.flatMap(({ change }) => [change.added, change.removed].flatMap((runs) => [...indicesOf(runs)])));
  }

  private sinceReset(): readonly Stroke[] {
    const { done } = this.history;
    return done.slice(done.findLastIndex(({ tool }) => tool === "reset") + 1);
  }

  private whole(tool: string, change: Change, detail: Record<string, unknown> = {}): Edit | null {
    if (isEmpty(change)) return null;
    this.change(change);
    return this.record({ tool, change, detail });
  }

  private step(tool: string, step: { history: History; change: Change } | null): Edit | null {
    if (step === null) return null;
    this.position = null;
    this.change(step.change);
    this.history = step.history;
    this.isTouched = true;
    return { tool, change: step.change, detail: {} };
  }

  private record(edit: Edit): Edit {
    this.history = drawn(this.history, edit);
    this.isTouched = true;
    return edit;
  }

  private change(change: Change): void {
    apply(this.mask, change);
    this.touched = stretched(this.touched, change);
    this.measures.changed(change);
    for (const [side, value] of [["added", 1], ["removed", 0]] as const)
      for (const index of indicesOf(change[side])) this.differs += this.prediction[index] === value ? -1 : 1;
  }
}

/** How many voxels an edit added or took, in words. */
export function inWords({ change }: Edit): string {
  const gain = gainOf(change);
  return `${gain < 0 ? "−" : "+"}${inVoxels(Math.abs(gain))}`;
}
