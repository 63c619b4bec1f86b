package verify

import (
	"errors"
	"strings"
)

// errMissing tells that DNS has no such record.
var errMissing = errors.New("no such record")

// find asks for records; errMissing if there are none, any other error if nothing can be said yet. A name that no zone
// can hold is not asked for.
func find[T any](name string, ask func(string) ([]T, error)) ([]T, error) {
	name = strings.TrimSuffix(name, ".")
	if !isName(name) {
		return nil, errMissing
	}
	found, err := ask(name)
	if err == nil && len(found) == 0 {
		err = errMissing
	}
	return found, err
}
