import { expect, test } from "vitest";
import { type CaseInfo } from "../src/api";
import { OpenCase, type Parts } from "../src/case";
import { apply, runsOf } from "../src/voxels/change";
import type { Stroke } from "../src/voxels/history";
import { drawn, images, voxelsOf } from "./support";

const SHAPE = [5, 4, 6] as const;
const EMPTY = ["......", "......", "......", "......"];
const BLOCK = ["......", ".##...", ".##...", "......"];
const PREDICTION = drawn(EMPTY, BLOCK, BLOCK, BLOCK, EMPTY);

function open(changes: Partial<Parts> = {}, probability: number[] | null = null): OpenCase {
  const info: CaseInfo = {
    id: "a", patient: "A", shape: SHAPE, place: "told", affine: [[0, 0, -2, 0], [0, -2, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1]],
    sequences: [{ channel: "flair", name: "FLAIR", dtype: "uint8", slope: 1, intercept: 0, window: [0, 255], copy_of_flair: false }],
    probability: probability && { dtype: "uint8", scale: 0.01 }, no_probability: null, threshold: 0.5, revision: 0, state: "new", comment: "",
    reader: null, expected_dice: null, presence: "present", remarks: [], earlier: null, next: null, labels: { prediction: "prediction" },
  };
  return new OpenCase({
    info, flair: { sequence: info.sequences[0], voxels: new Uint8Array(120) }, others: Promise.resolve([]), probability: probability && Uint8Array.from(probability),
    prediction: runsOf(voxelsOf(PREDICTION)), candidate: null, revision: 0, log: [], ...changes,
  });
}

const PROBABILITY = [...PREDICTION].map((voxel, index) => (voxel ? 60 + (index % 7) : index % 4 === 0 ? 30 : 5));

test("measures follow a stroke of several pieces", () => {
  const one = open();
  expect(one.millilitres).toBeCloseTo(12 * 0.02);
  one.begin();
  one.set([0, 1], 1);
  one.set([1, 2], 1);
  expect(one.measures.voxels).toBe(15);
  const edit = one.finish("brush", { plane: "axial", slice: 0 });
  expect(edit?.change).toEqual({ added: [0, 3], removed: [] });
  expect(one.differing).toBe(3);
});

test("a stroke that changes nothing is none, and one that is cancelled never was", () => {
  const one = open();
  one.begin();
  expect(one.finish("brush")).toBeNull();
  one.begin();
  one.set([0, 1, 2], 1);
  one.cancel();
  expect(one.mask).toEqual(PREDICTION);
  expect(one.history.done).toEqual([]);
  expect(one.isDrawing).toBe(false);
});

test("back to the prediction can itself be undone", () => {
  const one = open();
  one.begin();
  one.set([5, 40, 41], 1);
  one.finish("brush");
  const drawnOn = one.mask.slice();
  one.reset();
  expect(one.mask).toEqual(PREDICTION);
  expect(one.differing).toBe(0);
  one.undo();
  expect(one.mask).toEqual(drawnOn);
});

test("every edit is what the server must do to its own mask", () => {
  const one = open({}, PROBABILITY);
  const stored = PREDICTION.slice();
  const edits = [
    () => one.fillHoles("axial", null),
    () => (one.preview(0.2), one.finish("threshold", { threshold: 0.2 })),
    () => (one.begin(), one.set([0, 1, 2, 70], 1), one.finish("brush", { plane: "axial", slice: 0 })),
    () => one.component([0, 0, 0], true),
    () => one.undo(), () => one.undo(), () => one.redo(), () => one.reset(), () => one.undo(),
  ];
  for (const edit of edits) {
    const { change } = edit() ?? { change: { added: [], removed: [] } };
    apply(stored, change);
    expect(stored).toEqual(one.mask);
  }
});

test("the threshold moves everything but what was drawn by hand, and comes back exactly", () => {
  const one = open({}, PROBABILITY);
  one.begin();
  one.set([0], 1);
  one.finish("brush", { plane: "axial", slice: 0 });
  one.preview(0.64);
  one.finish("threshold", { threshold: 0.64 });
  expect(one.threshold).toBe(0.64);
  expect(one.mask[0]).toBe(1);
  expect(one.measures.voxels).toBeLessThan(12);
  one.preview(0.5);
  one.finish("threshold", { threshold: 0.5 });
  expect(one.differing).toBe(1);
  one.undo();
  expect(one.threshold).toBe(0.64);
});

test("the slider stays where it was put although no voxel changed, until undo takes it back", () => {
  const one = open({}, PROBABILITY);
  one.preview(0.49);
  expect(one.finish("threshold", { threshold: 0.49 })).toBeNull();
  expect(one.threshold).toBe(0.49);
  one.preview(0.2);
  one.finish("threshold", { threshold: 0.2 });
  one.undo();
  expect(one.threshold).toBe(0.5);
});

test("slices drawn by hand in the plane are filled between, those of a sphere are not outlined", () => {
  const one = open({ prediction: [] });
  const draw = (slice: number, detail: Record<string, unknown>) => {
    one.begin();
    one.set([7, 8, 13, 14].map((pixel) => slice * 24 + pixel), 1);
    one.finish("brush", detail);
  };
  draw(0, { plane: "axial", slice: 0 });
  draw(2, { solid: true });
  draw(3, { plane: "axial", slice: 3 });
  expect(one.outlined("axial")).toEqual([0, 3]);
  expect(one.outlined("coronal")).toEqual([]);
  one.interpolate("axial");
  expect(images(one.mask, SHAPE)).toEqual([BLOCK, BLOCK, BLOCK, BLOCK, EMPTY]);
});

test("what was taken for no tumour can be taken, moved by the threshold, and left again", () => {
  const one = open({ prediction: [], candidate: runsOf(voxelsOf(PREDICTION)) }, PROBABILITY);
  expect([one.offersCandidate, one.measures.voxels, one.start]).toEqual([true, 0, [1, 2, 2]]);
  expect(one.takeCandidate()!.change).toEqual({ added: runsOf(voxelsOf(PREDICTION)), removed: [] });
  expect([one.offersCandidate, one.measures.voxels]).toEqual([false, 12]);
  one.preview(0.64);
  one.finish("threshold", { threshold: 0.64 });
  expect(voxelsOf(one.mask)).toEqual(voxelsOf(PREDICTION).filter((index) => PROBABILITY[index] >= 64));
  one.undo();
  one.undo();
  expect([one.offersCandidate, one.measures.voxels]).toEqual([true, 0]);
});

test("beside the scan there is no piece to remove and nothing to grow from", () => {
  const one = open();
  expect(one.component([1, -1, 2], false)).toBeNull();
  expect(one.component([1, 2, 6], false)).toBeNull();
  expect(one.grown([9, 0, 0], "flair", { tolerance: 1, probability: 0, reach: 10 })).toEqual([]);
  expect(one.grown([1, 1, 1], "flair", { tolerance: 1, probability: 0, reach: 2 })).not.toEqual([]);
});

test("a case opens where its tumour is largest, an empty one in the middle", () => {
  expect(open().start).toEqual([1, 2, 2]);
  expect(open({ prediction: [] }).start).toEqual([2, 2, 3]);
  expect(open().tumourEnds("axial")).toEqual([1, 3]);
  expect(open().tumourEnds("sagittal")).toEqual([1, 2]);
});

test("after a reload the strokes of before can still be undone", () => {
  const log: Stroke[] = [{ tool: "brush", detail: { plane: "axial", slice: 0 }, change: { added: [0, 1], removed: [] } }];
  const one = open({ log });
  expect(one.differing).toBe(1);
  one.undo();
  expect(one.mask).toEqual(PREDICTION);
  expect(one.undo()).toBeNull();
});
