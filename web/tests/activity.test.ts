import { expect, test } from "vitest";
import { Activity, IDLE_SECONDS } from "../src/activity";

function clock() {
  let time = 0;
  const activity = new Activity(() => time * 1000);
  return { activity, pass: (seconds: number) => (time += seconds) };
}

test("time between signs of the reader counts", () => {
  const { activity, pass } = clock();
  for (let sign = 0; sign < 10; sign++) {
    pass(3);
    activity.seen();
  }
  expect(activity.taken()).toBe(30);
  expect(activity.taken()).toBe(0);
});

test("of a long pause only the beginning counts", () => {
  const { activity, pass } = clock();
  pass(3600);
  activity.seen();
  pass(5);
  expect(activity.taken()).toBe(IDLE_SECONDS + 5);
});

test("what passes out of sight does not count", () => {
  const { activity, pass } = clock();
  pass(4);
  activity.left();
  pass(20);
  expect(activity.taken()).toBe(4);
  pass(20);
  activity.returned();
  pass(2);
  expect(activity.taken()).toBe(2);
});
