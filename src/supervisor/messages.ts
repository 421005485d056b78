/**
 * The supervisor's side of its channel with lower and dial: a fixed table of messages, bounded.
 *
 * Node's own receiver trusts the sender: an endless line grows this process, and messages of Node's
 * own protocol, or no JSON, end it. Whoever sends such a thing is reported, once, and not heard again.
 */
import type { ChildProcess } from 'node:child_process';
import {
  checkConnection,
  type ConnectionMessage,
  type DialMessage,
  type RawHandle,
} from '../wire/handover.js';

/** A message is some 80 bytes; so many without one whole message are none. */
const MAX_MESSAGE = 1024;

/** Node's channel below a ChildProcess (lib/internal/child_process.js, setupChannel). */
interface Channel {
  onread: (this: Channel, chunk: ArrayBuffer | undefined) => void;
  readonly bytesRead: number;
  pendingHandle: RawHandle | null;
  readStop(): number;
}

function channelOf(child: ChildProcess): Channel {
  for (const symbol of Object.getOwnPropertySymbols(child)) {
    if (symbol.description !== 'kChannelHandle') continue;
    return (child as unknown as Record<symbol, Channel>)[symbol]!;
  }
  throw new Error(`this version of Node.js (${process.version}) hides the channel of a process`);
}

/**
 * Takes connections from a dialling process.
 *
 * @param connected with a handle that the callee closes
 * @param refused called once, at the first thing that is not in the table
 * @throws Error if this Node.js does not let the channel be bounded: a bug of ours
 */
export function receiveConnections(
  child: ChildProcess,
  connected: (message: ConnectionMessage, handle: RawHandle) => void,
  refused: (reason: string) => void,
): void {
  const channel = channelOf(child);
  let over = false;
  let heard = 0;
  const refuse = (reason: string): void => {
    if (over) return;
    over = true;
    channel.pendingHandle?.close();
    channel.pendingHandle = null;
    channel.readStop();
    refused(reason);
  };
  const { onread } = channel;
  channel.onread = function (chunk) {
    if (over) return;
    if (chunk && channel.bytesRead - heard > MAX_MESSAGE) {
      refuse('a message without an end');
      return;
    }
    try {
      onread.call(this, chunk);
    } catch {
      refuse('a message that is no JSON');
    }
  };
  // Node answers these itself, and fails at those that it does not expect.
  child.removeAllListeners('internalMessage');
  child.on('internalMessage', (message: unknown, handle: RawHandle | undefined) => {
    if (over) {
      handle?.close();
      return;
    }
    heard = channel.bytesRead;
    try {
      const { cmd, type, msg, ...rest } = message as Record<string, unknown>;
      if (cmd !== 'NODE_HANDLE' || type !== 'net.Native' || Object.keys(rest).length > 0) {
        throw new Error('unknown message');
      }
      const checked = checkConnection(msg);
      if (!handle) throw new Error('a connection without a connection');
      // Until it is told that the handle has come, the sender keeps what it would send next.
      child.send({ cmd: 'NODE_HANDLE_ACK' }, () => undefined);
      connected(checked, handle);
    } catch (error) {
      handle?.close();
      refuse((error as Error).message);
    }
  });
  child.on('message', () => refuse('unknown message'));
}

/** A process that does not take its orders will be gone soon, and is then started anew. */
export function sendOrder(child: ChildProcess, order: DialMessage): void {
  if (child.connected) child.send(order, () => undefined);
}
