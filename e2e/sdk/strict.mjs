// Makes the client strict. By itself it takes almost any answer; from here on every answer and every error body must
// also pass the parser that the package exports for it, with no key that the parser does not know.
import * as serialization from "agentmail/serialization";

const seen = new Set();

function tighten(namespace) {
  if (seen.has(namespace)) return;
  seen.add(namespace);
  for (const schema of Object.values(namespace)) {
    if (schema === null || typeof schema !== "object") continue;
    if (typeof schema.parseOrThrow !== "function") {
      tighten(schema);
    } else if (!seen.has(schema)) {
      seen.add(schema);
      const parseOrThrow = schema.parseOrThrow;
      schema.parseOrThrow = (json, options) => {
        parseOrThrow(json, { unrecognizedObjectKeys: "fail" });
        return parseOrThrow(json, options);
      };
    }
  }
}

tighten(serialization);
