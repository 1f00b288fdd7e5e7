// Nothing is built of it: its custom resources are downloaded, and go mod tidy would leave nothing here.
module konductor.test/prometheus-operator

go 1.26

require github.com/prometheus-operator/prometheus-operator v0.85.0
