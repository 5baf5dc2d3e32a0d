// What a policy may ask of the gateway. Only what is imported is linked.

declare module 'pointsman:policy/stats@0.1.0' {
  export interface Detail {
    successes: number;
    failures: number;
    failuresInARow: number;
    connect: number;
    firstByte: number;
    lastUsed: number;
    knownSince: number;
    reportedLoad?: number;
    reportedAt: number;
  }
  export function inFlight(): number[];
  export function inFlightOf(backend: number): number;
  export function inFlightTotal(): number;
  export function latency(): number[];
  export function latencyOf(backend: number): number;
  export function age(): number[];
  export function ageOf(backend: number): number;
  export function failures(): number[];
  export function failuresOf(backend: number): number;
  export function detailOf(backend: number): Detail;
}

declare module 'pointsman:policy/request-info@0.1.0' {
  export function keyBytes(): Uint8Array;
  export function keyCrc32(): number;
  export function method(): string;
  export function path(): string;
  export function query(): string;
  export function host(): string;
  export function header(name: string): string | undefined;
  export function cookie(name: string): string | undefined;
  export function clientAddress(): Uint8Array;
  export function tried(): number[];
}

declare module 'pointsman:policy/upstream@0.1.0' {
  export interface Member {
    backend: import('./policy').Backend;
    candidate?: number;
  }
  export function name(): string;
  export function members(): Member[];
}

declare module 'pointsman:policy/log@0.1.0' {
  export function write(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}
