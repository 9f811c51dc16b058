import { connect } from "node:net";

/** What a server on this machine answers to a four-letter word. */
export async function ask(port: number, word: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(word);
  let answer = "";
  for await (const chunk of socket) {
    answer += chunk;
  }
  return answer;
}
