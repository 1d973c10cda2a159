/** The tools, one below the other. */

import type { ComponentChildren } from "preact";
import { run } from "../commands";
import type { Desk } from "../desk";
import { type Command, keyOf } from "../keys";
import type { Tool } from "../state";

interface ToolButton {
  command: Command;
  says: string;
  icon: string;
}

const TOOLS: readonly (ToolButton & { command: Tool })[] = [
  { command: "look", says: "Look: click for the cross, drag for window and level", icon: "M5 3l10 7-5 .8L7.500 16z" },
  { command: "brush", says: "Brush", icon: "M16 4 9 11M8 11c-2 0-3 1-3 3 0 1-1 2-2 2 3 1 7 0 7-3 0-1-1-2-2-2" },
  { command: "erase", says: "Eraser", icon: "M11 4l5 5-7 7H6l-3-3zM7.500 7.500l5 5M9 16h8" },
  { command: "outline", says: "Draw an outline", icon: "M10 4c4 0 7 2 7 5s-3 4-6 4-3 4-5 3-3-4-3-6 3-6 7-6z" },
  { command: "component", says: "Remove a piece; with Shift keep it alone", icon: "M4 8c0-3 3-5 6-4s3 4 1 6-7 1-7-2zM13 13l4 4M17 13l-4 4" },
  { command: "grow", says: "Grow a region: drag to the right for more", icon: "M10 7.500a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5M10 5V2M10 18v-3M5 10H2M18 10h-3" },
];

const ACTIONS: readonly ToolButton[] = [
  { command: "fill", says: "Fill holes on this slice", icon: "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14M10 7a3 3 0 1 1 0 6 3 3 0 0 1 0-6M10 7v6M7 10h6" },
  { command: "interpolate", says: "Fill between the slices drawn by hand", icon: "M4 4h12M4 16h12M6 8h8M7 12h6" },
  { command: "undo", says: "Undo", icon: "M7 4 3 8l4 4M3 8h9a5 5 0 0 1 0 9H8" },
  { command: "redo", says: "Redo", icon: "M13 4l4 4-4 4M17 8H8a5 5 0 0 0 0 9h4" },
  { command: "reset", says: "Back to the prediction", icon: "M4 10a6 6 0 1 0 2-4.500M6 2v4h4" },
];

export function Toolbar({ desk }: { desk: Desk }) {
  const { tool } = desk.state.choices;
  const isPossible: Partial<Record<Command, boolean>> = {
    undo: desk.open!.history.done.length > 0,
    redo: desk.open!.history.undone.length > 0,
    reset: desk.open!.differing > 0,
  };
  return (
    <nav class="toolbar" aria-label="Tools">
      {TOOLS.map((each) => (
        <IconButton key={each.command} desk={desk} {...each} pressed={tool === each.command} />
      ))}
      <hr />
      {ACTIONS.map((each) => (
        <IconButton key={each.command} desk={desk} {...each} disabled={isPossible[each.command] === false} />
      ))}
    </nav>
  );
}

function IconButton({ desk, command, says, icon, pressed, disabled }: ToolButton & { desk: Desk; pressed?: boolean; disabled?: boolean }) {
  return (
    <button
      type="button"
      aria-label={says}
      title={`${says} (${keyOf(command)})`}
      aria-pressed={pressed}
      disabled={disabled}
      onMouseDown={(event) => event.preventDefault()}
      onClick={() => run(desk, command)}
    >
      <Icon>
        <path d={icon} />
      </Icon>
      <kbd aria-hidden="true">{keyOf(command)}</kbd>
    </button>
  );
}

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg viewBox="0 0 20 20" aria-hidden="true">
      {children}
    </svg>
  );
}
