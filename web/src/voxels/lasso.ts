/** The pixels within an outline drawn by hand. */

export interface Point {
  row: number;
  column: number;
}

/** Pixels whose centre lies within a closed polygon, even-odd, and those that its line passes through. */
export function pixelsWithin(polygon: readonly Point[], rows: number, columns: number): Point[] {
  const found = new Map<number, Point>();
  const take = (row: number, column: number) => {
    if (row >= 0 && column >= 0 && row < rows && column < columns) found.set(row * columns + column, { row, column });
  };
  for (let row = 0; row < rows; row++) {
    const crossings = crossingsOf(polygon, row);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2)
      for (let column = Math.ceil(crossings[pair]); column <= crossings[pair + 1]; column++) take(row, column);
  }
  polygon.forEach((a, at) => eachStep(a, polygon[(at + 1) % polygon.length], take));
  return [...found.values()];
}

function crossingsOf(polygon: readonly Point[], row: number): number[] {
  const crossings: number[] = [];
  polygon.forEach((a, at) => {
    const b = polygon[(at + 1) % polygon.length];
    if (a.row <= row === b.row <= row) return;
    crossings.push(a.column + ((row - a.row) / (b.row - a.row)) * (b.column - a.column));
  });
  return crossings.sort((a, b) => a - b);
}

function eachStep(a: Point, b: Point, take: (row: number, column: number) => void): void {
  const steps = Math.max(1, Math.ceil(Math.max(Math.abs(b.row - a.row), Math.abs(b.column - a.column))));
  for (let step = 0; step <= steps; step++) {
    const share = step / steps;
    take(Math.round(a.row + share * (b.row - a.row)), Math.round(a.column + share * (b.column - a.column)));
  }
}
