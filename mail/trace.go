package mail

import "context"

type traceKey struct{}

// WithTrace returns a context that carries the id which follows a message from socket to webhook.
func WithTrace(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, traceKey{}, id)
}

// TraceID returns the id that WithTrace put in, or "".
func TraceID(ctx context.Context) string {
	id, _ := ctx.Value(traceKey{}).(string)
	return id
}
