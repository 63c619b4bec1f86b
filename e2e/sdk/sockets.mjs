// The client's WebSockets, for the tests: open gives a number, by which the other calls know the socket.
import * as serialization from "agentmail/serialization";

const opened = [];

// Fields of ours in frames that are not events. Other keys that the client does not know fail the test.
const ours = ["last_event_id", "code", "fix"];

function strictly(text) {
  const frame = JSON.parse(text);
  if (frame.type !== "event") for (const name of ours) delete frame[name];
  serialization.WebsocketsSocketResponse.parseOrThrow(frame, { unrecognizedObjectKeys: "fail" });
}

// open connects, as client.websockets.connect does, and tells what went wrong if it does not.
export async function open(client, args) {
  const socket = await client.websockets.connect({ reconnectAttempts: 1, ...args });
  const at = { socket, heard: [], waiting: [] };
  const hear = (what) => (at.waiting.length ? at.waiting.shift()(what) : at.heard.push(what));
  socket.socket.addEventListener("message", ({ data }) => {
    try {
      strictly(data);
    } catch (e) {
      console.error(e, data);
    }
  });
  socket.on("message", (message) => hear({ message }));
  socket.on("close", ({ code }) => hear({ closed: code }));
  await socket.waitForOpen().catch(({ message }) => {
    socket.close();
    throw new Error(message);
  });
  return opened.push(at) - 1;
}

// subscribe sends a subscription and returns the answer to it.
export async function subscribe(client, id, message) {
  opened[id].socket.sendSubscribe({ type: "subscribe", ...message });
  return next(client, id);
}

// next waits for what the server says next: {message} or {closed}.
export function next(_, id) {
  const at = opened[id];
  return at.heard.length ? at.heard.shift() : new Promise((resolve) => at.waiting.push(resolve));
}

export function close(_, id) {
  opened[id].socket.close();
}
