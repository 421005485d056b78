/** Descriptors by number, the same in every process that has them. */
export const FD = {
  /** valve: the logged-in socket; upper: the connection. */
  socket: 0,
  log: 2,
  settings: 3,
  password: 4,
  key: 5,
  /** upper: PEM files of the authority and of its own certificate. */
  ca: 6,
  cert: 7,
  /** valve: the pipe to the gate; gate: the first of the pipes from the valves. */
  pipe: 8,
  /** gate: the policies in force, a file that changes; behind the pipes of 64 valves. */
  policies: 72,
  /** gate, upper: held for as long as the process lives, and locked. */
  lock: 73,
  /** upper: what it writes: its status, its cursor, and the two files of the ring of refusals. */
  status: 74,
  cursor: 75,
  rejects: 76,
  /** bubblewrap: the seccomp filter, and where it says which process it made; closed before that. */
  filter: 80,
  info: 81,
  /** lower, dial: the messages of src/wire/handover.ts, lines of text. */
  messages: 82,
  /** lower, dial: connections go out; a worker's receiver takes them in, before there is a worker. */
  handles: 83,
} as const;
