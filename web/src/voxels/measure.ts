/** Volume, area on every slice and diameters of a mask, kept up to date slice by slice while it is edited. */

import { voxelVolume } from "../space/affine";
import { type Geometry, placeOf } from "../space/geometry";
import { type Change, changedVoxels, indicesOf, type Mask } from "./change";
import { type Box, type Diameters, isLarger, sliceDiameters } from "./diameters";

/** What a voxel measures in millilitres, or null where the spacing is not known. */
export function voxelMillilitres({ affine, isSized }: Geometry): number | null {
  return affine === null || !isSized ? null : voxelVolume(affine) / 1000;
}

/** How many voxels of tumour each axial, coronal and sagittal slice holds. */
export type Areas = readonly [Int32Array, Int32Array, Int32Array];

/** @param tumour flat indices. */
export function areasOf(tumour: Iterable<number>, geometry: Geometry): Areas {
  const areas: Areas = [0, 1, 2].map((axis) => new Int32Array(geometry.shape[axis])) as unknown as Areas;
  for (const index of tumour) placeOf(geometry, index).forEach((at, axis) => areas[axis][at]++);
  return areas;
}

/** The measures of one mask. Each change that is made to the mask must be told. */
export class Measures {
  readonly areas: Areas;
  private readonly diametersOf = new Map<number, Diameters | null>();

  /** @param tumour flat indices of the mask's voxels. */
  constructor(
    private readonly mask: Mask,
    private readonly geometry: Geometry,
    tumour: Iterable<number>,
  ) {
    this.areas = areasOf(tumour, geometry);
  }

  /** Voxels of tumour. */
  get voxels(): number {
    return this.areas[0].reduce((sum, area) => sum + area, 0);
  }

  /** To be called after a change, which must have been one. */
  changed(change: Change): void {
    if (changedVoxels(change) === 0) return;
    for (const [side, step] of [["added", 1], ["removed", -1]] as const)
      for (const index of indicesOf(change[side])) {
        const place = placeOf(this.geometry, index);
        place.forEach((at, axis) => (this.areas[axis][at] += step));
        this.diametersOf.delete(place[0]);
      }
  }

  /** The largest diameters of any axial slice, and the slice they lie on; null where there is no tumour. */
  largest(): (Diameters & { slice: number }) | null {
    let best: (Diameters & { slice: number }) | null = null;
    this.areas[0].forEach((area, slice) => {
      const found = area ? this.diametersAt(slice) : null;
      if (found !== null && (best === null || isLarger(found, best))) best = { ...found, slice };
    });
    return best;
  }

  private diametersAt(slice: number): Diameters | null {
    if (!this.diametersOf.has(slice)) this.diametersOf.set(slice, sliceDiameters(this.mask, this.geometry, slice, this.box));
    return this.diametersOf.get(slice) ?? null;
  }

  /** Rows and columns of axial slices that hold tumour. */
  private get box(): Box {
    const [rows, columns] = [this.areas[1], this.areas[2]].map((areas) => ({
      first: areas.findIndex((area) => area > 0),
      last: areas.findLastIndex((area) => area > 0),
    }));
    return { rows, columns };
  }
}
