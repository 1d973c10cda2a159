import { expect, test } from "vitest";
import type { Queue, QueuedCase } from "../src/api";
import { type Action, middleOf, neighbour, reduce, shownCases, START, type State } from "../src/state";
import { hung } from "./support";

function queued(id: string, changes: Partial<QueuedCase> = {}): QueuedCase {
  return {
    id, patient: `patient ${id}`, state: "new", reader: null, seconds: 0, voxels: null, volume_ml: null, expected_dice: null,
    presence: "present", remarks: [], comment: "", thumbnail: "", saving: null, problem: null, ...changes,
  };
}

function queueOf(...cases: QueuedCase[]): Queue {
  return { title: "masks", folder: "/masks", reader: "ann", progress: { done: 0, total: cases.length, seconds_per_case: null, minutes_left: null }, cases };
}

function after(state: State, ...actions: Action[]): State {
  return actions.reduce(reduce, state);
}

const GEOMETRY = hung([10, 20, 30]);
const QUEUE = queueOf(queued("a", { state: "accepted" }), queued("b", { remarks: ["T1 is missing"] }), queued("c"));
const IN_QUEUE = after(START, { type: "queue", queue: QUEUE });
const IN_CASE = after(
  IN_QUEUE,
  { type: "open", id: "b" },
  {
    type: "opened", geometry: GEOMETRY, comment: "",
    view: { place: [5, 10, 15], plane: "axial", channel: "flair", zoom: 1, centre: middleOf(GEOMETRY), windows: { flair: [0, 100], pre: [0, 50] } },
  },
);

test("the first case that is not read is selected", () => {
  expect(IN_QUEUE.selected).toBe("b");
});

test("keys step through the cases and stop at the ends", () => {
  expect(after(IN_QUEUE, { type: "step", steps: 1 }).selected).toBe("c");
  expect(after(IN_QUEUE, { type: "step", steps: 5 }).selected).toBe("c");
  expect(after(IN_QUEUE, { type: "step", steps: -5 }).selected).toBe("a");
});

test("filter and search leave what fits, and select among it", () => {
  const done = after(IN_QUEUE, { type: "filter", filter: "done" });
  expect(shownCases(done).map(({ id }) => id)).toEqual(["a"]);
  expect(done.selected).toBe("a");
  const found = after(IN_QUEUE, { type: "search", search: "t1  MISSING" });
  expect(shownCases(found).map(({ id }) => id)).toEqual(["b"]);
  expect(after(IN_QUEUE, { type: "search", search: "nobody" }).selected).toBeNull();
});

test("neighbours are those of the whole queue", () => {
  expect(neighbour(IN_CASE, 1)).toBe("c");
  expect(neighbour(IN_CASE, -1)).toBe("a");
  expect(neighbour(IN_CASE, 2)).toBeNull();
  expect(neighbour(IN_QUEUE, 1)).toBeNull();
});

test("scrolling follows the plane in view and stays within the scan", () => {
  expect(after(IN_CASE, { type: "scroll", steps: 2 }).view?.place).toEqual([7, 10, 15]);
  expect(after(IN_CASE, { type: "scroll", steps: 99 }).view?.place).toEqual([9, 10, 15]);
  expect(after(IN_CASE, { type: "plane", plane: "sagittal" }, { type: "scroll", steps: -1 }).view?.place).toEqual([5, 10, 14]);
});

test("what is zoomed about stays where it is", () => {
  const { view } = after(IN_CASE, { type: "zoom", factor: 2, about: [5, 0, 0] });
  expect(view?.zoom).toBe(2);
  expect(view?.centre[1]).toBeCloseTo(9.5 / 2);
  const back = after(IN_CASE, { type: "zoom", factor: 2, about: [5, 0, 0] }, { type: "zoom", factor: 0.5, about: [5, 0, 0] });
  expect(back.view).toEqual(after(IN_CASE, { type: "zoom", factor: 1, about: [5, 0, 0] }).view);
  expect(after(IN_CASE, { type: "zoom", factor: 0.1 }).view?.zoom).toBe(1);
});

test("an outline in progress is dropped with its slice, and no sooner", () => {
  const begun = after(IN_CASE, { type: "lasso", points: [{ row: 1, column: 2 }] });
  expect(after(begun, { type: "move", place: [5, 3, 3] }).lasso).toHaveLength(1);
  expect(after(begun, { type: "scroll", steps: 1 }).lasso).toEqual([]);
  expect(after(begun, { type: "plane", plane: "coronal" }).lasso).toEqual([]);
});

test("a window belongs to its sequence", () => {
  expect(after(IN_CASE, { type: "window", channel: "pre", window: [10, 20] }).view?.windows).toEqual({ flair: [0, 100], pre: [10, 20] });
});

test("tools are kept from case to case, the view is not", () => {
  const next = after(IN_CASE, { type: "choose", choices: { tool: "brush", radius: 7 } }, { type: "comment", comment: "look" }, { type: "open", id: "c" });
  expect(next.choices).toMatchObject({ tool: "brush", radius: 7 });
  expect(next.view).toBeNull();
  expect(next.comment).toBe("");
  expect(next.selected).toBe("c");
});

test("the brush grows and shrinks between its limits, and comes back to where it was", () => {
  let state = IN_CASE;
  for (let step = 0; step < 50; step++) state = reduce(state, { type: "radius", steps: 1 });
  expect(state.choices.radius).toBe(30);
  for (let step = 0; step < 80; step++) state = reduce(state, { type: "radius", steps: -1 });
  expect(state.choices.radius).toBe(0.5);
  const there = after(IN_CASE, { type: "radius", steps: 1 }, { type: "radius", steps: -1 });
  expect(there.choices.radius).toBe(IN_CASE.choices.radius);
});

test("nothing of a state is changed in place", () => {
  const frozen = JSON.stringify(IN_CASE);
  after(IN_CASE, { type: "scroll", steps: 1 }, { type: "choose", choices: { tool: "erase" } }, { type: "edited", message: "x" });
  expect(JSON.stringify(IN_CASE)).toBe(frozen);
});
