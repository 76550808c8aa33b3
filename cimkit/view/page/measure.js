// Distances between points that are clicked.
import { BufferGeometry, Line, LineBasicMaterial, Vector3 } from "three";
import { make } from "./ui.js";
import { word } from "./words.js";

export class Measure {
  constructor(home, viewer) {
    this.home = make("div", { class: "notes" });
    home.before(this.home);
    this.viewer = viewer;
    this.active = false;
    this.points = [];
    this.notes = [];
    this.line = new Line(new BufferGeometry(), new LineBasicMaterial({ color: 0xff7a1a, depthTest: false }));
    this.line.renderOrder = 9;
    this.line.frustumCulled = false;
    this.line.raycast = () => {};
    viewer.scene.add(this.line);
    viewer.onFrame(() => this.notes.forEach((note) => this.put(note)));
  }

  setActive(on) {
    this.active = on;
    this.clear();
  }

  clear() {
    this.points = [];
    for (const { node } of this.notes) node.remove();
    this.notes = [];
    this.line.geometry.setFromPoints([]);
    this.viewer.redraw();
  }

  /** Take a point; from the second on with a note of the distance from the last. */
  add(point) {
    this.points.push(point.clone());
    this.line.geometry.dispose();
    this.line.geometry = new BufferGeometry().setFromPoints(this.points);
    if (this.points.length > 1) this.notes.push(this.note(this.points.at(-2), this.points.at(-1)));
    this.viewer.redraw();
  }

  note(from, to) {
    const found = Measure.between(from, to);
    const node = document.createElement("span");
    node.className = "note";
    const parts = ["distance", "horizontal", "vertical"].map((key) => `${word(key)} ${found[key].toFixed(2)} ${word("metres")}`);
    node.textContent = parts.join(" · ");
    this.home.append(node);
    return { node, middle: from.clone().lerp(to, 0.5) };
  }

  static between(from, to) {
    const away = new Vector3().subVectors(to, from);
    return { distance: away.length(), horizontal: Math.hypot(away.x, away.z), vertical: away.y };
  }

  put({ node, middle }) {
    const seen = middle.clone().project(this.viewer.camera);
    const { clientWidth, clientHeight } = this.viewer.canvas;
    node.hidden = seen.z > 1;
    node.style.transform = `translate(-50%, -50%) translate(${((seen.x + 1) / 2) * clientWidth}px, ${((1 - seen.y) / 2) * clientHeight}px)`;
  }
}
