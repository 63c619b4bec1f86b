// Calls the official client for the tests. Each line of standard input is {"method": "inboxes.create", "args": [...]},
// each line of standard output its {"result": ...} or {"error": ...}.
import { createInterface } from "node:readline";
import { AgentMailClient } from "agentmail";
import "./strict.mjs";

const { API_KEY, API_URL } = process.env;
const client = new AgentMailClient({
  apiKey: API_KEY,
  environment: { http: API_URL, websockets: API_URL.replace("http", "ws") },
  maxRetries: 0,
});

async function call({ method, args }) {
  const names = method.split(".");
  const verb = names.pop();
  const resource = names.reduce((at, name) => at[name], client);
  return { result: await resource[verb](...args) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await call(JSON.parse(line)).catch((e) => ({
    error: { type: e.constructor.name, status: e.statusCode, body: e.body, message: e.message },
  }));
  console.log(JSON.stringify(answer));
}
