# Podmail needs Go only. Its tests also need Node, Python, swaks and curl: `make tools` installs what is missing.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: run test fuzz bench lint tools

run: ## the server, with its data in ./data
	go run . serve

test: tools lint fuzz ## everything that must hold
	go test -race -pgo=off -timeout 20m ./...

fuzz: ## new input for whatever reads bytes from the network, for a minute
	@.ci/fuzz

bench: ## messages per second and latencies, against the budgets
	go run ./bench

lint: ## what can be seen without running
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...
	@GOVULNCHECK=$(GOVULNCHECK) .ci/vulnerabilities

tools: ## the programs that the end-to-end tests drive
	@.ci/tools
