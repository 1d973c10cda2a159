/** How long a reader was at work: a pause longer than {@link IDLE_SECONDS} counts as that long and no longer. */

export const IDLE_SECONDS = 30;

export class Activity {
  private counted = 0;
  private last: number;

  /** @param now the time in milliseconds. */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.last = now();
  }

  /** To be told of every sign of the reader. */
  seen(): void {
    const time = this.now();
    this.counted += Math.max(0, Math.min((time - this.last) / 1000, IDLE_SECONDS));
    this.last = time;
  }

  /** The page is out of sight; what passes until it is seen again does not count. */
  left(): void {
    this.seen();
    this.last = Infinity;
  }

  /** The page is in sight again. */
  returned(): void {
    this.last = this.now();
  }

  /** Seconds since the last time this was asked. */
  taken(): number {
    if (this.last !== Infinity) this.seen();
    const seconds = this.counted;
    this.counted = 0;
    return Math.round(seconds * 10) / 10;
  }
}
