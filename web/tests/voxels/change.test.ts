import { expect, test } from "vitest";
import { apply, changeBetween, changedVoxels, countOf, gainOf, indicesOf, inverse, isEmpty, joined, runsOf, settingOf } from "../../src/voxels/change";
import { chance } from "../support";

function randomMask(random: () => number, length = 300): Uint8Array {
  return Uint8Array.from({ length }, () => (random() < 0.5 ? 1 : 0));
}

test("runs of indices in any order", () => {
  expect(runsOf([7, 3, 4, 5, 9, 4])).toEqual([3, 3, 7, 1, 9, 1]);
  expect(runsOf([])).toEqual([]);
  expect(runsOf([0])).toEqual([0, 1]);
});

test("runs lead back to their indices", () => {
  expect([...indicesOf([3, 3, 7, 1])]).toEqual([3, 4, 5, 7]);
  expect(countOf([3, 3, 7, 1])).toBe(4);
});

test("a change between masks: one run ends where another of the same kind begins", () => {
  const before = Uint8Array.from([0, 0, 1, 1, 0, 0, 1]);
  const after = Uint8Array.from([1, 1, 0, 0, 1, 0, 1]);
  expect(changeBetween(before, after)).toEqual({ added: [0, 2, 4, 1], removed: [2, 2] });
});

test("any change leads from one mask to the other, and its inverse back", () => {
  const random = chance(1);
  for (let round = 0; round < 50; round++) {
    const [before, after] = [randomMask(random), randomMask(random)];
    const change = changeBetween(before, after);
    const mask = before.slice();
    apply(mask, change);
    expect(mask).toEqual(after);
    apply(mask, inverse(change));
    expect(mask).toEqual(before);
    expect(gainOf(change)).toBe(countOf(changeBetween(new Uint8Array(300), after).added) - before.filter(Boolean).length);
  }
});

test("setting voxels leaves out those that are so already", () => {
  const mask = Uint8Array.from([1, 0, 0, 1]);
  expect(settingOf(mask, [0, 1, 2], 1)).toEqual({ added: [1, 2], removed: [] });
  expect(settingOf(mask, [0, 1, 2], 0)).toEqual({ added: [], removed: [0, 1] });
  expect(isEmpty(settingOf(mask, [0, 3], 1))).toBe(true);
});

test("the pieces of a stroke become one", () => {
  const one = joined([{ added: [4, 2], removed: [] }, { added: [2, 2, 9, 1], removed: [] }]);
  expect(one).toEqual({ added: [2, 4, 9, 1], removed: [] });
  expect(changedVoxels(one)).toBe(5);
});
