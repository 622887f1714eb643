// Speaks to the playground's control API, and listens to its stream of events.

export class ApiError extends Error {
  constructor(status, error, detail) {
    super(detail || error);
    this.status = status;
    this.error = error;
  }
}

async function call(method, path, body) {
  const init = { method };
  if (body instanceof FormData) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  let response;
  try {
    response = await fetch(`/control/${path}`, init);
  } catch {
    throw new ApiError(0, "unreachable", "");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer.error ?? `HTTP ${response.status}`, text(answer.detail));
  return answer;
}

const text = (detail) => (typeof detail === "string" || !detail ? detail : JSON.stringify(detail));
const query = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value)).toString();

export const get = (path, fields) => call("GET", fields ? `${path}?${query(fields)}` : path);
export const post = (path, body) => call("POST", path, body);
export const remove = (path) => call("DELETE", path);

export function upload(user, file) {
  const form = new FormData();
  form.append("user", user);
  form.append("file", file, file.name);
  return call("POST", "file", form);
}

const EVENTS = ["message", "message_changed", "message_deleted", "ephemeral", "ephemeral_deleted", "view", "home",
  "file", "channel", "status", "session", "user", "reset"];

/** Calls on(name, data) for each event; onOpen() at every connection and onLost() when it breaks. It tries
 *  again after 0.5 s, then up to 5 s. EventSource alone gives up for good after some errors. */
export function listen({ on, onOpen, onLost }) {
  let wait = 500;
  const connect = () => {
    const source = new EventSource("/control/stream");
    source.onopen = () => { wait = 500; onOpen(); };
    source.onerror = () => {
      source.close();
      onLost();
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 5000);
    };
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        let data;
        try { data = JSON.parse(event.data); } catch { return; }
        on(data.event ?? name, data);
      });
    }
    addEventListener("pagehide", () => source.close(), { once: true });
  };
  connect();
}
