// The border between Go and the gateway: numbers and addresses in this module's memory, laid out as
// the component model's canonical ABI has it.
package main

import "unsafe"

type text struct {
	at     uint32
	length uint32
}

type column struct {
	at     uint32
	length uint32
}

type backend struct {
	name    text
	weight  uint32
	hasZone uint32 // one byte and padding
	zone    text
	labels  column
}

type request struct {
	key       uint64
	attempt   uint32
	random    uint32
	now       uint64
	hasLength uint32
	length    uint64
}

// A function that answers with a list is told where to put its address and length.

//go:wasmimport pointsman:policy/stats@0.1.0 latency
func statsLatency(answer unsafe.Pointer)

//go:wasmimport pointsman:policy/stats@0.1.0 in-flight
func statsInFlight(answer unsafe.Pointer)

//go:wasmimport pointsman:policy/stats@0.1.0 failures
func statsFailures(answer unsafe.Pointer)

//go:wasmimport pointsman:policy/request-info@0.1.0 tried
func requestInfoTried(answer unsafe.Pointer)

var answer column

func (list column) numbers() []uint32 {
	return unsafe.Slice((*uint32)(pointer(list.at)), list.length)
}

func latency() []uint32  { statsLatency(unsafe.Pointer(&answer)); return answer.numbers() }
func inFlight() []uint32 { statsInFlight(unsafe.Pointer(&answer)); return answer.numbers() }
func failures() []uint32 { statsFailures(unsafe.Pointer(&answer)); return answer.numbers() }
func tried() []uint32    { requestInfoTried(unsafe.Pointer(&answer)); return answer.numbers() }

func pointer(address uint32) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}

// What the gateway hands over goes here, and never to Go's heap: a collection that began in
// `cabi_realloc` would read the clock, which is forbidden there. Each pick begins again at `kept`.
var arena [4 << 20]byte
var next, kept uintptr


//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, had, align, size uint32) unsafe.Pointer {
	at := (next + 7) &^ 7
	if at+uintptr(size) > uintptr(len(arena)) {
		panic("the gateway hands over more than 4 MiB")
	}
	next = at + uintptr(size)
	return unsafe.Pointer(&arena[at])
}

// `result<_, string>`, and `choice`: 0 with an index, or 1 to abstain.
var refusal struct {
	isError uint32
	text    text
}
var choice struct{ kind, index uint32 }
var words []byte

//go:wasmexport pointsman:policy/policy@0.1.0#init
func policyInit(config unsafe.Pointer, configLength uint32, backends unsafe.Pointer, length uint32, seed uint64) unsafe.Pointer {
	refusal.isError = 0
	err := initialise(unsafe.String((*byte)(config), configLength), unsafe.Slice((*backend)(backends), length), seed)
	if err != nil {
		words = []byte(err.Error())
		refusal.isError = 1
		refusal.text = text{uint32(uintptr(unsafe.Pointer(&words[0]))), uint32(len(words))}
	}
	kept = 0
	return unsafe.Pointer(&refusal)
}

//go:wasmexport pointsman:policy/policy@0.1.0#pick
func policyPick(key uint64, attempt, random uint32, now uint64, hasLength uint32, length uint64) unsafe.Pointer {
	next = kept
	index, chosen := pick(request{key, attempt, random, now, hasLength, length})
	choice.index, choice.kind = index, 0
	if !chosen {
		choice.kind = 1
	}
	return unsafe.Pointer(&choice)
}
