// What of the page needs no browser: words, colours, the frame.
import assert from "node:assert/strict";
import test from "node:test";
import { CHOSEN, Coloring, MODES, onRamp } from "../../cimkit/view/page/colors.js";
import { earthToLocal, toEarth } from "../../cimkit/view/page/frame.js";
import { setLanguage, word, WORDS } from "../../cimkit/view/page/words.js";

test("what one language says, the other says too", () => {
  const only = (one, other) => Object.keys(WORDS[one]).filter((key) => !(key in WORDS[other]));
  assert.deepEqual(only("en", "zh"), []);
  for (const mode of MODES) assert.ok(mode in WORDS.en);
});

test("a name that is no word stands for itself, whatever it is", () => {
  setLanguage("en");
  for (const key of ["建筑高度", "constructor", "__proto__", ""]) assert.equal(word(key), key);
});

test("the ramp gets lighter all the way, and ends where it should", () => {
  const light = Array.from({ length: 21 }, (_, k) => {
    const { r, g, b } = onRamp(k / 20).clone();
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  });
  for (let k = 1; k < light.length; k++) assert.ok(light[k] > light[k - 1]);
  assert.equal(onRamp(7).getHex(), onRamp(1).getHex());
  assert.equal(onRamp(-1).getHex(), onRamp(0).getHex());
});

test("heights are coloured up to the top that the city names", () => {
  const coloring = new Coloring("height", 120);
  assert.equal(coloring.of({ height: 120 }).getHex(), onRamp(1).getHex());
  assert.equal(coloring.of({ height: 60 }).getHex(), onRamp(0.5).getHex());
  assert.equal(coloring.legend(), null);
});

test("each value has one colour, the chosen building none of them", () => {
  const coloring = new Coloring("link_state", 60);
  const colors = ["linked", "conflict", "unlinked"].map((value) => coloring.of({ link_state: value }).getHex());
  assert.equal(new Set([...colors, CHOSEN.getHex()]).size, 4);
  assert.deepEqual(coloring.legend().map(({ value }) => value), ["conflict", "linked", "unlinked"]);
});

test("what is not known has a colour of its own", () => {
  const coloring = new Coloring("quality", 60);
  assert.equal(coloring.of({ quality: null }).getHex(), coloring.of({}).getHex());
  assert.notEqual(coloring.of({ quality: null }).getHex(), coloring.of({ quality: "good" }).getHex());
});

test("the local frame has east along x, up along y, south along z", () => {
  const place = { lon: 112.25, lat: 30.32, height: 30 };
  const toLocal = earthToLocal(place);
  const at = (lon, lat, height) => toEarth(lon, lat, height).applyMatrix4(toLocal);
  assert.ok(at(112.25, 30.32, 30).length() < 1e-6);
  assert.ok(Math.abs(at(112.25, 30.32, 80).y - 50) < 1e-6);
  const [east, north] = [at(112.251, 30.32, 30), at(112.25, 30.321, 30)];
  // A thousandth of a degree: 96.1 m of this parallel, 110.9 m of the meridian (WGS 84).
  assert.ok(Math.abs(east.x - 96.15) < 0.1 && Math.abs(east.z) < 0.01);
  assert.ok(Math.abs(north.z + 110.86) < 0.1 && Math.abs(north.x) < 1e-6);
});
