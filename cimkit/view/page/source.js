// Where the page has its data from: the server that sent it, or the page itself.

/**
 * @typedef {object} Source
 * @property {object} city configuration, see the README of this folder
 * @property {(text: string) => Promise<object[]>} search
 * @property {(id: string) => Promise<object | null>} building
 * @property {(ids: string[]) => Promise<{quality: (string|null)[], link_state: (string|null)[]}>} attributes
 * @property {((url: string) => Response | null) | null} file a file that the page holds itself
 */

/** @returns {Promise<Source>} */
export async function openSource() {
  const held = document.getElementById("cimkit-data");
  return held ? fromPage(JSON.parse(held.textContent)) : fromServer();
}

async function getJson(url, options) {
  const response = await fetch(url, options);
  if (!response.ok) throw new Error(`${response.status} ${url}`);
  return response.json();
}

async function fromServer() {
  const city = await getJson("city.json");
  return {
    city,
    file: null,
    search: async (text) =>
      (await getJson(`api/search?limit=20&q=${encodeURIComponent(text)}`)).results,
    building: async (id) => {
      const response = await fetch(`api/building?id=${encodeURIComponent(id)}`);
      return response.ok ? response.json() : null;
    },
    attributes: (ids) =>
      getJson("api/attributes", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ids }),
      }),
  };
}

function fromPage(data) {
  const files = new Map(Object.entries(data.files));
  const words = (text) => text.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean);
  const index = data.index.map((row) => ({
    row,
    text: words([row.building_id, row.code, row.text].join(" ")).join(" "),
  }));
  return {
    city: data.city,
    file: (url) => {
      const name = [...files.keys()].find((key) => url.endsWith(`/${key}`) || url === key);
      return name ? new Response(bytes(files.get(name))) : null;
    },
    search: async (text) => {
      const wanted = words(text);
      const found = index.filter((item) => wanted.every((word) => item.text.includes(word)));
      const exact = (item) => item.row.code === text || item.row.building_id === text;
      return found
        .sort((a, b) => exact(b) - exact(a))
        .slice(0, 20)
        .map((item) => item.row);
    },
    building: async (id) => (Object.hasOwn(data.buildings, id) ? data.buildings[id] : null),
    attributes: async (ids) => {
      const rows = ids.map((id) => (Object.hasOwn(data.attributes, id) ? data.attributes[id] : [null, null]));
      return { quality: rows.map((row) => row[0]), link_state: rows.map((row) => row[1]) };
    },
  };
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
