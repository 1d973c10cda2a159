/** What the tools do at a place of the scan, whether a pointer or the keyboard put it there. */

import { THRESHOLDS } from "./case";
import type { Desk } from "./desk";
import { indexOf, fromPlane, type Place, planeSlice, sliceAxis, toPlane } from "./space/geometry";
import { sweep } from "./voxels/brush";
import { pixelsWithin, type Point } from "./voxels/lasso";

/** The slice in view. */
export function sliceInView({ state }: Desk): number {
  const { plane, place } = state.view!;
  return place[sliceAxis(plane)];
}

/** Paint or erase from one place to another, as a piece of a stroke. */
export function paint(desk: Desk, from: Place, to: Place, tool: "brush" | "erase"): void {
  const { view, choices } = desk.state;
  const brush = { radius: choices.radius, plane: choices.solid ? null : view!.plane };
  desk.open!.begin();
  desk.open!.set(sweep(desk.open!.geometry, from, to, brush), tool === "brush" ? 1 : 0);
  desk.dispatch({ type: "edited", message: "" });
}

export function finishPainting(desk: Desk, tool: "brush" | "erase"): void {
  const { view, choices } = desk.state;
  const where = choices.solid ? { solid: true } : { plane: view!.plane, slice: sliceInView(desk) };
  const edit = desk.open!.finish(tool, { radius: choices.radius, ...where });
  if (edit !== null) desk.commit(edit);
}

/** Fill an outline drawn by hand, or clear it; fewer than three corners are none. */
export function finishOutline(desk: Desk, points: readonly Point[], value: 0 | 1 = 1): void {
  desk.dispatch({ type: "lasso", points: [] });
  if (points.length < 3 || !desk.mayDraw()) return;
  const [open, { plane }, slice] = [desk.open!, desk.state.view!, sliceInView(desk)];
  const { rows, columns } = planeSlice(open.geometry, plane, slice);
  const pixels = pixelsWithin(points, rows, columns);
  open.begin();
  open.set(pixels.map(({ row, column }) => indexOf(open.geometry, fromPlane(open.geometry, plane, slice, row, column))), value);
  desk.commit(open.finish("outline", { plane, slice, value }));
}

/** Show the region that grows from a place, as a stroke that is not finished. */
export function showGrown(desk: Desk, place: Place, tolerance: number): void {
  const { view, choices } = desk.state;
  const [low, high] = view!.windows[view!.channel];
  const growth = { tolerance: tolerance * (high - low), probability: choices.likelihood, reach: choices.reach };
  desk.open!.cancel();
  desk.open!.begin();
  desk.open!.set(desk.open!.grown(place, view!.channel, growth), 1);
  desk.dispatch({ type: "choose", choices: { tolerance } });
  desk.dispatch({ type: "edited", message: "" });
}

export function finishGrowing(desk: Desk): void {
  const { choices, view } = desk.state;
  const { tolerance, likelihood, reach } = choices;
  desk.commit(desk.open!.finish("grow", { tolerance, likelihood, reach, channel: view!.channel }));
}

/** Remove the piece at a place, or keep it alone. */
export function useComponent(desk: Desk, place: Place, keep: boolean): void {
  if (desk.mayDraw()) desk.commit(desk.open!.component(place, keep));
}

/** Use the tool in hand at the cross. */
export function applyAtCross(desk: Desk, other: boolean): void {
  const { choices, view, lasso } = desk.state;
  if (choices.tool === "outline") {
    const point = toPlane(desk.open!.geometry, view!.plane, view!.place);
    return desk.dispatch({ type: "lasso", points: [...lasso, point] });
  }
  if (choices.tool === "component") return useComponent(desk, view!.place, other);
  if (choices.tool === "look" || !desk.mayDraw()) return;
  if (choices.tool === "grow") {
    showGrown(desk, view!.place, choices.tolerance);
    return finishGrowing(desk);
  }
  paint(desk, view!.place, view!.place, choices.tool);
  finishPainting(desk, choices.tool);
}

/** Show the outline at a threshold, as a stroke that is not finished. */
export function showThreshold(desk: Desk, threshold: number): void {
  desk.open!.preview(threshold);
  desk.dispatch({ type: "edited", message: "" });
}

export function finishThreshold(desk: Desk, threshold: number): void {
  const edit = desk.open!.finish("threshold", { threshold });
  if (edit !== null) desk.commit(edit, `Threshold ${threshold.toFixed(2)}`);
}

/** Move the threshold by steps of the slider. */
export function stepThreshold(desk: Desk, steps: number): void {
  const now = desk.open!.threshold;
  if (now === null) return desk.dispatch({ type: "say", message: desk.open!.info.no_probability ?? "No probabilities are stored." });
  if (!desk.mayDraw()) return;
  const wanted = snapped(now + steps * THRESHOLDS.keySteps * THRESHOLDS.step, desk.open!.ownThreshold);
  showThreshold(desk, wanted);
  finishThreshold(desk, wanted);
}

/** A position of the slider; next to the prediction's own threshold it is that, so that one always comes back to it. */
export function snapped(threshold: number, own: number): number {
  if (Math.abs(threshold - own) < THRESHOLDS.step / 2) return own;
  const nearest = Number((Math.round(threshold / THRESHOLDS.step) * THRESHOLDS.step).toFixed(2));
  return Math.min(Math.max(nearest, THRESHOLDS.least), THRESHOLDS.most);
}
