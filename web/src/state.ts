/** The page's state, and how it changes: a pure function of what was and what happened. Voxels are not in it. */

import type { Delivery } from "./outbox";
import type { Queue, QueuedCase } from "./api";
import { clamped, type Geometry, type Place, type Plane, PLANES, sliceAxis } from "./space/geometry";
import type { Point } from "./voxels/lasso";

export type Tool = "look" | "brush" | "erase" | "outline" | "component" | "grow";
export type Overlay = "outline" | "filled" | "hidden";
export type Filter = "open" | "done" | "all";

export const OVERLAYS: readonly Overlay[] = ["outline", "filled", "hidden"];
export const RADII = { least: 0.5, most: 30 } as const;

/** Where in the scan the reader is, and how it is shown. Begins anew with each case. */
export interface View {
  place: Place;
  plane: Plane;
  channel: string;
  /** 1 shows the whole plane. */
  zoom: number;
  /** What lies in the middle of every pane. */
  centre: Place;
  /** Intensities shown as black and white, by channel. */
  windows: Readonly<Record<string, readonly [number, number]>>;
}

/** What the reader chose, kept from case to case. */
export interface Choices {
  tool: Tool;
  /** Millimetres, or pixels where the spacing is not known. */
  radius: number;
  /** Whether the brush is a sphere. */
  solid: boolean;
  /** Of a region grown: share of the window's width; least probability; reach in millimetres. */
  tolerance: number;
  likelihood: number;
  reach: number;
  overlay: Overlay;
  opacity: number;
  showsProbability: boolean;
  showsPrediction: boolean;
  showsDiameters: boolean;
  showsEarlier: boolean;
}

export interface State {
  queue: Queue | null;
  filter: Filter;
  search: string;
  /** The case that the keys of the queue act on. */
  selected: string | null;
  /** The case that is open or being opened, or null in the queue. */
  caseId: string | null;
  geometry: Geometry | null;
  view: View | null;
  choices: Choices;
  /** Counts changes of the mask, so that what shows it is drawn anew. */
  edition: number;
  delivery: Delivery;
  /** Corners of an outline that is being drawn, on the slice in view. */
  lasso: readonly Point[];
  comment: string;
  /** What has just happened, in words; read out by screen readers. */
  message: string;
  /** What went wrong, until it is taken away. */
  problem: { message: string; remedy: string | null } | null;
  showsHelp: boolean;
}

export type Action =
  | { type: "queue"; queue: Queue }
  | { type: "filter"; filter: Filter }
  | { type: "search"; search: string }
  | { type: "select"; id: string }
  | { type: "step"; steps: number }
  | { type: "open"; id: string | null }
  | { type: "opened"; geometry: Geometry; view: View; comment: string }
  | { type: "move"; place: Place }
  | { type: "scroll"; steps: number }
  | { type: "slice"; plane: Plane; slice: number }
  | { type: "plane"; plane: Plane }
  | { type: "channel"; channel: string }
  | { type: "zoom"; factor: number; about?: Place }
  | { type: "pan"; centre: Place }
  | { type: "fit" }
  | { type: "window"; channel: string; window: readonly [number, number] }
  | { type: "choose"; choices: Partial<Choices> }
  | { type: "radius"; steps: number }
  | { type: "edited"; message: string }
  | { type: "lasso"; points: readonly Point[] }
  | { type: "delivery"; delivery: Delivery }
  | { type: "comment"; comment: string }
  | { type: "say"; message: string }
  | { type: "problem"; message: string; remedy: string | null }
  | { type: "dismiss" }
  | { type: "help"; shown: boolean };

export const START: State = {
  queue: null,
  filter: "all",
  search: "",
  selected: null,
  caseId: null,
  geometry: null,
  view: null,
  choices: {
    tool: "look",
    radius: 4,
    solid: false,
    tolerance: 0.12,
    likelihood: 0.1,
    reach: 40,
    overlay: "outline",
    opacity: 0.35,
    showsProbability: false,
    showsPrediction: true,
    showsDiameters: true,
    showsEarlier: false,
  },
  edition: 0,
  delivery: { kind: "saved" },
  lasso: [],
  comment: "",
  message: "",
  problem: null,
  showsHelp: false,
};

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "queue":
      return withQueue(state, action.queue);
    case "filter":
      return selectedAnew({ ...state, filter: action.filter });
    case "search":
      return selectedAnew({ ...state, search: action.search });
    case "select":
      return { ...state, selected: action.id };
    case "step":
      return { ...state, selected: stepped(shownCases(state), state.selected, action.steps) };
    case "open":
      return opening(state, action.id);
    case "opened":
      return { ...state, geometry: action.geometry, view: action.view, comment: action.comment, edition: state.edition + 1 };
    case "choose":
      return { ...state, choices: { ...state.choices, ...action.choices } };
    case "radius":
      return { ...state, choices: { ...state.choices, radius: steppedRadius(state.choices.radius, action.steps) } };
    case "edited":
      return { ...state, edition: state.edition + 1, message: action.message || state.message };
    case "lasso":
      return { ...state, lasso: action.points };
    case "delivery":
      return { ...state, delivery: action.delivery };
    case "comment":
      return { ...state, comment: action.comment };
    case "say":
      return { ...state, message: action.message };
    case "problem":
      return { ...state, problem: { message: action.message, remedy: action.remedy } };
    case "dismiss":
      return { ...state, problem: null };
    case "help":
      return { ...state, showsHelp: action.shown };
    default:
      return state.view === null || state.geometry === null
        ? state
        : viewed(state, reduceView(state.view, state.geometry, action));
  }
}

/** An outline belongs to the slice that it was begun on. */
function viewed(state: State, view: View): State {
  const before = state.view!;
  const isSame = view.plane === before.plane && view.place[sliceAxis(view.plane)] === before.place[sliceAxis(view.plane)];
  return { ...state, view, lasso: isSame ? state.lasso : [] };
}

function reduceView(view: View, geometry: Geometry, action: Action): View {
  switch (action.type) {
    case "move":
      return { ...view, place: clamped(geometry, action.place) };
    case "scroll":
      return atSlice(view, geometry, view.plane, view.place[sliceAxis(view.plane)] + action.steps);
    case "slice":
      return atSlice(view, geometry, action.plane, action.slice);
    case "plane":
      return { ...view, plane: action.plane };
    case "channel":
      return { ...view, channel: action.channel };
    case "zoom":
      return zoomed(view, action.factor, action.about ?? view.centre);
    case "pan":
      return { ...view, centre: action.centre };
    case "fit":
      return { ...view, zoom: 1, centre: middleOf(geometry) };
    case "window":
      return { ...view, windows: { ...view.windows, [action.channel]: action.window } };
    default:
      return view;
  }
}

/** The cases that filter and search leave, in the queue's order. */
export function shownCases({ queue, filter, search }: State): QueuedCase[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return (queue?.cases ?? []).filter(
    (each) => (filter === "all" || (filter === "done") === isDone(each)) && words.every((word) => inWords(each).includes(word)),
  );
}

export function isDone({ state }: QueuedCase): boolean {
  return state !== "new" && state !== "in work";
}

/** The case so many steps away in the whole queue, or null beyond its ends. */
export function neighbour({ queue, caseId }: State, steps: number): string | null {
  const cases = queue?.cases ?? [];
  const at = cases.findIndex(({ id }) => id === caseId);
  return at < 0 ? null : (cases[at + steps]?.id ?? null);
}

/** The middle of a grid. */
export function middleOf({ shape }: Geometry): Place {
  return shape.map((size) => (size - 1) / 2) as unknown as Place;
}

export function nextPlane(plane: Plane, steps: number): Plane {
  return PLANES[(PLANES.indexOf(plane) + steps + PLANES.length) % PLANES.length];
}

function withQueue(state: State, queue: Queue): State {
  return selectedAnew({ ...state, queue });
}

/** Something that is shown is always selected, so that the keys have an object. */
function selectedAnew(state: State): State {
  const shown = shownCases(state);
  if (shown.some(({ id }) => id === state.selected)) return state;
  return { ...state, selected: (shown.find((each) => !isDone(each)) ?? shown[0])?.id ?? null };
}

function opening(state: State, id: string | null): State {
  const cleared = { view: null, geometry: null, delivery: START.delivery, lasso: [], comment: "", message: "", problem: null };
  return { ...state, ...cleared, caseId: id, selected: id ?? state.selected };
}

function stepped(cases: QueuedCase[], selected: string | null, steps: number): string | null {
  const at = cases.findIndex(({ id }) => id === selected);
  return cases[Math.min(Math.max(at + steps, 0), cases.length - 1)]?.id ?? null;
}

function inWords({ patient, state, reader, remarks, comment, presence }: QueuedCase): string {
  return [patient, state, reader, presence, comment, ...remarks].join(" ").toLowerCase();
}

function atSlice(view: View, geometry: Geometry, plane: Plane, slice: number): View {
  const place = [...view.place];
  place[sliceAxis(plane)] = slice;
  return { ...view, place: clamped(geometry, place as unknown as Place) };
}

/** What is zoomed about stays where it is on the screen. */
function zoomed(view: View, factor: number, about: Place): View {
  const zoom = Math.min(Math.max(view.zoom * factor, 1), 16);
  const share = view.zoom / zoom;
  const centre = view.centre.map((value, axis) => about[axis] + (value - about[axis]) * share);
  return { ...view, zoom, centre: centre as unknown as Place };
}

/** Half millimetres for fine brushes, larger steps for large ones. */
function steppedRadius(radius: number, steps: number): number {
  const step = radius + steps * 1e-3 < 3 ? 0.5 : radius < 10 ? 1 : 2;
  return Math.min(Math.max(radius + steps * step, RADII.least), RADII.most);
}
