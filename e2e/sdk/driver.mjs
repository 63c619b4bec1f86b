// Calls the official client for the tests. Each line of standard input is {"method": "inboxes.create", "args": [...]},
// each line of standard output its {"result": ...} or {"error": ...}. A time among the arguments is {"$date": "..."}.
import { createInterface } from "node:readline";
import { AgentMailClient } from "agentmail";
import * as sockets from "./sockets.mjs";
import "./strict.mjs";

const { API_KEY, API_URL } = process.env;
const client = new AgentMailClient({
  apiKey: API_KEY,
  environment: { http: API_URL, websockets: API_URL.replace("http", "ws") },
  maxRetries: 0,
});

// methods lists every method of the client, as "inboxes.messages.send".
function methods(at = client, prefix = "") {
  const own = {};
  for (let p = Object.getPrototypeOf(at); p !== Object.prototype; p = Object.getPrototypeOf(p)) {
    Object.assign(own, { ...Object.getOwnPropertyDescriptors(p), ...own });
  }
  return Object.entries(own).flatMap(([name, { get, value }]) => {
    if (get) return methods(at[name], `${prefix}${name}.`);
    return typeof value === "function" && prefix && name !== "constructor" && !name.startsWith("_") ? [prefix + name] : [];
  });
}

async function call({ method, args }) {
  if (method === "methods") return { result: methods() };
  const names = method.split(".");
  const verb = names.pop();
  if (names[0] === "sockets") return { result: await sockets[verb](client, ...args) };
  const resource = names.reduce((at, name) => at[name], client);
  const result = await resource[verb](...args);
  if (typeof result?.arrayBuffer === "function") return { result: Buffer.from(await result.arrayBuffer()).toString() };
  return { result };
}

const revive = (_, value) => (value?.$date ? new Date(value.$date) : value);

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await call(JSON.parse(line, revive)).catch((e) => ({
    error: { type: e.constructor.name, status: e.statusCode, body: e.body, message: e.message },
  }));
  console.log(JSON.stringify(answer));
}
