/** The strip under the viewer: how much tumour each slice holds. */

import { COLOURS, ratioOf } from "./pane";

export interface StripScene {
  /** Voxels of tumour on each slice, now and as predicted. */
  areas: Int32Array;
  predicted: Int32Array;
  slice: number;
  /** Slices drawn by hand. */
  outlined: readonly number[];
}

export function drawStrip(canvas: HTMLCanvasElement, { areas, predicted, slice, outlined }: StripScene): void {
  const context = canvas.getContext("2d", { alpha: false })!;
  const pixel = ratioOf(canvas);
  const step = canvas.width / areas.length;
  const most = Math.max(1, ...areas, ...predicted);
  const floor = canvas.height - 7 * pixel;
  const heightOf = (area: number) => (area === 0 ? 0 : Math.max(2 * pixel, (area / most) * (floor - 6 * pixel)));
  context.fillStyle = "#0e1216";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#2a3138";
  context.fillRect(0, floor, canvas.width, pixel);
  areas.forEach((area, at) => {
    context.fillStyle = at === slice ? COLOURS.mask : "#a98d3c";
    context.fillRect(at * step, floor - heightOf(area), Math.max(step - pixel, pixel), heightOf(area));
    context.fillStyle = COLOURS.prediction;
    if (predicted[at] !== area) context.fillRect(at * step, floor - heightOf(predicted[at]) - pixel, Math.max(step - pixel, pixel), 2 * pixel);
  });
  context.fillStyle = COLOURS.cross;
  for (const at of outlined) context.fillRect(at * step, floor + 3 * pixel, Math.max(step - pixel, 2 * pixel), 3 * pixel);
  context.fillStyle = "#ffffff";
  context.fillRect((slice + 0.5) * step - pixel, 0, 2 * pixel, canvas.height);
}

/** The slice under a point of the strip. */
export function sliceAt(x: number, width: number, slices: number): number {
  return Math.min(Math.max(Math.floor((x / width) * slices), 0), slices - 1);
}
