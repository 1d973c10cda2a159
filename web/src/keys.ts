/** Every key, in one table: the page obeys it, and its help shows it. */

export type Command =
  | "help"
  | "next-row" | "previous-row" | "open" | "search"
  | "next-case" | "previous-case" | "queue"
  | "slice-down" | "slice-up" | "first-slice" | "last-slice" | "largest-slice"
  | "left" | "right" | "up" | "down" | "far-left" | "far-right" | "far-up" | "far-down"
  | "axial" | "coronal" | "sagittal" | "sequence" | "zoom-in" | "zoom-out" | "fit"
  | "brighter" | "darker" | "harder" | "softer" | "window"
  | "overlay" | "probability" | "prediction" | "diameters" | "earlier"
  | "look" | "brush" | "erase" | "outline" | "component" | "grow"
  | "smaller" | "larger" | "solid" | "apply" | "apply-other" | "close-outline"
  | "fill" | "fill-all" | "interpolate" | "lower" | "higher" | "candidate"
  | "undo" | "redo" | "reset"
  | "accept" | "reject" | "unsure" | "comment" | "escape";

export interface Key {
  command: Command;
  /** As the browser names them, with `Ctrl+` and `Shift+` before. */
  keys: readonly string[];
  says: string;
}

export interface Group {
  name: string;
  keys: readonly Key[];
}

export const QUEUE_KEYS: readonly Group[] = [
  {
    name: "Queue",
    keys: [
      { command: "next-row", keys: ["j", "ArrowDown"], says: "next case" },
      { command: "previous-row", keys: ["k", "ArrowUp"], says: "case before" },
      { command: "open", keys: ["Enter", "n"], says: "open it" },
      { command: "search", keys: ["/"], says: "search" },
      { command: "help", keys: ["?"], says: "this help" },
    ],
  },
];

export const CASE_KEYS: readonly Group[] = [
  {
    name: "Cases",
    keys: [
      { command: "next-case", keys: ["n"], says: "next case" },
      { command: "previous-case", keys: ["p"], says: "case before" },
      { command: "escape", keys: ["Escape"], says: "put the tool down; then back to the queue" },
      { command: "help", keys: ["?"], says: "this help" },
    ],
  },
  {
    name: "Decision",
    keys: [
      { command: "accept", keys: ["a"], says: "accept, or save the correction, and go on" },
      { command: "reject", keys: ["x"], says: "reject, and go on" },
      { command: "unsure", keys: ["q"], says: "unsure, and go on" },
      { command: "comment", keys: ["/"], says: "write a comment, Enter to end it" },
    ],
  },
  {
    name: "Slices",
    keys: [
      { command: "slice-up", keys: ["k", "PageUp"], says: "next slice" },
      { command: "slice-down", keys: ["j", "PageDown"], says: "slice before" },
      { command: "last-slice", keys: ["End"], says: "last slice of the tumour" },
      { command: "first-slice", keys: ["Home"], says: "first slice of the tumour" },
      { command: "largest-slice", keys: ["g"], says: "where the tumour is largest" },
      { command: "axial", keys: ["1"], says: "axial" },
      { command: "coronal", keys: ["2"], says: "coronal" },
      { command: "sagittal", keys: ["3"], says: "sagittal" },
    ],
  },
  {
    name: "Image",
    keys: [
      { command: "sequence", keys: ["s"], says: "next sequence" },
      { command: "zoom-in", keys: ["z"], says: "zoom in at the cross" },
      { command: "zoom-out", keys: ["Shift+Z"], says: "zoom out" },
      { command: "fit", keys: ["0"], says: "whole slice" },
      { command: "brighter", keys: ["."], says: "brighter" },
      { command: "darker", keys: [","], says: "darker" },
      { command: "harder", keys: [">"], says: "more contrast" },
      { command: "softer", keys: ["<"], says: "less contrast" },
      { command: "window", keys: ["w"], says: "window as at first" },
      { command: "overlay", keys: ["o"], says: "outline, filled, hidden" },
      { command: "prediction", keys: ["v"], says: "outline of the prediction" },
      { command: "probability", keys: ["h"], says: "probability" },
      { command: "diameters", keys: ["m"], says: "diameters" },
      { command: "earlier", keys: ["t"], says: "earlier examination" },
    ],
  },
  {
    name: "Tools",
    keys: [
      { command: "look", keys: ["l"], says: "look: drag for window and level" },
      { command: "brush", keys: ["b"], says: "brush" },
      { command: "erase", keys: ["e"], says: "eraser" },
      { command: "outline", keys: ["d"], says: "draw an outline" },
      { command: "component", keys: ["c"], says: "remove or keep a piece" },
      { command: "grow", keys: ["r"], says: "grow a region" },
      { command: "smaller", keys: ["["], says: "smaller brush" },
      { command: "larger", keys: ["]"], says: "larger brush" },
      { command: "solid", keys: ["Shift+B"], says: "brush in the plane or in 3-D" },
    ],
  },
  {
    name: "Cross",
    keys: [
      { command: "left", keys: ["ArrowLeft"], says: "a voxel to the left" },
      { command: "right", keys: ["ArrowRight"], says: "to the right" },
      { command: "up", keys: ["ArrowUp"], says: "up" },
      { command: "down", keys: ["ArrowDown"], says: "down" },
      { command: "far-left", keys: ["Shift+ArrowLeft"], says: "ten voxels to the left" },
      { command: "far-right", keys: ["Shift+ArrowRight"], says: "ten to the right" },
      { command: "far-up", keys: ["Shift+ArrowUp"], says: "ten up" },
      { command: "far-down", keys: ["Shift+ArrowDown"], says: "ten down" },
      { command: "apply", keys: [" "], says: "use the tool at the cross" },
      { command: "apply-other", keys: ["Shift+ "], says: "keep this piece alone" },
      { command: "close-outline", keys: ["Enter"], says: "close the outline" },
    ],
  },
  {
    name: "Correction",
    keys: [
      { command: "undo", keys: ["u", "Ctrl+z"], says: "undo" },
      { command: "redo", keys: ["y", "Ctrl+y", "Ctrl+Shift+Z"], says: "redo" },
      { command: "reset", keys: ["Backspace"], says: "back to the prediction" },
      { command: "candidate", keys: ["Shift+C"], says: "take what was found for a tumour" },
      { command: "lower", keys: ["-"], says: "threshold down: more" },
      { command: "higher", keys: ["=", "+"], says: "threshold up: less" },
      { command: "fill", keys: ["f"], says: "fill holes on this slice" },
      { command: "fill-all", keys: ["Shift+F"], says: "fill holes on all slices" },
      { command: "interpolate", keys: ["i"], says: "fill between the slices drawn by hand" },
    ],
  },
];

/** A key as the tables name it. */
export function nameOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey">): string {
  const isLetter = /^[A-Za-z]$/.test(event.key) || event.key.length > 1 || event.key === " ";
  const shift = event.shiftKey && isLetter ? "Shift+" : "";
  const control = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  const key = /^[A-Za-z]$/.test(event.key) ? (event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase()) : event.key;
  return control + shift + key;
}

export function commandOf(groups: readonly Group[], name: string): Command | null {
  for (const { keys } of groups) for (const key of keys) if (key.keys.includes(name)) return key.command;
  return null;
}

/** The first key of a command, to be shown on a button. */
export function keyOf(command: Command): string {
  const all = [...CASE_KEYS, ...QUEUE_KEYS].flatMap(({ keys }) => keys);
  return shown(all.find((key) => key.command === command)!.keys[0]);
}

/** A key as it is written on the keyboard. */
export function shown(name: string): string {
  const words: Record<string, string> = {
    " ": "Space", Escape: "Esc", Backspace: "⌫", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", PageUp: "PgUp", PageDown: "PgDn",
  };
  return name.replace(/[^+]+$|\+$/, (key) => words[key] ?? (key.length === 1 ? key.toUpperCase() : key)).replace("Shift+", "⇧");
}
