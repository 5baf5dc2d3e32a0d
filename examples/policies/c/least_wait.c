// The candidate at which a request has the least time to wait: its mean response time, times the
// requests that would then be there, for its weight. Failing candidates count as slower.
//
// Freestanding: no library and no generated code. What crosses the border are numbers and addresses
// in this module's memory, laid out as the component model's canonical ABI has it; the gateway
// makes a component of the core module when it loads it.

#include <stddef.h>
#include <stdint.h>

#define IMPORT(interface, name) __attribute__((import_module("pointsman:policy/" interface "@0.1.0"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
#define POLICY "pointsman:policy/policy@0.1.0#"

typedef struct { const char *at; uint32_t length; } string;
typedef struct { const uint32_t *at; uint32_t length; } column;
typedef struct {
    string name;
    uint32_t weight;
    uint32_t has_zone; // one byte and padding
    string zone;
    const void *labels;
    uint32_t labels_length;
} backend;

// A function that answers with a list is told where to put its address and length.
IMPORT("stats", "latency") void stats_latency(column *answer);
IMPORT("stats", "in-flight") void stats_in_flight(column *answer);
IMPORT("stats", "failures") void stats_failures(column *answer);
IMPORT("request-info", "tried") void request_info_tried(column *answer);

// Memory is handed out from `next` on. Each pick begins again at `kept`, where what `init` keeps ends.
extern char __heap_base;
static uintptr_t next, kept;

static void *reserve(size_t size) {
    if (next == 0) next = (uintptr_t)&__heap_base;
    uintptr_t at = (next + 7) & ~(uintptr_t)7;
    next = at + size;
    uintptr_t pages = (next + 65535) >> 16, there = __builtin_wasm_memory_size(0);
    if (pages > there && __builtin_wasm_memory_grow(0, pages - there) == (size_t)-1) __builtin_trap();
    return (void *)at;
}

// Here the gateway puts lists and texts before it hands them over. It never asks for old memory again.
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t had, size_t align, size_t size) {
    (void)old, (void)had, (void)align;
    return reserve(size);
}

static double penalty; // how many times slower a candidate counts that always fails
static double *weights;
static uint32_t count;
static uint32_t begin; // where the scan begins: behind the last choice, so that equals take turns

static const char *skip(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
    return at;
}

// Goes past `word`; NULL if something else stands there.
static const char *past(const char *at, const char *end, const char *word) {
    if (at == NULL) return NULL;
    for (at = skip(at, end); *word; at++, word++)
        if (at == end || *at != *word) return NULL;
    return at;
}

// Reads `{}` or `{"penalty": N}`: 1, or 0 for anything else.
static int read_options(const char *at, const char *end) {
    penalty = 20;
    at = past(at, end, "{");
    const char *empty = past(at, end, "}");
    if (empty) return skip(empty, end) == end;
    at = past(past(at, end, "\"penalty\""), end, ":");
    if (at == NULL) return 0;
    at = skip(at, end);
    const char *digits = at;
    uint32_t value = 0;
    while (at < end && *at >= '0' && *at <= '9' && at - digits < 4) value = value * 10 + (uint32_t)(*at++ - '0');
    const char *close = past(at, end, "}");
    if (at == digits || close == NULL || skip(close, end) != end || value > 1000) return 0;
    penalty = value;
    return 1;
}

// `result<_, string>`: whether it is an error, and its text.
typedef struct { uint32_t is_error; string text; } result;

EXPORT(POLICY "init")
result *policy_init(const char *config, uint32_t config_length, const backend *backends, uint32_t length, uint64_t seed) {
    static const char refusal[] = "the only option is `penalty`, a whole number from 0 to 1000";
    static result answer;
    if (!read_options(config, config + config_length)) {
        answer = (result){1, {refusal, sizeof refusal - 1}};
        return &answer;
    }
    count = length;
    weights = reserve(count * sizeof *weights);
    for (uint32_t i = 0; i < count; i++) weights[i] = backends[i].weight;
    begin = count ? (uint32_t)(seed % count) : 0;
    kept = next;
    answer = (result){0};
    return &answer;
}

static int contains(column list, uint32_t index) {
    for (uint32_t i = 0; i < list.length; i++)
        if (list.at[i] == index) return 1;
    return 0;
}

// `choice`: 0 with an index, or 1 for `abstain`.
typedef struct { uint32_t kind, index; } choice;
enum { BACKEND, ABSTAIN };

EXPORT(POLICY "pick")
choice *policy_pick(uint64_t key, uint32_t attempt, uint32_t random, uint64_t now, uint32_t has_length, uint64_t length) {
    (void)key, (void)random, (void)now, (void)has_length, (void)length;
    static choice answer;
    next = kept;
    column latency, in_flight, failures, tried = {NULL, 0};
    stats_latency(&latency);
    stats_in_flight(&in_flight);
    stats_failures(&failures);
    if (attempt > 0) request_info_tried(&tried);

    uint32_t best = count;
    double least = __builtin_inf();
    for (uint32_t step = 0, i = begin; step < count; step++, i++) {
        if (i >= count) i = 0;
        double share = (double)latency.at[i] * ((double)in_flight.at[i] + 1.0) / weights[i];
        double wait = share * (1.0 + penalty * (double)failures.at[i] / 1e6);
        if (wait < least && !contains(tried, i)) best = i, least = wait;
    }
    if (best == count) {
        answer.kind = ABSTAIN;
    } else {
        begin = best + 1;
        answer = (choice){BACKEND, best};
    }
    return &answer;
}
