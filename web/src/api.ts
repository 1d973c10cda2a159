/** The way to the server: what it says and is told, as docs/review.md describes it. */

import type { Affine, Triple } from "./space/affine";
import type { Told } from "./space/geometry";
import type { Change, Runs } from "./voxels/change";

export type Decision = "accepted" | "corrected" | "rejected" | "unsure";
export type CaseState = "new" | "in work" | Decision;
export type Presence = "present" | "doubtful" | "none";

export interface QueuedCase {
  id: string;
  patient: string;
  state: CaseState;
  reader: string | null;
  seconds: number;
  voxels: number | null;
  volume_ml: number | null;
  expected_dice: number | null;
  presence: Presence | null;
  remarks: string[];
  comment: string;
  /** Null until it has been drawn. */
  thumbnail: string | null;
  saving: "pending" | "done" | "failed" | null;
  problem: string | null;
}

export interface Queue {
  title: string;
  folder: string;
  reader: string;
  progress: { done: number; total: number; seconds_per_case: number | null; minutes_left: number | null };
  cases: QueuedCase[];
}

export interface Sequence {
  channel: string;
  name: string;
  dtype: "uint8" | "uint16" | "int16";
  slope: number;
  intercept: number;
  window: [number, number];
  copy_of_flair: boolean;
}

export interface CaseInfo {
  id: string;
  patient: string;
  shape: Triple;
  affine: Affine | null;
  place: Told;
  sequences: Sequence[];
  probability: { dtype: "uint8"; scale: number } | null;
  no_probability: string | null;
  threshold: number | null;
  revision: number;
  state: CaseState;
  comment: string;
  reader: string | null;
  expected_dice: number | null;
  presence: Presence | null;
  remarks: string[];
  earlier: { id: string; date: string } | null;
  next: string | null;
  labels: { prediction: string };
}

export interface LoggedStroke {
  revision: number;
  id: string;
  tool: string;
  detail: Record<string, unknown>;
  added: Runs;
  removed: Runs;
  reader: string | null;
}

/** A stroke on its way to the server. */
export interface SentStroke extends Change {
  id: string;
  tool: string;
  detail: Record<string, unknown>;
  seconds: number;
}

export type Voxels = Uint8Array | Uint16Array | Int16Array;

/** What the server refused, or that there was none. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly remedy: string | null,
    /** 0 where no server answered. */
    readonly status: number,
    /** Who drew last, where another revision is the current one. */
    readonly reader: string | null = null,
  ) {
    super(message);
  }
}

const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array } as const;

export class Api {
  constructor(private readonly transport: typeof fetch = (...request) => fetch(...request)) {}

  queue(): Promise<Queue> {
    return this.json("api/queue");
  }

  info(id: string): Promise<CaseInfo> {
    return this.json(`api/cases/${id}`);
  }

  /** The mask: what reading began from, what was taken for no tumour, and the strokes since. */
  strokes(id: string): Promise<{ revision: number; prediction: Runs; candidate: Runs | null; strokes: LoggedStroke[] }> {
    return this.json(`api/cases/${id}/strokes`);
  }

  /** Voxels on the scan's own grid, (slice, row, column) in C order. */
  async voxels(id: string, what: string, dtype: keyof typeof ARRAYS): Promise<Voxels> {
    const answer = await this.ask(`api/cases/${id}/${what}`);
    return new ARRAYS[dtype](await answer.arrayBuffer());
  }

  draw(id: string, revision: number, stroke: SentStroke): Promise<{ revision: number }> {
    return this.json(`api/cases/${id}/strokes`, { ...stroke, revision });
  }

  decide(id: string, decision: { revision: number; decision: Decision; comment: string; seconds: number }) {
    return this.json<{ revision: number; state: CaseState; next: string | null }>(`api/cases/${id}/decision`, decision);
  }

  /** Time spent looking; sent even while the page is being left. */
  async looked(id: string, seconds: number): Promise<void> {
    await this.json(`api/cases/${id}/seconds`, { seconds }, true);
  }

  private async json<T>(address: string, body?: object, keepalive = false): Promise<T> {
    return (await this.ask(address, body, keepalive)).json();
  }

  private async ask(address: string, body?: object, keepalive = false): Promise<Response> {
    const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), keepalive };
    const answer = await this.transport(address, body === undefined ? {} : post).catch(() => {
      throw new ApiError("The desk does not answer.", "See whether glioseg review still runs where it was started.", 0);
    });
    if (!answer.ok) throw await refusal(answer);
    return answer;
  }
}

async function refusal(answer: Response): Promise<ApiError> {
  const said = await answer.json().catch(() => ({}));
  return new ApiError(said.message ?? `The desk answered ${answer.status}.`, said.remedy ?? null, answer.status, said.reader ?? null);
}
