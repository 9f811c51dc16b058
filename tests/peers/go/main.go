// Command peer is go-zookeeper's lock as a process that answers the same lines of JSON as our own recipes program:
// {"id": 7, "do": "lock.acquire", "path": "/l", "as": "a"}. Requests run beside one another.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

type request struct {
	ID   int64  `json:"id"`
	Do   string `json:"do"`
	Path string `json:"path"`
	As   string `json:"as"`
}

type answer struct {
	ID    int64       `json:"id"`
	Value interface{} `json:"value"`
	Error string      `json:"error,omitempty"`
}

type peer struct {
	connection *zk.Conn
	mutex      sync.Mutex
	held       map[string]*zk.Lock
	out        *json.Encoder
}

func main() {
	connection, events, err := zk.Connect(strings.Split(os.Args[1], ","), 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
	for event := range events {
		if event.State == zk.StateHasSession {
			break
		}
	}
	p := &peer{connection: connection, held: map[string]*zk.Lock{}, out: json.NewEncoder(os.Stdout)}
	p.say(map[string]int64{"ready": connection.SessionID()})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			fmt.Fprintln(os.Stderr, "peer:", err)
			os.Exit(1)
		}
		go p.answer(r)
	}
	connection.Close()
}

func (p *peer) say(what interface{}) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	// Nobody is left to tell when the output is gone.
	_ = p.out.Encode(what)
}

func (p *peer) answer(r request) {
	value, err := p.carryOut(r)
	a := answer{ID: r.ID, Value: value}
	if err != nil {
		a.Error = err.Error()
	}
	p.say(a)
}

func (p *peer) carryOut(r request) (interface{}, error) {
	switch r.Do {
	case "lock.acquire":
		lock := zk.NewLock(p.connection, r.Path, zk.WorldACL(zk.PermAll))
		if err := lock.Lock(); err != nil {
			return nil, err
		}
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.held[r.As] = lock
		return true, nil
	case "lock.release":
		p.mutex.Lock()
		lock := p.held[r.As]
		delete(p.held, r.As)
		p.mutex.Unlock()
		if lock == nil {
			return nil, fmt.Errorf("there is nothing named %q", r.As)
		}
		return nil, lock.Unlock()
	default:
		return nil, fmt.Errorf("there is no command %q", r.Do)
	}
}
