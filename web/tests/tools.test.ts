import { expect, test } from "vitest";
import { shifted, widened } from "../src/commands";
import { snapped } from "../src/tools";

test("the slider comes back to the very threshold of the prediction", () => {
  expect(snapped(0.43, 0.4325)).toBe(0.4325);
  expect(snapped(0.44, 0.4325)).toBe(0.44);
  expect(snapped(0.7 + 0.1, 0.5)).toBe(0.8);
});

test("the slider stays within its range", () => {
  expect([snapped(-1, 0.5), snapped(2, 0.5)]).toEqual([0.01, 0.99]);
});

test("a window is moved without changing its width, and widened about its middle", () => {
  expect(shifted(100, 200, 0.5)).toEqual([150, 250]);
  expect(widened(100, 200, 2)).toEqual([50, 250]);
});
