/** All keys, from the same table that obeys them. */

import type { Desk } from "../desk";
import { CASE_KEYS, type Group, QUEUE_KEYS, shown } from "../keys";
import { Dialog } from "./Dialog";

export function Help({ desk }: { desk: Desk }) {
  const close = () => desk.dispatch({ type: "help", shown: false });
  const groups = desk.state.caseId === null ? QUEUE_KEYS : CASE_KEYS;
  return (
    <Dialog title="Keys" close={close}>
      <div class="help">
        {desk.state.caseId !== null && <Mouse />}
        {groups.map((group) => (
          <KeyGroup key={group.name} {...group} />
        ))}
      </div>
    </Dialog>
  );
}

function KeyGroup({ name, keys }: Group) {
  return (
    <section>
      <h3>{name}</h3>
      <dl>
        {keys.map(({ keys: names, says }) => (
          <div key={says}>
            <dt>
              {names.map((each) => (
                <kbd key={each}>{shown(each)}</kbd>
              ))}
            </dt>
            <dd>{says}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const MOUSE = [
  ["Wheel", "slices"],
  ["Ctrl + wheel", "zoom"],
  ["Click", "use the tool; with none, move the cross"],
  ["Drag", "use the tool; with none, window and level"],
  ["Right drag", "window and level"],
  ["Middle drag", "move the image"],
  ["Alt + drag", "erase with the brush or the outline"],
] as const;

function Mouse() {
  return (
    <section>
      <h3>Mouse</h3>
      <dl>
        {MOUSE.map(([sign, says]) => (
          <div key={sign}>
            <dt>{sign}</dt>
            <dd>{says}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
