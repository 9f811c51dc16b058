import { type Client, connect } from "./client.js";
import { hub } from "./hub.js";
import type { NativeServer } from "./native.js";
import type { ConnectOptions, ServerOptions } from "./types.js";
import { whole } from "./values.js";

/**
 * A server in this process. While it listens on a port it keeps the process alive, as a server of `node:net` does, unless `unref` was
 * called. One without a port is stopped when it is collected.
 */
export class Server implements AsyncDisposable {
  readonly #native: NativeServer;
  #stopped: Promise<void> | undefined;
  #holding = false;

  /** Where it listens, as in `127.0.0.1:2181`; `null` when it has no port. */
  readonly address: string | null;

  private constructor(native: NativeServer) {
    this.#native = native;
    this.address = native.address;
    if (this.address !== null) {
      this.#holding = true;
      hub.hold();
      listening.add(this);
    }
  }

  /** Starts a server. When it is there, its port is open and its data is loaded. */
  static async start(options: ServerOptions): Promise<Server> {
    const { volatile, dataDir, settings, port, host } = options;
    if ((dataDir === undefined) !== (volatile === true)) {
      throw new TypeError("a server needs either dataDir or volatile: true");
    }
    const keys = Object.entries(settings ?? {}).map(([key, value]) => [key, String(value)]);
    const options_ = {
      ...(port !== undefined && { port: whole("port", port, 0, 65_535) }),
      ...(host !== undefined && { host }),
      ...(dataDir !== undefined && { dataDir }),
      ...(keys.length > 0 && { settings: Object.fromEntries(keys) }),
    };
    return hub.spawn(
      {
        operation: "server",
        path: "",
        start: (token) => hub.native.startServer(token, options_),
        finish: (token) => new Server(hub.native.takeServer(token) as NativeServer),
      },
      undefined,
    );
  }

  /** @internal */
  static nativeOf(server: Server): NativeServer {
    return server.#native;
  }

  /** Its port; `null` when it has none. */
  get port(): number | null {
    return this.address === null
      ? null
      : Number(this.address.slice(this.address.lastIndexOf(":") + 1));
  }

  /** Connects to it within the process, without a socket. */
  connect(options?: ConnectOptions): Promise<Client> {
    return connect(this, options);
  }

  /** Stops it: connections are closed, what was acknowledged is durable. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #stop(): Promise<void> {
    this.unref();
    listening.delete(this);
    return hub.spawn(
      {
        operation: "server",
        path: "",
        start: (token) => void this.#native.stop(token),
        finish: () => undefined,
      },
      undefined,
    );
  }

  /** Lets the process end although the server runs. */
  unref(): this {
    if (this.#holding) {
      this.#holding = false;
      hub.unhold();
    }
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Others can reach these, so they are never collected. */
const listening = new Set<Server>();
