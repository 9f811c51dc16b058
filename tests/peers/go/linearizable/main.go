// Command linearizable reads what clients asked registers and what they were told, a line of JSON each, and says whether there is an order
// of all of it that explains it (Porcupine decides):
// {"client": 1, "path": "/r", "do": "cas", "text": "x", "expected": 3, "call": 10, "return": 12, "code": "Ok", "version": 4}.
// Without "return" nobody knows what became of a request. With an argument it draws the history of a failure into that file.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

// One request and its answer.
type record struct {
	Client   int    `json:"client"`
	Path     string `json:"path"`
	Do       string `json:"do"`
	Text     string `json:"text"`
	Expected int    `json:"expected"`
	Call     int64  `json:"call"`
	Return   *int64 `json:"return"`
	Code     string `json:"code"`
	Version  int    `json:"version"`
}

// A node's data, and how often it was changed.
type register struct {
	text    string
	version int
}

// The same transitions that a server makes. Texts of writes are unique, so a read names its write.
func step(state, input, _ interface{}) (bool, interface{}) {
	now, r := state.(register), input.(record)
	written := register{r.Text, now.version + 1}
	applies := r.Do == "set" || (r.Do == "cas" && r.Expected == now.version)
	switch {
	case r.Do == "read":
		return r.Text == now.text && r.Version == now.version, now
	case r.Return == nil && applies:
		// If it never happened, it may stand behind everything else.
		return true, written
	case r.Return == nil:
		return true, now
	case r.Code == "BadVersion":
		return !applies, now
	default:
		return applies && r.Version == written.version, written
	}
}

func byRegister(history []porcupine.Operation) [][]porcupine.Operation {
	parts := map[string][]porcupine.Operation{}
	for _, operation := range history {
		path := operation.Input.(record).Path
		parts[path] = append(parts[path], operation)
	}
	all := [][]porcupine.Operation{}
	for _, part := range parts {
		all = append(all, part)
	}
	return all
}

func describe(input, _ interface{}) string {
	r := input.(record)
	return fmt.Sprintf("%s %s %q, expecting %d: %s, version %d", r.Do, r.Path, r.Text, r.Expected, r.Code, r.Version)
}

func read() ([]porcupine.Operation, error) {
	history := []porcupine.Operation{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, err
		}
		end := int64(math.MaxInt64)
		if r.Return != nil {
			end = *r.Return
		}
		history = append(history, porcupine.Operation{ClientId: r.Client, Input: r, Call: r.Call, Output: r, Return: end})
	}
	return history, lines.Err()
}

func main() {
	history, err := read()
	if err != nil {
		fmt.Fprintln(os.Stderr, "linearizable:", err)
		os.Exit(2)
	}
	model := porcupine.Model{
		Partition:         byRegister,
		Init:              func() interface{} { return register{} },
		Step:              step,
		DescribeOperation: describe,
	}
	result, info := porcupine.CheckOperationsVerbose(model, history, patience)
	fmt.Println(result)
	if result != porcupine.Ok {
		if len(os.Args) > 1 {
			if err := porcupine.VisualizePath(model, info, os.Args[1]); err != nil {
				fmt.Fprintln(os.Stderr, "linearizable:", err)
			}
		}
		os.Exit(1)
	}
}

const patience = 60 * time.Second
