.PHONY: help demo test lint bench docker-up

help: ## these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: ## servers of our own, a hotel's year of data, the analyses
	python3 dev.py demo

test: ## everything that CI runs
	python3 dev.py test

lint: ## format, lint, types, import contracts
	python3 dev.py test format lint types imports

bench: ## the benchmarks: minutes
	python3 dev.py bench

docker-up: ## PostgreSQL and Redis in containers
	docker compose -f deploy/compose.yaml up -d --wait
