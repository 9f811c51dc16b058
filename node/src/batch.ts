// Reads what `bindings/node/src/batch.rs` writes: records of completions and events.

import { type ErrorCode, panicked, QuorateError } from "./errors.js";
import { type NodeEvent, type PartResult, SESSION_STATES, type Stat } from "./types.js";

/** What a record is about. */
export enum Kind {
  Done = 0,
  Failed = 1,
  Data = 2,
  Stat = 3,
  Absent = 4,
  Children = 5,
  Created = 6,
  Parts = 7,
  Event = 8,
  Missed = 9,
  Ended = 10,
  State = 11,
  Lost = 12,
  Late = 13,
  Cancelled = 14,
  Panicked = 15,
  Product = 16,
  ServerFailed = 17,
  More = 18,
}

/** Why something is not held any more: `over` where that is not known. */
export type Loss = (typeof LOSSES)[number];
const LOSSES = ["session", "deleted", "over"] as const;

const EVENT_KINDS = ["created", "deleted", "changed", "children"] as const;

/** Steps through a batch. After `next()`, the record is in `kind`, `token` and `value`. */
export class Reader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #at = 0;

  kind = Kind.Done;
  token = 0;
  value: unknown;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Reads one record; false when there is none left. */
  next(): boolean {
    if (this.#at >= this.#bytes.length) {
      return false;
    }
    this.kind = this.#u8();
    this.token = this.#u32();
    this.value = this.#read();
    return true;
  }

  #read(): unknown {
    switch (this.kind) {
      case Kind.Data: {
        const stat = this.#stat();
        return { data: this.#data(), stat };
      }
      case Kind.Stat:
        return this.#stat();
      case Kind.Absent:
        return null;
      case Kind.Children: {
        const stat = this.#stat();
        return { children: this.#list(() => this.#text()), stat };
      }
      case Kind.Created: {
        const path = this.#text();
        return { path, stat: this.#stat() };
      }
      case Kind.Parts:
        return this.#list(() => this.#part());
      case Kind.Event:
        return this.#event();
      case Kind.State:
        return SESSION_STATES[this.#u8()];
      case Kind.Lost:
        return LOSSES[this.#u8()];
      case Kind.Failed:
      case Kind.Ended:
        return this.#error();
      case Kind.Panicked:
        return panicked(this.#text());
      case Kind.ServerFailed:
        return new QuorateError(this.#text(), {
          code: "SystemError",
          errno: -1,
          operation: "server",
        });
      default:
        return undefined;
    }
  }

  #error(): QuorateError {
    const errno = this.#i32();
    const code = this.#text() as ErrorCode;
    const outcomeUnknown = this.#u8() === 1;
    const number = this.#i32();
    const part = number < 0 ? undefined : number;
    const operation = this.#text();
    const path = this.#text();
    return new QuorateError(this.#text(), { code, errno, operation, path, outcomeUnknown, part });
  }

  #event(): NodeEvent {
    const kind = EVENT_KINDS[this.#u8()] ?? "changed";
    const path = this.#text();
    return this.#u8() === 1 ? { kind, path, zxid: this.#i64() } : { kind, path };
  }

  #part(): PartResult {
    switch (this.#u8()) {
      case 0: {
        const path = this.#text();
        return { kind: "created", path, stat: this.#u8() === 1 ? this.#stat() : undefined };
      }
      case 1:
        return { kind: "set", stat: this.#stat() };
      default:
        return { kind: "done" };
    }
  }

  #stat(): Stat {
    const view = this.#view;
    const at = this.#at;
    this.#at = at + 68;
    return {
      czxid: view.getBigInt64(at, true),
      mzxid: view.getBigInt64(at + 8, true),
      ctime: view.getBigInt64(at + 16, true),
      mtime: view.getBigInt64(at + 24, true),
      version: view.getInt32(at + 32, true),
      cversion: view.getInt32(at + 36, true),
      aversion: view.getInt32(at + 40, true),
      ephemeralOwner: view.getBigInt64(at + 44, true),
      dataLength: view.getInt32(at + 52, true),
      numChildren: view.getInt32(at + 56, true),
      pzxid: view.getBigInt64(at + 60, true),
    };
  }

  #list<T>(element: () => T): T[] {
    const list: T[] = [];
    for (let left = this.#u32(); left > 0; left -= 1) {
      list.push(element());
    }
    return list;
  }

  /** A copy: what a user keeps must not keep the whole batch. */
  #data(): Buffer {
    const end = this.#end();
    const data = Buffer.from(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    return data;
  }

  #text(): string {
    const end = this.#end();
    const text = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end;
    return text;
  }

  #end(): number {
    const length = this.#u32();
    return this.#at + length;
  }

  #u8(): number {
    const value = this.#view.getUint8(this.#at);
    this.#at += 1;
    return value;
  }

  #u32(): number {
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  #i32(): number {
    const value = this.#view.getInt32(this.#at, true);
    this.#at += 4;
    return value;
  }

  #i64(): bigint {
    const value = this.#view.getBigInt64(this.#at, true);
    this.#at += 8;
    return value;
  }
}
