/**
 * Strokes on their way into the server's store, one after the other.
 *
 * A stroke is saved when the server has said so. While one cannot be delivered, no other is taken, so that whatever
 * happens one stroke at most is lost.
 */

import { type Api, ApiError, type SentStroke } from "./api";

export type Delivery =
  | { kind: "saved" }
  | { kind: "sending"; waiting: number }
  | { kind: "unreachable"; message: string; remedy: string | null }
  | { kind: "conflict"; message: string; reader: string | null }
  | { kind: "refused"; message: string; remedy: string | null };

export class Outbox {
  private waiting: SentStroke[] = [];
  private delivery: Delivery = { kind: "saved" };
  private running: Promise<void> | null = null;

  constructor(
    private readonly api: Api,
    private readonly id: string,
    private revision: number,
    private readonly say: (delivery: Delivery) => void,
    private readonly pause: (milliseconds: number) => Promise<void> = wait,
  ) {}

  /** Whether strokes may be drawn. */
  get isOpen(): boolean {
    return this.delivery.kind === "saved" || this.delivery.kind === "sending";
  }

  get current(): { revision: number; delivery: Delivery } {
    return { revision: this.revision, delivery: this.delivery };
  }

  send(stroke: SentStroke): void {
    this.waiting.push(stroke);
    this.running ??= this.deliver().finally(() => (this.running = null));
  }

  /** Waits until everything is saved; false where that cannot be. */
  async flushed(): Promise<boolean> {
    await this.running;
    return this.waiting.length === 0;
  }

  private async deliver(): Promise<void> {
    this.tell({ kind: "sending", waiting: this.waiting.length });
    while (this.waiting.length > 0) {
      try {
        this.revision = (await this.api.draw(this.id, this.revision, this.waiting[0])).revision;
        this.waiting.shift();
        if (this.waiting.length > 0) this.tell({ kind: "sending", waiting: this.waiting.length });
      } catch (error) {
        if (!(await this.goesOn(error as ApiError))) return;
      }
    }
    this.tell({ kind: "saved" });
  }

  /** Whether to try again: the server may come back, but what it refused it refuses again. */
  private async goesOn({ status, message, remedy, reader }: ApiError): Promise<boolean> {
    if (status === 409) this.tell({ kind: "conflict", message, reader });
    else if (status >= 400 && status < 500) this.tell({ kind: "refused", message, remedy });
    else {
      this.tell({ kind: "unreachable", message, remedy });
      await this.pause(1500);
      return true;
    }
    return false;
  }

  private tell(delivery: Delivery): void {
    this.delivery = delivery;
    this.say(delivery);
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
