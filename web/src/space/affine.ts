/** What an affine says of a grid, as glioseg.space.affine and glioseg.space.axial say it. */

export type Triple = readonly [number, number, number];

/** Rows of a (4, 4) matrix: voxel indices (slice, row, column) to RAS+ millimetres. */
export type Affine = readonly (readonly number[])[];

const TO_SUPERIOR = 1;
const TO_POSTERIOR = -1;
const TO_LEFT = -1;

const ORDERS: readonly Triple[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

/** How a grid is turned into the radiologist's axial view by exchanging and reversing axes alone. */
export interface AxialView {
  /** Which axis of the source becomes slice, row and column. */
  axes: Triple;
  /** Whether slices, rows and columns of the view run against the source's axis. */
  reversed: readonly [boolean, boolean, boolean];
}

/** Millimetres from one slice, row and column to the next. */
export function spacingOf(affine: Affine): Triple {
  return [0, 1, 2].map((axis) => Math.hypot(...column(affine, axis))) as unknown as Triple;
}

/** Which array axis runs nearest to right-left, anterior-posterior and superior-inferior. */
export function nearestAxes(affine: Affine): Triple {
  const spacing = spacingOf(affine);
  const cosine = (world: number, axis: number) => Math.abs(affine[world][axis] / spacing[axis]);
  const sum = (order: Triple) => order.reduce((total, axis, world) => total + cosine(world, axis), 0);
  return ORDERS.reduce((best, order) => (sum(order) > sum(best) ? order : best));
}

/** The axial view of a grid; one without affine is taken to be axial already, as the dataset's tif files are. */
export function axialView(affine: Affine | null): AxialView {
  if (affine === null) return { axes: [0, 1, 2], reversed: [false, false, false] };
  const [right, anterior, superior] = nearestAxes(affine);
  return {
    axes: [superior, anterior, right],
    reversed: [
      affine[2][superior] * TO_SUPERIOR < 0,
      affine[1][anterior] * TO_POSTERIOR < 0,
      affine[0][right] * TO_LEFT < 0,
    ],
  };
}

/** Inner products of the steps along the given axes: lengths and angles of a grid, however oblique or sheared. */
export function gramOf(affine: Affine | null, axes: readonly number[]): number[][] {
  const steps = axes.map((axis) => (affine === null ? unit(axis) : column(affine, axis)));
  return steps.map((a) => steps.map((b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]));
}

/** The squared length of so many steps along slices, rows and columns, by the inner products of {@link gramOf}. */
export function lengthSquared(gram: number[][], s: number, r: number, c: number): number {
  const across = 2 * (gram[0][1] * s * r + gram[0][2] * s * c + gram[1][2] * r * c);
  return gram[0][0] * s * s + gram[1][1] * r * r + gram[2][2] * c * c + across;
}

/** The volume of a voxel in mm³. */
export function voxelVolume(affine: Affine): number {
  const [a, b, c] = [column(affine, 0), column(affine, 1), column(affine, 2)];
  const cross = [b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]];
  return Math.abs(a[0] * cross[0] + a[1] * cross[1] + a[2] * cross[2]);
}

function column(affine: Affine, axis: number): Triple {
  return [affine[0][axis], affine[1][axis], affine[2][axis]];
}

function unit(axis: number): Triple {
  return [0, 1, 2].map((other) => (other === axis ? 1 : 0)) as unknown as Triple;
}
