// A server's port with a connection in between that a test can cut.

import { once } from "node:events";
import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";

/** Where a request that contains the text is lost: before the server has it, or after, with its answer. */
export interface Cut {
  readonly text: string;
  readonly before: boolean;
}

/** Forwards to a port, and cuts each connection that carries what `cut` says. */
export class Between implements AsyncDisposable {
  readonly #listener = createServer((client) => this.#forward(client));
  readonly #port: number;
  readonly #open = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  cut: Cut | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Listens; gives its address. */
  async listen(): Promise<string> {
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
    return `127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** What clients send waits from now on. */
  pause(): void {
    for (const client of this.#clients) {
      client.pause();
    }
  }

  /** What waited goes on its way. */
  resume(): void {
    for (const client of this.#clients) {
      client.resume();
    }
  }

  #forward(client: Socket): void {
    this.#clients.add(client);
    const server = dial(this.#port, "127.0.0.1");
    const end = () => {
      this.#clients.delete(client);
      for (const socket of [client, server]) {
        this.#open.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, server]) {
      this.#open.add(socket);
      socket.on("error", end).on("close", end);
    }
    let answers = true;
    client.on("data", (data) => {
      const found = this.cut !== undefined && data.includes(this.cut.text);
      if (found && this.cut?.before) {
        end();
        return;
      }
      answers &&= !found;
      server.write(data);
    });
    server.on("data", (data) => (answers ? client.write(data) : end()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) {
      socket.destroy();
    }
    this.#listener.close();
    await once(this.#listener, "close");
  }
}
