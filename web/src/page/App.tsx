/** The whole page: the queue or a case, help, and what went wrong. */

import { useEffect, useState } from "preact/hooks";
import { run } from "../commands";
import type { Desk } from "../desk";
import { CASE_KEYS, commandOf, nameOf, QUEUE_KEYS } from "../keys";
import { CasePage } from "./CasePage";
import { Help } from "./Help";
import { QueuePage } from "./QueuePage";
import { Problem } from "./Problem";

export function App({ desk }: { desk: Desk }) {
  const [, redraw] = useState(0);
  useEffect(() => desk.subscribe(() => redraw((count) => count + 1)), [desk]);
  useEffect(() => {
    const obey = (event: KeyboardEvent) => obeyKey(desk, event);
    addEventListener("keydown", obey);
    return () => removeEventListener("keydown", obey);
  }, [desk]);
  const { state } = desk;
  return (
    <>
      {state.caseId === null ? <QueuePage desk={desk} /> : <CasePage desk={desk} />}
      {state.problem && <Problem desk={desk} {...state.problem} />}
      {state.showsHelp && <Help desk={desk} />}
      <div class="unseen" role="status" aria-live="polite">
        {state.message}
      </div>
    </>
  );
}

function obeyKey(desk: Desk, event: KeyboardEvent): void {
  const name = nameOf(event);
  const command = commandOf(desk.state.caseId === null ? QUEUE_KEYS : CASE_KEYS, name);
  if (command === null || event.altKey || desk.state.showsHelp || isTaken(event.target as HTMLElement, name)) return;
  event.preventDefault();
  run(desk, command);
}

/** Whether what has the focus needs this key itself. */
function isTaken(target: HTMLElement, name: string): boolean {
  if (document.querySelector("dialog[open]")) return true;
  if (target instanceof HTMLInputElement && target.type === "range") return /Arrow|Page|Home|End/.test(name);
  if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) {
    if (name === "Escape" || name === "Enter") target.blur();
    return true;
  }
  // Not the link of a row: keys may be faster than the focus, and what is selected is meant.
  const isPressed = target.closest("button, a[href]:not(tr a), select") !== null;
  return isPressed && (name === " " || name === "Enter");
}
