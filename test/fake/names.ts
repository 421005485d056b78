/** A name server for tests: one name, A and AAAA, over UDP port 53 (RFC 1035 section 4). */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

/** Addresses to answer with; or how it fails. */
export type Answer = readonly string[] | 'nothing' | 'servfail' | 'nxdomain';

const HEADER = 12;
const [A, AAAA] = [1, 28];
const CODES = { servfail: 2, nxdomain: 3 } as const;

export class FakeNames {
  answer: Answer = 'nothing';
  /** Questions that came. */
  asked = 0;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (query, { address, port }) => {
      this.asked++;
      const reply = this.#reply(query);
      if (reply) socket.send(reply, port, address);
    });
  }

  static async start(address: string): Promise<FakeNames> {
    const socket = createSocket('udp4');
    socket.bind(53, address);
    await once(socket, 'listening');
    return new FakeNames(socket);
  }

  close(): void {
    this.#socket.close();
  }

  #reply(query: Buffer): Buffer | undefined {
    const { answer } = this;
    if (answer === 'nothing') return undefined;
    let end = HEADER;
    while (query[end] !== 0) end += query[end]! + 1;
    const type = query.readUInt16BE(end + 1);
    const question = query.subarray(HEADER, end + 5);
    const found = Array.isArray(answer)
      ? (answer as readonly string[]).filter((each) => type === (isIPv6(each) ? AAAA : A))
      : [];
    const header = Buffer.from(query.subarray(0, HEADER));
    const code = typeof answer === 'string' ? CODES[answer] : 0;
    header.writeUInt16BE(0x8180 | code, 2);
    [1, found.length, 0, 0].forEach((count, i) => header.writeUInt16BE(count, 4 + 2 * i));
    const records = found.flatMap((address) => {
      const bytes = toBytes(address);
      // The name of the question, class IN, to be forgotten at once.
      return [0xc0, HEADER, 0, type, 0, 1, 0, 0, 0, 0, 0, bytes.length, ...bytes];
    });
    return Buffer.concat([header, question, Buffer.from(records)]);
  }
}

/** IPv6 with no more than one `::`, and numbers only. */
function toBytes(address: string): number[] {
  if (!isIPv6(address)) return address.split('.').map(Number);
  const [head = [], tail = []] = address
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = new Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
