/** A button that leaves the focus where it is, so that the keys go on to mean the scan. */

import type { ComponentChildren, ComponentProps } from "preact";
import { type Command, keyOf } from "../keys";

type Props = ComponentProps<"button"> & {
  /** Whether it is one that stays pressed. */
  pressed?: boolean;
  /** The key that does the same, to be shown. */
  command?: Command;
  children: ComponentChildren;
};

export function Button({ pressed, command, children, ...rest }: Props) {
  return (
    <button type="button" aria-pressed={pressed} onMouseDown={(event) => event.preventDefault()} {...rest}>
      {children}
      {command && <kbd aria-hidden="true">{keyOf(command)}</kbd>}
    </button>
  );
}
