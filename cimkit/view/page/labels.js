// Names of buildings near the camera, as text that never overlaps.
import { Vector3 } from "three";

const NEAR = 450;
const MOST = 36;
const LOOKED_AT = 120;

export class Labels {
  /** @param {HTMLElement} home @param {import("./viewer.js").Viewer} viewer */
  constructor(home, viewer) {
    this.home = home;
    this.viewer = viewer;
    this.on = true;
    this.marks = [];
    this.timer = 0;
    viewer.onFrame(() => this.move());
  }

  setVisible(on) {
    this.on = on;
    this.home.hidden = !on;
    this.viewer.redraw();
  }

  /** Text for a building: its address, without what is the same for the whole street. */
  static text(record) {
    const address = record.address || "";
    const short = address.match(/[^省市区县镇乡]*[路街道巷弄里坊村].*$/u)?.[0] ?? address;
    return short.length > 28 ? `${short.slice(0, 27)}…` : short;
  }

  move() {
    if (!this.on) return;
    for (const mark of this.marks) this.put(mark);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.choose(), 160);
  }

  put(mark) {
    const spot = this.spot(mark.top);
    mark.node.style.transform = spot ? `translate(-50%, -100%) translate(${spot.x}px, ${spot.y - 6}px)` : "translate(-9999px, 0)";
  }

  spot(point) {
    const seen = point.clone().project(this.viewer.camera);
    if (seen.z > 1 || Math.abs(seen.x) > 1 || Math.abs(seen.y) > 1) return null;
    const { clientWidth, clientHeight } = this.viewer.canvas;
    return { x: ((seen.x + 1) / 2) * clientWidth, y: ((1 - seen.y) / 2) * clientHeight };
  }

  /** Choose anew which buildings bear a label: the nearest whose roof is seen. */
  choose() {
    const eye = this.viewer.camera.position;
    const near = [];
    for (const { record, box } of this.viewer.buildings.drawn()) {
      // From the street a roof is out of sight: the name stands on the wall then.
      const top = box.getCenter(new Vector3());
      top.y = Math.min(box.max.y, Math.max(eye.y + 0.06 * top.distanceTo(eye), (box.min.y + box.max.y) / 2));
      if (eye.y > box.max.y) top.y = box.max.y;
      const away = top.distanceTo(eye);
      const text = Labels.text(record);
      if (away < NEAR && text) near.push({ record, top, away, text });
    }
    near.sort((a, b) => a.away - b.away);
    const taken = [];
    const kept = [];
    for (const one of near.slice(0, LOOKED_AT)) {
      if (kept.length === MOST) break;
      const spot = this.spot(one.top);
      if (!spot) continue;
      const half = 4.2 * [...one.text].reduce((sum, letter) => sum + (letter > "ÿ" ? 1.6 : 0.9), 1);
      const area = { left: spot.x - half, right: spot.x + half, top: spot.y - 26, bottom: spot.y };
      const free = taken.every((b) => area.right < b.left || b.right < area.left || area.bottom < b.top || b.bottom < area.top);
      if (!free || this.hidden(one, spot)) continue;
      taken.push(area);
      kept.push(one);
    }
    this.home.replaceChildren();
    this.marks = kept.map((one) => {
      const node = document.createElement("span");
      node.textContent = one.text;
      this.home.append(node);
      const mark = { ...one, node };
      this.put(mark);
      return mark;
    });
  }

  hidden(one, spot) {
    const hit = this.viewer.hit(spot.x, spot.y + 2);
    if (hit === null || hit.distance > one.away - 12) return false;
    return this.viewer.buildings.at(hit)?.building_id !== one.record.building_id;
  }
}
