/** The panes: one large, the other sequences and planes small beside it, all at the same place. */

import type { OpenCase, Scan } from "../case";
import type { Desk } from "../desk";
import { drawPane, type Scene } from "../draw/pane";
import { pixelAt, transformOf } from "../draw/transform";
import { clamped, fromPlane, type Place, type Plane, PLANES, sliceAxis, sliceCount } from "../space/geometry";
import { middleOf } from "../state";
import { Canvas } from "./Canvas";
import { MainPane } from "./MainPane";

export function MainPanes({ desk }: { desk: Desk }) {
  const earlier = desk.state.choices.showsEarlier ? desk.earlier : null;
  return (
    <div class="main-panes">
      <MainPane desk={desk} />
      {earlier && <EarlierPane desk={desk} earlier={earlier} />}
    </div>
  );
}

/** What a pane shows of the open case, but for what the pointer does. */
export function sceneOf(desk: Desk, plane: Plane, scan: Scan): Scene {
  const [open, view, choices] = [desk.open!, desk.state.view!, desk.state.choices];
  const largest = choices.showsDiameters && plane === "axial" ? open.measures.largest() : null;
  const differs = open.differing > 0 || open.isDrawing || open.candidate !== null;
  return {
    geometry: open.geometry,
    plane,
    place: view.place,
    zoom: view.zoom,
    centre: view.centre,
    scan,
    window: view.windows[scan.sequence.channel],
    mask: open.mask,
    prediction: choices.showsPrediction && differs ? (open.candidate ?? open.prediction) : null,
    probability: choices.showsProbability ? open.probability : null,
    overlay: choices.overlay,
    opacity: choices.opacity,
    diameters: largest?.slice === view.place[0] && choices.overlay !== "hidden" ? largest : null,
    brush: null,
    lasso: [],
    isSmall: true,
  };
}

export function SidePanes({ desk }: { desk: Desk }) {
  const [open, view] = [desk.open!, desk.state.view!];
  const main = open.scan(view.channel);
  return (
    <div class="side-panes">
      {open.info.sequences
        .filter(({ channel }) => channel !== main.sequence.channel)
        .map(({ channel, name }) => {
          const scan = open.scans.find(({ sequence }) => sequence.channel === channel);
          const enlarge = () => desk.dispatch({ type: "channel", channel });
          return scan ? (
            <SidePane key={channel} desk={desk} scene={smallScene(desk, view.plane, scan)} enlarge={enlarge} />
          ) : (
            <p key={channel} class="side-pane coming">
              {name} …
            </p>
          );
        })}
      {PLANES.filter((plane) => plane !== view.plane).map((plane) => (
        <SidePane key={plane} desk={desk} scene={smallScene(desk, plane, main)} enlarge={() => desk.dispatch({ type: "plane", plane })} />
      ))}
    </div>
  );
}

/** Diameters would hide what is small. */
function smallScene(desk: Desk, plane: Plane, scan: Scan): Scene {
  return { ...sceneOf(desk, plane, scan), diameters: null };
}

function SidePane({ desk, scene, enlarge }: { desk: Desk; scene: Scene; enlarge: () => void }) {
  const place = (event: PointerEvent | WheelEvent) => placeUnder(event, scene);
  const move = (event: PointerEvent) => event.buttons === 1 && desk.dispatch({ type: "move", place: place(event) });
  const { name, copy_of_flair: isCopy } = scene.scan.sequence;
  const what = `${name}, ${scene.plane}`;
  return (
    <div class="side-pane">
      <Canvas
        role="img"
        aria-label={what}
        draw={(canvas) => drawPane(canvas, scene)}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          move(event);
        }}
        onPointerMove={move}
        onDblClick={enlarge}
        onWheel={(event) => {
          event.preventDefault();
          const slice = scene.place[sliceAxis(scene.plane)] - Math.sign(event.deltaY);
          desk.dispatch({ type: "slice", plane: scene.plane, slice });
        }}
      />
      {isCopy && <p class="copy">a copy of FLAIR</p>}
      <button type="button" class="enlarge" aria-label={`Enlarge ${what}`} title="Enlarge" onMouseDown={(event) => event.preventDefault()} onClick={enlarge}>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M9.500 2.500h4v4M13.500 2.500 9 7M6.500 13.500h-4v-4M2.500 13.500 7 9" />
        </svg>
      </button>
    </div>
  );
}

/** The place under the pointer, in the slice that a pane shows. */
export function placeUnder(event: PointerEvent | WheelEvent, scene: Scene): Place {
  const canvas = event.currentTarget as HTMLCanvasElement;
  const ratio = canvas.width / canvas.clientWidth;
  const transform = transformOf(scene.geometry, scene.plane, canvas, scene.zoom, scene.centre);
  const { row, column } = pixelAt(transform, event.offsetX * ratio, event.offsetY * ratio);
  return fromPlane(scene.geometry, scene.plane, scene.place[sliceAxis(scene.plane)], row, column);
}

/** The earlier examination at the corresponding slice: as far through the scan, since heads lie elsewhere each time. */
function EarlierPane({ desk, earlier }: { desk: Desk; earlier: OpenCase }) {
  const view = desk.state.view!;
  const axis = sliceAxis(view.plane);
  const share = view.place[axis] / Math.max(1, sliceCount(desk.open!.geometry, view.plane) - 1);
  const place = [...middleOf(earlier.geometry)];
  place[axis] = share * (sliceCount(earlier.geometry, view.plane) - 1);
  const scan = earlier.scan(view.channel);
  const scene: Scene = {
    ...sceneOf(desk, view.plane, scan),
    geometry: earlier.geometry,
    place: clamped(earlier.geometry, place as unknown as Place),
    centre: middleOf(earlier.geometry),
    window: scan.sequence.window,
    mask: earlier.mask,
    prediction: null,
    probability: null,
    diameters: null,
  };
  const date = desk.open!.info.earlier?.date;
  return (
    <div class="earlier">
      <Canvas role="img" aria-label={`Earlier examination ${date ?? ""}`} draw={(canvas) => drawPane(canvas, scene)} />
      <p>Earlier {date}</p>
    </div>
  );
}
