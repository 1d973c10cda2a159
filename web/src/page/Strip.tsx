/** The tumour's area on every slice, which is also the scroll bar. */

import { useRef } from "preact/hooks";
import { drawStrip, sliceAt } from "../draw/strip";
import type { Desk } from "../desk";
import { sliceAxis } from "../space/geometry";
import { sliceInView } from "../tools";
import { Canvas } from "./Canvas";

const STEPS: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

export function Strip({ desk }: { desk: Desk }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [open, { plane }] = [desk.open!, desk.state.view!];
  const axis = sliceAxis(plane);
  const areas = open.measures.areas[axis];
  const slice = sliceInView(desk);
  const go = (event: PointerEvent) => {
    if (event.buttons !== 1) return;
    const { left, width } = canvas.current!.getBoundingClientRect();
    desk.dispatch({ type: "slice", plane, slice: sliceAt(event.clientX - left, width, areas.length) });
  };
  return (
    <Canvas
      canvas={canvas}
      class="strip"
      draw={(target) => drawStrip(target, { areas, predicted: open.predictedAreas[axis], slice, outlined: open.outlined(plane) })}
      tabIndex={0}
      role="slider"
      aria-label={`${plane} slice`}
      aria-valuemin={1}
      aria-valuemax={areas.length}
      aria-valuenow={slice + 1}
      aria-valuetext={`slice ${slice + 1} of ${areas.length}, ${areas[slice]} pixels of tumour`}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={go}
      onKeyDown={(event) => {
        if (!(event.key in STEPS)) return;
        event.preventDefault();
        event.stopPropagation();
        desk.dispatch({ type: "scroll", steps: STEPS[event.key] });
      }}
    />
  );
}
