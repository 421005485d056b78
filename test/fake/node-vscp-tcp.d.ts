/** The part of the third-party client that the tests use; the package has no types. */
declare module 'node-vscp-tcp' {
  export default class Client {
    connect(options: { host: string; port: number; timeout?: number }): Promise<unknown>;
    user(options: { username: string }): Promise<boolean>;
    password(options: { password: string }): Promise<boolean>;
    setFilter(options: {
      filterPriority?: number;
      filterClass?: number;
      filterType?: number;
      filterGuid?: number[] | string;
    }): Promise<{ result: string; response: string[] }>;
    setMask(options: {
      maskPriority?: number;
      maskClass?: number;
      maskType?: number;
      maskGuid?: number[] | string;
    }): Promise<{ result: string; response: string[] }>;
    startRcvLoop(): Promise<{ response: string[] }>;
    addEventListener(listener: (event: VscpEvent) => void): void;
    on(name: 'connect' | 'disconnect' | 'alive' | 'error', listener: () => void): void;
    socket: import('node:net').Socket;
  }
  export interface VscpEvent {
    vscpHead: number;
    vscpClass: number;
    vscpType: number;
    vscpObId: number;
    vscpTimeStamp: number;
    vscpGuid: string;
    vscpData: number[];
  }
}
