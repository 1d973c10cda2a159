/** Numbers as they are read. */

export function millilitres(volume: number | null): string {
  return volume === null ? "–" : `${volume.toFixed(volume < 100 ? 1 : 0)} ml`;
}

export function minutes(seconds: number): string {
  if (seconds < 1) return "–";
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

export function minutesLeft(left: number): string {
  const whole = Math.max(1, Math.round(left));
  return whole === 1 ? "a minute" : `${whole} minutes`;
}

/** A remark with a capital and a full stop. */
export function sentence(remark: string): string {
  return remark[0].toUpperCase() + remark.slice(1) + (/[.!?]$/.test(remark) ? "" : ".");
}

export function voxels(value: number): string {
  return `${count(value)} ${value === 1 ? "voxel" : "voxels"}`;
}

export function count(value: number): string {
  return value.toLocaleString("en");
}
