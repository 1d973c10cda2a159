/** Beside the images: what is measured, the threshold, the tool's settings, what is shown, and the decision. */

import type { ComponentChildren } from "preact";
import { run } from "../commands";
import { THRESHOLDS } from "../case";
import type { Desk } from "../desk";
import { type Overlay, OVERLAYS, RADII } from "../state";
import { finishThreshold, showThreshold, snapped } from "../tools";
import { millilitres, voxels } from "../words";
import { Button } from "./Button";

export function Panel({ desk }: { desk: Desk }) {
  return (
    <aside class="panel" aria-label="Measures and decision">
      <Measured desk={desk} />
      <ThresholdSlider desk={desk} />
      <ToolSettings desk={desk} />
      <Shown desk={desk} />
      <Decide desk={desk} />
    </aside>
  );
}

function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Measured({ desk }: { desk: Desk }) {
  const { measures, millilitres: volume, geometry, predictedAreas } = desk.open!;
  const largest = measures.largest();
  const predicted = predictedAreas[0].reduce((sum, area) => sum + area, 0);
  const share = predicted === 0 || measures.voxels === 0 ? null : (measures.voxels / predicted - 1) * 100;
  const unit = geometry.isSized ? "mm" : "px";
  const length = (value: number | undefined) => (value === undefined ? "–" : `${value.toFixed(value < 10 || unit === "mm" ? 1 : 0)} ${unit}`);
  return (
    <Section title="Tumour">
      <p class="volume" data-testid="volume">
        {volume === null ? voxels(measures.voxels) : millilitres(volume)}
        {share !== null && Math.abs(share) >= 0.05 && <small>{` ${share > 0 ? "+" : "−"}${Math.abs(share).toFixed(1)} %`}</small>}
      </p>
      <dl>
        <div>
          <dt>Longest diameter</dt>
          <dd>{length(largest?.longest.length)}</dd>
        </div>
        <div>
          <dt>Across</dt>
          <dd>{length(largest?.perpendicular.length)}</dd>
        </div>
        <div>
          <dt>Slices</dt>
          <dd>{measures.areas[0].filter((area) => area > 0).length}</dd>
        </div>
      </dl>
      {desk.open!.offersCandidate && (
        <>
          <p class="hint">Taken for no tumour. What was found is dashed.</p>
          <Button command="candidate" onClick={() => run(desk, "candidate")}>
            Take it for a tumour
          </Button>
        </>
      )}
      {largest && (
        <Button class="quiet" command="largest-slice" onClick={() => run(desk, "largest-slice")}>
          Show the largest, slice {largest.slice + 1}
        </Button>
      )}
    </Section>
  );
}

function ThresholdSlider({ desk }: { desk: Desk }) {
  const open = desk.open!;
  const { threshold, ownThreshold } = open;
  if (threshold === null)
    return (
      <Section title="Threshold">
        <p class="hint">{open.info.no_probability ?? "No probabilities are stored with this case."}</p>
      </Section>
    );
  const show = (input: HTMLInputElement) => {
    if (!open.isDrawing && !desk.mayDraw()) return;
    showThreshold(desk, snapped(Number(input.value), ownThreshold));
  };
  const finish = (event: Event) => open.isDrawing && finishThreshold(desk, snapped(Number((event.currentTarget as HTMLInputElement).value), ownThreshold));
  return (
    <Section title="Threshold">
      <label class="slider">
        <span>
          More <kbd aria-hidden="true">-</kbd>
        </span>
        <input
          type="range"
          id="threshold"
          aria-label="Threshold of the probability"
          min={THRESHOLDS.least}
          max={THRESHOLDS.most}
          step={THRESHOLDS.step}
          value={threshold}
          onInput={(event) => show(event.currentTarget)}
          onChange={finish}
          onPointerUp={finish}
          onBlur={finish}
        />
        <span>
          Less <kbd aria-hidden="true">+</kbd>
        </span>
      </label>
      <p class="hint">
        {threshold === ownThreshold ? `${threshold.toFixed(2)}, as predicted` : `${threshold.toFixed(2)}, predicted at ${ownThreshold.toFixed(2)}`}
      </p>
    </Section>
  );
}

function ToolSettings({ desk }: { desk: Desk }) {
  const { tool } = desk.state.choices;
  if (tool === "brush" || tool === "erase") return <BrushSettings desk={desk} />;
  if (tool === "grow") return <GrowSettings desk={desk} />;
  const hint = HINTS[tool];
  return hint === undefined ? null : (
    <Section title="Tool">
      <p class="hint">{hint}</p>
    </Section>
  );
}

const HINTS: Readonly<Record<string, string>> = {
  outline: "Draw around the tumour on every few slices, then press I: the slices between are filled.",
  component: "Click on a piece to remove it, with Shift to keep it alone.",
};

function BrushSettings({ desk }: { desk: Desk }) {
  const { radius, solid, tool } = desk.state.choices;
  const unit = desk.open!.geometry.isSized ? "mm" : "px";
  return (
    <Section title={tool === "brush" ? "Brush" : "Eraser"}>
      <label class="slider">
        <span>Radius</span>
        <input
          type="range"
          min={RADII.least}
          max={RADII.most}
          step={0.5}
          value={radius}
          onInput={(event) => desk.dispatch({ type: "choose", choices: { radius: Number(event.currentTarget.value) } })}
        />
        <span>
          {radius} {unit} <kbd aria-hidden="true">[ ]</kbd>
        </span>
      </label>
      <div class="choice">
        <Button pressed={!solid} onClick={() => desk.dispatch({ type: "choose", choices: { solid: false } })}>
          In the plane
        </Button>
        <Button pressed={solid} onClick={() => desk.dispatch({ type: "choose", choices: { solid: true } })}>
          3-D
        </Button>
        <kbd aria-hidden="true">⇧B</kbd>
      </div>
    </Section>
  );
}

function GrowSettings({ desk }: { desk: Desk }) {
  const { tolerance, likelihood, reach } = desk.state.choices;
  const unit = desk.open!.geometry.isSized ? "mm" : "px";
  const choose = (name: "tolerance" | "likelihood" | "reach") => (event: { currentTarget: HTMLInputElement }) =>
    desk.dispatch({ type: "choose", choices: { [name]: Number(event.currentTarget.value) } });
  return (
    <Section title="Grow">
      <label class="slider">
        <span>Intensity</span>
        <input type="range" min={0.005} max={0.6} step={0.005} value={tolerance} onInput={choose("tolerance")} />
        <span>± {(100 * tolerance).toFixed(0)} %</span>
      </label>
      {desk.open!.probability && (
        <label class="slider">
          <span>Probability</span>
          <input type="range" min={0} max={0.95} step={0.05} value={likelihood} onInput={choose("likelihood")} />
          <span>{likelihood === 0 ? "any" : `≥ ${likelihood.toFixed(2)}`}</span>
        </label>
      )}
      <label class="slider">
        <span>Reach</span>
        <input type="range" min={5} max={100} step={5} value={reach} onInput={choose("reach")} />
        <span>
          {reach} {unit}
        </span>
      </label>
      <p class="hint">Click in the tumour, and drag to the right for more.</p>
    </Section>
  );
}

const OVERLAY_WORDS: Record<Overlay, string> = { outline: "Outline", filled: "Filled", hidden: "Hidden" };

function Shown({ desk }: { desk: Desk }) {
  const { choices } = desk.state;
  return (
    <Section title="Shown">
      <div class="choice" role="group" aria-label="Overlay">
        {OVERLAYS.map((overlay) => (
          <Button key={overlay} pressed={choices.overlay === overlay} onClick={() => desk.dispatch({ type: "choose", choices: { overlay } })}>
            {OVERLAY_WORDS[overlay]}
          </Button>
        ))}
        <kbd aria-hidden="true">O</kbd>
      </div>
      {choices.overlay === "filled" && (
        <label class="slider">
          <span>Opacity</span>
          <input
            type="range"
            min={0.1}
            max={1}
            step={0.05}
            value={choices.opacity}
            onInput={(event) => desk.dispatch({ type: "choose", choices: { opacity: Number(event.currentTarget.value) } })}
          />
          <span>{Math.round(100 * choices.opacity)} %</span>
        </label>
      )}
      <div class="layers">
        <Button pressed={choices.showsPrediction} command="prediction" onClick={() => run(desk, "prediction")}>
          <i class="swatch prediction" />
          {labelOf(desk)}
        </Button>
        <Button pressed={choices.showsProbability} command="probability" disabled={desk.open!.probability === null} onClick={() => run(desk, "probability")}>
          Probability
        </Button>
        <Button pressed={choices.showsDiameters} command="diameters" onClick={() => run(desk, "diameters")}>
          Diameters
        </Button>
        {desk.open!.info.earlier && (
          <Button pressed={choices.showsEarlier} command="earlier" onClick={() => run(desk, "earlier")}>
            Earlier scan
          </Button>
        )}
      </div>
    </Section>
  );
}

function labelOf({ open }: Desk): string {
  const label = open!.info.labels?.prediction ?? "prediction";
  return label[0].toUpperCase() + label.slice(1);
}

function Decide({ desk }: { desk: Desk }) {
  const { differing, measures } = desk.open!;
  return (
    <section class="decision">
      <h2>Decision</h2>
      <textarea
        id="comment"
        aria-label="Comment"
        placeholder="Comment   /"
        rows={2}
        maxLength={2000}
        value={desk.state.comment}
        onInput={(event) => desk.dispatch({ type: "comment", comment: event.currentTarget.value })}
      />
      <Button class="primary" command="accept" onClick={() => run(desk, "accept")}>
        {differing > 0 ? "Save correction" : measures.voxels === 0 ? "Accept: no tumour" : "Accept"}
      </Button>
      <div class="choice">
        <Button command="reject" onClick={() => run(desk, "reject")}>
          Reject
        </Button>
        <Button command="unsure" onClick={() => run(desk, "unsure")}>
          Unsure
        </Button>
      </div>
      <p class="hint" aria-hidden="true">
        {desk.state.message}
      </p>
    </section>
  );
}
