/** What each key does. */

import type { Desk } from "./desk";
import type { Command } from "./keys";
import { fromPlane, type Plane, sliceAxis, toPlane } from "./space/geometry";
import { type Choices, OVERLAYS, shownCases, type Tool } from "./state";
import { applyAtCross, finishOutline, sliceInView, stepThreshold } from "./tools";

/** Steps through a slice of the window's width for brighter, darker, harder and softer. */
const WINDOW_STEP = 0.1;

type Act = (desk: Desk) => void;

const choose = (choices: (now: Choices) => Partial<Choices>): Act => (desk) =>
  desk.dispatch({ type: "choose", choices: choices(desk.state.choices) });
const take = (tool: Tool): Act => choose(() => ({ tool }));
const scroll = (steps: number): Act => (desk) => desk.dispatch({ type: "scroll", steps });
const turn = (plane: Plane): Act => (desk) => desk.dispatch({ type: "plane", plane });

const IN_QUEUE: Partial<Record<Command, Act>> = {
  "next-row": (desk) => desk.dispatch({ type: "step", steps: 1 }),
  "previous-row": (desk) => desk.dispatch({ type: "step", steps: -1 }),
  open: (desk) => shownCases(desk.state).some(({ id }) => id === desk.state.selected) && desk.goTo(desk.state.selected),
  search: () => document.getElementById("search")?.focus(),
  help: (desk) => desk.dispatch({ type: "help", shown: true }),
};

const IN_CASE: Partial<Record<Command, Act>> = {
  help: (desk) => desk.dispatch({ type: "help", shown: true }),
  "next-case": (desk) => desk.goToNeighbour(1),
  "previous-case": (desk) => desk.goToNeighbour(-1),
  queue: (desk) => desk.goTo(null),
  escape,
  accept: (desk) => void desk.decide("accepted"),
  reject: (desk) => void desk.decide("rejected"),
  unsure: (desk) => void desk.decide("unsure"),
  comment: () => document.getElementById("comment")?.focus(),
  "slice-up": scroll(1),
  "slice-down": scroll(-1),
  "first-slice": (desk) => toSlice(desk, desk.open!.tumourEnds(desk.state.view!.plane)[0]),
  "last-slice": (desk) => toSlice(desk, desk.open!.tumourEnds(desk.state.view!.plane)[1]),
  "largest-slice": (desk) => desk.dispatch({ type: "move", place: desk.open!.largest }),
  left: step(0, -1),
  right: step(0, 1),
  up: step(-1, 0),
  down: step(1, 0),
  "far-left": step(0, -10),
  "far-right": step(0, 10),
  "far-up": step(-10, 0),
  "far-down": step(10, 0),
  axial: turn("axial"),
  coronal: turn("coronal"),
  sagittal: turn("sagittal"),
  sequence: nextSequence,
  "zoom-in": (desk) => desk.dispatch({ type: "zoom", factor: 1.25, about: desk.state.view!.place }),
  "zoom-out": (desk) => desk.dispatch({ type: "zoom", factor: 0.8, about: desk.state.view!.place }),
  fit: (desk) => desk.dispatch({ type: "fit" }),
  brighter: (desk) => rewindow(desk, (low, high) => shifted(low, high, -WINDOW_STEP)),
  darker: (desk) => rewindow(desk, (low, high) => shifted(low, high, WINDOW_STEP)),
  harder: (desk) => rewindow(desk, (low, high) => widened(low, high, 1 - WINDOW_STEP)),
  softer: (desk) => rewindow(desk, (low, high) => widened(low, high, 1 + WINDOW_STEP)),
  window: (desk) => rewindow(desk, () => desk.open!.scan(desk.state.view!.channel).sequence.window),
  overlay: choose(({ overlay }) => ({ overlay: OVERLAYS[(OVERLAYS.indexOf(overlay) + 1) % OVERLAYS.length] })),
  probability: choose(({ showsProbability }) => ({ showsProbability: !showsProbability })),
  prediction: choose(({ showsPrediction }) => ({ showsPrediction: !showsPrediction })),
  diameters: choose(({ showsDiameters }) => ({ showsDiameters: !showsDiameters })),
  earlier: (desk) => void desk.toggleEarlier(),
  look: take("look"),
  brush: take("brush"),
  erase: take("erase"),
  outline: take("outline"),
  component: take("component"),
  grow: take("grow"),
  smaller: (desk) => desk.dispatch({ type: "radius", steps: -1 }),
  larger: (desk) => desk.dispatch({ type: "radius", steps: 1 }),
  solid: choose(({ solid }) => ({ solid: !solid })),
  apply: (desk) => applyAtCross(desk, false),
  "apply-other": (desk) => applyAtCross(desk, true),
  "close-outline": (desk) => finishOutline(desk, desk.state.lasso),
  fill: (desk) => desk.mayDraw() && desk.commit(desk.open!.fillHoles(desk.state.view!.plane, sliceInView(desk))),
  "fill-all": (desk) => desk.mayDraw() && desk.commit(desk.open!.fillHoles(desk.state.view!.plane, null)),
  interpolate,
  lower: (desk) => stepThreshold(desk, -1),
  higher: (desk) => stepThreshold(desk, 1),
  undo: (desk) => desk.mayDraw() && desk.commit(desk.open!.undo(), "Undone"),
  redo: (desk) => desk.mayDraw() && desk.commit(desk.open!.redo(), "Done again"),
  candidate: (desk) => desk.mayDraw() && desk.commit(desk.open!.takeCandidate(), "Candidate taken"),
  reset: (desk) => desk.mayDraw() && desk.commit(desk.open!.reset(), "Back to the prediction"),
};

/** Do what a command says, where it has a meaning; while a stroke is being drawn, nothing. */
export function run(desk: Desk, command: Command): void {
  if (desk.open?.isDrawing) return;
  const isOpen = desk.state.caseId !== null;
  const act = (isOpen ? IN_CASE : IN_QUEUE)[command];
  const needsVoxels = isOpen && !WITHOUT_VOXELS.has(command);
  if (act !== undefined && !(needsVoxels && desk.open === null)) act(desk);
}

const WITHOUT_VOXELS: ReadonlySet<Command> = new Set(["help", "next-case", "previous-case", "queue", "escape"]);

function escape(desk: Desk): void {
  if (desk.state.lasso.length > 0) return desk.dispatch({ type: "lasso", points: [] });
  if (desk.state.choices.tool !== "look") return desk.dispatch({ type: "choose", choices: { tool: "look" } });
  desk.goTo(null);
}

function interpolate(desk: Desk): void {
  const { plane } = desk.state.view!;
  if (desk.open!.outlined(plane).length < 2) {
    const message = "Draw on two slices or more first; those between them are then filled.";
    return desk.dispatch({ type: "say", message });
  }
  if (desk.mayDraw()) desk.commit(desk.open!.interpolate(plane));
}

function toSlice(desk: Desk, slice: number): void {
  desk.dispatch({ type: "slice", plane: desk.state.view!.plane, slice });
}

function step(rows: number, columns: number): Act {
  return (desk) => {
    const [{ geometry }, { plane, place }] = [desk.open!, desk.state.view!];
    const { row, column } = toPlane(geometry, plane, place);
    const slice = place[sliceAxis(plane)];
    desk.dispatch({ type: "move", place: fromPlane(geometry, plane, slice, row + rows, column + columns) });
  };
}

function nextSequence(desk: Desk): void {
  const channels = desk.open!.scans.map(({ sequence }) => sequence.channel);
  desk.dispatch({ type: "channel", channel: channels[(channels.indexOf(desk.state.view!.channel) + 1) % channels.length] });
}

function rewindow(desk: Desk, change: (low: number, high: number) => readonly [number, number]): void {
  const { channel, windows } = desk.state.view!;
  desk.dispatch({ type: "window", channel, window: change(...windows[channel]) });
}

/** A window moved by a share of its width. */
export function shifted(low: number, high: number, share: number): readonly [number, number] {
  return [low + share * (high - low), high + share * (high - low)];
}

/** A window wider about its middle. */
export function widened(low: number, high: number, factor: number): readonly [number, number] {
  const [middle, half] = [(low + high) / 2, ((high - low) / 2) * factor];
  return [middle - half, middle + half];
}
