/** A canvas with as many pixels as the screen has under it. */

import { useEffect, useRef } from "preact/hooks";
import type { ComponentProps, RefObject } from "preact";

type Props = ComponentProps<"canvas"> & {
  canvas?: RefObject<HTMLCanvasElement | null>;
  /** Called before the next image of the screen, whenever it is another function or the size changes. */
  draw: (canvas: HTMLCanvasElement) => void;
};

export function Canvas({ canvas, draw, ...rest }: Props) {
  const own = useRef<HTMLCanvasElement>(null);
  const ref = canvas ?? own;
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    const frame = requestAnimationFrame(() => ref.current && ref.current.width > 0 && latest.current(ref.current));
    return () => cancelAnimationFrame(frame);
  });
  useEffect(() => {
    const shown = ref.current!;
    const observer = new ResizeObserver(() => {
      if (!shown.isConnected) return;
      fit(shown);
      latest.current(shown);
    });
    observer.observe(shown);
    return () => observer.disconnect();
  }, []);
  return <canvas ref={ref} {...rest} />;
}

function fit(canvas: HTMLCanvasElement): void {
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
}
