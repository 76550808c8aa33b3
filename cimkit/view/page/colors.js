// Colours of buildings by what is known of them, and the legend that goes with each.
import { Color } from "three";

export const WHITE = new Color("#fbfaf7");
export const UNKNOWN = new Color("#c9c9c6");
export const CHOSEN = new Color("#e6007e");

/** From low to high, evenly rising lightness: reads in grey, and by the colour-blind. */
const RAMP = ["#3b2f73", "#31668e", "#2a968a", "#6cc25c", "#f3e24a"].map((c) => new Color(c));

/** Okabe and Ito's colours, which the colour-blind tell apart. */
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"].map(
  (c) => new Color(c),
);

const FIXED = {
  lod: { "LoD1.2": 1, "LoD1.3": 4, "LoD2.2": 2, LoD0: 3 },
  height_source: { points: 2, attribute: 0, floors: 1, default: 5 },
  quality: { good: 2, fair: 4, doubtful: 1, poor: 5, bad: 5 },
  link_state: { linked: 2, conflict: 5, unlinked: 1 },
};

/** Ways to colour, in the order in which they are offered. */
export const MODES = ["none", "height", "lod", "height_source", "quality", "link_state"];

/** Which of them need what tiles do not say. */
export const ASKED = ["quality", "link_state"];

/** Colour on the ramp for a share from 0 to 1. */
export function onRamp(share, target = new Color()) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const low = Math.min(Math.floor(place), RAMP.length - 2);
  return target.copy(RAMP[low]).lerp(RAMP[low + 1], place - low);
}

/** Keeps which colour each value has, in the order in which values are met. */
export class Coloring {
  /** @param {string} mode @param {number} top metres at which the ramp of heights ends */
  constructor(mode, top) {
    this.mode = mode;
    this.top = top;
    this.seen = new Map(Object.entries(FIXED[mode] ?? {}));
    this.met = new Set();
  }

  /** Colour of a building. @param {object} record what its tile, and the server, say of it */
  of(record, target = new Color()) {
    if (this.mode === "none") return target.copy(WHITE);
    const value = record[this.mode];
    if (value === null || value === undefined || value === "") return target.copy(UNKNOWN);
    if (this.mode === "height") return onRamp(value / this.top, target);
    if (!this.seen.has(value)) this.seen.set(value, this.seen.size);
    this.met.add(value);
    return target.copy(PALETTE[this.seen.get(value) % PALETTE.length]);
  }

  /** Rows of the legend: value and colour; null for a ramp. */
  legend() {
    if (this.mode === "height") return null;
    return [...this.met].sort().map((value) => ({ value, color: this.of({ [this.mode]: value }) }));
  }
}
