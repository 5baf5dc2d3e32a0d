// The candidate at which a request has the least time to wait: its mean response time, times the
// requests that would then be there, for its weight. Failing candidates count as slower.

import { failures, inFlight, latency } from 'pointsman:policy/stats@0.1.0';
import { tried } from 'pointsman:policy/request-info@0.1.0';
import type { Backend, Choice, Policy, Request } from './policy';

const LARGEST_PENALTY = 1000;

/** What stands beside `use = "least_wait"` in the configuration. */
interface Options {
  /** How many times slower a candidate counts that always fails. */
  penalty: number;
}

/** Throws what is wrong, for the operator, at the policy's place in the configuration. */
function read(config: string): Options {
  const options: Record<string, unknown> = JSON.parse(config);
  for (const name of Object.keys(options)) {
    if (name !== 'penalty') throw `there is no option \`${name}\`: there is \`penalty\``;
  }
  const penalty = 'penalty' in options ? options.penalty : 20;
  if (typeof penalty !== 'number' || !Number.isInteger(penalty) || penalty < 0 || penalty > LARGEST_PENALTY) {
    throw `\`penalty\`: a whole number from 0 to ${LARGEST_PENALTY} is wanted`;
  }
  return { penalty };
}

let penalty: number;
let weights: number[];
/** Where the scan begins: behind the last choice, so that equals take turns. */
let begin: number;

function init(config: string, backends: Backend[], seed: number): void {
  penalty = read(config).penalty;
  weights = backends.map((backend) => backend.weight);
  begin = Number(seed) % Math.max(weights.length, 1);
}

function pick(request: Request): Choice {
  const [slow, busy, failing] = [latency(), inFlight(), failures()];
  const not = request.attempt > 0 ? new Set(tried()) : undefined;
  const count = weights.length;
  let best = -1;
  let least = Infinity;
  for (let step = 0; step < count; step += 1) {
    const index = (begin + step) % count;
    const share = (slow[index]! * (busy[index]! + 1)) / weights[index]!;
    const wait = share * (1 + (penalty * failing[index]!) / 1e6);
    if (wait < least && !not?.has(index)) {
      best = index;
      least = wait;
    }
  }
  if (best < 0) return { tag: 'abstain' };
  begin = best + 1;
  return { tag: 'backend', val: best };
}

export const policy: Policy = { init, pick };
