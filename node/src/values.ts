import type { Data } from "./types.js";

/** The bytes of what a user calls data. */
export function bytes(data: Data): Buffer {
  if (typeof data === "string") {
    return Buffer.from(data, "utf8");
  }
  if (Buffer.isBuffer(data)) {
    return data;
  }
  if (data instanceof Uint8Array) {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  }
  throw new TypeError("data must be a string, a Buffer or a Uint8Array");
}

/** The number of a word of a table. */
export function numberOf(table: readonly string[], word: string): number {
  const number = table.indexOf(word);
  if (number < 0) {
    throw new TypeError(`${JSON.stringify(word)} is none of ${table.join(", ")}`);
  }
  return number;
}
