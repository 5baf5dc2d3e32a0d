// The candidate at which a request has the least time to wait: its mean response time, times the
// requests that would then be there, for its weight. Failing candidates count as slower.
//
// What crosses the border are numbers and addresses in this module's memory, laid out as the
// component model's canonical ABI has it; the gateway makes a component of the core module.

// A function that answers with a list is told where to put its address and length.
@external("pointsman:policy/stats@0.1.0", "latency")
declare function latency(answer: usize): void;
@external("pointsman:policy/stats@0.1.0", "in-flight")
declare function inFlight(answer: usize): void;
@external("pointsman:policy/stats@0.1.0", "failures")
declare function failures(answer: usize): void;
@external("pointsman:policy/request-info@0.1.0", "tried")
declare function tried(answer: usize): void;

// Memory is handed out from `next` on. Each pick begins again at `kept`, where what `init` keeps ends.
let next: usize = __heap_base;
let kept: usize = __heap_base;

function reserve(size: usize): usize {
  const at = (next + 7) & ~7;
  next = at + size;
  const missing = <i32>((next + 65535) >> 16) - memory.size();
  if (missing > 0 && memory.grow(missing) < 0) unreachable();
  return at;
}

export function cabi_realloc(_old: usize, _had: usize, _align: usize, size: usize): usize {
  return reserve(size);
}

const REFUSAL = memory.data<u8>([
  // the only option is `penalty`, a whole number from 0 to 1000
  116, 104, 101, 32, 111, 110, 108, 121, 32, 111, 112, 116, 105, 111, 110, 32, 105, 115, 32, 96, 112, 101, 110, 97, 108,
  116, 121, 96, 44, 32, 97, 32, 119, 104, 111, 108, 101, 32, 110, 117, 109, 98, 101, 114, 32, 102, 114, 111, 109, 32, 48,
  32, 116, 111, 32, 49, 48, 48, 48,
]);
const REFUSAL_LENGTH: u32 = 59;
const NAME = memory.data<u8>([123, 34, 112, 101, 110, 97, 108, 116, 121, 34, 58]); // {"penalty":
const NAME_LENGTH: u32 = 11;
const ANSWER = memory.data(16); // what `init` and `pick` answer lies here
const LISTS = memory.data(32); // latency, in flight, failures, tried: address and length of each

let penalty: f64 = 20; // how many times slower a candidate counts that always fails
let weights: usize = 0; // an f64 for each candidate
let count: u32 = 0;
let begin: u32 = 0; // where the scan begins: behind the last choice, so that equals take turns

/** Reads `{}` or `{"penalty":N}`, written without blanks; false for anything else. */
function options(at: usize, length: u32): bool {
  if (length == 2) return load<u16>(at) == 0x7d7b; // {}
  if (length < NAME_LENGTH + 2 || length > NAME_LENGTH + 5) return false;
  if (memory.compare(at, NAME, NAME_LENGTH) != 0) return false;
  let value: u32 = 0;
  for (let i = NAME_LENGTH; i < length - 1; i++) {
    const digit = <u32>load<u8>(at + i) - 48;
    if (digit > 9) return false;
    value = value * 10 + digit;
  }
  penalty = <f64>value;
  return load<u8>(at + length - 1) == 0x7d && value <= 1000;
}

export function policy_init(config: usize, configLength: u32, backends: usize, length: u32, seed: u64): usize {
  if (!options(config, configLength)) {
    store<u32>(ANSWER, 1);
    store<u32>(ANSWER, REFUSAL, 4);
    store<u32>(ANSWER, REFUSAL_LENGTH, 8);
    return ANSWER;
  }
  count = length;
  weights = reserve(count * 8);
  // A backend is 32 bytes, its weight lies at 8.
  for (let i: u32 = 0; i < count; i++) store<f64>(weights + i * 8, <f64>load<u32>(backends + i * 32, 8));
  begin = count ? <u32>(seed % <u64>count) : 0;
  kept = next;
  store<u32>(ANSWER, 0);
  return ANSWER;
}

function nth(list: usize, index: u32): f64 {
  return <f64>load<u32>(load<usize>(LISTS + list * 8) + index * 4);
}

function wasTried(index: u32): bool {
  const list = load<usize>(LISTS, 24);
  for (let i: u32 = 0; i < load<u32>(LISTS, 28); i++) {
    if (load<u32>(list + i * 4) == index) return true;
  }
  return false;
}

export function policy_pick(_key: u64, attempt: u32, _random: u32, _now: u64, _hasLength: u32, _length: u64): usize {
  next = kept;
  latency(LISTS);
  inFlight(LISTS + 8);
  failures(LISTS + 16);
  store<u32>(LISTS, 0, 28);
  if (attempt > 0) tried(LISTS + 24);
  let best = count;
  let least = Infinity;
  for (let step: u32 = 0, i = begin; step < count; step++, i++) {
    if (i >= count) i = 0;
    const share = (nth(0, i) * (nth(1, i) + 1)) / load<f64>(weights + i * 8);
    const wait = share * (1 + (penalty * nth(2, i)) / 1e6);
    if (wait < least && !wasTried(i)) {
      best = i;
      least = wait;
    }
  }
  if (best == count) {
    store<u32>(ANSWER, 1); // abstain
    return ANSWER;
  }
  begin = best + 1;
  store<u32>(ANSWER, 0); // backend, and its index
  store<u32>(ANSWER, best, 4);
  return ANSWER;
}
