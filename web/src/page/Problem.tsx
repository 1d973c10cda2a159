/** What went wrong, and what to do about it. */

import type { Desk } from "../desk";
import { Button } from "./Button";

export function Problem({ desk, message, remedy }: { desk: Desk; message: string; remedy: string | null }) {
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{message}</strong> {remedy}
      </p>
      <Button onClick={() => desk.dispatch({ type: "dismiss" })}>Close</Button>
    </div>
  );
}
