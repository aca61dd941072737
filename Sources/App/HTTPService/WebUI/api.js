// The service, as /openapi.json describes it.

import { keep, stored } from "./dom.js";

/** What the service answered instead of a result: `code` for programs, `message` for people. */
export class ServiceError extends Error {
  constructor(status, told) {
    super(told?.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = told?.code ?? `http_${status}`;
    this.field = told?.param ?? null;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

let key = stored("key", "sessionStorage");
/** `ask(reason)` asks for a key and resolves with it, or with null. Set by the page. */
export const access = { ask: async () => null };
/** Requests that find the door locked wait for one answer. */
let asking = null;

async function askForKey(reason) {
  asking ??= access.ask(reason).finally(() => { asking = null; });
  key = await asking;
  if (key) keep("key", key, "sessionStorage");
  return key;
}

export async function request(path, { method = "GET", body, signal } = {}) {
  for (;;) {
    const used = key, headers = {};
    if (used) headers.Authorization = `Bearer ${used}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
    } catch (error) {
      if (signal?.aborted || error.name === "AbortError") throw error;
      throw new Unreachable(error.message);
    }
    if (response.ok) return response;
    const told = (await response.json().catch(() => null))?.error;
    if (response.status !== 401) throw new ServiceError(response.status, told);
    // Another request may have got a key meanwhile.
    if (used === key && !(await askForKey(told?.code))) throw new ServiceError(401, told);
  }
}

async function json(path, options) {
  const response = await request(path, options);
  try { return await response.json(); } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable(error.message);
  }
}

export const search = (query, signal) => json("/api/search", { method: "POST", body: query, signal });
export const list = (parameters, signal) => json(`/api/pictures?${new URLSearchParams(parameters)}`, { signal });
export const clusters = (parameters, signal) => json(`/api/clusters?${new URLSearchParams(parameters)}`, { signal });
export const duplicates = (parameters, signal) => json(`/api/duplicates?${new URLSearchParams(parameters)}`, { signal });
export const picture = (id, signal) => json(`/api/pictures/${id}`, { signal });
export const library = () => json("/api/library");
export const models = () => json("/api/models");
export const facets = () => json("/api/library/facets");
export const problems = () => json("/api/library/problems?limit=500");
export const jobs = () => json("/api/jobs");
export const startJob = (request) => json("/api/jobs", { method: "POST", body: request });
export const cancelJob = (id) => json(`/api/jobs/${id}`, { method: "DELETE" });
export const health = () => fetch("/health", { cache: "no-store" }).then(({ ok }) => ok, () => false);

/** Follows a job until it ends; `tell(name, data)` gets each event. An EventSource couldn't send a key. */
export async function followJob(id, tell, signal) {
  const response = await request(`/api/jobs/${id}/events`, { signal }), reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const field = (name) => event.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field("data")) tell(field("event") ?? "message", JSON.parse(field("data")));
    }
  }
}

/** An address for an <img>. A picture behind a key is fetched with it and becomes an address of the page's own. */
export async function imageAddress(path, signal) {
  if (!key) return { address: path, release() {} };
  const address = URL.createObjectURL(await (await request(path, { signal })).blob());
  return { address, release: () => URL.revokeObjectURL(address) };
}

export const thumbnailPath = (id, side) => `/api/pictures/${id}/thumbnail?side=${side}`;
export const filePath = (id) => `/api/pictures/${id}/file`;
