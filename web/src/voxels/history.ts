/** Undo and redo. Nothing is forgotten: strokes are small, and a reader may go back to the prediction at any time. */

import { type Change, inverse } from "./change";

export interface Stroke {
  tool: string;
  change: Change;
  /** What the tool was set to. */
  detail?: Record<string, unknown>;
}

export interface History {
  done: readonly Stroke[];
  undone: readonly Stroke[];
}

export const EMPTY: History = { done: [], undone: [] };

/** A stroke more; what was undone before it is gone. */
export function drawn({ done }: History, stroke: Stroke): History {
  return { done: [...done, stroke], undone: [] };
}

/** One step back: the history, and what the mask must change by. */
export function undone({ done, undone }: History): { history: History; change: Change } | null {
  const last = done.at(-1);
  if (last === undefined) return null;
  return { history: { done: done.slice(0, -1), undone: [...undone, last] }, change: inverse(last.change) };
}

/** One step forward again. */
export function redone({ done, undone }: History): { history: History; change: Change } | null {
  const next = undone.at(-1);
  if (next === undefined) return null;
  return { history: { done: [...done, next], undone: undone.slice(0, -1) }, change: next.change };
}

/** The history that a log of strokes left, in which undo and redo are entries of their own. */
export function replayed(log: readonly Stroke[]): History {
  return log.reduce<History>((history, stroke) => {
    if (stroke.tool === "undo") return undone(history)?.history ?? history;
    if (stroke.tool === "redo") return redone(history)?.history ?? history;
    return drawn(history, stroke);
  }, EMPTY);
}
