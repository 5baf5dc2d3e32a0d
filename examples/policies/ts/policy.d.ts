// The interface of Pointsman's policies in TypeScript. The WIT says what everything means.
// In QuickJS every integer is a number: the WIT keeps them where a double is exact.

export interface Backend {
  name: string;
  weight: number;
  zone?: string;
  labels: [string, string][];
}

export interface Request {
  key: number;
  attempt: number;
  random: number;
  now: number;
  bodyLength?: number;
}

export type Choice = { tag: 'backend'; val: number } | { tag: 'abstain' } | { tag: 'reject'; val: number };

export interface Policy {
  init(config: string, backends: Backend[], seed: number): void;
  pick(request: Request): Choice;
}
