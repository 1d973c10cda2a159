import { expect, test } from "vitest";
import { apply, settingOf } from "../../src/voxels/change";
import { drawn, EMPTY, type History, redone, replayed, type Stroke, undone } from "../../src/voxels/history";
import { chance } from "../support";

function strokes(count: number, mask: Uint8Array): Stroke[] {
  const random = chance(2);
  return Array.from({ length: count }, () => {
    const indices = Array.from({ length: 5 }, () => Math.floor(random() * mask.length));
    const stroke = { tool: "brush", change: settingOf(mask, indices, random() < 0.6 ? 1 : 0) };
    apply(mask, stroke.change);
    return stroke;
  });
}

test("250 strokes are undone one by one to the first mask and redone to the last", () => {
  const mask = new Uint8Array(100);
  const states = [mask.slice()];
  let history: History = EMPTY;
  for (const stroke of strokes(250, mask.slice())) {
    apply(mask, stroke.change);
    history = drawn(history, stroke);
    states.push(mask.slice());
  }
  for (let at = 249; at >= 0; at--) {
    const step = undone(history)!;
    apply(mask, step.change);
    history = step.history;
    expect(mask).toEqual(states[at]);
  }
  expect(undone(history)).toBeNull();
  for (let at = 1; at <= 250; at++) {
    const step = redone(history)!;
    apply(mask, step.change);
    history = step.history;
    expect(mask).toEqual(states[at]);
  }
  expect(redone(history)).toBeNull();
});

test("a new stroke forgets what was undone", () => {
  const [first, second] = strokes(2, new Uint8Array(50));
  const back = undone(drawn(EMPTY, first))!.history;
  expect(redone(drawn(back, second))).toBeNull();
});

test("a log with undo and redo leads to the history that wrote it", () => {
  const [a, b, c] = strokes(3, new Uint8Array(50));
  const step = (tool: string): Stroke => ({ tool, change: { added: [], removed: [] } });
  expect(replayed([a, b, step("undo"), step("undo"), step("redo")])).toEqual({ done: [a], undone: [b] });
  expect(replayed([a, b, step("undo"), c])).toEqual({ done: [a, c], undone: [] });
  expect(replayed([step("undo")])).toEqual(EMPTY);
});
