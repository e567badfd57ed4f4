// The API is asked here alone; what changes something carries the token, if one was given.

const KEPT = "endlos token";

export const token = {
  get: () => sessionStorage.getItem(KEPT),
  keep: (text) => sessionStorage.setItem(KEPT, text),
  forget: () => sessionStorage.removeItem(KEPT),
};

/** Take the token that stands behind the `#` of the address, where no server sees it, and clear it away. */
export function takeTokenFromAddress() {
  if (location.hash.length > 1) {
    token.keep(decodeURIComponent(location.hash.slice(1)));
    history.replaceState(null, "", location.pathname + location.search);
  }
}

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const PATIENCE_MS = 10_000;

/** Ask `path` below `api/`; return its JSON, null where there is none; throws `Refused`, or what fetch throws. */
export async function ask(path, { method = "GET", body } = {}) {
  const headers = { "X-Endlos": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  const answer = await fetch(`api/${path}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: method === "GET" ? "default" : "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Refused(answer.status, detailOf(text) ?? `the answer was ${answer.status}`);
  return text ? JSON.parse(text) : null;
}

function detailOf(text) {
  try {
    const { detail } = JSON.parse(text);
    return typeof detail === "string" ? detail : null;
  } catch {
    return null;
  }
}

const put = (path, body) => ask(path, { method: "PUT", body });

export const skip = () => ask("next", { method: "POST" });
export const pause = (paused) => put("pause", { paused });
export const steer = (changes) => put("steering", changes);
export const sleepIn = (in_s) => put("sleep", { in_s });
export const judgeSong = (id, opinion) => put(`songs/${id}/opinion`, { opinion });
export const judgeJoin = (n, liked) => put(`joins/${n}/opinion`, { liked });
export const findSongs = (search, limit) => ask(`songs?${new URLSearchParams({ search, limit })}`);
export const coverOf = (song) => (song.has_cover ? `api/songs/${song.id}/cover` : null);
export const previewOf = (join) => `api/joins/${join.n}/preview.wav`;
