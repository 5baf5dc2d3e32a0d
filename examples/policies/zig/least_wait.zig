//! The candidate at which a request has the least time to wait: its mean response time, times the
//! requests that would then be there, for its weight. Failing candidates count as slower.
//!
//! What crosses the border are numbers and addresses in this module's memory, laid out as the
//! component model's canonical ABI has it; the gateway makes a component of the core module.

const std = @import("std");

const Text = extern struct { at: [*]const u8, length: u32 };
const Column = extern struct {
    at: [*]const u32,
    length: u32,

    fn items(column: Column) []const u32 {
        return column.at[0..column.length];
    }
};
const Backend = extern struct {
    name: Text,
    weight: u32,
    has_zone: u32, // one byte and padding
    zone: Text,
    labels: [*]const u8,
    labels_length: u32,
};
const Result = extern struct { is_error: u32, text: Text };
const Choice = extern struct { kind: u32, index: u32 };

const stats = struct {
    extern "pointsman:policy/stats@0.1.0" fn latency(answer: *Column) void;
    extern "pointsman:policy/stats@0.1.0" fn @"in-flight"(answer: *Column) void;
    extern "pointsman:policy/stats@0.1.0" fn failures(answer: *Column) void;
};
const request_info = struct {
    extern "pointsman:policy/request-info@0.1.0" fn tried(answer: *Column) void;
};

fn ask(comptime question: fn (*Column) callconv(.c) void) []const u32 {
    var answer: Column = undefined;
    question(&answer);
    return answer.items();
}

/// What `init` keeps.
var kept = std.heap.ArenaAllocator.init(std.heap.wasm_allocator);
/// What the gateway hands over during a call; forgotten at the next pick.
var handed = std.heap.ArenaAllocator.init(std.heap.wasm_allocator);

fn realloc(old: ?[*]u8, had: usize, alignment: usize, size: usize) callconv(.c) [*]u8 {
    _ = .{ old, had, alignment };
    // Nothing has an address too, and it must lie in memory.
    const memory = handed.allocator().alignedAlloc(u8, .@"8", @max(size, 1)) catch @trap();
    return memory.ptr;
}

/// How many times slower a candidate counts that always fails.
var penalty: f64 = 20;
var weights: []f64 = &.{};
/// Where the scan begins: behind the last choice, so that equals take turns.
var begin: usize = 0;

const Options = struct { penalty: u32 = 20 };

fn init(config: [*]const u8, config_length: usize, backends: [*]const Backend, count: usize, seed: u64) callconv(.c) *const Result {
    const refusal = "the only option is `penalty`, a whole number from 0 to 1000";
    const answers = struct {
        const taken: Result = .{ .is_error = 0, .text = .{ .at = refusal.ptr, .length = 0 } };
        const refused: Result = .{ .is_error = 1, .text = .{ .at = refusal.ptr, .length = refusal.len } };
    };
    const allocator = kept.allocator();
    const options = std.json.parseFromSliceLeaky(Options, allocator, config[0..config_length], .{}) catch return &answers.refused;
    if (options.penalty > 1000) return &answers.refused;
    penalty = @floatFromInt(options.penalty);
    weights = allocator.alloc(f64, count) catch @trap();
    for (weights, backends) |*weight, backend| weight.* = @floatFromInt(backend.weight);
    begin = if (count == 0) 0 else @intCast(seed % count);
    return &answers.taken;
}

fn pick(key: u64, attempt: u32, random: u32, now: u64, has_length: u32, length: u64) callconv(.c) *const Choice {
    _ = .{ key, random, now, has_length, length };
    const static = struct {
        var answer: Choice = undefined;
    };
    _ = handed.reset(.retain_capacity);
    const latency = ask(stats.latency);
    const in_flight = ask(stats.@"in-flight");
    const failures = ask(stats.failures);
    const tried = if (attempt > 0) ask(request_info.tried) else &.{};

    var best: ?usize = null;
    var least = std.math.inf(f64);
    for (0..weights.len) |step| {
        const index = (begin + step) % weights.len;
        const share = float(latency[index]) * (float(in_flight[index]) + 1) / weights[index];
        const wait = share * (1 + penalty * float(failures[index]) / 1e6);
        if (wait < least and std.mem.indexOfScalar(u32, tried, @intCast(index)) == null) {
            best = index;
            least = wait;
        }
    }
    static.answer = if (best) |index| .{ .kind = 0, .index = @intCast(index) } else .{ .kind = 1, .index = 0 };
    if (best) |index| begin = index + 1;
    return &static.answer;
}

fn float(number: u32) f64 {
    return @floatFromInt(number);
}

comptime {
    @export(&realloc, .{ .name = "cabi_realloc" });
    @export(&init, .{ .name = "pointsman:policy/policy@0.1.0#init" });
    @export(&pick, .{ .name = "pointsman:policy/policy@0.1.0#pick" });
}
