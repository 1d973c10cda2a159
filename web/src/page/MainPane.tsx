/** The large pane, in which tools are used. */

import { useEffect, useRef, useState } from "preact/hooks";
import { shifted, widened } from "../commands";
import type { Desk } from "../desk";
import { drawPane } from "../draw/pane";
import { type Place, sliceAxis, toPlane } from "../space/geometry";
import { finishGrowing, finishOutline, finishPainting, paint, showGrown, useComponent } from "../tools";
import type { Point } from "../voxels/lasso";
import { Canvas } from "./Canvas";
import { placeUnder, sceneOf } from "./Panes";

/** A pull of the pointer farther than this is no click, in pixels of the page. */
const CLICK = 3;

interface Gesture {
  kind: "paint" | "erase" | "outline" | "grow" | "window" | "pan" | "cross";
  start: { x: number; y: number };
  last: { x: number; y: number };
  place: Place;
  points: Point[];
  tolerance: number;
}

export function MainPane({ desk }: { desk: Desk }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const gesture = useRef<Gesture | null>(null);
  const [under, setUnder] = useState<Point | null>(null);
  const [open, view, choices] = [desk.open!, desk.state.view!, desk.state.choices];
  const scan = open.scan(view.channel);
  const isBrush = choices.tool === "brush" || choices.tool === "erase";
  const scene = {
    ...sceneOf(desk, view.plane, scan),
    isSmall: false,
    lasso: desk.state.lasso,
    brush: isBrush && under ? { ...under, radius: choices.radius } : null,
  };
  useEffect(() => canvas.current!.focus(), [open]);
  useEffect(() => onWheel(canvas.current!, desk, () => scene));

  const begin = (event: PointerEvent) => {
    const kind = kindOf(event, desk);
    const place = placeUnder(event, scene);
    const at = { x: event.clientX, y: event.clientY };
    if (kind === "component") return useComponent(desk, rounded(place), event.shiftKey);
    if (kind === null) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    gesture.current = { kind, start: at, last: at, place, points: [], tolerance: choices.tolerance };
    if (kind === "paint" || kind === "erase") paint(desk, place, place, kind === "paint" ? "brush" : "erase");
    if (kind === "grow") showGrown(desk, rounded(place), choices.tolerance);
  };
  const go = (event: PointerEvent) => {
    const place = placeUnder(event, scene);
    setUnder(toPlane(open.geometry, view.plane, place));
    if (gesture.current !== null) follow(desk, gesture.current, event, place, canvas.current!);
  };
  const end = (event: PointerEvent) => {
    if (gesture.current !== null) finish(desk, gesture.current, event);
    gesture.current = null;
  };
  return (
    <Canvas
      canvas={canvas}
      class={`main-pane ${choices.tool}`}
      draw={(target) => drawPane(target, scene)}
      tabIndex={0}
      role="application"
      aria-roledescription="scan"
      data-place={view.place.join(" ")}
      aria-label={`${scan.sequence.name}, ${view.plane} slice ${view.place[sliceAxis(view.plane)] + 1}`}
      onContextMenu={(event) => event.preventDefault()}
      onPointerDown={begin}
      onPointerMove={go}
      onPointerUp={end}
      onPointerCancel={end}
      onPointerLeave={() => setUnder(null)}
    />
  );
}

function kindOf(event: PointerEvent, desk: Desk): Gesture["kind"] | "component" | null {
  const { tool } = desk.state.choices;
  if (event.button === 1) return "pan";
  if (event.button === 2) return "window";
  if (event.button !== 0) return null;
  if (tool === "look") return "cross";
  if (!desk.mayDraw()) return null;
  if (tool === "brush") return event.altKey ? "erase" : "paint";
  return tool;
}

function rounded(place: Place): Place {
  return place.map(Math.round) as unknown as Place;
}

function follow(desk: Desk, gesture: Gesture, event: PointerEvent, place: Place, canvas: HTMLCanvasElement): void {
  const moved = { x: event.clientX - gesture.last.x, y: event.clientY - gesture.last.y };
  if (gesture.kind === "paint" || gesture.kind === "erase") {
    paint(desk, gesture.place, place, gesture.kind === "paint" ? "brush" : "erase");
    gesture.place = place;
  } else if (gesture.kind === "outline") {
    gesture.points = [...gesture.points, toPlane(desk.open!.geometry, desk.state.view!.plane, place)];
    desk.dispatch({ type: "lasso", points: gesture.points });
  } else if (gesture.kind === "grow") {
    const wider = 2 ** ((event.clientX - gesture.start.x) / 100);
    showGrown(desk, rounded(gesture.place), Math.min(Math.max(gesture.tolerance * wider, 0.005), 1));
  } else if (gesture.kind === "pan") pan(desk, moved, canvas);
  else if (gesture.kind === "window" || isDrag(gesture, event)) window(desk, moved, canvas);
  gesture.last = { x: event.clientX, y: event.clientY };
}

function finish(desk: Desk, gesture: Gesture, event: PointerEvent): void {
  if (gesture.kind === "paint" || gesture.kind === "erase") finishPainting(desk, gesture.kind === "paint" ? "brush" : "erase");
  else if (gesture.kind === "outline") finishOutline(desk, gesture.points, event.altKey ? 0 : 1);
  else if (gesture.kind === "grow") finishGrowing(desk);
  else if (gesture.kind === "cross" && !isDrag(gesture, event)) desk.dispatch({ type: "move", place: rounded(gesture.place) });
}

function isDrag({ start }: Gesture, event: PointerEvent): boolean {
  return Math.hypot(event.clientX - start.x, event.clientY - start.y) > CLICK;
}

/** To the right for more contrast, up for brighter, the whole window over the width of the pane. */
function window(desk: Desk, moved: { x: number; y: number }, canvas: HTMLCanvasElement): void {
  const { channel, windows } = desk.state.view!;
  const [low, high] = widened(...windows[channel], 2 ** ((-2 * moved.x) / canvas.clientWidth));
  desk.dispatch({ type: "window", channel, window: shifted(low, high, (1.5 * moved.y) / canvas.clientHeight) });
}

function pan(desk: Desk, moved: { x: number; y: number }, canvas: HTMLCanvasElement): void {
  const [{ geometry }, view] = [desk.open!, desk.state.view!];
  const scene = { ...sceneOf(desk, view.plane, desk.open!.scan(view.channel)) };
  const at = (x: number, y: number) => placeUnder({ currentTarget: canvas, offsetX: x, offsetY: y } as unknown as PointerEvent, scene);
  const [from, to] = [at(0, 0), at(moved.x, moved.y)];
  const axis = sliceAxis(view.plane);
  const centre = view.centre.map((value, each) => (each === axis ? value : Math.min(Math.max(value + from[each] - to[each], 0), geometry.shape[each])));
  desk.dispatch({ type: "pan", centre: centre as unknown as Place });
}

/** The wheel turns slices, with Ctrl it zooms about the pointer; a passive listener could not keep the page still. */
function onWheel(canvas: HTMLCanvasElement, desk: Desk, scene: () => Parameters<typeof placeUnder>[1]): () => void {
  const turn = (event: WheelEvent) => {
    event.preventDefault();
    if (desk.open?.isDrawing) return;
    if (event.ctrlKey) desk.dispatch({ type: "zoom", factor: event.deltaY < 0 ? 1.15 : 1 / 1.15, about: placeUnder(event, scene()) });
    else desk.dispatch({ type: "scroll", steps: event.deltaY < 0 ? 1 : -1 });
  };
  canvas.addEventListener("wheel", turn, { passive: false });
  return () => canvas.removeEventListener("wheel", turn);
}
