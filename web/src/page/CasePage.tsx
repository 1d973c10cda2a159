/** One case: its images, the tools, what is measured, and the decision. */

import type { Desk } from "../desk";
import { neighbour } from "../state";
import { count, sentence, voxels } from "../words";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { ExpectedDice } from "./QueuePage";
import { SidePanes, MainPanes } from "./Panes";
import { Panel } from "./Panel";
import { Strip } from "./Strip";
import { Toolbar } from "./Toolbar";

export function CasePage({ desk }: { desk: Desk }) {
  const { open, state } = desk;
  const isReady = open !== null && state.view !== null;
  return (
    <main class="case">
      <Header desk={desk} />
      {isReady ? (
        <>
          <Toolbar desk={desk} />
          <div class="reading">
            <MainPanes desk={desk} />
            <Strip desk={desk} />
          </div>
          <SidePanes desk={desk} />
          <Panel desk={desk} />
        </>
      ) : (
        !state.problem && <p class="waiting">Opening {patientOf(desk)} …</p>
      )}
      {state.delivery.kind === "conflict" && <Conflict desk={desk} reader={state.delivery.reader} />}
      {state.delivery.kind === "refused" && <Refused desk={desk} message={state.delivery.message} remedy={state.delivery.remedy} />}
    </main>
  );
}

function patientOf({ open, state }: Desk): string {
  return open?.info.patient ?? state.queue?.cases.find(({ id }) => id === state.caseId)?.patient ?? "";
}

function Header({ desk }: { desk: Desk }) {
  const { open, state } = desk;
  const cases = state.queue?.cases ?? [];
  const at = cases.findIndex(({ id }) => id === state.caseId);
  return (
    <header>
      <Button class="quiet" onClick={() => desk.goTo(null)}>
        ← Queue
      </Button>
      <div class="title">
        <h1>{patientOf(desk)}</h1>
        {at >= 0 && (
          <p>
            {at + 1} of {cases.length}
          </p>
        )}
      </div>
      {open && <Facts desk={desk} />}
      <Saved desk={desk} />
      <div class="choice">
        <Button command="previous-case" disabled={neighbour(state, -1) === null} onClick={() => desk.goToNeighbour(-1)}>
          Back
        </Button>
        <Button command="next-case" disabled={neighbour(state, 1) === null} onClick={() => desk.goToNeighbour(1)}>
          Next
        </Button>
        <Button command="help" onClick={() => desk.dispatch({ type: "help", shown: true })}>
          Keys
        </Button>
      </div>
    </header>
  );
}

function Facts({ desk }: { desk: Desk }) {
  const { presence, expected_dice: dice, remarks, reader } = desk.open!.info;
  const { state } = desk.open!;
  return (
    <div class="facts">
      <span class={`state ${state.replace(" ", "-")}`}>
        {state}
        {reader !== null && state !== "new" && ` · ${reader}`}
      </span>
      {presence !== null && presence !== "present" && <span class="doubt">{presence === "none" ? "no tumour found" : "tumour doubtful"}</span>}
      {dice !== null && (
        <span>
          expected Dice <ExpectedDice value={dice} />
        </span>
      )}
      {remarks.length > 0 && (
        <details class="remarks">
          <summary>{remarks.length === 1 ? "1 remark" : `${remarks.length} remarks`}</summary>
          <ul>
            {remarks.map((remark) => (
              <li key={remark}>{sentence(remark)}</li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Saved({ desk }: { desk: Desk }) {
  const { delivery } = desk.state;
  if (desk.open === null) return <p class="saved" />;
  if (delivery.kind === "unreachable")
    return (
      <p class="saved unsaved" role="alert">
        Last stroke not saved. {delivery.message} {delivery.remedy} Trying again …
      </p>
    );
  const strokes = desk.open.history.done.length;
  const drawn = `${count(strokes)} ${strokes === 1 ? "stroke" : "strokes"}, ${voxels(desk.open.differing)} changed · saved`;
  return <p class="saved">{delivery.kind === "sending" ? "Saving …" : strokes === 0 ? "Unchanged" : drawn}</p>;
}

function Conflict({ desk, reader }: { desk: Desk; reader: string | null }) {
  return (
    <Dialog title="This case was changed elsewhere">
      <p>
        {reader ?? "Another window"} drew on {patientOf(desk)} after you had opened it. What you did last was not saved, and nothing of theirs was
        overwritten.
      </p>
      <button type="button" class="primary" autofocus onClick={() => void desk.reload()}>
        Show the case as it is now
      </button>
    </Dialog>
  );
}

function Refused({ desk, message, remedy }: { desk: Desk; message: string; remedy: string | null }) {
  return (
    <Dialog title="The last stroke was not saved">
      <p>
        {message} {remedy}
      </p>
      <button type="button" class="primary" autofocus onClick={() => void desk.reload()}>
        Show the case as it is stored
      </button>
    </Dialog>
  );
}
