package demo

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// running is what a `leat up` tells other commands of this user.
type running struct {
	PID int    `json:"pid"`
	API string `json:"api"`
}

func runningFile() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "leat", "up.json"), nil
}

// RunningAPI is the API address of a running `leat up` of this user, or "".
func RunningAPI() string {
	name, err := runningFile()
	if err != nil {
		return ""
	}
	b, err := os.ReadFile(name)
	var r running
	if err != nil || json.Unmarshal(b, &r) != nil || r.PID <= 0 {
		return ""
	}
	if err := syscall.Kill(r.PID, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return ""
	}
	return r.API
}

// announce tells other commands where the API is; the returned function takes it back.
func announce(api string) (func(), error) {
	name, err := runningFile()
	if err != nil {
		return func() {}, nil // no home directory: --api says it
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return func() {}, nil
	}
	b, err := json.Marshal(running{os.Getpid(), api})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		return func() {}, nil
	}
	return func() { _ = os.Remove(name) }, nil
}
