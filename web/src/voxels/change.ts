/** What a stroke changed, run-length coded: undone, sent and stored as it stands. */

/** Voxels of a mask, 0 or 1, in the source's order. */
export type Mask = Uint8Array;

/** Runs of flat indices as start, length, start, length, ..., ascending and apart. */
export type Runs = readonly number[];

export interface Change {
  /** Voxels that became tumour. */
  added: Runs;
  /** Voxels that ceased to be. */
  removed: Runs;
}

/** Voxels that follow each other in memory. */
export interface Stretch {
  first: number;
  end: number;
}

/** The runs of flat indices in any order; doubles count once. */
export function runsOf(indices: ArrayLike<number>): number[] {
  const sorted = Uint32Array.from(indices).sort();
  const runs: number[] = [];
  for (let at = 0; at < sorted.length; at++) {
    const last = runs.length - 2;
    const end = last >= 0 ? runs[last] + runs[last + 1] : -1;
    if (sorted[at] === end) runs[last + 1]++;
    else if (sorted[at] > end) runs.push(sorted[at], 1);
  }
  return runs;
}

/** The flat indices of runs. */
export function indicesOf(runs: Runs): Uint32Array {
  const indices = new Uint32Array(countOf(runs));
  let at = 0;
  for (let run = 0; run < runs.length; run += 2)
    for (let index = runs[run]; index < runs[run] + runs[run + 1]; index++) indices[at++] = index;
  return indices;
}

/** The mask that holds the voxels of runs. */
export function maskOf(runs: Runs, size: number): Mask {
  const mask = new Uint8Array(size);
  apply(mask, { added: runs, removed: [] });
  return mask;
}

/** How many voxels runs hold. */
export function countOf(runs: Runs): number {
  let count = 0;
  for (let run = 1; run < runs.length; run += 2) count += runs[run];
  return count;
}

/** What leads from one mask to another, which differ within a stretch of voxels at most. */
export function changeBetween(before: Mask, after: Mask, { first, end }: Stretch = { first: 0, end: before.length }): Change {
  const added: number[] = [];
  const removed: number[] = [];
  let open = 0;
  for (let index = first; index < end; index++) {
    const step = after[index] - before[index];
    if (step !== 0) {
      const runs = step > 0 ? added : removed;
      if (step === open) runs[runs.length - 1]++;
      else runs.push(index, 1);
    }
    open = step;
  }
  return { added, removed };
}

/** What makes these voxels 1 or 0, of those that are not so already. */
export function settingOf(mask: Mask, indices: Iterable<number>, value: 0 | 1): Change {
  const changed: number[] = [];
  for (const index of indices) if (mask[index] !== value) changed.push(index);
  const runs = runsOf(changed);
  return value ? { added: runs, removed: [] } : { added: [], removed: runs };
}

/** Change a mask in place. */
export function apply(mask: Mask, { added, removed }: Change): void {
  for (let run = 0; run < added.length; run += 2) mask.fill(1, added[run], added[run] + added[run + 1]);
  for (let run = 0; run < removed.length; run += 2) mask.fill(0, removed[run], removed[run] + removed[run + 1]);
}

/** What takes a change back. */
export function inverse({ added, removed }: Change): Change {
  return { added: removed, removed: added };
}

/** The stretch that holds all of a change and of another stretch. */
export function stretched({ first, end }: Stretch, { added, removed }: Change): Stretch {
  const [ours, theirs] = [added, removed].map((runs) => ({ first: runs[0] ?? Infinity, end: (runs.at(-2) ?? 0) + (runs.at(-1) ?? 0) }));
  return { first: Math.min(first, ours.first, theirs.first), end: Math.max(end, ours.end, theirs.end) };
}

export function isEmpty({ added, removed }: Change): boolean {
  return added.length === 0 && removed.length === 0;
}

/** How many voxels a change changes. */
export function changedVoxels({ added, removed }: Change): number {
  return countOf(added) + countOf(removed);
}

/** How many voxels the tumour gains by a change. */
export function gainOf({ added, removed }: Change): number {
  return countOf(added) - countOf(removed);
}

/** Changes one after the other, of which no voxel is touched twice, as one. */
export function joined(changes: readonly Change[]): Change {
  const all = (side: keyof Change) => runsOf(changes.flatMap((change) => Array.from(indicesOf(change[side]))));
  return { added: all("added"), removed: all("removed") };
}
