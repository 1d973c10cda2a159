import { expect, test } from "vitest";
import { CASE_KEYS, commandOf, keyOf, nameOf, QUEUE_KEYS } from "../src/keys";

const press = (key: string, { shift = false, ctrl = false } = {}) => nameOf({ key, shiftKey: shift, ctrlKey: ctrl, metaKey: false });

test("no key has two meanings", () => {
  for (const groups of [CASE_KEYS, QUEUE_KEYS]) {
    const names = groups.flatMap(({ keys }) => keys.flatMap((key) => key.keys));
    expect(new Set(names).size).toBe(names.length);
  }
});

test("letters with and without Shift and Ctrl", () => {
  expect(commandOf(CASE_KEYS, press("z"))).toBe("zoom-in");
  expect(commandOf(CASE_KEYS, press("Z", { shift: true }))).toBe("zoom-out");
  expect(commandOf(CASE_KEYS, press("z", { ctrl: true }))).toBe("undo");
  expect(commandOf(CASE_KEYS, press("Z", { ctrl: true, shift: true }))).toBe("redo");
  expect(commandOf(CASE_KEYS, press("Z"))).toBe("zoom-in");
});

test("signs that need Shift on some keyboards and not on others", () => {
  expect(commandOf(CASE_KEYS, press("?", { shift: true }))).toBe("help");
  expect(commandOf(CASE_KEYS, press("+", { shift: true }))).toBe("higher");
  expect(commandOf(CASE_KEYS, press("/", { shift: true }))).toBe("comment");
});

test("arrows with Shift go farther, Space with Shift does the other thing", () => {
  expect(commandOf(CASE_KEYS, press("ArrowLeft", { shift: true }))).toBe("far-left");
  expect(commandOf(CASE_KEYS, press(" ", { shift: true }))).toBe("apply-other");
});

test("other keys are left to the browser", () => {
  expect(commandOf(CASE_KEYS, press("F5"))).toBeNull();
  expect(commandOf(CASE_KEYS, press("r", { ctrl: true }))).toBeNull();
});

test("keys are shown as they stand on the keyboard", () => {
  expect(keyOf("brush")).toBe("B");
  expect(keyOf("apply")).toBe("Space");
  expect(keyOf("solid")).toBe("⇧B");
});
