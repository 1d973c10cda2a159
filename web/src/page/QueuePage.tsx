/** All cases, those that need eyes first. */

import { useEffect, useRef } from "preact/hooks";
import type { QueuedCase } from "../api";
import type { Desk } from "../desk";
import { type Filter, isDone, shownCases } from "../state";
import { millilitres, minutes, minutesLeft, sentence, voxels } from "../words";
import { Button } from "./Button";

const REMARKS_SHOWN = 2;

const FILTERS: readonly (readonly [Filter, string])[] = [
  ["all", "All"],
  ["open", "To read"],
  ["done", "Read"],
];

export function QueuePage({ desk }: { desk: Desk }) {
  const { queue } = desk.state;
  useEffect(() => desk.watchQueue(), [desk]);
  if (queue === null) return <main class="waiting">Opening the desk …</main>;
  const cases = shownCases(desk.state);
  return (
    <main class="queue">
      <header>
        <div class="title">
          <h1>{queue.title}</h1>
          {isAllRead(desk) ? (
            <p class="all-read">
              All are read. What was changed, and how long it took: <code>glioseg review {queue.folder} --report reading.html</code>
            </p>
          ) : (
            <p>{queue.folder}</p>
          )}
        </div>
        <Progress desk={desk} />
        <p class="reader">
          Reader <strong>{queue.reader}</strong>
        </p>
      </header>
      <Filters desk={desk} />
      <table>
        <thead>
          <tr>
            <th scope="col">
              <span class="unseen">Image</span>
            </th>
            <th scope="col">Patient</th>
            <th scope="col">State</th>
            <th scope="col">Tumour</th>
            <th scope="col" class="number">
              Volume
            </th>
            <th scope="col">Expected Dice</th>
            <th scope="col">Remarks</th>
            <th scope="col">Reader</th>
            <th scope="col" class="number">
              Time
            </th>
          </tr>
        </thead>
        <tbody>
          {cases.map((each) => (
            <Row key={each.id} desk={desk} each={each} />
          ))}
        </tbody>
      </table>
      {cases.length === 0 && <p class="nothing">No case is like that.</p>}
    </main>
  );
}

function isAllRead({ state }: Desk): boolean {
  const { done, total } = state.queue!.progress;
  return total > 0 && done === total;
}

function Progress({ desk }: { desk: Desk }) {
  const { done, total, minutes_left: left } = desk.state.queue!.progress;
  return (
    <div class="progress">
      <label for="progress">
        {done} of {total} read{left !== null && done < total && `, about ${minutesLeft(left)} left`}
      </label>
      <progress id="progress" value={done} max={Math.max(total, 1)} />
    </div>
  );
}

function Filters({ desk }: { desk: Desk }) {
  const { filter, search, queue } = desk.state;
  const done = queue!.cases.filter(isDone).length;
  const counts = { all: queue!.cases.length, open: queue!.cases.length - done, done };
  return (
    <div class="filters">
      <div class="choice" role="group" aria-label="Cases shown">
        {FILTERS.map(([name, says]) => (
          <Button key={name} pressed={filter === name} onClick={() => desk.dispatch({ type: "filter", filter: name })}>
            {says} <span class="count">{counts[name]}</span>
          </Button>
        ))}
      </div>
      <input
        id="search"
        type="search"
        aria-label="Search patients, remarks, comments"
        placeholder="Search   /"
        value={search}
        onInput={(event) => desk.dispatch({ type: "search", search: event.currentTarget.value })}
      />
      <Button class="quiet" onClick={() => desk.dispatch({ type: "help", shown: true })}>
        Keys <kbd aria-hidden="true">?</kbd>
      </Button>
    </div>
  );
}

function Row({ desk, each }: { desk: Desk; each: QueuedCase }) {
  const row = useRef<HTMLTableRowElement>(null);
  const isSelected = desk.state.selected === each.id;
  useEffect(() => {
    // Keys may be faster than the screen: the row that was selected meanwhile keeps the focus.
    if (desk.state.selected !== each.id || document.activeElement?.id === "search") return;
    row.current!.scrollIntoView({ block: "nearest" });
    row.current!.querySelector("a")!.focus({ preventScroll: true });
  }, [isSelected]);
  return (
    <tr ref={row} class={isSelected ? "selected" : ""} onClick={() => desk.goTo(each.id)}>
      <td>
        <Thumbnail address={each.thumbnail} />
      </td>
      <th scope="row">
        <a href={`#/case/${each.id}`} onClick={(event) => event.stopPropagation()} onFocus={() => !isSelected && desk.dispatch({ type: "select", id: each.id })}>
          {each.patient}
        </a>
        {each.comment && <p class="comment">{each.comment}</p>}
      </th>
      <td>
        <span class={`state ${each.state.replace(" ", "-")}`}>{each.state}</span>
      </td>
      <td>
        <Tumour {...each} />
      </td>
      <td class="number">{each.volume_ml === null && each.voxels !== null ? voxels(each.voxels) : millilitres(each.volume_ml)}</td>
      <td>
        <ExpectedDice value={each.expected_dice} />
      </td>
      <td class="remarks">
        <Remarks {...each} />
      </td>
      <td>{each.reader ?? "–"}</td>
      <td class="number">{minutes(each.seconds)}</td>
    </tr>
  );
}

/** The first of them, a line each; the case itself shows all. */
function Remarks({ problem, remarks }: QueuedCase) {
  const all = [...(problem === null ? [] : [problem]), ...remarks].map(sentence);
  return (
    <div title={all.join("\n")}>
      {all.slice(0, REMARKS_SHOWN).map((remark) => (
        <p key={remark}>{remark}</p>
      ))}
      {all.length > REMARKS_SHOWN && <p>{all.length - REMARKS_SHOWN} more</p>}
    </div>
  );
}

/** Whether there is one; what is doubtful stands out. */
function Tumour({ presence, voxels }: QueuedCase) {
  if (presence === "present") return <>present</>;
  if (presence === null && voxels !== 0) return <>–</>;
  return <span class="doubt">{presence === "doubtful" ? "doubtful" : "none found"}</span>;
}

function Thumbnail({ address }: { address: string | null }) {
  if (address === null) return <div class="thumbnail" />;
  return <img src={address} alt="" width={72} height={72} loading="lazy" onError={(event) => event.currentTarget.classList.add("missing")} />;
}

export function ExpectedDice({ value }: { value: number | null }) {
  if (value === null) return <>–</>;
  return (
    <span class="dice">
      <meter min={0.4} max={1} low={0.75} high={0.85} optimum={1} value={value} aria-hidden="true" />
      {value.toFixed(2)}
    </span>
  );
}
