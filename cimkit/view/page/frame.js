// The local frame of the page: x east, y up, z south, around one place on WGS 84.
import { Matrix4, Vector3 } from "three";

const A = 6378137.0;
const E2 = 6.69437999014e-3;

/** Earth-centred coordinates of a place; degrees and metres. */
export function toEarth(lon, lat, height) {
  const [l, b] = [(lon * Math.PI) / 180, (lat * Math.PI) / 180];
  const n = A / Math.sqrt(1 - E2 * Math.sin(b) ** 2);
  return new Vector3(
    (n + height) * Math.cos(b) * Math.cos(l),
    (n + height) * Math.cos(b) * Math.sin(l),
    (n * (1 - E2) + height) * Math.sin(b),
  );
}

/** Matrix from earth-centred coordinates to the local frame around a place. */
export function earthToLocal({ lon, lat, height }) {
  const [l, b] = [(lon * Math.PI) / 180, (lat * Math.PI) / 180];
  const east = new Vector3(-Math.sin(l), Math.cos(l), 0);
  const up = new Vector3(Math.cos(b) * Math.cos(l), Math.cos(b) * Math.sin(l), Math.sin(b));
  const south = new Vector3().crossVectors(east, up);
  const matrix = new Matrix4().makeBasis(east, up, south);
  matrix.setPosition(toEarth(lon, lat, height));
  return matrix.invert();
}
