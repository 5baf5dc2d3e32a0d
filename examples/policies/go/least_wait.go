// The candidate at which a request has the least time to wait: its mean response time, times the
// requests that would then be there, for its weight. Failing candidates count as slower.
package main

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

var (
	penalty float64 // how many times slower a candidate counts that always fails
	weights []float64
	begin   int // where the scan begins: behind the last choice, so that equals take turns
)

// Reads `{}` or `{"penalty":N}`. (encoding/json would do it too, and double the size.)
func readOptions(config string) (uint64, error) {
	if config == "{}" {
		return 20, nil
	}
	rest, isPenalty := strings.CutPrefix(config, `{"penalty":`)
	digits, isClosed := strings.CutSuffix(rest, "}")
	value, err := strconv.ParseUint(digits, 10, 32)
	if !isPenalty || !isClosed || err != nil || value > 1000 {
		return 0, errors.New("the only option is `penalty`, a whole number from 0 to 1000")
	}
	return value, nil
}

// Is born. What it returns as an error is what the operator sees.
func initialise(config string, backends []backend, seed uint64) error {
	value, err := readOptions(config)
	if err != nil {
		return err
	}
	penalty = float64(value)
	weights = nil
	for _, backend := range backends {
		weights = append(weights, float64(backend.weight))
	}
	begin = int(seed % uint64(max(len(weights), 1)))
	return nil
}

// Chooses a candidate; false to abstain.
func pick(request request) (uint32, bool) {
	slow, busy, failing := latency(), inFlight(), failures()
	var not []uint32
	if request.attempt > 0 {
		not = tried()
	}
	best, least := -1, math.Inf(1)
	for step := range weights {
		index := (begin + step) % len(weights)
		share := float64(slow[index]) * (float64(busy[index]) + 1) / weights[index]
		wait := share * (1 + penalty*float64(failing[index])/1e6)
		if wait < least && !slices.Contains(not, uint32(index)) {
			best, least = index, wait
		}
	}
	if best < 0 {
		return 0, false
	}
	begin = best + 1
	return uint32(best), true
}

func main() {}
