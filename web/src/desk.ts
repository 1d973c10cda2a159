/** The desk itself: the state, the case that is open, and what goes to the server and comes from it. */

import { Activity } from "./activity";
import { type Api, ApiError, type Decision, type QueuedCase } from "./api";
import { type Edit, fetchCase, inWords, OpenCase, type Parts } from "./case";
import { Outbox } from "./outbox";
import { type Action, middleOf, neighbour, reduce, START, type State, type View } from "./state";

const LOOKED_EVERY_MS = 20_000;
const WATCH_EVERY_MS = 3_000;

export class Desk {
  state: State = START;
  open: OpenCase | null = null;
  /** The earlier examination of the same patient, where the reader asked for it. */
  earlier: OpenCase | null = null;
  private outbox: Outbox | null = null;
  private isDeciding = false;
  /** What was decided on the case before, to be said once the next one is shown. */
  private decided = "";
  private readonly activity = new Activity();
  private readonly fetched = new Map<string, Promise<Parts>>();
  private readonly listeners = new Set<() => void>();

  constructor(readonly api: Api) {}

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  dispatch = (action: Action): void => {
    this.state = reduce(this.state, action);
    for (const listener of this.listeners) listener();
  };

  /** Show what the address says, now and whenever it changes. */
  async start(): Promise<void> {
    addEventListener("hashchange", () => void this.route());
    addEventListener("beforeunload", (event) => this.outbox?.current.delivery.kind !== "saved" && this.outbox && event.preventDefault());
    addEventListener("pagehide", () => this.sendSeconds());
    document.addEventListener("visibilitychange", () => (document.hidden ? this.activity.left() : this.activity.returned()));
    for (const sign of ["pointermove", "pointerdown", "keydown", "wheel"]) addEventListener(sign, () => this.activity.seen(), { passive: true });
    setInterval(() => this.sendSeconds(), LOOKED_EVERY_MS);
    await this.loadQueue();
    await this.route();
  }

  /** Go to a case, or to the queue. */
  goTo(id: string | null): void {
    location.hash = id === null ? "" : `/case/${id}`;
  }

  goToNeighbour(steps: number): void {
    const id = neighbour(this.state, steps);
    if (id === null) this.dispatch({ type: "say", message: steps > 0 ? "This is the last case." : "This is the first case." });
    else this.goTo(id);
  }

  async loadQueue(): Promise<void> {
    await this.guard(async () => this.dispatch({ type: "queue", queue: await this.api.queue() }));
  }

  /** While the queue is in view, ask for what the server does meanwhile: small images, files of decisions. */
  watchQueue(): () => void {
    const timer = setInterval(() => this.state.queue?.cases.some(isAwaited) && void this.loadQueue(), WATCH_EVERY_MS);
    return () => clearInterval(timer);
  }

  /** Whether a stroke may begin; says why where it may not. */
  mayDraw(): boolean {
    if (this.open === null || this.open.isDrawing) return false;
    if (this.outbox!.isOpen) return true;
    this.dispatch({ type: "say", message: "The last stroke is not saved yet: nothing more is drawn until it is." });
    return false;
  }

  /** A stroke is done: show it and save it. */
  commit(edit: Edit | null, message?: string): void {
    if (edit === null) return this.dispatch({ type: "edited", message: "Nothing to change here." });
    const { tool, change, detail } = edit;
    this.outbox!.send({ id: crypto.randomUUID(), tool, detail, ...change, seconds: this.activity.taken() });
    this.dispatch({ type: "edited", message: message ?? inWords(edit) });
  }

  /** Record what the reader decided, and go on to the next case. */
  async decide(decision: Decision): Promise<void> {
    const [outbox, id] = [this.outbox, this.state.caseId];
    if (outbox === null || id === null || this.isDeciding) return;
    this.isDeciding = true;
    if (await outbox.flushed()) await this.guard(() => this.record(id, outbox.current.revision, decision));
    this.isDeciding = false;
  }

  private async record(id: string, revision: number, decision: Decision): Promise<void> {
    const said = { revision, decision, comment: this.state.comment, seconds: this.activity.taken() };
    const { patient } = this.open!.info;
    const { next, state } = await this.api.decide(id, said);
    if (next !== null) this.decided = `${patient}: ${state}`;
    await this.loadQueue();
    this.goTo(next);
  }

  /** Take the case as the server has it, without strokes that it did not take. */
  async reload(): Promise<void> {
    await this.route();
  }

  async toggleEarlier(): Promise<void> {
    const earlier = this.open?.info.earlier;
    const shows = !this.state.choices.showsEarlier;
    if (!earlier) return this.dispatch({ type: "say", message: "There is no earlier examination." });
    this.dispatch({ type: "choose", choices: { showsEarlier: shows } });
    if (shows) await this.loadEarlier();
  }

  private async route(): Promise<void> {
    this.sendSeconds();
    const id = /^#\/case\/(\w+)$/.exec(location.hash)?.[1] ?? null;
    this.open = this.earlier = this.outbox = null;
    this.dispatch({ type: "open", id });
    if (id === null) await this.showQueue();
    else await this.guard(() => this.show(id));
  }

  /** The case that will be opened first is fetched while the queue is looked at. */
  private async showQueue(): Promise<void> {
    await this.loadQueue();
    if (this.state.caseId === null) this.prefetch(this.state.selected);
  }

  private async show(id: string): Promise<void> {
    const parts = await this.newest(id);
    if (this.state.caseId !== id) return;
    this.open = new OpenCase(parts);
    this.outbox = new Outbox(this.api, id, parts.revision, (delivery) => this.state.caseId === id && this.dispatch({ type: "delivery", delivery }));
    this.activity.taken();
    this.dispatch({ type: "opened", geometry: this.open.geometry, view: viewOf(this.open), comment: parts.info.comment });
    this.dispatch({ type: "say", message: this.decided });
    this.decided = "";
    await this.complete(this.open, parts);
    if (this.state.choices.showsEarlier) await this.loadEarlier();
    this.prefetch(parts.info.next ?? neighbour(this.state, 1));
  }

  /** Show the other sequences as well. */
  private async complete(open: OpenCase, { flair, others }: Parts): Promise<void> {
    open.scans = [flair, ...(await others)];
    if (open === this.open || open === this.earlier) this.dispatch({ type: "edited", message: "" });
  }

  /** A case that was fetched ahead, if nobody has drawn on it since. */
  private async newest(id: string): Promise<Parts> {
    const ahead = this.fetched.get(id);
    this.fetched.delete(id);
    const parts = await ahead?.catch(() => undefined);
    const info = parts && (await this.api.info(id));
    return parts && info && parts.revision === info.revision ? { ...parts, info } : fetchCase(this.api, id);
  }

  private prefetch(id: string | null): void {
    if (id === null || this.fetched.has(id)) return;
    this.fetched.clear();
    const parts = fetchCase(this.api, id);
    parts.then(({ others }) => others).catch(() => this.fetched.delete(id));
    this.fetched.set(id, parts);
  }

  private async loadEarlier(): Promise<void> {
    const current = this.open;
    if (!current?.info.earlier || this.earlier) return;
    const parts = await fetchCase(this.api, current.info.earlier.id);
    if (this.open !== current) return;
    this.earlier = new OpenCase(parts);
    this.dispatch({ type: "edited", message: "" });
    await this.complete(this.earlier, parts);
  }

  private sendSeconds(): void {
    const id = this.state.caseId;
    const seconds = this.activity.taken();
    if (id !== null && this.open !== null && seconds > 0) void this.api.looked(id, seconds).catch(() => undefined);
  }

  private async guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.dispatch(actionOf(error as Error));
    }
  }
}

function actionOf(error: Error): Action {
  const [message, { status, reader, remedy }] = [error.message, error instanceof ApiError ? error : NOT_OF_THE_SERVER];
  return status === 409 ? { type: "delivery", delivery: { kind: "conflict", message, reader } } : { type: "problem", message, remedy };
}

const NOT_OF_THE_SERVER = { status: 0, reader: null, remedy: null };

function isAwaited({ thumbnail, saving, problem }: QueuedCase): boolean {
  return problem === null && (thumbnail === null || saving === "pending");
}

function viewOf(open: OpenCase): View {
  return {
    place: open.start,
    plane: "axial",
    channel: open.scans[0].sequence.channel,
    zoom: 1,
    centre: middleOf(open.geometry),
    windows: Object.fromEntries(open.info.sequences.map(({ channel, window }) => [channel, window])),
  };
}
