# npm scripts put node_modules/.bin first on the PATH: every target runs on the project's own Node 24.
INSTALLED := node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help build image manifests docs trial test test-all lint types unit integration test-life bench demo chaos sim reviews cluster clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 14
build: $(INSTALLED) ## dist/konductor.js, dist/gate.js, dist/koncli.js
	@npm run --silent build
image: $(INSTALLED) ## dist/image.tar, an OCI archive for amd64 and arm64, without a container engine
	@npm run --silent image
manifests: $(INSTALLED) ## deploy/install.yaml, charts/ and what koncli doctor compares, from deploy/
	@npm run --silent manifests
docs: $(INSTALLED) ## docs/api.md and docs/koncli-reference.md, from deploy/crds and from koncli itself
	@npm run --silent docs
trial: $(INSTALLED) ## dist/trial.yaml, konductor for a cluster that has only a public image of Node.js
	@npm run --silent trial
test: $(INSTALLED) ## everything once
	@npm run --silent test
test-all: $(INSTALLED) ## everything on every node where it can run, for a night
	@npm run --silent test -- --all
lint: $(INSTALLED) ## style, likely mistakes and the direction of imports
	@npm run --silent lint
types: $(INSTALLED) ## the TypeScript compiler
	@npm run --silent types
unit: $(INSTALLED) ## tests that need nothing but Node
	@npm run --silent test:unit
integration: $(INSTALLED) ## tests against a real API server, in full
	@npm run --silent test:integration
test-life: $(INSTALLED) ## every way in which a hold ends, on a kubelet, with bounds and measured times
	@npm run --silent test:life
bench: $(INSTALLED) ## benchmarks that need no root, a quarter of an hour; BENCH="forecast", HISTORIES=FOLDER
	@npm run --silent bench -- $(BENCH)
demo: $(INSTALLED) ## two examples on a cluster of their own, with a timeline; GUARD=off, CLUSTER=current, RECORD=FILE.svg
	@npm run --silent demo
chaos: $(INSTALLED) ## faults at random on a kubelet, and proof that no two ran; SECONDS=60, SEED=1, GUARD=off
	@npm run --silent chaos
sim: $(INSTALLED) ## the real code in a simulated cluster, in virtual time; STORIES=1000, SEED=1, KEEP=1,2, TRACE=on
	@npm run --silent sim
reviews: $(INSTALLED) ## generated AdmissionReviews, whole and damaged; REVIEWS=10000, SEED=1
	@npm run --silent reviews
cluster: $(INSTALLED) ## a real Kubernetes to try things by hand
	@npm run --silent cluster
clean: ## remove what was built
	rm -rf dist coverage

$(INSTALLED): package-lock.json
	@echo "konductor: installing its packages, Node 24 among them"
	@npm ci --loglevel=error
	@touch $@
